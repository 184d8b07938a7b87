//! Extended headers (POSIX pax(1)): "length key=value\n" records that replace fields of the entry that follows.
const std = @import("std");

pub const Error = error{ BadRecord, BadNumber, BadTime, TooManyRecords, ForbiddenGlobal };

pub const Time = struct { seconds: i64, nanoseconds: u32 };
pub const Xattr = struct { name: []const u8, value: []const u8 };
pub const Pair = struct { offset: u64, length: u64 };

/// An extended header larger than this is refused (Go's limit too). Only extended attributes make them large.
pub const header_bytes_max = 1024 * 1024;

/// What the records said. Slices point into the header's bytes.
pub const Overrides = struct {
    path: ?[]const u8 = null,
    linkpath: ?[]const u8 = null,
    size: ?u64 = null,
    uid: ?u64 = null,
    gid: ?u64 = null,
    mtime: ?Time = null,
    sparse: Sparse = .{},
    xattrs: [128]Xattr = undefined,
    xattr_count: usize = 0,

    /// GNU.sparse.*: formats 0.0 (pairs), 0.1 (map) and 1.0 (major, the map is in the data).
    pub const Sparse = struct {
        major: u64 = 0,
        map: ?[]const u8 = null,
        pairs: bool = false,
        real_size: ?u64 = null,
    };
};

/// Apply the records of one header. `pairs` takes format 0.0's, which come as separate records.
pub fn parse(bytes: []const u8, into: *Overrides, pairs: *Pairs) Error!void {
    var rest = bytes;
    while (rest.len > 0) {
        const record = try next(&rest);
        try apply(record.key, record.value, into, pairs);
    }
}

/// A global header holds for all entries after it: only times and owners make sense there. Others would let two readers
/// of one archive see two different trees (some apply them, some do not).
pub fn parseGlobal(bytes: []const u8, into: *Overrides) Error!void {
    var rest = bytes;
    while (rest.len > 0) {
        const record = try next(&rest);
        if (eql(record.key, "uid")) into.uid = try optional(record.value);
        if (eql(record.key, "gid")) into.gid = try optional(record.value);
        if (eql(record.key, "mtime")) into.mtime = if (record.value.len == 0) null else try time(record.value);
        for ([_][]const u8{ "path", "linkpath", "size" }) |key| if (eql(record.key, key)) return error.ForbiddenGlobal;
        for ([_][]const u8{ "GNU.sparse.", xattr_prefix }) |prefix|
            if (std.mem.startsWith(u8, record.key, prefix)) return error.ForbiddenGlobal;
    }
}

pub const Pairs = struct {
    context: *anyopaque,
    add: *const fn (*anyopaque, Pair) error{TooManyRecords}!void,
    /// 0.0 gives an offset record and then its length.
    offset: ?u64 = null,
    /// GNU.sparse.name counts, wherever `path` stands.
    has_name: bool = false,
};

const xattr_prefix = "SCHILY.xattr.";

const Record = struct { key: []const u8, value: []const u8 };

fn next(rest: *[]const u8) Error!Record {
    const space = std.mem.indexOfScalar(u8, rest.*[0..@min(rest.len, 12)], ' ') orelse return error.BadRecord;
    const length = decimal(rest.*[0..space]) catch return error.BadRecord;
    if (length > rest.len or length < space + 4) return error.BadRecord;
    const record = rest.*[space + 1 .. @intCast(length)];
    if (record[record.len - 1] != '\n') return error.BadRecord;
    const equals = std.mem.indexOfScalar(u8, record, '=') orelse return error.BadRecord;
    if (equals == 0) return error.BadRecord;
    rest.* = rest.*[@intCast(length)..];
    return .{ .key = record[0..equals], .value = record[equals + 1 .. record.len - 1] };
}

fn apply(key: []const u8, value: []const u8, into: *Overrides, pairs: *Pairs) Error!void {
    // An empty value takes back what was said before.
    if (eql(key, "GNU.sparse.name")) {
        into.path = if (value.len == 0) null else value;
        pairs.has_name = value.len != 0;
    } else if (eql(key, "path")) {
        // GNU tar's own, of a name that is not ASCII, comes after: "GNUSparseFile.PID/NAME".
        if (!pairs.has_name) into.path = if (value.len == 0) null else value;
    } else if (eql(key, "linkpath")) {
        into.linkpath = if (value.len == 0) null else value;
    } else if (eql(key, "size")) {
        into.size = try optional(value);
    } else if (eql(key, "uid")) {
        into.uid = try optional(value);
    } else if (eql(key, "gid")) {
        into.gid = try optional(value);
    } else if (eql(key, "mtime")) {
        into.mtime = if (value.len == 0) null else try time(value);
    } else if (std.mem.startsWith(u8, key, xattr_prefix)) {
        if (into.xattr_count == into.xattrs.len) return error.TooManyRecords;
        into.xattrs[into.xattr_count] = .{ .name = key[xattr_prefix.len..], .value = value };
        into.xattr_count += 1;
    } else if (std.mem.startsWith(u8, key, "GNU.sparse.")) {
        try applySparse(key["GNU.sparse.".len..], value, into, pairs);
    }
}

