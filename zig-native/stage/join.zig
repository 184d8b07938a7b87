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
const handshake = @import("handshake.zig");
const inherited = @import("inherited.zig");
const keyring = @import("../linux/keyring.zig");
const memory = @import("../linux/memory.zig");
const namespaces = @import("../linux/namespace.zig");
const neighbour = @import("neighbour.zig");
const path = @import("../linux/path.zig");
const program = @import("program.zig");
const request = @import("../wire/request.zig");
const terminal = @import("terminal.zig");

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
    linux.exit_group(1);
}

/// Returns only with a failure, in either process.
fn enter(exec: *const request.Exec, given: handshake.Handles, place: *Place, arena: std.mem.Allocator) fault.AllocError!void {
    const handles = try program.isolate(given);
    try program.hide();
    handshake.expect(handles.sync, 'G');
    try program.dieWithMonitor(handles.sync);
    inherited.shed(handles.sync, &exec.process);
    try joinContainer(exec, place, handles.in_group);
    place.forget();
    const prepared = try becomeInsider(exec, handles, arena);
    try program.keepOnly(handles.sync);
    wipeStack();

    if (try neighbour.divide(handles.sync) != 0) linux.exit_group(0);
    _ = linux.setsid();
    if (exec.process.terminal) try terminal.control();
    const ready = try program.settle(arena, handles.sync, &exec.process, prepared);
    _ = handshake.send(handles.sync, "R");
    handshake.expect(handles.sync, 'S');
    return exec_program.run(ready);
}

/// Into the v1 cgroups and the namespaces of the container's init, once we hold it and know that it is still that process.
fn joinContainer(exec: *const request.Exec, place: *const Place, in_group: bool) fault.AllocError!void {
    const arena = place.scratch.allocator();
    const pidfd = try neighbour.hold(.{ .pid = exec.pid, .startTime = exec.startTime });
    defer _ = linux.close(pidfd);
    try cgroups.joinProcess(arena, place.hierarchies, place.groups, in_group);
    const flags = try differing(arena, exec.pid);
    if (flags == 0) return fault.fail(.namespace, .SRCH, "process {d} is not in a container", .{exec.pid});
    _ = try fault.check(linux.setns(pidfd, flags), .namespace, "join the container's namespaces", .{});
}

/// All that makes a process one of the container's, but for its pid.
fn becomeInsider(exec: *const request.Exec, handles: handshake.Handles, arena: std.mem.Allocator) fault.AllocError!program.Prepared {
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
        .{ .user = exec.user, .groups = exec.groupAdd, .confined = exec.confined },
    );
}

/// Texts of the host's /proc lay there.
noinline fn wipeStack() void {
    var below: [32 * 1024]u8 = undefined;
    @memset(&below, 0);
    std.mem.doNotOptimizeAway(&below);
}

fn readProc(arena: std.mem.Allocator, pid: i32, comptime file: []const u8) fault.AllocError![]const u8 {
    const name = try std.fmt.allocPrintSentinel(arena, "/proc/{d}/" ++ file, .{pid}, 0);
    const opened = linux.open(name, .{ .CLOEXEC = true }, 0);
    const fd: i32 = @intCast(try fault.check(opened, .namespace, "find the container's process {d}", .{pid}));
    defer _ = linux.close(fd);
    return try path.readAll(arena, fd, 64 * 1024) orelse fault.fail(.namespace, .SRCH, "find the container's process {d}", .{pid});
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
