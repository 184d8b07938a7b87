//! SHA-256 (FIPS 180-4) in loops: the standard library's is unrolled, and alone a quarter of the prober.
const std = @import("std");

/// The first 32 bits of the fractional parts of the `power`-th roots of the first primes. The constants of the
/// standard, computed here when the prober is compiled.
fn roots(comptime count: usize, comptime power: comptime_int) [count]u32 {
    @setEvalBranchQuota(1_000_000);
    var result: [count]u32 = undefined;
    var found: usize = 0;
    var candidate: u128 = 2;
    while (found < count) : (candidate += 1) {
        var divisor: u128 = 2;
        while (divisor * divisor <= candidate) : (divisor += 1) if (candidate % divisor == 0) break;
        if (divisor * divisor <= candidate) continue;
        // The largest r with r^power <= candidate * 2^(32 power): the root with 32 bits behind the point.
        var root: u128 = 0;
        var bit: u128 = 1 << 36;
        while (bit > 0) : (bit >>= 1) {
            const next = root | bit;
            if (std.math.pow(u128, next, power) <= candidate << (32 * power)) root = next;
        }
        result[found] = @truncate(root);
        found += 1;
    }
    return result;
}

const round_constants = roots(64, 3);

pub const Sha256 = struct {
    state: [8]u32 = roots(8, 2),
    block: [64]u8 = undefined,
    total: u64 = 0,

    pub fn update(hash: *Sha256, bytes: []const u8) void {
        var rest = bytes;
        while (rest.len > 0) {
            const used: usize = @intCast(hash.total % 64);
            const length = @min(rest.len, 64 - used);
            @memcpy(hash.block[used..][0..length], rest[0..length]);
            hash.total += length;
            rest = rest[length..];
            if (used + length == 64) hash.compress();
        }
    }

    pub fn final(hash: *Sha256) [32]u8 {
        const bits = hash.total * 8;
        hash.update(&.{0x80});
        while (hash.total % 64 != 56) hash.update(&.{0});
        var length: [8]u8 = undefined;
        std.mem.writeInt(u64, &length, bits, .big);
        hash.update(&length);
        var digest: [32]u8 = undefined;
        for (hash.state, 0..) |word, index| std.mem.writeInt(u32, digest[index * 4 ..][0..4], word, .big);
        return digest;
    }

    fn compress(hash: *Sha256) void {
        var schedule: [64]u32 = undefined;
        for (0..16) |index| schedule[index] = std.mem.readInt(u32, hash.block[index * 4 ..][0..4], .big);
        for (16..64) |index| {
            const early = schedule[index - 15];
            const late = schedule[index - 2];
            schedule[index] = schedule[index - 16] +% schedule[index - 7] +%
                (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) +%
                (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
        }
        var v = hash.state;
        for (schedule, round_constants) |word, constant| {
            const first = v[7] +% (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +%
                ((v[4] & v[5]) ^ (~v[4] & v[6])) +% constant +% word;
            const second = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +%
                ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            // Not in one assignment: the old values would be read after the new ones are there.
            std.mem.copyBackwards(u32, v[1..], v[0..7]);
            v[4] +%= first;
            v[0] = first +% second;
        }
        for (&hash.state, v) |*word, add| word.* +%= add;
    }
};

fn rotate(value: u32, count: u5) u32 {
    return std.math.rotr(u32, value, @as(u32, count));
}
