//! tar.zig, pax.zig and sparse.zig alone, in this process: what is written is read again, and damage is refused or harmless.
const std = @import("std");
const pax = @import("../pax.zig");
const sparse = @import("../sparse.zig");
const tar = @import("../tar.zig");
const members = @import("members.zig");

const assert = std.debug.assert;

pub fn tarRound(seed: u64) void {
    members.current_seed = seed;
    var prng = std.Random.DefaultPrng.init(seed);
    const random = prng.random();
    numbers(random);
    var block: [tar.block_bytes]u8 = undefined;
    members.header(&block, .{ .name = "name", .type = random.int(u8), .size = random.int(u32) });
    for (0..random.uintLessThan(usize, 6)) |_| damageField(random, &block);
    if (random.boolean()) members.seal(&block);
    const header = tar.parse(&block) catch return;
    assert(header.size <= std.math.maxInt(i64) and header.uid <= std.math.maxInt(i64) and header.mode <= 0o7777);
    assert(header.name.len <= 100 and header.prefix.len <= 155 and header.linkname.len <= 100);
    assert(tar.paddingOf(header.size) < tar.block_bytes);
}

/// Octal and base-256 of any width, there and back.
fn numbers(random: std.Random) void {
    var field: [12]u8 = undefined;
    const width = random.intRangeAtMost(usize, 8, 12);
    const value = random.int(u64) >> random.int(u6);
    members.base256(field[0..width], value);
    // In eight bytes the second bit is the sign.
    const exact = value < @as(u64, 1) << (if (width == 8) 62 else 63);
    if (exact) assert((tar.number(field[0..width]) catch unreachable) == value);
    random.bytes(field[0..width]);
    if (tar.number(field[0..width])) |number| assert(number <= std.math.maxInt(i64)) else |_| {}
}

fn damageField(random: std.Random, block: *[tar.block_bytes]u8) void {
    const fields = [_][2]usize{ .{ 0, 100 }, .{ 100, 8 }, .{ 108, 8 }, .{ 116, 8 }, .{ 124, 12 }, .{ 136, 12 }, .{ 156, 1 }, .{ 157, 100 }, .{ 257, 8 }, .{ 329, 8 }, .{ 337, 8 }, .{ 345, 155 }, .{ 508, 4 } };
    const at = fields[random.uintLessThan(usize, fields.len)];
    const field = block[at[0]..][0..at[1]];
    switch (random.uintLessThan(u8, 5)) {
        0 => random.bytes(field),
        1 => @memset(field, ([_]u8{ 0, ' ', '7', '0', 0x80, 0xff, '/' })[random.uintLessThan(usize, 7)]),
        2 => if (field.len <= 12) members.base256(field, random.int(u64) >> random.int(u6)),
        3 => field[random.uintLessThan(usize, field.len)] = random.int(u8),
        else => @memcpy(field[0..1], "\x80"),
    }
}

var bytes: [8192]u8 = undefined;

pub fn paxRound(seed: u64) void {
    members.current_seed = seed;
    var prng = std.Random.DefaultPrng.init(seed);
    const random = prng.random();
    var writer = std.Io.Writer.fixed(&bytes);
    for (0..random.uintLessThan(usize, 8)) |_| randomRecord(random, &writer);
    const text = writer.buffered();
    for (0..random.uintLessThan(usize, 3)) |_| {
        if (text.len > 0) text[random.uintLessThan(usize, text.len)] = ([_]u8{ '0', '9', ' ', '=', '\n', '-', '.', 0, 0xff })[random.uintLessThan(usize, 9)];
    }
    var map: sparse.Map = .{};
    defer map.spans.deinit(std.heap.smp_allocator);
    var pairs: pax.Pairs = .{ .context = &map, .add = sparse.Map.addOpaque };
    var overrides: pax.Overrides = .{};
    var global: pax.Overrides = .{};
    pax.parseGlobal(text, &global) catch {};
    pax.parse(text, &overrides, &pairs) catch return;
    for ([_]?[]const u8{ overrides.path, overrides.linkpath, overrides.sparse.map }) |found| if (found) |slice| assert(lies(slice, text));
    for (overrides.xattrs[0..overrides.xattr_count]) |x| assert(lies(x.name, text) and lies(x.value, text));
    if (overrides.mtime) |time| assert(time.nanoseconds < 1_000_000_000);
    if (overrides.sparse.map) |list| map.addText(list) catch return;
    var decimal: sparse.Decimal = .{};
    if (random.boolean()) decimal.feed(&map, text) catch {};
    const real = overrides.sparse.real_size orelse random.int(u64);
    const stored = overrides.size orelse random.int(u64) >> random.int(u6);
    map.check(stored, real) catch return;
    var end: u64 = 0;
    var sum: u64 = 0;
    for (map.spans.items) |span| {
        assert(span.offset >= end and span.length <= real - span.offset);
        end = span.offset + span.length;
        sum += span.length;
    }
    assert(sum == stored and end <= real);
}

fn lies(slice: []const u8, inside: []const u8) bool {
    return @intFromPtr(slice.ptr) >= @intFromPtr(inside.ptr) and @intFromPtr(slice.ptr) + slice.len <= @intFromPtr(inside.ptr) + inside.len;
}

const keys = [_][]const u8{
    "path",                "linkpath",            "size",                "uid",              "gid",
    "mtime",               "SCHILY.xattr.user.a", "SCHILY.xattr.",       "GNU.sparse.major", "GNU.sparse.minor",
    "GNU.sparse.name",     "GNU.sparse.size",     "GNU.sparse.realsize", "GNU.sparse.map",   "GNU.sparse.offset",
    "GNU.sparse.numbytes", "comment",             "",
};
const values = [_][]const u8{
    "",      "a/b",     "0",           "1",            "512",                    "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "-1",    "-1.5",    "1.999999999", "1.0000000001", "-9223372036854775807.9", "0,512",               "0,0,512,1",           "9223372036854775807,1",
    "1,2,3", "5,5,0,5", "x",           "\x00",         "12\n3",                  " ",                   "a=b",                 "0,9223372036854775807,9223372036854775807,5",
};

fn randomRecord(random: std.Random, writer: *std.Io.Writer) void {
    const key = keys[random.uintLessThan(usize, keys.len)];
    const value = values[random.uintLessThan(usize, values.len)];
    members.record(writer, key, value) catch return; // full
}
