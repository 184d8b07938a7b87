//! SHA-256 (FIPS 180-4) with the SHA instructions of x86-64 where the processor has them. The standard library chooses
//! at compile time; one executable for all hosts has to choose at run time.
const std = @import("std");
const builtin = @import("builtin");
const cpu = @import("cpu.zig");

pub const Sha256 = struct {
    state: [8]u32 = .{ 0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19 },
    partial: [64]u8 = undefined,
    partial_bytes: usize = 0,
    total_bytes: u64 = 0,

    pub fn update(self: *Sha256, bytes: []const u8) void {
        self.total_bytes += bytes.len;
        var rest = bytes;
        if (self.partial_bytes > 0) {
            const taken = @min(64 - self.partial_bytes, rest.len);
            @memcpy(self.partial[self.partial_bytes..][0..taken], rest[0..taken]);
            self.partial_bytes += taken;
            rest = rest[taken..];
            if (self.partial_bytes < 64) return;
            compress(&self.state, &self.partial);
            self.partial_bytes = 0;
        }
        const whole = rest.len & ~@as(usize, 63);
        compress(&self.state, rest[0..whole]);
        rest = rest[whole..];
        @memcpy(self.partial[0..rest.len], rest);
        self.partial_bytes = rest.len;
    }

    pub fn final(self: *Sha256) [32]u8 {
        const bits = self.total_bytes * 8;
        var tail = [_]u8{0x80} ++ [_]u8{0} ** 127;
        const padding = (if (self.partial_bytes < 56) @as(usize, 56) else 120) - self.partial_bytes;
        std.mem.writeInt(u64, tail[padding..][0..8], bits, .big);
        self.update(tail[0 .. padding + 8]);
        var digest: [32]u8 = undefined;
        for (self.state, 0..) |word, index| std.mem.writeInt(u32, digest[4 * index ..][0..4], word, .big);
        return digest;
    }
};

/// `blocks` is a multiple of 64 bytes.
fn compress(state: *[8]u32, blocks: []const u8) void {
    if (builtin.cpu.arch == .x86_64 and cpu.features().sha) return compressNative(state, blocks);
    compressGeneric(state, blocks);
}

const round_constants = [64]u32{
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
};

fn compressGeneric(state: *[8]u32, blocks: []const u8) void {
    const rotr = std.math.rotr;
    var rest = blocks;
    while (rest.len >= 64) : (rest = rest[64..]) {
        var w: [64]u32 = undefined;
        for (0..16) |i| w[i] = std.mem.readInt(u32, rest[4 * i ..][0..4], .big);
        for (16..64) |i| {
            const s0 = rotr(u32, w[i - 15], 7) ^ rotr(u32, w[i - 15], 18) ^ (w[i - 15] >> 3);
            const s1 = rotr(u32, w[i - 2], 17) ^ rotr(u32, w[i - 2], 19) ^ (w[i - 2] >> 10);
            w[i] = w[i - 16] +% s0 +% w[i - 7] +% s1;
        }
        var v = state.*;
        inline for (0..64) |i| {
            const s1 = rotr(u32, v[4], 6) ^ rotr(u32, v[4], 11) ^ rotr(u32, v[4], 25);
            const choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
            const t1 = v[7] +% s1 +% choice +% round_constants[i] +% w[i];
            const s0 = rotr(u32, v[0], 2) ^ rotr(u32, v[0], 13) ^ rotr(u32, v[0], 22);
            const majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            // Named first: assigning the literal to `v` itself would overwrite what it reads.
            const next: [8]u32 = .{ t1 +% s0 +% majority, v[0], v[1], v[2], v[3] +% t1, v[4], v[5], v[6] };
            v = next;
        }
        for (state, v) |*word, add| word.* +%= add;
    }
}

const V = @Vector(4, u32);

/// The instructions want the state as ABEF and CDGH. Each asm is one instruction: LLVM schedules, and needs no target
/// feature to assemble them.
fn compressNative(state: *[8]u32, blocks: []const u8) void {
    var abef: V = .{ state[5], state[4], state[1], state[0] };
    var cdgh: V = .{ state[7], state[6], state[3], state[2] };
    var rest = blocks;
    while (rest.len >= 64) : (rest = rest[64..]) {
        const abef_before = abef;
        const cdgh_before = cdgh;
        var w: [4]V = undefined;
        inline for (0..4) |k| w[k] = swapBytes(@bitCast(rest[16 * k ..][0..16].*));
        inline for (0..16) |k| {
            const words: V = if (k < 4) w[k] else schedule(w[k % 4], w[(k + 1) % 4], w[(k + 2) % 4], w[(k + 3) % 4]);
            w[k % 4] = words;
            const keyed = words +% @as(V, round_constants[4 * k ..][0..4].*);
            cdgh = twoRounds(cdgh, abef, keyed);
            abef = twoRounds(abef, cdgh, @shuffle(u32, keyed, undefined, [4]i32{ 2, 3, 2, 3 }));
        }
        abef +%= abef_before;
        cdgh +%= cdgh_before;
    }
    state.* = .{ abef[3], abef[2], cdgh[3], cdgh[2], abef[1], abef[0], cdgh[1], cdgh[0] };
}

/// The next four words of the message schedule from the sixteen before them.
inline fn schedule(w0: V, w4: V, w8: V, w12: V) V {
    const first = asm ("sha256msg1 %[b], %[r]"
        : [r] "=x" (-> V),
        : [_] "0" (w0),
          [b] "x" (w4),
    );
    const seventh = @shuffle(u32, w8, w12, [4]i32{ 1, 2, 3, -1 });
    return asm ("sha256msg2 %[b], %[r]"
        : [r] "=x" (-> V),
        : [_] "0" (first +% seventh),
          [b] "x" (w12),
    );
}

inline fn twoRounds(into: V, other: V, keyed: V) V {
    return asm ("sha256rnds2 %[b], %[r]"
        : [r] "=x" (-> V),
        : [_] "0" (into),
          [b] "x" (other),
          [_] "{xmm0}" (keyed),
    );
}

inline fn swapBytes(words: V) V {
    const order: @Vector(16, u8) = .{ 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12 };
    return asm ("pshufb %[order], %[r]"
        : [r] "=x" (-> V),
        : [_] "0" (words),
          [order] "x" (order),
    );
}

test "both ways agree with the standard library at every length" {
    var data: [1000]u8 = undefined;
    for (&data, 0..) |*byte, index| byte.* = @truncate(index *% 31 +% 7);
    for (0..300) |length| {
        var expected: [32]u8 = undefined;
        std.crypto.hash.sha2.Sha256.hash(data[0..length], &expected, .{});
        var hasher: Sha256 = .{};
        hasher.update(data[0 .. length / 3]);
        hasher.update(data[length / 3 .. length]);
        try std.testing.expectEqual(expected, hasher.final());
    }
    var generic = (Sha256{}).state;
    var native = generic;
    compressGeneric(&generic, data[0..960]);
    compress(&native, data[0..960]);
    try std.testing.expectEqual(generic, native);
}
