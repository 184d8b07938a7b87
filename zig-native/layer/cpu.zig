//! What this processor can do beyond the baseline that we are compiled for, asked once at run time.
const std = @import("std");
const builtin = @import("builtin");
const cpuid = @import("../linux/cpuid.zig").cpuid;

pub const Features = packed struct { known: bool = false, sha: bool = false, pclmul: bool = false };

var cached: std.atomic.Value(u8) = .init(0);

pub fn features() Features {
    const bits: u3 = @truncate(cached.load(.monotonic));
    const have: Features = @bitCast(bits);
    if (have.known) return have;
    const found = detect();
    cached.store(@as(u3, @bitCast(found)), .monotonic);
    return found;
}

fn detect() Features {
    if (builtin.cpu.arch != .x86_64) return .{ .known = true };
    const one = cpuid(1);
    const ssse3 = one.ecx >> 9 & 1 != 0;
    const sse41 = one.ecx >> 19 & 1 != 0;
    const sha = cpuid(0).eax >= 7 and cpuid(7).ebx >> 29 & 1 != 0;
    return .{ .known = true, .sha = sha and ssse3 and sse41, .pclmul = one.ecx >> 1 & 1 != 0 };
}
