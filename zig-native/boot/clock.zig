//! Time as it passes, whatever somebody sets the clock to.
const std = @import("std");
const linux = std.os.linux;

pub fn now_ms() i64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &time);
    return time.sec * 1000 + @divTrunc(time.nsec, std.time.ns_per_ms);
}

/// Not negative.
pub fn duration(ms: i64) linux.timespec {
    return .{ .sec = @divTrunc(ms, 1000), .nsec = @rem(ms, 1000) * std.time.ns_per_ms };
}

pub fn sleep(ms: i64) void {
    const time = duration(ms);
    _ = linux.nanosleep(&time, null);
}
