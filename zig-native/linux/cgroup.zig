//! Control groups, v1, v2 and the mix of both. The stage makes a container's groups and puts itself in, before it leaves for
//! a cgroup namespace of its own, so that it sees itself at "/". All that the monitor does is `remove` them at the end
//! (and `killAll` where there is no pid namespace to do it).
//!
//! Where a hierarchy is mounted is read once from /proc/self/mountinfo, where we are in it from /proc/self/cgroup.
//! A host without (writable) cgroups still runs containers: only a limit that was asked for makes that an error.
const std = @import("std");
const linux = std.os.linux;
const stage = @import("../stage.zig");
const request = @import("../request.zig");
const path = @import("path.zig");

pub const Hierarchy = struct {
    /// Where it is mounted: "/sys/fs/cgroup/memory".
    mount_point: []const u8,
    /// What of the hierarchy is mounted there: "/" unless we are in a container.
    mount_root: []const u8,
    /// v1: "memory", "cpu,cpuacct", "name=systemd". v2: "".
    controllers: []const u8,
    /// Our own group in it, as /proc/self/cgroup says.
    own: []const u8,

    pub fn unified(self: Hierarchy) bool {
        return self.controllers.len == 0;
    }

    pub fn has(self: Hierarchy, controller: []const u8) bool {
        var list = std.mem.splitScalar(u8, self.controllers, ',');
        while (list.next()) |name| if (name.len > 0 and std.mem.eql(u8, name, controller)) return true;
        return false;
    }

    /// The directory of a group that /proc/PID/cgroup names.
    pub fn directory(self: Hierarchy, arena: std.mem.Allocator, group: []const u8) error{OutOfMemory}![:0]const u8 {
        var below = group;
        if (self.mount_root.len > 1 and std.mem.startsWith(u8, group, self.mount_root)) below = group[self.mount_root.len..];
        return std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ self.mount_point, std.mem.trim(u8, below, "/") }, 0);
    }
};

/// Every mounted hierarchy. Cheap: two small files of /proc.
pub fn discover(arena: std.mem.Allocator) error{OutOfMemory}![]const Hierarchy {
    const mounts = try readProc(arena, "/proc/self/mountinfo") orelse return &.{};
    const groups = try readProc(arena, "/proc/self/cgroup") orelse return &.{};
    return parse(arena, mounts, groups);
}

/// `hierarchies` with our own groups as they are now, after `join`.
pub fn located(arena: std.mem.Allocator, hierarchies: []const Hierarchy) error{OutOfMemory}![]const Hierarchy {
    const groups = try readProc(arena, "/proc/self/cgroup") orelse return &.{};
    const result = try arena.dupe(Hierarchy, hierarchies);
    for (result) |*hierarchy| hierarchy.own = ownGroup(groups, hierarchy.controllers);
    return result;
}

fn readProc(arena: std.mem.Allocator, name: [*:0]const u8) error{OutOfMemory}!?[]const u8 {
    const opened = linux.open(name, .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(opened));
    return path.readAll(arena, @intCast(opened), 4 << 20) catch |err| switch (err) {
        error.OutOfMemory => error.OutOfMemory,
        error.Failed => null,
    };
}

/// mountinfo: "36 31 0:34 /root /mount/point rw,relatime shared:5 - cgroup cgroup rw,memory" (proc_pid_mountinfo(5)).
fn parse(arena: std.mem.Allocator, mounts: []const u8, groups: []const u8) error{OutOfMemory}![]const Hierarchy {
    var found: std.ArrayList(Hierarchy) = .empty;
    var lines = std.mem.splitScalar(u8, mounts, '\n');
    while (lines.next()) |line| {
        const dash = std.mem.indexOf(u8, line, " - ") orelse continue;
        var after = std.mem.splitScalar(u8, line[dash + 3 ..], ' ');
        const kind = after.next() orelse continue;
        if (!std.mem.startsWith(u8, kind, "cgroup")) continue;
        _ = after.next();
        const v2 = std.mem.eql(u8, kind, "cgroup2");
        if (!v2 and !std.mem.eql(u8, kind, "cgroup")) continue;
        var before = std.mem.splitScalar(u8, line[0..dash], ' ');
        for (0..3) |_| _ = before.next();
        const root = before.next() orelse continue;
        const point = before.next() orelse continue;
        const controllers = if (v2) "" else try controllersOf(arena, after.next() orelse "");
        // A hierarchy that is mounted twice is used where it is mounted first.
        for (found.items) |known| {
            if (std.mem.eql(u8, known.controllers, controllers)) break;
        } else try found.append(arena, .{
            .mount_point = point,
            .mount_root = root,
            .controllers = controllers,
            .own = ownGroup(groups, controllers),
        });
    }
    return found.items;
}

