//! A line of a program's in the forms that it is kept or sent in, and the moment at which it came.
//!
//!   json    {"log":"hello\n","stream":"stdout","time":"2026-11-29T05:00:00.123456789Z"}\n    Docker's json-file
//!   local   length (u32), flags (u8: 1 stderr, 2 a part of a line), ns since 1970 (u64), bytes, length again; little-endian.
//!           The length is of what stands between the two. The line end is left out where there was one
const std = @import("std");
const linux = std.os.linux;
const memory = @import("../linux/memory.zig");
const abi = @import("../wire/abi.zig");

pub const Format = enum { json, local };

/// What stands around a line, but for its attributes.
pub const frame_bytes_max = 96;
/// RFC 3339 in UTC, with nanoseconds.
pub const Time = ["2026-11-29T05:00:00.123456789Z".len]u8;

pub const Moment = struct {
    seconds: u64,
    nanoseconds: u32,

    pub fn now() Moment {
        var time: linux.timespec = undefined;
        _ = linux.clock_gettime(.REALTIME, &time);
        return .{ .seconds = @intCast(@max(0, time.sec)), .nanoseconds = @intCast(time.nsec) };
    }

    pub fn text(self: Moment) linksection(memory.serving) Time {
        var time: Time = undefined;
        // It has room until the year 10000.
        _ = std.fmt.bufPrint(&time, "{f}T{f}.{d:0>9}Z", .{ self.date(), self.clock(), self.nanoseconds }) catch unreachable;
        return time;
    }

    /// "2026-11-29"
    pub fn date(self: Moment) Date {
        return .{ .day = (std.time.epoch.EpochSeconds{ .secs = self.seconds }).getEpochDay() };
    }

    /// "05:00:00"
    pub fn clock(self: Moment) Clock {
        return .{ .seconds = @intCast(self.seconds % std.time.epoch.secs_per_day) };
    }

    /// Where clocks go `offset_s` seconds ahead of UTC.
    pub fn in(self: Moment, offset_s: i32) Moment {
        const shifted = @as(i64, @intCast(self.seconds)) + offset_s;
        return .{ .seconds = @intCast(@max(0, shifted)), .nanoseconds = self.nanoseconds };
    }
};

pub const Date = struct {
    day: std.time.epoch.EpochDay,

    pub fn format(self: Date, writer: *std.Io.Writer) std.Io.Writer.Error!void {
        const year = self.day.calculateYearDay();
        const month = year.calculateMonthDay();
        try writer.print("{d:0>4}-{d:0>2}-{d:0>2}", .{ year.year, month.month.numeric(), @as(u32, month.day_index) + 1 });
    }

    /// "Nov 29", "Nov  5"
    pub fn short(self: Date) [6]u8 {
        const names = "JanFebMarAprMayJunJulAugSepOctNovDec";
        const month = self.day.calculateYearDay().calculateMonthDay();
        const name = names[(@as(usize, month.month.numeric()) - 1) * 3 ..][0..3];
        var text: [6]u8 = undefined;
        _ = std.fmt.bufPrint(&text, "{s} {d: >2}", .{ name, @as(u32, month.day_index) + 1 }) catch unreachable; // six characters
        return text;
    }
};

pub const Clock = struct {
    seconds: u32,

    pub fn format(self: Clock, writer: *std.Io.Writer) std.Io.Writer.Error!void {
        try writer.print("{d:0>2}:{d:0>2}:{d:0>2}", .{ self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60 });
    }
};

/// How many bytes `bytes` take at most, without what stands around them.
pub fn encodedLength(format: Format, bytes: []const u8) usize {
    if (format == .local) return bytes.len;
    var length: usize = 0;
    for (bytes) |byte| length += if (isEscaped(byte)) 6 else 1; // or two
    return length;
}

/// Answers how many bytes of `into` it takes: there is room for `encodedLength` of them, `frame_bytes_max` and `attributes`,
/// which are members of the JSON object: `"attrs":{…},`, or nothing.
pub fn json(into: []u8, stream: abi.Frame, bytes: []const u8, attributes: []const u8, time: *const Time) usize {
    var at = put(into, 0, "{\"log\":\"");
    var rest = bytes;
    while (rest.len > 0) {
        var plain: usize = 0;
        while (plain < rest.len and !isEscaped(rest[plain])) plain += 1;
        at = put(into, at, rest[0..plain]);
        rest = rest[plain..];
        if (rest.len == 0) break;
        at = escape(into, at, rest[0]);
        rest = rest[1..];
    }
    at = put(into, at, "\",\"stream\":\"");
    at = put(into, at, @tagName(stream));
    at = put(into, at, "\",");
    at = put(into, at, attributes);
    at = put(into, at, "\"time\":\"");
    at = put(into, at, time);
    return put(into, at, "\"}\n");
}

