//! What this process gives up before it looks at a byte that a stranger wrote.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");

/// Modes are given exactly, descriptors are plenty, and the caller's death is ours.
pub fn settle() void {
    const umask_nr = .umask;
    _ = linux.syscall1(umask_nr, 0);
    _ = linux.prctl(@intFromEnum(linux.PR.SET_PDEATHSIG), @intFromEnum(linux.SIG.KILL), 0, 0, 0);
    var limit: linux.rlimit = undefined;
    if (linux.errno(linux.getrlimit(.NOFILE, &limit)) == .SUCCESS and limit.cur < limit.max) {
        limit.cur = limit.max;
        _ = linux.setrlimit(.NOFILE, &limit); // 400 open directories also fit in the usual 1024
    }
}

/// The tree becomes the root and the working directory: absolute paths and `..` lead nowhere else.
pub fn enter(root: i32) void {
    if (linux.errno(linux.fchdir(root)) != .SUCCESS) report.failErrno(linux.errno(linux.fchdir(root)), "cannot enter the new tree", .{});
    const rc = linux.chroot(".");
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot change the root to the new tree", .{});
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NO_NEW_PRIVS), 1, 0, 0, 0);
}
