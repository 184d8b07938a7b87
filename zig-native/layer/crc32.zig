//! CRC-32 of gzip (RFC 1952): folded 64 bytes at a time by carry-less multiplication where the processor can
//! (Gopal et al., "Fast CRC Computation Using PCLMULQDQ"), else by sixteen tables.
const std = @import("std");
const builtin = @import("builtin");
const cpu = @import("cpu.zig");

pub fn update(crc: u32, bytes: []const u8) u32 {
    var register = ~crc;
    var rest = bytes;
    if (builtin.cpu.arch == .x86_64) {
        if (rest.len >= 128 and cpu.features().pclmul) {
            const whole = rest.len & ~@as(usize, 63);
            register = fold(register, rest[0..whole]);
            rest = rest[whole..];
        }
    }
    return ~byTable(register, rest);
}

const tables: [16][256]u32 = blk: {
    @setEvalBranchQuota(100_000);
    var t: [16][256]u32 = undefined;
    for (0..256) |index| {
        var value: u32 = index;
        for (0..8) |_| value = if (value & 1 != 0) 0xEDB88320 ^ (value >> 1) else value >> 1;
        t[0][index] = value;
    }
    for (1..16) |slice| for (0..256) |index| {
        const before = t[slice - 1][index];
        t[slice][index] = t[0][before & 0xff] ^ (before >> 8);
    };
    break :blk t;
};

fn byTable(start: u32, bytes: []const u8) u32 {
    var register = start;
    var rest = bytes;
    while (rest.len >= 16) : (rest = rest[16..]) {
        const low = std.mem.readInt(u32, rest[0..4], .little) ^ register;
        var next: u32 = 0;
        inline for (0..4) |k| next ^= tables[15 - k][(low >> (8 * k)) & 0xff];
        inline for (4..16) |k| next ^= tables[15 - k][rest[k]];
        register = next;
    }
    for (rest) |byte| register = tables[0][(register ^ byte) & 0xff] ^ (register >> 8);
    return register;
}

const V = @Vector(2, u64);

/// `bytes` is a multiple of 64 and at least 64. The remainder of the folded 16 bytes is taken by table: it is only once.
fn fold(start: u32, bytes: []const u8) u32 {
    const by4: V = .{ 0x0154442bd4, 0x01c6e41596 };
    const by1: V = .{ 0x01751997d0, 0x00ccaa009e };
    var x: [4]V = undefined;
    inline for (0..4) |k| x[k] = load(bytes[16 * k ..]);
    x[0] ^= V{ start, 0 };
    var rest = bytes[64..];
    while (rest.len >= 64) : (rest = rest[64..]) {
        inline for (0..4) |k| x[k] = multiply(x[k], by4, 0x00) ^ multiply(x[k], by4, 0x11) ^ load(rest[16 * k ..]);
    }
    var sum = x[0];
    inline for (1..4) |k| sum = multiply(sum, by1, 0x00) ^ multiply(sum, by1, 0x11) ^ x[k];
    const last: [16]u8 = @bitCast(sum);
    return byTable(0, &last);
}

inline fn load(bytes: []const u8) V {
    return @bitCast(bytes[0..16].*);
}

inline fn multiply(a: V, b: V, comptime halves: u8) V {
    return asm (std.fmt.comptimePrint("pclmulqdq ${d}, %[b], %[r]", .{halves})
        : [r] "=x" (-> V),
        : [_] "0" (a),
          [b] "x" (b),
    );
}

test "the check value, and both ways agree" {
    try std.testing.expectEqual(@as(u32, 0xCBF43926), update(0, "123456789"));
    var data: [4096]u8 = undefined;
    for (&data, 0..) |*byte, index| byte.* = @truncate(index *% 167 +% (index >> 5));
    for ([_]usize{ 0, 1, 15, 16, 63, 64, 127, 128, 129, 191, 192, 1000, 4096 }) |length| {
        try std.testing.expectEqual(~byTable(~@as(u32, 0), data[0..length]), update(0, data[0..length]));
    }
    try std.testing.expectEqual(update(0, &data), update(update(0, data[0..777]), data[777..]));
}