/// The controllers among a v1 superblock's options.
fn controllersOf(arena: std.mem.Allocator, options: []const u8) error{OutOfMemory}![]const u8 {
    const known = [_][]const u8{
        "cpu",     "cpuacct", "cpuset",     "memory",   "devices", "freezer", "blkio", "pids",
        "hugetlb", "net_cls", "perf_event", "net_prio", "rdma",    "misc",    "debug",
    };
    var out: std.ArrayList(u8) = .empty;
    var parts = std.mem.splitScalar(u8, options, ',');
    while (parts.next()) |part| {
        const named = std.mem.startsWith(u8, part, "name=");
        const controller = for (known) |name| {
            if (std.mem.eql(u8, name, part)) break true;
        } else false;
        if (!named and !controller) continue;
        if (out.items.len > 0) try out.append(arena, ',');
        try out.appendSlice(arena, part);
    }
    return out.items;
}

/// /proc/PID/cgroup: "4:memory:/group", v2 is "0::/group". "/" when the hierarchy is not listed.
pub fn ownGroup(groups: []const u8, controllers: []const u8) []const u8 {
    const first = std.mem.sliceTo(controllers, ',');
    var lines = std.mem.splitScalar(u8, groups, '\n');
    while (lines.next()) |line| {
        var fields = std.mem.splitScalar(u8, line, ':');
        _ = fields.next();
        const listed = fields.next() orelse continue;
        const group = fields.rest();
        if (controllers.len == 0) {
            if (listed.len == 0 and group.len > 0) return group;
            continue;
        }
        var names = std.mem.splitScalar(u8, listed, ',');
        while (names.next()) |name| if (std.mem.eql(u8, name, first)) return group;
    }
    return "/";
}

/// Make the container's group in every hierarchy, write its limits and its device rules.
/// Failures without a `required` file are warnings.
pub fn create(arena: std.mem.Allocator, hierarchies: []const Hierarchy, group: *const request.Cgroup, devices: []const request.DeviceRule, sync: i32) path.Error!void {
    for (hierarchies) |hierarchy| {
        const errno = try makeGroup(arena, hierarchy, group.path);
        // Read-only hierarchies are how a container sees its own: quietly do without.
        if (errno != .SUCCESS and errno != .ROFS and errno != .EXIST and errno != .PERM and errno != .ACCES)
            stage.warn(sync, "cannot make a cgroup in {s}: {s}", .{ hierarchy.mount_point, @tagName(errno) });
    }
    for (group.files) |file| {
        const hierarchy = find(hierarchies, file.controller);
        const errno: linux.E = if (hierarchy) |there| try write(arena, there, group.path, file.name, file.value) else .NOENT;
        if (errno == .SUCCESS) continue;
        if (file.required) return stage.fail(.monitor, errno, "set cgroup limit {s}={s}", .{ file.name, file.value });
        stage.warn(sync, "cannot set cgroup limit {s}={s}: {s}", .{ file.name, file.value, @tagName(errno) });
    }
    if (find(hierarchies, "devices")) |hierarchy| try writeDeviceRules(arena, hierarchy, group.path, devices);
}

fn find(hierarchies: []const Hierarchy, controller: []const u8) ?Hierarchy {
    for (hierarchies) |hierarchy| {
        if (controller.len == 0) {
            if (hierarchy.unified()) return hierarchy;
        } else if (hierarchy.has(controller)) return hierarchy;
    }
    return null;
}

