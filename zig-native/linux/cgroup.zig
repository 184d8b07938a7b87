//! Control groups, v1, v2 and the mix of both: making, entering, removing and ending them.
const std = @import("std");
const linux = std.os.linux;
const cgroup_freezer = @import("cgroup_freezer.zig");
const cgroup_hierarchy = @import("cgroup_hierarchy.zig");
const cgroup_memory = @import("cgroup_memory.zig");
const cgroup_removal = @import("cgroup_removal.zig");
const memory = @import("memory.zig");
const path = @import("path.zig");

const Hierarchy = cgroup_hierarchy.Hierarchy;
const readProc = cgroup_hierarchy.readProc;

/// Where a controller is: in a v1 hierarchy, or else in the unified one.
pub fn hierarchyOf(hierarchies: []const Hierarchy, controller: []const u8) ?Hierarchy {
    return cgroup_hierarchy.find(hierarchies, controller) orelse cgroup_hierarchy.find(hierarchies, "");
}

/// A group below a hierarchy's root: `remove` takes away what it is given, with everything in it.
pub fn isGroup(group: []const u8) bool {
    var parts = std.mem.splitScalar(u8, group, '/');
    while (parts.next()) |part| {
        if (part.len == 0 or std.mem.eql(u8, part, ".") or std.mem.eql(u8, part, "..")) return false;
    }
    return std.mem.indexOfScalar(u8, group, 0) == null;
}

/// mkdir -p, component by component, because a parent must pass its controllers (v2) or its cpuset (v1) on. One that is there
/// has what it needs: its parents may be somebody else's, as systemd's are.
pub fn makeGroup(
    arena: std.mem.Allocator,
    hierarchy: Hierarchy,
    group: []const u8,
) linksection(memory.starting) error{OutOfMemory}!linux.E {
    const whole = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ hierarchy.mount_point, group }, 0);
    if (linux.errno(linux.access(whole, linux.F_OK)) == .SUCCESS) return .SUCCESS;
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
        if (cpuset and errno == .SUCCESS) for ([_][]const u8{ "cpuset.cpus", "cpuset.mems" }) |file| try inherit(
            arena,
            parent,
            directory,
            file,
        );
    }
    return .SUCCESS;
}

/// Enable in `directory`'s children every controller that it has. A failure shows when a limit is written.
fn passControllersOn(arena: std.mem.Allocator, directory: []const u8) error{OutOfMemory}!void {
    const available = try readFile(arena, directory, "cgroup.controllers") orelse return;
    const enabled = try readFile(arena, directory, "cgroup.subtree_control") orelse "";
    const file = try std.fmt.allocPrintSentinel(arena, "{s}/cgroup.subtree_control", .{directory}, 0);
    var asked = false;
    var names = std.mem.tokenizeAny(u8, available, " \n");
    next: while (names.next()) |name| {
        var already = std.mem.tokenizeAny(u8, enabled, " \n");
        while (already.next()) |there| if (std.mem.eql(u8, there, name)) continue :next;
        if (!asked and linux.errno(linux.access(file, linux.W_OK)) != .SUCCESS) return; // above what is delegated to us
        if (!asked and try holdsProcesses(arena, directory)) return;
        asked = true;
        const text = try std.fmt.allocPrint(arena, "+{s}", .{name});
        _ = path.writeFile(linux.AT.FDCWD, file, text, 0);
    }
}

/// A group that processes are in must not pass controllers on: the kernel takes those that know threads (cpu, pids), makes
/// it the domain of a threaded subtree, and then no process may enter a group below it. This is what we find as the root
/// when we are in a container ourselves. The hierarchy's real root, which has no type, is free of all that.
fn holdsProcesses(arena: std.mem.Allocator, directory: []const u8) error{OutOfMemory}!bool {
    if (try readFile(arena, directory, "cgroup.type") == null) return false;
    const processes = try readFile(arena, directory, "cgroup.procs") orelse return true;
    return processes.len > 0;
}

pub fn readFile(arena: std.mem.Allocator, directory: []const u8, name: []const u8) error{OutOfMemory}!?[]const u8 {
    return readProc(arena, try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ directory, name }, 0));
}

/// A new v1 cpuset is empty and takes no process until it was given what its parent has.
fn inherit(arena: std.mem.Allocator, parent: []const u8, child: []const u8, file: []const u8) error{OutOfMemory}!void {
    const value = try readFile(arena, parent, file) orelse return;
    const target = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ child, file }, 0);
    _ = path.writeFile(linux.AT.FDCWD, target, std.mem.trim(u8, value, "\n"), 0);
}

pub fn write(
    arena: std.mem.Allocator,
    hierarchy: Hierarchy,
    group: []const u8,
    file: []const u8,
    value: []const u8,
) error{OutOfMemory}!linux.E {
    if (std.mem.indexOfAny(u8, file, "/\x00") != null) return .INVAL;
    const name = try std.fmt.allocPrintSentinel(arena, "{s}/{s}/{s}", .{ hierarchy.mount_point, group, file }, 0);
    return path.writeFile(linux.AT.FDCWD, name, value, 0);
}