/// The same for the other form.
pub fn local(into: []u8, stream: abi.Frame, bytes: []const u8, moment: Moment) usize {
    const partial = bytes[bytes.len - 1] != '\n';
    const line = if (partial) bytes else bytes[0 .. bytes.len - 1];
    const length: u32 = @intCast(local_head + line.len);
    std.mem.writeInt(u32, into[0..4], length, .little);
    into[4] = @as(u8, @intFromBool(stream == .stderr)) | @as(u8, @intFromBool(partial)) << 1;
    std.mem.writeInt(u64, into[5..13], moment.seconds * std.time.ns_per_s + moment.nanoseconds, .little);
    const end = put(into, 13, line);
    std.mem.writeInt(u32, into[end..][0..4], length, .little);
    return end + 4;
}

/// Flags and time.
const local_head = 9;

/// How many of `bytes`, the beginning of lines of this form, are whole lines.
pub fn whole(format: Format, bytes: []const u8) usize {
    if (format == .json) return if (std.mem.lastIndexOfScalar(u8, bytes, '\n')) |at| at + 1 else 0;
    var at: usize = 0;
    while (bytes.len - at >= 4) {
        const length = std.mem.readInt(u32, bytes[at..][0..4], .little);
        if (bytes.len - at < @as(usize, length) + 8) break;
        at += length + 8;
    }
    return at;
}

fn put(into: []u8, at: usize, text: []const u8) usize {
    @memcpy(into[at..][0..text.len], text);
    return at + text.len;
}

/// As Docker's encoder does.
fn isEscaped(byte: u8) bool {
    return switch (byte) {
        0...0x1f, '"', '\\', '<', '>', '&' => true,
        else => false,
    };
}

fn escape(into: []u8, at: usize, byte: u8) usize {
    const digits = "0123456789abcdef";
    return switch (byte) {
        '"', '\\' => put(into, at, &.{ '\\', byte }),
        '\n' => put(into, at, "\\n"),
        '\r' => put(into, at, "\\r"),
        '\t' => put(into, at, "\\t"),
        else => put(into, at, &.{ '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] }),
    };
}

test Moment {
    const leap: Moment = .{ .seconds = 1709251199, .nanoseconds = 1 };
    try std.testing.expectEqualStrings("1970-01-01T00:00:00.000000000Z", &(Moment{ .seconds = 0, .nanoseconds = 0 }).text());
    try std.testing.expectEqualStrings("2024-02-29T23:59:59.000000001Z", &leap.text());
    try std.testing.expectEqualStrings("Feb 29", &leap.date().short());
    try std.testing.expectEqualStrings("Mar  1", &leap.in(3600).date().short());
    try std.testing.expectEqualStrings("Dec 31", &leap.in(-60 * 86400).date().short());
    try std.testing.expectEqualStrings("1970-01-01T00:00:00.000000000Z", &(Moment{ .seconds = 5, .nanoseconds = 0 }).in(-60).text());
}

test json {
    const time = (Moment{ .seconds = 0, .nanoseconds = 0 }).text();
    const end = "\",\"stream\":\"stderr\",\"attrs\":{},\"time\":\"1970-01-01T00:00:00.000000000Z\"}\n";
    var into: [512]u8 = undefined;
    const cases = [_][2][]const u8{
        .{ "hello\n", "hello\\n" },
        .{ "a\"\\\t\r\x00\x1b<&>", "a\\\"\\\\\\t\\r\\u0000\\u001b\\u003c\\u0026\\u003e" },
        .{ "\xff\xfe\u{e9}", "\xff\xfe\u{e9}" },
    };
    for (cases) |case| {
        const length = json(&into, .stderr, case[0], "\"attrs\":{},", &time);
        try std.testing.expectEqualStrings("{\"log\":\"", into[0..8]);
        try std.testing.expectEqualStrings(case[1], into[8 .. length - end.len]);
        try std.testing.expectEqualStrings(end, into[length - end.len .. length]);
        try std.testing.expect(length <= 6 * case[0].len + "\"attrs\":{},".len + frame_bytes_max);
    }
}

test local {
    var into: [64]u8 = undefined;
    const moment: Moment = .{ .seconds = 1, .nanoseconds = 2 };
    const line = into[0..local(&into, .stderr, "hi\n", moment)];
    try std.testing.expectEqualSlices(u8, "\x0b\x00\x00\x00\x01\x02\xca\x9a\x3b\x00\x00\x00\x00hi\x0b\x00\x00\x00", line);
    try std.testing.expectEqual(line.len, whole(.local, line));
    const part = local(into[line.len..], .stdout, "x", moment);
    try std.testing.expectEqual(2, into[line.len + 4]);
    try std.testing.expectEqual(line.len + part, whole(.local, into[0 .. line.len + part]));
    try std.testing.expectEqual(line.len, whole(.local, into[0 .. line.len + part - 1]));
    try std.testing.expectEqual(0, whole(.local, line[0..3]));
    try std.testing.expectEqual(0, whole(.local, "\xff\xff\xff\xff\x00\x00\x00\x00\x00"));
}
