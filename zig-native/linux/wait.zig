//! The end of a child: waiting for it, and what it says.
const std = @import("std");
const linux = std.os.linux;

/// Reap `pid`, once it has ended. The raw result.
pub fn reap(pid: i32, status: *u32) usize {
    while (true) {
        const result = linux.waitpid(pid, status, 0);
        if (linux.errno(result) != .INTR) return result;
    }
}

/// As a shell has it: 128+n for signal n.
pub fn exitStatus(status: u32) u8 {
    if (linux.W.IFSIGNALED(status)) return 128 +| signal(status);
    return linux.W.EXITSTATUS(status);
}

/// What ended it, 0 when it exited by itself.
pub fn signal(status: u32) u8 {
    return if (linux.W.IFSIGNALED(status)) @intCast(status & 0x7f) else 0;
}

test exitStatus {
    try std.testing.expectEqual(137, exitStatus(9));
    try std.testing.expectEqual(139, exitStatus(11 | 0x80)); // with a core dump
    try std.testing.expectEqual(3, exitStatus(3 << 8));
}

test signal {
    try std.testing.expectEqual(11, signal(11 | 0x80));
    try std.testing.expectEqual(0, signal(3 << 8));
}