fn applySparse(key: []const u8, value: []const u8, into: *Overrides, pairs: *Pairs) Error!void {
    if (eql(key, "major")) {
        into.sparse.major = try decimal(value);
    } else if (eql(key, "size") or eql(key, "realsize")) {
        into.sparse.real_size = try decimal(value);
    } else if (eql(key, "map")) {
        into.sparse.map = value;
    } else if (eql(key, "offset")) {
        if (pairs.offset != null) return error.BadRecord;
        pairs.offset = try decimal(value);
    } else if (eql(key, "numbytes")) {
        const offset = pairs.offset orelse return error.BadRecord;
        pairs.offset = null;
        into.sparse.pairs = true;
        try pairs.add(pairs.context, .{ .offset = offset, .length = try decimal(value) });
    }
}

fn optional(value: []const u8) Error!?u64 {
    return if (value.len == 0) null else try decimal(value);
}

pub fn decimal(digits: []const u8) error{BadNumber}!u64 {
    if (digits.len == 0) return error.BadNumber;
    var value: u64 = 0;
    for (digits) |digit| {
        if (digit < '0' or digit > '9') return error.BadNumber;
        value = std.math.mul(u64, value, 10) catch return error.BadNumber;
        value = std.math.add(u64, value, digit - '0') catch return error.BadNumber;
    }
    if (value > std.math.maxInt(i64)) return error.BadNumber;
    return value;
}

/// "-1.25" is one and a quarter second before the epoch: seconds -2, and 750,000,000 nanoseconds after that.
pub fn time(value: []const u8) Error!Time {
    const negative = value.len > 0 and value[0] == '-';
    const digits = if (negative) value[1..] else value;
    const dot = std.mem.indexOfScalar(u8, digits, '.') orelse digits.len;
    const whole: i64 = @intCast(decimal(digits[0..dot]) catch return error.BadTime);
    var nanoseconds: u32 = 0;
    if (dot < digits.len) {
        var unit: u32 = 100_000_000;
        for (digits[dot + 1 ..]) |digit| {
            if (digit < '0' or digit > '9') return error.BadTime;
            nanoseconds += (digit - '0') * unit;
            unit /= 10;
        }
    }
    if (!negative) return .{ .seconds = whole, .nanoseconds = nanoseconds };
    if (nanoseconds == 0) return .{ .seconds = -whole, .nanoseconds = 0 };
    return .{ .seconds = -whole - 1, .nanoseconds = 1_000_000_000 - nanoseconds };
}

fn eql(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

test time {
    try std.testing.expectEqual(Time{ .seconds = 12, .nanoseconds = 345_000_000 }, try time("12.345"));
    try std.testing.expectEqual(Time{ .seconds = 12, .nanoseconds = 123_456_789 }, try time("12.1234567899"));
    try std.testing.expectEqual(Time{ .seconds = -2, .nanoseconds = 750_000_000 }, try time("-1.25"));
    for ([_][]const u8{ "", "-", ".5", "1.x", "1e3", "99999999999999999999" }) |bad| try std.testing.expectError(error.BadTime, time(bad));
}

test "records" {
    var overrides: Overrides = .{};
    var pairs: Pairs = .{ .context = undefined, .add = undefined };
    try parse("12 path=a/b\n27 SCHILY.xattr.user.x=1\n2\n", &overrides, &pairs);
    try std.testing.expectEqualStrings("a/b", overrides.path.?);
    try std.testing.expectEqualStrings("1\n2", overrides.xattrs[0].value);
    for ([_][]const u8{ "12 path=a/b", "13 path=a/b\n", "0 path=a\n", "x path=a\n", "9 =a/b/c\n", "4 \n\n", "9999999999 path=a\n" }) |bad|
        try std.testing.expectError(error.BadRecord, parse(bad, &overrides, &pairs));
}
