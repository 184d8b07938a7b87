//! Decoding tables for deflate's prefix codes (RFC 1951 3.2.2), in the shape that makes decoding fast: one wide primary
//! table indexed by the next bits of the stream, with subtables for the few longer codes. The entries carry everything
//! that the decoder wants to know, so that a symbol costs one load.
//!
//!   literal     1... .... | byte << 16                       | bits to drop
//!   length      base << 16 | code bits << 8                  | code bits + extra bits
//!   distance    base << 16 | code bits << 8                  | code bits + extra bits
//!   special     1 << 15, and one of end_of_block, subtable, or none of them: no such code
//!   subtable    start << 16 | special | subtable | index bits << 8 | primary bits
const std = @import("std");

pub const literal: u32 = 1 << 31;
pub const special: u32 = 1 << 15;
pub const subtable: u32 = 1 << 14;
pub const end_of_block: u32 = 1 << 13;
const no_such_code: u32 = special;

pub const bits_max = 15;

pub const Error = error{BadCodeLengths};

/// Fill `table` for the code whose symbol `s` has `lengths[s]` bits (0: unused) and means `meanings[s]`.
/// As in zlib, a code must be complete; only a single code of one bit, or none at all, may leave bit patterns unused.
/// `table` has room for the worst case of this alphabet and `primary_bits` (zlib's `enough`).
pub fn build(table: []u32, comptime primary_bits: u5, lengths: []const u8, meanings: []const u32) Error!void {
    var counts = [_]u16{0} ** (bits_max + 1);
    for (lengths) |length| counts[length] += 1;
    var longest: u5 = bits_max;
    while (longest > 0 and counts[longest] == 0) longest -= 1;
    const primary = table[0 .. @as(usize, 1) << primary_bits];
    if (longest == 0) {
        @memset(primary, no_such_code | 1);
        return;
    }
    var used: u32 = 0;
    for (1..@as(usize, longest) + 1) |length| {
        used = (used << 1) + counts[length];
        if (used > @as(u32, 1) << @intCast(length)) return error.BadCodeLengths;
    }
    const complete = used == @as(u32, 1) << longest;
    if (!complete and longest != 1) return error.BadCodeLengths;

    var sorted: [288]u16 = undefined;
    sortByLength(&sorted, lengths, &counts);
    if (!complete) {
        const entry = combine(meanings[sorted[0]], 1);
        for (primary, 0..) |*slot, index| slot.* = if (index & 1 == 0) entry else no_such_code | 1;
        return;
    }
    fill(table, primary_bits, sorted[0..], &counts, meanings);
}

/// Symbols in canonical order: by length, then by value.
fn sortByLength(sorted: *[288]u16, lengths: []const u8, counts: *const [bits_max + 1]u16) void {
    var next: [bits_max + 1]u16 = undefined;
    next[1] = 0;
    for (2..bits_max + 1) |length| next[length] = next[length - 1] + counts[length - 1];
    for (lengths, 0..) |length, symbol| {
        if (length == 0) continue;
        sorted[next[length]] = @intCast(symbol);
        next[length] += 1;
    }
}

/// Codes come in order, bit-reversed. While codes of `length` are written the table is kept 1 << length entries big, and
/// is doubled by copying when the length grows: each code is written once.
fn fill(table: []u32, comptime primary_bits: u5, sorted: []const u16, counts: *const [bits_max + 1]u16, meanings: []const u32) void {
    var code: u32 = 0; // bit-reversed
    var length: u5 = 1;
    var left = counts[1];
    var filled: usize = 2;
    var position: usize = 0;
    while (length <= primary_bits) {
        while (left == 0) {
            length += 1;
            if (length > primary_bits) break;
            @memcpy(table[filled..][0..filled], table[0..filled]);
            filled <<= 1;
            left = counts[length];
        }
        if (length > primary_bits) break;
        table[code] = combine(meanings[sorted[position]], length);
        position += 1;
        left -= 1;
        if (isLast(code, length)) {
            while (filled < @as(usize, 1) << primary_bits) : (filled <<= 1) @memcpy(table[filled..][0..filled], table[0..filled]);
            return;
        }
        code = following(code, length);
    }
    fillSubtables(table, primary_bits, sorted, counts, meanings, code, position);
}

fn fillSubtables(
    table: []u32,
    comptime primary_bits: u5,
    sorted: []const u16,
    counts: *const [bits_max + 1]u16,
    meanings: []const u32,
    first_code: u32,
    first_position: usize,
) void {
    const primary_mask = (@as(u32, 1) << primary_bits) - 1;
    var code = first_code;
    var position = first_position;
    var length: u5 = primary_bits + 1;
    var left = counts[length];
    var prefix: u32 = std.math.maxInt(u32);
    var start: usize = 0;
    var end: usize = @as(usize, 1) << primary_bits;
    while (true) {
        while (left == 0) {
            length += 1;
            left = counts[length];
        }
        if (code & primary_mask != prefix) {
            // A new subtable, as wide as the codes under this prefix need.
            prefix = code & primary_mask;
            start = end;
            var width: u5 = length - primary_bits;
            var space: u32 = left;
            while (space < @as(u32, 1) << width) {
                width += 1;
                space = (space << 1) + counts[primary_bits + @as(usize, width)];
            }
            end = start + (@as(usize, 1) << width);
            table[prefix] = @as(u32, @intCast(start)) << 16 | special | subtable | @as(u32, width) << 8 | primary_bits;
        }
        const entry = combine(meanings[sorted[position]], length - primary_bits);
        const stride = @as(usize, 1) << (length - primary_bits);
        var index = start + (code >> primary_bits);
        while (index < end) : (index += stride) table[index] = entry;
        position += 1;
        left -= 1;
        if (isLast(code, length)) return;
        code = following(code, length);
    }
}

fn isLast(code: u32, length: u5) bool {
    return code == (@as(u32, 1) << length) - 1;
}

/// The next code of this length, bit-reversed: clear the run of ones at the top, set the zero below it.
fn following(code: u32, length: u5) u32 {
    const bit = @as(u32, 1) << @intCast(31 - @clz(code ^ ((@as(u32, 1) << length) - 1)));
    return (code & (bit - 1)) | bit;
}

fn combine(meaning: u32, bits: u5) u32 {
    return meaning + (@as(u32, bits) << 8) + bits;
}

const length_bases = [29]u16{
    3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23,  27,
    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
};
const length_extras = [29]u8{ 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
const distance_bases = [30]u16{
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
};

/// What the symbols of the literal/length alphabet mean. `combine` adds the code's bits.
pub const literal_meanings: [288]u32 = blk: {
    var meanings: [288]u32 = undefined;
    for (0..256) |byte| meanings[byte] = literal | @as(u32, byte) << 16;
    meanings[256] = special | end_of_block;
    for (length_bases, length_extras, 257..) |base, extra, symbol| meanings[symbol] = @as(u32, base) << 16 | extra;
    meanings[286] = no_such_code;
    meanings[287] = no_such_code;
    break :blk meanings;
};

pub const distance_meanings: [32]u32 = blk: {
    var meanings: [32]u32 = undefined;
    for (distance_bases, 0..) |base, symbol| meanings[symbol] = @as(u32, base) << 16 | (if (symbol < 4) 0 else symbol / 2 - 1);
    meanings[30] = no_such_code;
    meanings[31] = no_such_code;
    break :blk meanings;
};

pub const length_code_meanings: [19]u32 = blk: {
    var meanings: [19]u32 = undefined;
    for (&meanings, 0..) |*meaning, symbol| meaning.* = symbol << 16;
    break :blk meanings;
};
