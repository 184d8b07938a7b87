//! Members of archives, as bytes: honest ones from a description, and damage that keeps the checksum right.
const std = @import("std");
const tar = @import("../tar.zig");

/// Of the round at work, for whoever tells of a failure.
pub var current_seed: u64 = 0;

pub const Member = struct {
    name: []const u8,
    type: u8 = '0',
    link: []const u8 = "",
    content: []const u8 = "",
    /// Null: the content's.
    size: ?u64 = null,
    mode: u32 = 0o644,
    uid: u32 = 0,
    mtime: u64 = 1_000_000,
    device: [2]u64 = .{ 0, 0 },
};

pub fn header(block: *[tar.block_bytes]u8, m: Member) void {
    @memset(block, 0);
    const name = m.name[0..@min(100, m.name.len)];
    @memcpy(block[0..name.len], name);
    octal(block[100..107], m.mode);
    octal(block[108..115], m.uid);
    octal(block[116..123], m.uid);
    const size = m.size orelse m.content.len;
    if (size < 1 << 33) octal(block[124..135], size) else base256(block[124..136], size);
    octal(block[136..147], m.mtime);
    block[156] = m.type;
    const link = m.link[0..@min(100, m.link.len)];
    @memcpy(block[157..][0..link.len], link);
    @memcpy(block[257..265], "ustar\x0000");
    octal(block[329..336], m.device[0]);
    octal(block[337..344], m.device[1]);
    seal(block);
}

/// Put the checksum right.
pub fn seal(block: *[tar.block_bytes]u8) void {
    @memset(block[148..156], ' ');
    var sum: u32 = 0;
    for (block) |byte| sum += byte;
    octal(block[148..154], sum);
    block[154] = 0;
}

fn octal(field: []u8, value: u64) void {
    var rest = value;
    var index = field.len;
    while (index > 0) : (rest >>= 3) {
        index -= 1;
        field[index] = '0' + @as(u8, @intCast(rest & 7));
    }
}

pub fn base256(field: []u8, value: u64) void {
    var rest = value;
    var index = field.len;
    while (index > 0) : (rest >>= 8) {
        index -= 1;
        field[index] = @truncate(rest);
    }
    field[0] |= 0x80;
}

pub fn write(writer: *std.Io.Writer, m: Member) std.Io.Writer.Error!void {
    var block: [tar.block_bytes]u8 = undefined;
    header(&block, m);
    try writer.writeAll(&block);
    try writer.writeAll(m.content);
    try writer.splatByteAll(0, @intCast(tar.paddingOf(m.content.len)));
}

/// A member whose name or link may be longer than its header: GNU's way.
pub fn writeLong(writer: *std.Io.Writer, m: Member) std.Io.Writer.Error!void {
    if (m.name.len > 100) try write(writer, .{ .name = "././@LongLink", .type = 'L', .content = m.name });
    if (m.link.len > 100) try write(writer, .{ .name = "././@LongLink", .type = 'K', .content = m.link });
    try write(writer, m);
}

/// A pax record with its length.
pub fn record(writer: *std.Io.Writer, key: []const u8, value: []const u8) std.Io.Writer.Error!void {
    const rest = key.len + value.len + 3;
    var length = rest + 1;
    while (std.fmt.count("{d}", .{length}) + rest != length) length = std.fmt.count("{d}", .{length}) + rest;
    try writer.print("{d} {s}={s}\n", .{ length, key, value });
}
