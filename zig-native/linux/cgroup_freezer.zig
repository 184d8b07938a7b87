//! Frozen control groups: what runs in one does nothing, not even die (v1). A container that can write to its own groups
//! can freeze itself, or groups that it made below, and must be seen through and ended all the same.
const std = @import("std");
const linux = std.os.linux;
const cgroup_hierarchy = @import("cgroup_hierarchy.zig");
const cgroup_walk = @import("cgroup_walk.zig");
const path = @import("path.zig");

const Hierarchy = cgroup_hierarchy.Hierarchy;

/// Tells whether the groups of a process are frozen, by themselves or by one above them.
pub const Watch = struct {
    /// v1: freezer.state
    state: i32 = -1,
    /// v2: cgroup.events
    events: i32 = -1,

    /// `groups` is the process's /proc/PID/cgroup.
    pub fn of(arena: std.mem.Allocator, hierarchies: []const Hierarchy, groups: []const u8) error{OutOfMemory}!Watch {
        return .{
            .state = try openFile(arena, cgroup_hierarchy.find(hierarchies, "freezer"), groups, "freezer.state"),
            .events = try openFile(arena, cgroup_hierarchy.find(hierarchies, ""), groups, "cgroup.events"),
        };
    }

    pub fn frozen(self: Watch) bool {
        var buffer: [256]u8 = undefined;
        // FROZEN, or on its way there.
        if (std.mem.startsWith(u8, read(self.state, &buffer), "FR")) return true;
        return std.mem.indexOf(u8, read(self.events, &buffer), "frozen 1") != null;
    }
};

/// -1 where there is none: a root group has no such file.
fn openFile(arena: std.mem.Allocator, found: ?Hierarchy, groups: []const u8, file: []const u8) error{OutOfMemory}!i32 {
    const hierarchy = found orelse return -1;
    const directory = try hierarchy.directory(arena, cgroup_hierarchy.ownGroup(groups, hierarchy.controllers));
    const opened = linux.open(try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ directory, file }, 0), .{ .CLOEXEC = true }, 0);
    return if (linux.errno(opened) == .SUCCESS) @intCast(opened) else -1;
}

fn read(fd: i32, buffer: []u8) []const u8 {
    if (fd < 0) return "";
    const length = linux.pread(fd, buffer.ptr, buffer.len, 0);
    return if (linux.errno(length) == .SUCCESS) buffer[0..length] else "";
}

/// Ask that everything in `group` and below stands still, or goes on. The kernel takes its time: its files tell when it is so.
pub fn freeze(arena: std.mem.Allocator, hierarchies: []const Hierarchy, group: []const u8, wanted: bool) error{OutOfMemory}!linux.E {
    const v1 = cgroup_hierarchy.find(hierarchies, "freezer");
    const v2 = cgroup_hierarchy.find(hierarchies, "");
    const first = v1 orelse v2 orelse return .NODEV;
    // Where a host has both, the container may have frozen itself in the other one.
    if (!wanted and v1 != null and v2 != null) _ = try set(arena, v2.?, group, false);
    const errno = try set(arena, first, group, wanted);
    // A group that is delegated to a user is in v2's alone.
    return if (errno == .NOENT and v1 != null and v2 != null) set(arena, v2.?, group, wanted) else errno;
}

fn set(arena: std.mem.Allocator, hierarchy: Hierarchy, group: []const u8, wanted: bool) error{OutOfMemory}!linux.E {
    const name = if (hierarchy.unified()) "cgroup.freeze" else "freezer.state";
    const file = try std.fmt.allocPrintSentinel(arena, "{s}/{s}/{s}", .{ hierarchy.mount_point, group, name }, 0);
    const value = if (hierarchy.unified()) (if (wanted) "1" else "0") else (if (wanted) "FROZEN" else "THAWED");
    return path.writeFile(linux.AT.FDCWD, file, value, 0);
}

/// Doubled from try to try: half a second in all.
const pause_first_ns = 1 * std.time.ns_per_ms;
const tries = 9;