/// mkdir -p, component by component, because a parent must pass its controllers (v2) or its cpuset (v1) on.
fn makeGroup(arena: std.mem.Allocator, hierarchy: Hierarchy, group: []const u8) error{OutOfMemory}!linux.E {
    const cpuset = hierarchy.has("cpuset");
    var current: []const u8 = hierarchy.mount_point;
    var parts = std.mem.tokenizeScalar(u8, group, '/');
    while (parts.next()) |part| {
        const parent = current;
        if (hierarchy.unified()) try passControllersOn(arena, parent);
        const directory = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ parent, part }, 0);
        current = directory;
        const errno = linux.errno(linux.mkdir(directory, 0o755));
        if (errno != .SUCCESS and errno != .EXIST) return errno;
        if (cpuset and errno == .SUCCESS) for ([_][]const u8{ "cpuset.cpus", "cpuset.mems" }) |file| try inherit(arena, parent, directory, file);
    }
    return .SUCCESS;
}

/// Enable in `directory`'s children every controller that it has. A failure shows when a limit is written.
fn passControllersOn(arena: std.mem.Allocator, directory: []const u8) error{OutOfMemory}!void {
    const available = try readProc(arena, try std.fmt.allocPrintSentinel(arena, "{s}/cgroup.controllers", .{directory}, 0)) orelse return;
    const enabled = try readProc(arena, try std.fmt.allocPrintSentinel(arena, "{s}/cgroup.subtree_control", .{directory}, 0)) orelse "";
    const file = try std.fmt.allocPrintSentinel(arena, "{s}/cgroup.subtree_control", .{directory}, 0);
    var names = std.mem.tokenizeAny(u8, available, " \n");
    next: while (names.next()) |name| {
        var already = std.mem.tokenizeAny(u8, enabled, " \n");
        while (already.next()) |there| if (std.mem.eql(u8, there, name)) continue :next;
        const text = try std.fmt.allocPrint(arena, "+{s}", .{name});
        _ = path.writeFile(linux.AT.FDCWD, file, text, 0);
    }
}

/// A new v1 cpuset is empty and takes no process until it was given what its parent has.
fn inherit(arena: std.mem.Allocator, parent: []const u8, child: []const u8, file: []const u8) error{OutOfMemory}!void {
    const value = try readProc(arena, try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ parent, file }, 0)) orelse return;
    const target = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ child, file }, 0);
    _ = path.writeFile(linux.AT.FDCWD, target, std.mem.trim(u8, value, "\n"), 0);
}

fn write(arena: std.mem.Allocator, hierarchy: Hierarchy, group: []const u8, file: []const u8, value: []const u8) path.Error!linux.E {
    if (std.mem.indexOfAny(u8, file, "/\x00") != null) return .INVAL;
    const name = try std.fmt.allocPrintSentinel(arena, "{s}/{s}/{s}", .{ hierarchy.mount_point, group, file }, 0);
    return path.writeFile(linux.AT.FDCWD, name, value, 0);
}

/// v1 only: on v2 the rules are an eBPF program. A host that refuses (we are in a container ourselves) has stricter ones.
fn writeDeviceRules(arena: std.mem.Allocator, hierarchy: Hierarchy, group: []const u8, rules: []const request.DeviceRule) path.Error!void {
    for (rules) |rule| {
        const text = try deviceRule(arena, rule);
        switch (try write(arena, hierarchy, group, if (rule.allow) "devices.allow" else "devices.deny", text)) {
            .SUCCESS, .PERM, .ACCES, .ROFS, .NOENT => {},
            else => |errno| return stage.fail(.monitor, errno, "write device rule {s}", .{text}),
        }
    }
}

/// "c 1:3 rwm", "b *:* m"; everything is "a".
fn deviceRule(arena: std.mem.Allocator, rule: request.DeviceRule) error{OutOfMemory}![]const u8 {
    var major: [10]u8 = undefined;
    var minor: [10]u8 = undefined;
    return std.fmt.allocPrint(arena, "{s} {s}:{s} {s}", .{ @tagName(rule.type), deviceNumber(&major, rule.major), deviceNumber(&minor, rule.minor), rule.access });
}

fn deviceNumber(buffer: *[10]u8, value: ?u32) []const u8 {
    const given = value orelse return "*";
    var writer: std.Io.Writer = .fixed(buffer);
    writer.print("{d}", .{given}) catch unreachable; // ten digits hold every u32
    return writer.buffered();
}

