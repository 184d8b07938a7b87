//! The stage of an exec: a program in a running container.
//!
//!   monitor --clone3--> stage (host's namespaces, not dumpable)
//!      |                  |  joins the container's cgroups, setns(pidfd of its init)
//!      |                  | --clone3(CLONE_PARENT)--> program's process, in all of the container's namespaces
//!      |  <-- 'P' pid --- |                              |  waits for the stage's word
//!      |                exits                            |  identity, terminal
//!      |  <-- 'T', 'R', 'S' -->, execve ---------------- |
//!
//! A pid namespace is entered by being born in it, so there are two processes; CLONE_PARENT makes the second one the
//! monitor's child too. From before the first step inside until execve neither may be traced by the container
//! (CVE-2016-9962): they are not dumpable, and hold no descriptor but their stdio and `sync`.
const std = @import("std");
const linux = std.os.linux;
const cgroup = @import("linux/cgroup.zig");
const cgroup_hierarchy = @import("linux/cgroup_hierarchy.zig");
const clone = @import("linux/clone.zig");
const exec_program = @import("exec.zig");
const keyring = @import("linux/keyring.zig");
const path = @import("linux/path.zig");
const process = @import("process.zig");
const program = @import("program.zig");
const request = @import("request.zig");
const stage = @import("stage.zig");
const tty = @import("linux/tty.zig");

/// In the cloned process. Ends in the user's program, or with a failure told to the monitor.
pub fn run(exec: *const request.Exec, handles: stage.Handles, arena: std.mem.Allocator) noreturn {
    enter(exec, handles, arena) catch |err| {
        if (err == error.OutOfMemory) stage.failure.set(.request, .NOMEM, "the request is too large", .{});
        stage.report(handles.sync);
    };
    linux.exit_group(1);
}

/// Returns only with a failure, in either process.
fn enter(exec: *const request.Exec, given: stage.Handles, arena: std.mem.Allocator) path.Error!void {
    const handles = try program.isolate(given);
    const hidden = linux.prctl(@intFromEnum(linux.PR.SET_DUMPABLE), 0, 0, 0, 0);
    _ = try stage.check(hidden, .namespace, "prctl", .{});
    stage.expect(handles.sync, 'G');
    try program.dieWithMonitor(handles.sync);
    _ = linux.syscall1(.umask, 0);
    program.setOomScore(handles.sync, &exec.process);

    var word: [2]i32 = undefined;
    _ = try stage.check(linux.pipe2(&word, .{ .CLOEXEC = true }), .namespace, "pipe", .{});
    const inside = try joinContainer(exec, arena);
    const cloned = clone.clone(linux.CLONE.PARENT, inside.group);
    const pid = try stage.check(cloned.result, .namespace, "enter the container's pid namespace", .{});
    if (pid > 0) {
        // 'P' comes before the other's 'R'.
        var packet = [_]u8{'P'} ++ [_]u8{0} ** 4;
        std.mem.writeInt(i32, packet[1..5], @intCast(pid), .big);
        if (stage.send(handles.sync, &packet)) _ = linux.write(word[1], "p", 1);
        linux.exit_group(0);
    }
    _ = linux.close(word[1]);
    var byte: [1]u8 = undefined;
    if (linux.read(word[0], &byte, 1) != 1) linux.exit_group(1); // the stage was killed: nobody knows of us
    _ = linux.close(word[0]);
    try settleIn(inside, cloned.in_group);
    return become(exec, handles, arena);
}

