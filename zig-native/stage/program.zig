//! The last part of the way, the same for a new container and for an exec: from "inside the namespaces, as root" to "the
//! user's program, with the user's identity, and nothing else of ours".
const std = @import("std");
const linux = std.os.linux;
const exec = @import("exec.zig");
const fault = @import("../wire/fault.zig");
const filters = @import("filter.zig");
const handshake = @import("handshake.zig");
const identities = @import("identity.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const request = @import("../wire/request.zig");
const user = @import("user.zig");
const user_namespace = @import("../linux/user_namespace.zig");

/// Until the program is executed nobody who lacks CAP_SYS_PTRACE may look into us, or into a child of ours; not even one who would
/// have all capabilities over a user namespace that we make.
pub fn hide() fault.Error!void {
    const hidden = linux.prctl(@intFromEnum(linux.PR.SET_DUMPABLE), 0, 0, 0, 0);
    _ = try fault.check(hidden, .namespace, "prctl", .{});
}

/// Keep nothing of the monitor's descriptors but `handles`, and let those and everything opened later be above 2, where
/// the program's stdio will go. Answers the handles as they are now.
pub fn isolate(handles: handshake.Handles) fault.Error!handshake.Handles {
    var moved = handles;
    inline for (.{ &moved.sync, &moved.stdin, &moved.stdout, &moved.stderr }) |fd| {
        if (fd.* >= 0 and fd.* < 3) {
            const above = linux.fcntl(fd.*, linux.F.DUPFD_CLOEXEC, 3);
            fd.* = @intCast(try fault.check(above, .monitor, "duplicate a descriptor", .{}));
        }
    }
    // The monitor has opened those of its neighbours when its own descriptors were there.
    var keep: [4 + handshake.neighbours_max]i32 = undefined;
    keep[0..4].* = .{ moved.sync, moved.stdin, moved.stdout, moved.stderr };
    for (keep[4..], moved.neighbours) |*fd, each| fd.* = each.pidfd;
    try closeAllBut(&keep);
    try fillStdio();
    handshake.tellFaults(moved.sync);
    return moved;
}

/// 0-2 are what nobody gains anything from: ends of a pipe that is used by no one.
fn fillStdio() fault.Error!void {
    var pipe: [2]i32 = undefined;
    while (true) {
        _ = try fault.check(linux.pipe2(&pipe, .{ .CLOEXEC = true }), .monitor, "pipe", .{});
        if (pipe[0] > 2) break;
        if (pipe[1] > 2) {
            _ = linux.close(pipe[1]);
            return;
        }
    }
    for (pipe) |fd| _ = linux.close(fd);
}

/// Close all but 0-2, `sync` and, where there is one, `other`.
pub fn keepOnly(sync: i32, other: i32) fault.Error!void {
    return closeAllBut(&.{ 0, 1, 2, sync, other });
}

/// Negative descriptors are none.
pub fn closeAllBut(keep: []const i32) fault.Error!void {
    var next: i32 = 0;
    while (true) {
        var lowest: i32 = std.math.maxInt(i32);
        for (keep) |fd| {
            if (fd >= next) lowest = @min(lowest, fd);
        }
        if (lowest > next) {
            const closed = linux.syscall3(.close_range, @intCast(next), @intCast(lowest - 1), 0);
            _ = try fault.check(closed, .monitor, "close descriptors", .{});
        }
        if (lowest == std.math.maxInt(i32)) return;
        next = lowest + 1;
    }
}

/// Die when the monitor dies. The kernel forgets this when the credentials change. A monitor that dies closes its end of
/// `sync` before it signals: where that is still open, the signal will come.
pub fn dieWithMonitor(sync: i32) fault.Error!void {
    const result = linux.prctl(@intFromEnum(linux.PR.SET_PDEATHSIG), @intFromEnum(linux.SIG.KILL), 0, 0, 0);
    _ = try fault.check(result, .monitor, "prctl", .{});
    var polled = [_]linux.pollfd{.{ .fd = sync, .events = 0, .revents = 0 }};
    const ready = linux.poll(&polled, 1, 0);
    if (linux.errno(ready) == .SUCCESS and polled[0].revents & linux.POLL.HUP != 0) linux.exit_group(1);
}

/// 0-2 from the monitor's pipes; what is not given is the container's own /dev/null.
pub fn setStdio(handles: handshake.Handles) fault.Error!void {
    for ([_]i32{ handles.stdin, handles.stdout, handles.stderr }, 0..) |fd, number| {
        const source = if (fd < 0) try openNull() else fd;
        try place(source, @intCast(number));
        _ = linux.close(source);
    }
}

fn openNull() fault.Error!i32 {
    const opened = linux.open("/dev/null", .{ .ACCMODE = .RDWR, .CLOEXEC = true, .NOFOLLOW = true }, 0);
    const fd: i32 = @intCast(try fault.check(opened, .device, "open /dev/null", .{}));
    const info = path.stat(fd) orelse return fault.fail(.device, .IO, "stat /dev/null", .{});
    if (!info.isDevice(.character, 1, 3)) return fault.fail(.device, .INVAL, "/dev/null of the container is not the null device", .{});
    return fd;
}

pub fn place(fd: i32, number: i32) fault.Error!void {
    _ = try fault.check(linux.dup3(fd, number, 0), .device, "place descriptor {d}", .{number});
}

/// The request's user string and additional groups, and the filter of the system calls.
pub const Who = struct {
    user: []const u8,
    groups: []const []const u8,
    filter: ?filters.Filter,
    /// Null: /proc/self is there, and says it.
    names: ?user_namespace.Files = null,
};

/// What `takeIdentity` leaves to be done by the process that becomes the program.
pub const Prepared = struct {
    environment: []const []const u8,
    /// We are in the working directory.
    entered: bool,
    filter: ?filters.Pending,
};

/// Take the user's identity and everything that goes with it: afterwards the process has no right that the program will
/// not have, but for what loading the filter takes. `root` is the container's "/".
pub fn takeIdentity(arena: std.mem.Allocator, sync: i32, root: i32, process: *const request.Process, who: Who) fault.AllocError!Prepared {
    if (process.args.len == 0) return fault.fail(.exec, .INVAL, "no command was given", .{});
    const identity = try user.resolve(arena, sync, root, who.user, process.user.uid, process.user.gid, who.groups);
    const environment = try withHome(arena, process.env, identity.home);
    try identities.setLimits(sync, process.rlimits);
    giveStdio(identity.uid);
    const entered = try enterDirectory(arena, root, process.cwd, false);
    const pending = try identities.take(arena, sync, process, who.filter, identity, who.names);
    // The change of credentials made us what fs.suid_dumpable says, which is to be traced where an administrator set it to 1.
    try identities.set(.SET_DUMPABLE, 0, "prctl");
    _ = linux.syscall1(.umask, process.user.umask);
    return .{ .environment = environment, .entered = entered, .filter = pending };
}

/// In the program's own process, with its identity. Nothing is left to do but to execute what is returned.
pub fn settle(arena: std.mem.Allocator, sync: i32, process: *const request.Process, prepared: Prepared) fault.AllocError!exec.Program {
    if (!prepared.entered) {
        const opened = linux.open("/", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
        const root: i32 = @intCast(try fault.check(opened, .cwd, "open /", .{}));
        defer _ = linux.close(root);
        _ = try enterDirectory(arena, root, process.cwd, true);
    }
    try verifyDirectory(process.cwd);
    try dieWithMonitor(sync);
    const file = try exec.find(arena, process.args[0], prepared.environment);
    return .{
        .file = file,
        .arguments = try exec.strings(arena, process.args, "an argument"),
        .environment = try exec.strings(arena, prepared.environment, "an environment variable"),
        .filter = prepared.filter,
    };
}

fn withHome(arena: std.mem.Allocator, environment: []const []const u8, home: []const u8) error{OutOfMemory}![]const []const u8 {
    if (exec.variable(environment, "HOME") != null) return environment;
    const out = try arena.alloc([]const u8, environment.len + 1);
    @memcpy(out[0..environment.len], environment);
    out[environment.len] = try std.fmt.allocPrint(arena, "HOME={s}", .{home});
    return out;
}

/// Our pipes and our terminal belong to the user, so that /dev/stdout can be opened again. Nothing of the host's is touched.
fn giveStdio(uid: u32) void {
    if (uid == 0) return;
    const keep_group = std.math.maxInt(u32);
    for (0..3) |number| {
        const fd: i32 = @intCast(number);
        const info = path.stat(fd) orelse continue;
        const terminal = info.kind == .character and path.fileSystem(fd) == path.magic_devpts;
        if (info.kind == .fifo or terminal) _ = linux.fchown(fd, uid, keep_group);
    }
}

/// As root first, as the user where root may not (a directory on NFS), and from inside where it is not there from outside
/// of the pid namespace (/proc/self): false then, unless `last`. Magic links are refused: /proc/self/fd/N can be a
/// directory of the host.
fn enterDirectory(arena: std.mem.Allocator, root: i32, directory: []const u8, last: bool) fault.AllocError!bool {
    if (directory.len == 0 or directory[0] != '/') return fault.fail(
        .cwd,
        .INVAL,
        "the working directory {s} is not absolute",
        .{directory},
    );
    const text = try paths.terminated(arena, directory, .cwd, "the working directory");
    const opened = path.open(root, text, path.directory_path, 0, path.contained);
    const errno = linux.errno(opened);
    if (!last and (errno == .ACCES or errno == .PERM or errno == .NOENT)) return false;
    const fd: i32 = @intCast(try fault.check(opened, .cwd, "enter the working directory {s}", .{directory}));
    defer _ = linux.close(fd);
    const changed = linux.fchdir(fd);
    if (!last and (linux.errno(changed) == .ACCES or linux.errno(changed) == .PERM)) return false;
    _ = try fault.check(changed, .cwd, "enter the working directory {s}", .{directory});
    return true;
}

/// getcwd(2) answers "(unreachable)…" or ENOENT for a directory outside of our root (CVE-2024-21626).
fn verifyDirectory(directory: []const u8) fault.Error!void {
    var buffer: [linux.PATH_MAX]u8 = undefined;
    const length = linux.getcwd(&buffer, buffer.len);
    if (linux.errno(length) != .SUCCESS or length < 1 or buffer[0] != '/')
        return fault.fail(.cwd, .PERM, "the working directory {s} is outside of the container", .{directory});
}

test "HOME comes from passwd only when it is not given" {
    var memory: [512]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const added = try withHome(fixed.allocator(), &.{"A=b"}, "/root");
    try std.testing.expectEqualStrings("HOME=/root", added[1]);
    const kept = try withHome(fixed.allocator(), &.{"HOME=/x"}, "/root");
    try std.testing.expectEqual(@as(usize, 1), kept.len);
}