/// SIGKILL for everything in `group` and below, and nothing of it stays frozen.
pub fn end(arena: std.mem.Allocator, hierarchies: []const Hierarchy, group: []const u8) error{OutOfMemory}!void {
    if (cgroup_hierarchy.find(hierarchies, "")) |hierarchy| {
        const file = try std.fmt.allocPrintSentinel(arena, "{s}/{s}/cgroup.kill", .{ hierarchy.mount_point, group }, 0);
        _ = path.writeFile(linux.AT.FDCWD, file, "1", 0); // Linux 5.14; without it the killed init takes all others with it
    }
    const hierarchy = cgroup_hierarchy.find(hierarchies, "freezer") orelse return;
    const directory = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ hierarchy.mount_point, group }, 0);
    var pause_ns: isize = pause_first_ns;
    for (0..tries) |_| {
        var visit: Visit = .{ .group = group };
        try cgroup_walk.each(arena, directory, &visit, count);
        if (visit.frozen == 0) return;
        // All stand still while they are killed: none can freeze another one after it was thawed, or make a new one.
        setState(directory, "FROZEN");
        try cgroup_walk.each(arena, directory, &visit, kill);
        try cgroup_walk.each(arena, directory, &visit, thaw);
        const pause: linux.timespec = .{ .sec = 0, .nsec = pause_ns };
        _ = linux.nanosleep(&pause, null);
        pause_ns *= 2;
    }
}

const Visit = struct { group: []const u8, frozen: usize = 0 };

fn count(directory: i32, visit: *Visit) void {
    const opened = linux.openat(directory, "freezer.state", .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return;
    defer _ = linux.close(@intCast(opened));
    var buffer: [16]u8 = undefined;
    if (std.mem.startsWith(u8, read(@intCast(opened), &buffer), "FR")) visit.frozen += 1;
}

fn thaw(directory: i32, _: *Visit) void {
    _ = path.writeFile(directory, "freezer.state", "THAWED", 0);
}

fn setState(directory: [*:0]const u8, state: []const u8) void {
    const opened = linux.open(directory, .{ .DIRECTORY = true, .CLOEXEC = true, .NOFOLLOW = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return;
    defer _ = linux.close(@intCast(opened));
    _ = path.writeFile(@intCast(opened), "freezer.state", state, 0);
}

/// Every process of an open group.
fn kill(directory: i32, visit: *Visit) void {
    const opened = linux.openat(directory, "cgroup.procs", .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return;
    const file: i32 = @intCast(opened);
    defer _ = linux.close(file);
    var buffer: [4096]u8 = undefined;
    var have: usize = 0;
    while (true) {
        const got = linux.read(file, buffer[have..].ptr, buffer.len - have);
        if (linux.errno(got) != .SUCCESS or got == 0) return;
        have += got;
        while (std.mem.indexOfScalar(u8, buffer[0..have], '\n')) |line_end| {
            killOne(std.fmt.parseInt(i32, buffer[0..line_end], 10) catch 0, visit.group);
            std.mem.copyForwards(u8, &buffer, buffer[line_end + 1 .. have]);
            have -= line_end + 1;
        }
    }
}

fn killOne(pid: i32, group: []const u8) void {
    if (pid <= 0) return; // of a pid namespace that is not below ours
    const pidfd = linux.pidfd_open(pid, 0);
    if (linux.errno(pidfd) != .SUCCESS) return;
    defer _ = linux.close(@intCast(pidfd));
    if (belongs(pid, group)) _ = linux.pidfd_send_signal(@intCast(pidfd), .KILL, null, 0);
}

/// Is `pid`, which we hold, in a group whose path has `group` in it? A container's has its id.
fn belongs(pid: i32, group: []const u8) bool {
    var name: [32]u8 = undefined;
    const file = std.fmt.bufPrintZ(&name, "/proc/{d}/cgroup", .{pid}) catch return false;
    const opened = linux.open(file, .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return false;
    defer _ = linux.close(@intCast(opened));
    var buffer: [16 * 1024]u8 = undefined;
    return std.mem.indexOf(u8, read(@intCast(opened), &buffer), group) != null;
}