/// Put the calling process, which must have one thread, into `group` of every hierarchy that has it.
pub fn join(arena: std.mem.Allocator, hierarchies: []const Hierarchy, group: []const u8) path.Error!void {
    for (hierarchies) |hierarchy| {
        const directory = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ hierarchy.mount_point, group }, 0);
        try enter(arena, hierarchy, directory);
    }
}

/// Join where another process is; `groups` is its /proc/PID/cgroup.
pub fn joinProcess(arena: std.mem.Allocator, hierarchies: []const Hierarchy, groups: []const u8) path.Error!void {
    for (hierarchies) |hierarchy| {
        const there = ownGroup(groups, hierarchy.controllers);
        if (std.mem.eql(u8, there, hierarchy.own)) continue;
        try enter(arena, hierarchy, try hierarchy.directory(arena, there));
    }
}

fn enter(arena: std.mem.Allocator, hierarchy: Hierarchy, directory: []const u8) path.Error!void {
    // "0" in a v1 group's `tasks` moves just the caller: that takes no system-wide lock, where cgroup.procs waits for an
    // RCU grace period (up to 10 ms).
    const file = if (hierarchy.unified()) "cgroup.procs" else "tasks";
    const name = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ directory, file }, 0);
    switch (path.writeFile(linux.AT.FDCWD, name, "0", 0)) {
        // The monitor could not make it there, and warned or failed as was due.
        .SUCCESS, .NOENT, .ROFS, .ACCES, .PERM => {},
        else => |errno| return stage.fail(.namespace, errno, "join cgroup {s}", .{directory}),
    }
}

/// Remove the group everywhere. The last process may still be on its way out: EBUSY is retried for a moment. What stays
/// busy (a process that left its pid namespace's end behind) is left; the next cleanup finds it.
pub fn remove(group: []const u8) void {
    everywhere(group, removeTree);
}

const remove_tries = 50;
const remove_pause_ns = 2 * std.time.ns_per_ms;
const depth_max = 32;

/// A container with a writable cgroup may have made groups below its own.
fn removeTree(arena: std.mem.Allocator, directory: [:0]const u8) error{OutOfMemory}!void {
    return removeTreeDepth(arena, directory, 0);
}

fn removeTreeDepth(arena: std.mem.Allocator, directory: [:0]const u8, depth: u32) error{OutOfMemory}!void {
    for (0..remove_tries) |_| {
        switch (linux.errno(linux.rmdir(directory))) {
            .BUSY => {},
            else => return,
        }
        if (depth < depth_max) try removeChildren(arena, directory, depth);
        const pause: linux.timespec = .{ .sec = 0, .nsec = remove_pause_ns };
        _ = linux.nanosleep(&pause, null);
    }
}

fn removeChildren(arena: std.mem.Allocator, directory: [:0]const u8, depth: u32) error{OutOfMemory}!void {
    const opened = linux.open(directory, .{ .DIRECTORY = true, .CLOEXEC = true, .NOFOLLOW = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return;
    defer _ = linux.close(@intCast(opened));
    var buffer: [4096]u8 align(8) = undefined;
    while (true) {
        const count = linux.getdents64(@intCast(opened), &buffer, buffer.len);
        if (linux.errno(count) != .SUCCESS or count == 0) return;
        var offset: usize = 0;
        while (offset < count) {
            const entry: *align(1) const linux.dirent64 = @ptrCast(&buffer[offset]);
            const name = std.mem.sliceTo(buffer[offset + @offsetOf(linux.dirent64, "name") ..], 0);
            offset += entry.reclen;
            if (entry.type != linux.DT.DIR or std.mem.eql(u8, name, ".") or std.mem.eql(u8, name, "..")) continue;
            const child = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ directory, name }, 0);
            try removeTreeDepth(arena, child, depth + 1);
        }
    }
}

/// SIGKILL to everything in the group: for a container that shares the host's pid namespace, where killing its first
/// process does not end the others.
pub fn killAll(group: []const u8) void {
    everywhere(group, killGroup);
}

