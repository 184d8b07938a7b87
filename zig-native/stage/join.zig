//! The stage of an exec: a program in a running container.
//!
//!   monitor --clone3--> stage (host's pid namespace; born in the container's v2 cgroup)
//!      |                  |  the container's v1 cgroups, setns(pidfd of its init), keyring, terminal, identity
//!      |   <-- 'T', 'W' --|
//!      |                  | --clone(CLONE_PARENT)--> the program's process, in the container's pid namespace
//!      |   <-- 'P' pid ---|                              |  session, terminal, the program's file
//!      |                exits                            |
//!      |   <-- 'R', 'S' -->, execve -------------------- |
//!
//! A pid namespace is entered by being born in it, so there are two processes; CLONE_PARENT makes the second one the
//! monitor's child too. The first cannot be named from inside. The second can be from its birth on, and a container with
//! CAP_SYS_PTRACE may then do with it as it likes (CVE-2016-9962). So it is born with nothing to gain: the program's
//! identity, capabilities, limits and system call filter; 0-2 are the program's; besides there is only `sync`, whose
//! other end believes nothing (monitor/sync.zig). It is not dumpable, and its memory, a copy of the stage's, holds nothing of the
//! host's: what was read there lay in a mapping of its own, which is gone.
const std = @import("std");
const linux = std.os.linux;
const cgroup_hierarchy = @import("../linux/cgroup_hierarchy.zig");
const cgroups = @import("cgroups.zig");
const exec_program = @import("exec.zig");
const fault = @import("../wire/fault.zig");
const filters = @import("filter.zig");
const handshake = @import("handshake.zig");
const idmap = @import("../linux/idmap.zig");
const inherited = @import("inherited.zig");
const keyring = @import("../linux/keyring.zig");
const label = @import("label.zig");
const memory = @import("../linux/memory.zig");
const namespaces = @import("../linux/namespace.zig");
const neighbour = @import("neighbour.zig");
const outside = @import("outside.zig");
const path = @import("../linux/path.zig");
const program = @import("program.zig");
const request = @import("../wire/request.zig");
const terminal = @import("terminal.zig");
const user_namespace = @import("../linux/user_namespace.zig");
const Users = @import("users.zig");

/// Where on the host the container is: read by the monitor, which makes the stage there; forgotten before the container is
/// entered.
pub const Place = struct {
    scratch: memory.Scratch,
    hierarchies: []const cgroup_hierarchy.Hierarchy = &.{},
    /// /proc/PID/cgroup of the container's init.
    groups: []const u8 = "",

    pub fn find(exec: *const request.Exec) fault.AllocError!Place {
        if (exec.cgroup == null) return .{ .scratch = try .map() };
        return of(exec.pid);
    }

    pub fn of(pid: i32) fault.AllocError!Place {
        var place: Place = .{ .scratch = try .map() };
        const arena = place.scratch.allocator();
        place.hierarchies = try cgroup_hierarchy.discover(arena);
        place.groups = try readProc(arena, pid, "cgroup");
        return place;
    }

    pub fn forget(self: *Place) void {
        self.scratch.unmap();
        self.* = undefined;
    }
};

/// In the cloned process. Ends in the user's program, or with a failure told to the monitor.
pub fn run(exec: *const request.Exec, handles: handshake.Handles, place: *Place, arena: std.mem.Allocator) noreturn {
    enter(exec, handles, place, arena) catch |err| {
        if (err == error.OutOfMemory) fault.failure.set(.request, .NOMEM, "the request is too large", .{});
        handshake.report(handles.sync);
    };
    handshake.end();
}

/// Returns only with a failure, in either process.
fn enter(exec: *const request.Exec, given: handshake.Handles, place: *Place, arena: std.mem.Allocator) fault.AllocError!void {
    const handles = try program.isolate(given);
    try program.hide();
    handshake.expect(handles.sync, 'G');
    try program.dieWithMonitor(handles.sync);
    inherited.shed(handles.sync, &exec.process);
    const filter = try filters.open(arena, exec.filter, handles.sync);
    try label.prepare(arena, &exec.process);
    filters.forget(exec.filter);
    const names = try joinContainer(exec, place, handles, arena);
    place.forget();
    if (exec.scoped) try label.scope();
    var prepared = try becomeInsider(exec, handles, filter, names, arena);
    try program.keepOnly(handles.sync, -1);
    try filters.Pending.loadEarly(&prepared.filter, &filters.born);
    memory.wipeStack(); // texts of the host's /proc lay there

    if (try neighbour.divide(handles.sync) != 0) linux.exit_group(0);
    _ = linux.setsid();
    if (exec.process.terminal) try terminal.control();
    const ready = try program.settle(arena, handles.sync, &exec.process, prepared);
    _ = handshake.send(handles.sync, "R");
    handshake.expect(handles.sync, 'S');
    return exec_program.run(ready);
}

