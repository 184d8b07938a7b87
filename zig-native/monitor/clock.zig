//! How long something took, whatever is done to the time of day meanwhile; and the time of day.
const std = @import("std");
const linux = std.os.linux;

pub fn monotonic_ms() u64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &time);
    return @as(u64, @intCast(time.sec)) * std.time.ms_per_s + @as(u64, @intCast(time.nsec)) / std.time.ns_per_ms;
}

/// Since the epoch.
pub const Moment = struct { seconds: u64, nanoseconds: u32 };

pub fn now() Moment {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.REALTIME, &time);
    return .{ .seconds = @intCast(@max(0, time.sec)), .nanoseconds = @intCast(time.nsec) };
}

/// RFC 3339 in UTC, with nanoseconds.
pub fn write(writer: *std.Io.Writer, moment: Moment) std.Io.Writer.Error!void {
    const epoch: std.time.epoch.EpochSeconds = .{ .secs = moment.seconds };
    const year = epoch.getEpochDay().calculateYearDay();
    const month = year.calculateMonthDay();
    const day = epoch.getDaySeconds();
    try writer.print("{d:0>4}-{d:0>2}-{d:0>2}T{d:0>2}:{d:0>2}:{d:0>2}.{d:0>9}Z", .{
        year.year,             month.month.numeric(),    @as(u32, month.day_index) + 1,
        day.getHoursIntoDay(), day.getMinutesIntoHour(), day.getSecondsIntoMinute(),
        moment.nanoseconds,
    });
}

test write {
    var buffer: [30]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    try write(&writer, .{ .seconds = 1709251199, .nanoseconds = 1 });
    try std.testing.expectEqualStrings("2024-02-29T23:59:59.000000001Z", writer.buffered());
}