fn killGroup(arena: std.mem.Allocator, directory: [:0]const u8) error{OutOfMemory}!void {
    const kill = try std.fmt.allocPrintSentinel(arena, "{s}/cgroup.kill", .{directory}, 0);
    if (path.writeFile(linux.AT.FDCWD, kill, "1", 0) == .SUCCESS) return; // v2 since 5.14
    const procs = try std.fmt.allocPrintSentinel(arena, "{s}/cgroup.procs", .{directory}, 0);
    // A process that forks meanwhile is met in the next round.
    for (0..10) |_| {
        const text = try readProc(arena, procs) orelse return;
        if (text.len == 0) return;
        var pids = std.mem.tokenizeScalar(u8, text, '\n');
        while (pids.next()) |pid| {
            const number = std.fmt.parseInt(i32, pid, 10) catch continue; // not a pid of our namespace
            if (number > 1) _ = linux.kill(number, .KILL);
        }
    }
}

const scratch_bytes = 8 << 20;

/// `act` on the group's directory in each hierarchy, with memory that lives just as long: at a container's end the monitor
/// has none of its own left. What cannot be done stays for the next cleanup.
fn everywhere(group: []const u8, act: *const fn (std.mem.Allocator, [:0]const u8) error{OutOfMemory}!void) void {
    const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
    const address = linux.mmap(null, scratch_bytes, .{ .READ = true, .WRITE = true }, flags, -1, 0);
    if (linux.errno(address) != .SUCCESS) return;
    const memory: [*]align(std.heap.page_size_min) u8 = @ptrFromInt(address);
    defer _ = linux.munmap(memory, scratch_bytes);
    var fixed: std.heap.FixedBufferAllocator = .init(memory[0..scratch_bytes]);
    const arena = fixed.allocator();
    const hierarchies = discover(arena) catch return; // mountinfo larger than the scratch memory
    for (hierarchies) |hierarchy| {
        const directory = std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ hierarchy.mount_point, group }, 0) catch return;
        act(arena, directory) catch return;
    }
}

const hybrid_mounts =
    \\27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
    \\32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
    \\35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
    \\40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
    \\41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
    \\50 31 0:38 / /elsewhere rw,relatime - cgroup2 cgroup2 rw
;
const hybrid_groups = "9:name=systemd:/\n4:memory:/process/c1:b\n1:cpu,cpuacct:/x\n0::/u\n";

test "hierarchies of a hybrid host" {
    var memory: [8192]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const arena = fixed.allocator();
    const list = try parse(arena, hybrid_mounts, hybrid_groups);
    try std.testing.expectEqual(@as(usize, 4), list.len);
    try std.testing.expectEqualStrings("cpu,cpuacct", list[0].controllers);
    try std.testing.expect(list[0].has("cpuacct") and !list[0].has("pids") and !list[0].has(""));
    try std.testing.expectEqualStrings("/x", list[0].own);
    try std.testing.expectEqualStrings("/process/c1:b", list[1].own);
    try std.testing.expectEqualStrings("name=systemd", list[2].controllers);
    try std.testing.expect(list[3].unified());
    try std.testing.expectEqualStrings("/u", list[3].own);
    try std.testing.expectEqualStrings("/sys/fs/cgroup/unified", find(list, "").?.mount_point);
    try std.testing.expectEqualStrings("/sys/fs/cgroup/memory/process/c1:b", try list[1].directory(arena, list[1].own));
}

test "a group below a mounted subtree" {
    var memory: [512]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const nested: Hierarchy = .{ .mount_point = "/sys/fs/cgroup", .mount_root = "/docker/c1", .controllers = "", .own = "/docker/c1" };
    try std.testing.expectEqualStrings("/sys/fs/cgroup/rt/x", try nested.directory(fixed.allocator(), "/docker/c1/rt/x"));
    try std.testing.expectEqualStrings("/sys/fs/cgroup/", try nested.directory(fixed.allocator(), "/docker/c1"));
}

test "device rules" {
    var memory: [512]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    try std.testing.expectEqualStrings("a *:* rwm", try deviceRule(fixed.allocator(), .{ .allow = false, .access = "rwm" }));
    try std.testing.expectEqualStrings("c 1:3 rw", try deviceRule(fixed.allocator(), .{ .allow = true, .type = .c, .major = 1, .minor = 3, .access = "rw" }));
}