fn become(exec: *const request.Exec, handles: stage.Handles, arena: std.mem.Allocator) path.Error!void {
    _ = linux.setsid();
    try keyring.fresh(); // not the caller's
    try program.dieWithMonitor(handles.sync);
    const opened = linux.open("/", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    const root: i32 = @intCast(try stage.check(opened, .rootfs, "open /", .{}));
    if (exec.process.terminal) {
        const pts = path.open(root, "/dev/pts", path.directory_path, 0, path.contained | path.no_symlinks);
        const directory: i32 = @intCast(try stage.check(pts, .device, "open /dev/pts", .{}));
        try program.setTerminal(handles.sync, try tty.open(directory, program.consoleSize(&exec.process)), true);
    } else try program.setStdio(handles);
    const ready = try program.become(arena, handles.sync, root, &exec.process, .{ .user = exec.user, .groups = exec.groupAdd });
    _ = stage.send(handles.sync, "R");
    stage.expect(handles.sync, 'S');
    return exec_program.run(ready);
}

/// What of the container is reached by descriptors once we are inside. -1: there is none.
const Inside = struct {
    /// Its group of the v2 hierarchy.
    group: i32 = -1,
    /// Its cgroup namespace: entered last, as a host with `nsdelegate` lets nobody move between groups across one.
    cgroup_namespace: i32 = -1,

    fn close(self: Inside) void {
        for ([_]i32{ self.group, self.cgroup_namespace }) |fd| {
            if (fd >= 0) _ = linux.close(fd);
        }
    }
};

/// Into the v1 cgroups and the namespaces of the container's init, once we hold it and know that it is still that process.
fn joinContainer(exec: *const request.Exec, arena: std.mem.Allocator) path.Error!Inside {
    const start_time = std.fmt.parseInt(u64, exec.startTime, 10) catch return stage.fail(.request, .INVAL, "start time {s}", .{exec.startTime});
    const pidfd = process.open(exec.pid, start_time);
    if (pidfd < 0) return stage.fail(.namespace, @enumFromInt(-pidfd), "find the container's process {d}", .{exec.pid});
    defer _ = linux.close(pidfd);
    var inside: Inside = .{};
    if (exec.cgroup != null) {
        const hierarchies = try cgroup_hierarchy.discover(arena);
        const groups = try readProc(arena, exec.pid, "cgroup");
        try cgroup.joinProcess(arena, hierarchies, groups);
        inside.group = try cgroup.openUnifiedOf(arena, hierarchies, groups);
    }
    const flags = try differing(arena, exec.pid);
    if (flags == 0) return stage.fail(.namespace, .SRCH, "process {d} is not in a container", .{exec.pid});
    if (flags & linux.CLONE.NEWCGROUP != 0) {
        const name = try std.fmt.allocPrintSentinel(arena, "/proc/{d}/ns/cgroup", .{exec.pid}, 0);
        const opened = linux.open(name, .{ .CLOEXEC = true }, 0);
        inside.cgroup_namespace = @intCast(try stage.check(opened, .namespace, "open the container's cgroup namespace", .{}));
    }
    const now = flags & ~@as(u32, linux.CLONE.NEWCGROUP);
    if (now != 0) _ = try stage.check(linux.setns(pidfd, now), .namespace, "join the container's namespaces", .{});
    return inside;
}

/// The program's process: into what is left, unless it was born there.
fn settleIn(inside: Inside, in_group: bool) stage.Error!void {
    if (!in_group and inside.group >= 0) switch (cgroup.joinOpen(inside.group)) {
        .SUCCESS, .NOENT, .ROFS, .ACCES, .PERM => {},
        else => |errno| return stage.fail(.namespace, errno, "join the container's cgroup", .{}),
    };
    if (inside.cgroup_namespace >= 0) {
        const joined = linux.setns(inside.cgroup_namespace, linux.CLONE.NEWCGROUP);
        _ = try stage.check(joined, .namespace, "join the container's cgroup namespace", .{});
    }
    inside.close();
}

fn readProc(arena: std.mem.Allocator, pid: i32, comptime file: []const u8) path.Error![]const u8 {
    const name = try std.fmt.allocPrintSentinel(arena, "/proc/{d}/" ++ file, .{pid}, 0);
    const opened = linux.open(name, .{ .CLOEXEC = true }, 0);
    const fd: i32 = @intCast(try stage.check(opened, .namespace, "find the container's process {d}", .{pid}));
    defer _ = linux.close(fd);
    return try path.readAll(arena, fd, 64 * 1024) orelse stage.fail(.namespace, .SRCH, "find the container's process {d}", .{pid});
}

const namespaces = [_]struct { name: []const u8, flag: u32 }{
    .{ .name = "user", .flag = linux.CLONE.NEWUSER },
    .{ .name = "mnt", .flag = linux.CLONE.NEWNS },
    .{ .name = "pid", .flag = linux.CLONE.NEWPID },
    .{ .name = "net", .flag = linux.CLONE.NEWNET },
    .{ .name = "ipc", .flag = linux.CLONE.NEWIPC },
    .{ .name = "uts", .flag = linux.CLONE.NEWUTS },
    .{ .name = "cgroup", .flag = linux.CLONE.NEWCGROUP },
    .{ .name = "time", .flag = linux.CLONE.NEWTIME },
};

/// The namespaces of `pid` that are not ours already, for one setns(2) on its pidfd (Linux 5.8).
fn differing(arena: std.mem.Allocator, pid: i32) path.Error!u32 {
    var flags: u32 = 0;
    for (namespaces) |namespace| {
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