/// Into the v1 cgroups and the namespaces of the container's init, once we hold it and know that it is still that process. That of
/// its users comes last: over the others we may have no right any more in there. Answers who is who in there; the container itself may
/// read that too.
fn joinContainer(
    exec: *const request.Exec,
    place: *const Place,
    handles: handshake.Handles,
    lasting: std.mem.Allocator,
) fault.AllocError!user_namespace.Files {
    const arena = place.scratch.allocator();
    const pidfd = try neighbour.hold(.{ .pid = exec.pid, .startTime = exec.startTime });
    defer _ = linux.close(pidfd);
    const delegated = if (exec.cgroup) |group| group.delegated else false;
    try cgroups.joinProcess(arena, place.hierarchies, place.groups, handles.in_group, delegated);
    const flags = try differing(arena, exec.pid);
    if (flags == 0) return fault.fail(.namespace, .SRCH, "process {d} is not in a container", .{exec.pid});
    const crosses = flags & linux.CLONE.NEWUSER != 0;
    const names: user_namespace.Files = if (crosses)
        try .read(lasting, exec.pid)
    else if (user_namespace.isInitial()) .{} else try .read(lasting, null);
    const users = if (crosses) try usersOf(arena, exec.pid, pidfd, &names) else null;
    if (users) |own| {
        outside.raiseLimits(exec.process.rlimits);
        own.give(handles);
        try Users.leaveGroups();
    }
    const others = flags & ~@as(u32, linux.CLONE.NEWUSER);
    if (others != 0) _ = try fault.check(linux.setns(pidfd, others), .namespace, "join the container's namespaces", .{});
    if (users) |own| {
        try own.enter();
        try own.becomeFirst();
    }
    return names;
}

/// What it is called out here is in its maps; its pidfd is as good as its namespace.
fn usersOf(arena: std.mem.Allocator, pid: i32, pidfd: i32, names: *const user_namespace.Files) fault.AllocError!Users {
    const uids, const gids = .{ names.uid_map orelse return gone(pid), names.gid_map orelse return gone(pid) };
    return .{
        .fd = pidfd,
        .uids = try idmap.parse(arena, uids) orelse &.{},
        .gids = try idmap.parse(arena, gids) orelse &.{},
    };
}

/// All that makes a process one of the container's, but for its pid.
fn becomeInsider(
    exec: *const request.Exec,
    handles: handshake.Handles,
    filter: ?filters.Filter,
    names: user_namespace.Files,
    arena: std.mem.Allocator,
) fault.AllocError!program.Prepared {
    try fault.ensure(keyring.fresh(), .settings, "make a session keyring", .{}); // not the caller's
    const opened = linux.open("/", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    const root: i32 = @intCast(try fault.check(opened, .rootfs, "open /", .{}));
    if (exec.process.terminal) {
        const pts = path.open(root, "/dev/pts", path.directory_path, 0, path.contained | path.no_symlinks);
        const directory: i32 = @intCast(try fault.check(pts, .device, "open /dev/pts", .{}));
        try terminal.hand(handles.sync, try terminal.open(directory, terminal.sizeOf(&exec.process)), false);
    } else try program.setStdio(handles);
    return program.takeIdentity(
        arena,
        handles.sync,
        root,
        &exec.process,
        .{ .user = exec.user, .groups = exec.groupAdd, .filter = filter, .names = names },
    );
}

fn readProc(arena: std.mem.Allocator, pid: i32, comptime file: []const u8) fault.AllocError![]const u8 {
    const name = try std.fmt.allocPrintSentinel(arena, "/proc/{d}/" ++ file, .{pid}, 0);
    const opened = linux.open(name, .{ .CLOEXEC = true }, 0);
    const fd: i32 = @intCast(try fault.check(opened, .namespace, "find the container's process {d}", .{pid}));
    defer _ = linux.close(fd);
    return try path.readAll(arena, fd, 64 * 1024) orelse gone(pid);
}

fn gone(pid: i32) fault.Error {
    return fault.fail(.namespace, .SRCH, "find the container's process {d}", .{pid});
}

/// The namespaces of `pid` that are not ours already, for one setns(2) on its pidfd (Linux 5.8).
fn differing(arena: std.mem.Allocator, pid: i32) fault.AllocError!u32 {
    var flags: u32 = 0;
    for (namespaces.kinds) |namespace| {
        var own: [64]u8 = undefined;
        var other: [64]u8 = undefined;
        const theirs = try std.fmt.allocPrintSentinel(arena, "/proc/{d}/ns/{s}", .{ pid, namespace.name }, 0);
        const ours = try std.fmt.allocPrintSentinel(arena, "/proc/self/ns/{s}", .{namespace.name}, 0);
        const target = readLink(theirs, &other) orelse continue; // a kind that this kernel does not have
        if (!std.mem.eql(u8, target, readLink(ours, &own) orelse continue)) flags |= namespace.flag;
    }
    return flags;
}

fn readLink(name: [*:0]const u8, buffer: *[64]u8) ?[]const u8 {
    const length = linux.readlinkat(linux.AT.FDCWD, name, buffer, buffer.len);
    return if (linux.errno(length) == .SUCCESS) buffer[0..length] else null;
}