/// A descriptor of `group` in the v2 hierarchy, made if need be, for the process to be born there (linux/clone.zig). -1
/// where there is no v2, or we may not.
pub fn openUnified(
    arena: std.mem.Allocator,
    hierarchies: []const Hierarchy,
    group: []const u8,
) linksection(memory.starting) error{OutOfMemory}!i32 {
    const hierarchy = cgroup_hierarchy.find(hierarchies, "") orelse return -1;
    if (!isGroup(group)) return -1;
    const errno = try makeGroup(arena, hierarchy, group);
    if (errno != .SUCCESS and errno != .EXIST) return -1; // `create` finds the same, and says so
    return openGroup(try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ hierarchy.mount_point, group }, 0));
}

/// The same for the group that another process is in; `groups` is its /proc/PID/cgroup.
pub fn openUnifiedOf(arena: std.mem.Allocator, hierarchies: []const Hierarchy, groups: []const u8) error{OutOfMemory}!i32 {
    const hierarchy = cgroup_hierarchy.find(hierarchies, "") orelse return -1;
    return openGroup(try hierarchy.directory(arena, cgroup_hierarchy.ownGroup(groups, "")));
}

fn openGroup(directory: [*:0]const u8) i32 {
    const opened = linux.open(directory, .{ .DIRECTORY = true, .CLOEXEC = true, .NOFOLLOW = true }, 0);
    return if (linux.errno(opened) == .SUCCESS) @intCast(opened) else -1;
}

/// Put the calling process, which must have one thread, into the group that is `directory`.
pub fn enter(arena: std.mem.Allocator, hierarchy: Hierarchy, directory: []const u8) error{OutOfMemory}!linux.E {
    // "0" in a v1 group's `tasks` moves just the caller: that takes no system-wide lock, where cgroup.procs waits for an
    // RCU grace period (up to 10 ms).
    const file = if (hierarchy.unified()) "cgroup.procs" else "tasks";
    return path.writeFile(linux.AT.FDCWD, try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ directory, file }, 0), "0", 0);
}

/// Remove the group everywhere, with those that a container which could write to its own has made below it. What stays
/// busy (a process that left its pid namespace's end behind) is left; the next cleanup finds it.
pub fn remove(group: []const u8) void {
    _ = conclude(group);
}

/// The same, and what is to be known of the group afterwards.
pub fn conclude(group: []const u8) cgroup_memory.Shortage {
    var shortage: cgroup_memory.Shortage = .{};
    // At a container's end the monitor has no memory of its own left.
    const scratch = memory.Scratch.map() catch return shortage;
    defer scratch.unmap();
    removeEverywhere(scratch.allocator(), group, &shortage) catch return shortage; // mountinfo larger than the scratch memory
    return shortage;
}

fn removeEverywhere(arena: std.mem.Allocator, group: []const u8, shortage: *cgroup_memory.Shortage) error{OutOfMemory}!void {
    if (!isGroup(group)) return;
    const hierarchies = try cgroup_hierarchy.discover(arena);
    shortage.* = try cgroup_memory.shortageOf(arena, hierarchies, group);
    for (hierarchies) |hierarchy| {
        if (isWatched(hierarchy, group)) continue;
        const directory = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ hierarchy.mount_point, group }, 0);
        cgroup_removal.remove(directory);
    }
}

/// A unit of systemd's.
pub fn isScope(group: []const u8) bool {
    return std.mem.endsWith(u8, group, ".scope");
}

/// A scope's is systemd's to remove: the kernel's word that it is empty, which is the unit's end, is lost with the directory.
fn isWatched(hierarchy: Hierarchy, group: []const u8) bool {
    if (!isScope(group)) return false;
    return hierarchy.unified() or hierarchy.has("name=systemd");
}

/// SIGKILL for all that is in the group and below, frozen or not.
pub fn end(group: []const u8) void {
    if (!isGroup(group)) return;
    const scratch = memory.Scratch.map() catch return;
    defer scratch.unmap();
    const arena = scratch.allocator();
    const hierarchies = cgroup_hierarchy.discover(arena) catch return;
    cgroup_freezer.end(arena, hierarchies, group) catch return; // groups nested deeper than the scratch memory holds
}

/// Ask that all in the group stands still, or goes on.
pub fn freeze(group: []const u8, wanted: bool) linux.E {
    if (!isGroup(group)) return .INVAL;
    const scratch = memory.Scratch.map() catch return .NOMEM;
    defer scratch.unmap();
    const arena = scratch.allocator();
    const hierarchies = cgroup_hierarchy.discover(arena) catch return .NOMEM;
    return cgroup_freezer.freeze(arena, hierarchies, group, wanted) catch .NOMEM;
}

test {
    _ = cgroup_memory;
}

test "only a group below the root is made or removed" {
    for ([_][]const u8{ "rt/x", "rt" }) |good| try std.testing.expect(isGroup(good));
    for ([_][]const u8{ "", "/", "/rt", "rt/", "rt/../..", ".", "a//b", "a\x00b" }) |bad| try std.testing.expect(!isGroup(bad));
}
