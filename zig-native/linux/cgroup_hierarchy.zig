//! The control group hierarchies of a host: v1, v2 and the mix of both. Where each is mounted is read once from
//! /proc/self/mountinfo, where we are in it from /proc/self/cgroup.
const std = @import("std");
const linux = std.os.linux;
const memory = @import("memory.zig");
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

/// Every mounted hierarchy.
pub fn discover(arena: std.mem.Allocator) linksection(memory.starting) error{OutOfMemory}![]const Hierarchy {
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

/// `hierarchies` with all of the unified one in sight, where /proc/PID/cgroup is to name what is seen: as runc has it. Those of v1
/// show a container its own groups whatever its namespace.
pub fn whole(arena: std.mem.Allocator, hierarchies: []const Hierarchy) error{OutOfMemory}![]const Hierarchy {
    const result = try arena.dupe(Hierarchy, hierarchies);
    for (result) |*hierarchy| {
        if (hierarchy.unified()) hierarchy.own = hierarchy.mount_root;
    }
    return result;
}

/// A whole file of /proc or of a cgroup; null when it cannot be read.
pub fn readProc(arena: std.mem.Allocator, name: [*:0]const u8) error{OutOfMemory}!?[]const u8 {
    const opened = linux.open(name, .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(opened));
    return path.readAll(arena, @intCast(opened), 4 << 20);
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

/// The unified one of them, where it is.
pub fn unifiedOnly(hierarchies: []const Hierarchy) []const Hierarchy {
    for (hierarchies, 0..) |hierarchy, index| if (hierarchy.unified()) return hierarchies[index..][0..1];
    return &.{};
}

/// Where a v1 controller is, or with "" the v2 hierarchy.
pub fn find(hierarchies: []const Hierarchy, controller: []const u8) ?Hierarchy {
    for (hierarchies) |hierarchy| {
        if (controller.len == 0) {
            if (hierarchy.unified()) return hierarchy;
        } else if (hierarchy.has(controller)) return hierarchy;
    }
    return null;
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
    var bytes: [8192]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&bytes);
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
    var bytes: [512]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&bytes);
    const nested: Hierarchy = .{ .mount_point = "/sys/fs/cgroup", .mount_root = "/docker/c1", .controllers = "", .own = "/docker/c1" };
    try std.testing.expectEqualStrings("/sys/fs/cgroup/rt/x", try nested.directory(fixed.allocator(), "/docker/c1/rt/x"));
    try std.testing.expectEqualStrings("/sys/fs/cgroup/", try nested.directory(fixed.allocator(), "/docker/c1"));
}
