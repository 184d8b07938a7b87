//! How long something took, whatever is done to the time of day meanwhile.
const std = @import("std");
const linux = std.os.linux;

pub fn monotonic_ms() u64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &time);
    return @as(u64, @intCast(time.sec)) * std.time.ms_per_s + @as(u64, @intCast(time.nsec)) / std.time.ns_per_ms;
}
