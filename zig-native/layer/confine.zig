//! What this process gives up before it looks at a byte that a stranger wrote.
const std = @import("std");
const linux = std.os.linux;
const capability = @import("../linux/capability.zig");
const names = @import("names.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

/// Modes are given exactly, descriptors are plenty, and the caller's death is ours. What is typed on his terminal is for
/// him: he ends us when he wants to, and else would take our end for a failure.
pub fn settle() void {
    const umask_nr = .umask;
    _ = linux.syscall1(umask_nr, 0);
    _ = linux.prctl(@intFromEnum(linux.PR.SET_PDEATHSIG), @intFromEnum(linux.SIG.KILL), 0, 0, 0);
    // We hold descriptors of the host's, and will have fewer capabilities than many a container in the host's pid namespace.
    _ = linux.prctl(@intFromEnum(linux.PR.SET_DUMPABLE), 0, 0, 0, 0);
    const ignore: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.IGN }, .mask = linux.sigemptyset(), .flags = 0 };
    for ([_]linux.SIG{ .INT, .QUIT, .HUP }) |signal| _ = linux.sigaction(signal, &ignore, null);
    raiseDescriptors(descriptors_wanted);
    beOrdinary();
    sys.openOwnDescriptors();
}

/// The session of a machine is the last that the kernel ends when memory is short, and so is what it starts. Not this: how
/// much memory a stranger's archive takes is the stranger's choice.
fn beOrdinary() void {
    const opened = linux.open("/proc/self/oom_score_adj", .{ .ACCMODE = .RDWR, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return;
    defer _ = linux.close(@intCast(opened));
    var sign: [1]u8 = undefined;
    if (linux.read(@intCast(opened), &sign, 1) == 1 and sign[0] == '-') _ = linux.pwrite(@intCast(opened), "0", 1, 0);
}

/// Two for each level of the deepest tree. Without the right to raise the limit the usual 1024 do for all but such trees.
const descriptors_wanted = 2 * names.depth_max + 1024;

fn raiseDescriptors(wanted: u64) void {
    var limit: linux.rlimit = undefined;
    if (linux.errno(linux.getrlimit(.NOFILE, &limit)) != .SUCCESS or limit.cur >= wanted) return;
    var more: linux.rlimit = .{ .cur = @max(wanted, limit.max), .max = @max(wanted, limit.max) };
    if (linux.errno(linux.setrlimit(.NOFILE, &more)) == .SUCCESS) return;
    more = .{ .cur = limit.max, .max = limit.max };
    _ = linux.setrlimit(.NOFILE, &more);
}

/// The tree becomes the root and the working directory: absolute paths and `..` lead nowhere else. Of the capabilities only
/// those of `kept` stay, as far as they were there. Every verb does this before it looks into a tree.
pub fn enter(root: i32, kept: []const u5) void {
    if (linux.errno(linux.fchdir(root)) != .SUCCESS) report.failErrno(linux.errno(linux.fchdir(root)), "cannot enter the new tree", .{});
    const rc = linux.chroot(".");
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot change the root to the new tree", .{});
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NO_NEW_PRIVS), 1, 0, 0, 0);
    dropCapabilities(kept);
}

/// What making files of any owner, mode, kind and attribute takes; SYS_ADMIN is for trusted.* and security.* attributes,
/// DAC_READ_SEARCH also for links by descriptor, SYS_RESOURCE for the blocks that a full disk keeps for root.
pub const copying = [_]u5{
    linux.CAP.CHOWN,     linux.CAP.DAC_OVERRIDE, linux.CAP.DAC_READ_SEARCH, linux.CAP.FOWNER,  linux.CAP.FSETID,
    linux.CAP.SYS_ADMIN, linux.CAP.SYS_RESOURCE, linux.CAP.MKNOD,           linux.CAP.SETFCAP,
};

/// That, and leaving its own overlay mount for another root.
pub const unpacking = copying ++ [_]u5{linux.CAP.SYS_CHROOT};

/// Device nodes that hide files, an overlay mount, the trusted.* attributes of both, and files of others.
pub const probing = [_]u5{ linux.CAP.CHOWN, linux.CAP.DAC_OVERRIDE, linux.CAP.FOWNER, linux.CAP.MKNOD, linux.CAP.SYS_ADMIN };

/// Directories that nobody may enter, and sticky ones of others.
pub const removing = [_]u5{ linux.CAP.DAC_OVERRIDE, linux.CAP.DAC_READ_SEARCH, linux.CAP.FOWNER };

pub const marking = [_]u5{linux.CAP.DAC_OVERRIDE};

pub const looking = [_]u5{linux.CAP.DAC_READ_SEARCH};

/// Whoever takes our output may go before its end, and is told so by us, not by a signal.
pub fn outliveReader() void {
    const ignore: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.IGN }, .mask = linux.sigemptyset(), .flags = 0 };
    _ = linux.sigaction(.PIPE, &ignore, null);
}

/// No network, no ptrace, no kill, no raw I/O, no modules … for this thread and those that it starts.
fn dropCapabilities(kept: []const u5) void {
    var ours: u64 = 0;
    const got = capability.ours(&ours);
    if (got != .SUCCESS) report.failErrno(got, "cannot read capabilities", .{});
    var mask: u64 = 0;
    for (kept) |number| mask |= @as(u64, 1) << number;
    const left = ours & mask;
    const set = capability.set(.{ .bounding = 0, .effective = left, .permitted = left, .inheritable = 0, .ambient = 0 });
    if (set != .SUCCESS) report.failErrno(set, "cannot drop capabilities", .{});
}
