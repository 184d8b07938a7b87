//! fork(2) with namespaces and a cgroup: clone3(2) without a stack of its own.
const std = @import("std");
const linux = std.os.linux;

const into_cgroup: u64 = 0x2_0000_0000; // CLONE_INTO_CGROUP

const Arguments = extern struct {
    flags: u64,
    pidfd: u64 = 0,
    child_tid: u64 = 0,
    parent_tid: u64 = 0,
    exit_signal: u64,
    stack: u64 = 0,
    stack_size: u64 = 0,
    tls: u64 = 0,
    set_tid: u64 = 0,
    set_tid_size: u64 = 0,
    cgroup: u64 = 0,
};

pub const Clone = struct {
    /// The system call's: 0 in the child, else the pid or an errno.
    result: usize,
    /// The child was born in `group`.
    in_group: bool,
};

/// `group`: a directory of the v2 hierarchy for the child to be born in, or -1. To move there later would wait for an RCU
/// grace period, 10 ms and more. A kernel that refuses (before 5.7; a group that takes no process) clones without.
pub fn clone(flags: u64, group: i32) Clone {
    // With CLONE_PARENT the signal is that of the caller, and must not be given.
    const signal: u64 = if (flags & linux.CLONE.PARENT != 0) 0 else @intFromEnum(linux.SIG.CHLD);
    var arguments: Arguments = .{ .flags = flags, .exit_signal = signal };
    if (group >= 0) {
        arguments.flags |= into_cgroup;
        arguments.cgroup = @intCast(group);
        const result = linux.syscall2(.clone3, @intFromPtr(&arguments), @sizeOf(Arguments));
        if (linux.errno(result) == .SUCCESS) return .{ .result = result, .in_group = true };
    }
    // The shorter structure is known to every kernel that has clone3.
    arguments.flags = flags;
    return .{ .result = linux.syscall2(.clone3, @intFromPtr(&arguments), 64), .in_group = false };
}

const no_pid: i32 = std.math.maxInt(i32);

/// EAGAIN where a limit of the caller's user or of the whole system leaves no room for another process. Nothing is made: the
/// child is to have a pid that none can have, and the kernel looks at that only after the limits. (Those of cgroups come
/// still later.)
pub fn refusal() linux.E {
    const arguments: Arguments = .{
        .flags = linux.CLONE.VM | linux.CLONE.VFORK | linux.CLONE.FS | linux.CLONE.FILES,
        .exit_signal = 0,
        .set_tid = @intFromPtr(&no_pid),
        .set_tid_size = 1,
    };
    const result = linux.syscall2(.clone3, @intFromPtr(&arguments), 80); // with set_tid, which Linux 5.5 brought
    if (result == 0) linux.exit_group(0); // a child all the same
    return linux.errno(result);
}

test refusal {
    try std.testing.expectEqual(linux.E.INVAL, refusal());
}
