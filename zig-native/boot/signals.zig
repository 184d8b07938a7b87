//! What is sent to process 1. Every signal is blocked, so that one waits until it is asked for: none is lost, and nothing of
//! ours is interrupted.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");
const Place = @import("place.zig").Place;

pub const Request = enum { power_off, reboot, halt };

pub fn block() void {
    const all = linux.sigfillset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &all, null);
}

/// The next signal, at the latest in `patience_ms` (null: whenever it comes). Null: none.
pub fn next(patience_ms: ?i64) ?linux.siginfo_t {
    const all = linux.sigfillset();
    const limit = clock.duration(@max(0, patience_ms orelse 0));
    const timeout: usize = if (patience_ms == null) 0 else @intFromPtr(&limit);
    var information: linux.siginfo_t = undefined;
    const result = linux.syscall4(.rt_sigtimedwait, @intFromPtr(&all), @intFromPtr(&information), timeout, linux.NSIG / 8);
    return if (linux.errno(result) == .SUCCESS) information else null;
}

/// Was it sent by the process `pid`, and by its own will?
pub fn isFrom(pid: i32, signal: linux.siginfo_t) bool {
    return signal.code <= 0 and signal.fields.common.first.piduid.pid == pid;
}

const rtmin = 34; // as glibc counts

/// What a signal to process 1 asks for, null for nothing. USR1 and USR2 are busybox's halt and poweroff; TERM ends, as it
/// ends any program; the real-time ones are systemd's.
pub fn requestOf(place: Place, signal: u32) ?Request {
    return switch (signal) {
        @intFromEnum(linux.SIG.TERM), @intFromEnum(linux.SIG.USR2), @intFromEnum(linux.SIG.PWR), rtmin + 4 => .power_off,
        @intFromEnum(linux.SIG.INT), rtmin + 5 => .reboot,
        @intFromEnum(linux.SIG.USR1), rtmin + 3 => .halt,
        // The terminal of a namespace may go; a console does not.
        @intFromEnum(linux.SIG.HUP) => if (place == .machine) null else .power_off,
        else => null,
    };
}

test requestOf {
    try std.testing.expectEqual(@as(?Request, .power_off), requestOf(.machine, 15));
    try std.testing.expectEqual(@as(?Request, .power_off), requestOf(.machine, 12));
    try std.testing.expectEqual(@as(?Request, .halt), requestOf(.machine, 10));
    try std.testing.expectEqual(@as(?Request, .reboot), requestOf(.machine, 2));
    try std.testing.expectEqual(@as(?Request, .reboot), requestOf(.machine, 39));
    try std.testing.expectEqual(@as(?Request, null), requestOf(.machine, 1));
    try std.testing.expectEqual(@as(?Request, .power_off), requestOf(.namespace, 1));
    try std.testing.expectEqual(@as(?Request, null), requestOf(.machine, 17));
}
