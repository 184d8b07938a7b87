//! Tar headers: the 512-byte block of POSIX ustar and of its GNU and star dialects (pax(1), GNU tar's tar.h). Pure:
//! bytes in, fields out. What pax records do to the fields is in pax.zig, sparse maps are in sparse.zig.
const std = @import("std");

pub const block_bytes = 512;

pub const Error = error{ BadChecksum, BadNumber };

pub const Type = enum {
    regular,
    hard_link,
    symbolic_link,
    character_device,
    block_device,
    directory,
    fifo,
    gnu_sparse,
    gnu_long_name,
    gnu_long_link,
    pax,
    pax_global,
    volume_label,
    unknown,
};

pub const Header = struct {
    type: Type,
    typeflag: u8,
    /// Slices into the block.
    name: []const u8,
    prefix: []const u8,
    linkname: []const u8,
    mode: u32,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: i64,
    device_major: u64,
    device_minor: u64,
};

/// Is this one of the zero blocks at the end?
pub fn isZero(block: *const [block_bytes]u8) bool {
    return std.mem.allEqual(u8, block, 0);
}

pub fn parse(block: *const [block_bytes]u8) Error!Header {
    if (!checksumMatches(block)) return error.BadChecksum;
    const posix = std.mem.eql(u8, block[257..263], "ustar\x00");
    const gnu = std.mem.eql(u8, block[257..265], "ustar  \x00");
    const star = posix and std.mem.eql(u8, block[508..512], "tar\x00");
    const typeflag = block[156];
    var header: Header = .{
        .type = typeOf(typeflag),
        .typeflag = typeflag,
        .name = text(block[0..100]),
        .prefix = if (star) text(block[345..476]) else if (posix) text(block[345..500]) else "",
        .linkname = text(block[157..257]),
        .mode = @intCast(try number(block[100..108]) & 0o7777),
        .uid = try number(block[108..116]),
        .gid = try number(block[116..124]),
        .size = try number(block[124..136]),
        .mtime = try signedNumber(block[136..148]),
        .device_major = 0,
        .device_minor = 0,
    };
    if (posix or gnu) switch (header.type) {
        // Only there: old writers left rubbish in these fields of other entries.
        .character_device, .block_device => {
            header.device_major = try number(block[329..337]);
            header.device_minor = try number(block[337..345]);
        },
        else => {},
    };
    return header;
}

fn typeOf(typeflag: u8) Type {
    return switch (typeflag) {
        0, '0', '7' => .regular,
        '1' => .hard_link,
        '2' => .symbolic_link,
        '3' => .character_device,
        '4' => .block_device,
        '5' => .directory,
        '6' => .fifo,
        'S' => .gnu_sparse,
        'L' => .gnu_long_name,
        'K' => .gnu_long_link,
        'x', 'X' => .pax,
        'g' => .pax_global,
        'V' => .volume_label,
        else => .unknown,
    };
}

/// The sum of all bytes with the field itself as spaces; some old writers summed signed bytes.
fn checksumMatches(block: *const [block_bytes]u8) bool {
    var bytes: @Vector(block_bytes, u8) = block.*;
    inline for (148..156) |index| bytes[index] = ' ';
    const unsigned: u32 = @reduce(.Add, @as(@Vector(block_bytes, u32), bytes));
    const want = number(block[148..156]) catch return false;
    if (want == unsigned) return true;
    const high: u32 = @reduce(.Add, @as(@Vector(block_bytes, u32), bytes >> @splat(7)));
    return @as(i64, unsigned) - @as(i64, high) * 256 == @as(i64, @bitCast(want));
}

pub fn text(field: []const u8) []const u8 {
    return field[0 .. std.mem.indexOfScalar(u8, field, 0) orelse field.len];
}

/// Octal digits, or base-256 (first bit set) for what octal cannot hold. Not negative.
pub fn number(field: []const u8) Error!u64 {
    const value = try signedNumber(field);
    if (value < 0) return error.BadNumber;
    return @intCast(value);
}

fn signedNumber(field: []const u8) Error!i64 {
    if (field[0] & 0x80 != 0) return base256(field);
    const start = std.mem.trimStart(u8, field, " \x00");
    var value: i64 = 0;
    for (start[0 .. std.mem.indexOfAny(u8, start, " \x00") orelse start.len]) |digit| {
        if (digit < '0' or digit > '7') return error.BadNumber;
        value = std.math.mul(i64, value, 8) catch return error.BadNumber;
        value += digit - '0';
    }
    return value;
}

/// Two's complement, big-endian, the first bit only a mark: the second is the sign.
fn base256(field: []const u8) Error!i64 {
    const negative = field[0] & 0x40 != 0;
    const fill: u8 = if (negative) 0xff else 0;
    var value: u64 = if (negative) std.math.maxInt(u64) else 0;
    for (field, 0..) |raw, index| {
        const byte = if (index == 0) (if (negative) raw | 0x80 else raw & 0x7f) else raw;
        if (field.len - index > 8 and byte != fill) return error.BadNumber;
        value = value << 8 | byte;
    }
    const result: i64 = @bitCast(value);
    if ((result < 0) != negative) return error.BadNumber;
    return result;
}

/// Bytes of padding after `size` bytes of data.
pub fn paddingOf(size: u64) u64 {
    return (block_bytes - size % block_bytes) % block_bytes;
}

test "numbers" {
    try std.testing.expectEqual(@as(u64, 0o644), try number("0000644\x00"));
    try std.testing.expectEqual(@as(u64, 0o644), try number("   644 \x00"));
    try std.testing.expectEqual(@as(u64, 0), try number("\x00\x00\x00\x00\x00\x00\x00\x00"));
    try std.testing.expectEqual(@as(u64, 1 << 33), try number("\x80\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00"));
    try std.testing.expectEqual(@as(i64, -1), try signedNumber("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    try std.testing.expectEqual(@as(u64, 0xffffffff), try number("\x80\x00\x00\x00\xff\xff\xff\xff"));
    try std.testing.expectError(error.BadNumber, number("0000648\x00"));
    try std.testing.expectError(error.BadNumber, number("\xff\xff\xff\xff\xff\xff\xff\xff"));
    try std.testing.expectError(error.BadNumber, number("\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"));
    try std.testing.expectError(error.BadNumber, number("777777777777777777777777"));
}
