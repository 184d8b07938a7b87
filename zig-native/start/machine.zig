//! Is this a kernel and a processor that rt runs on? Without this Bun would die of an illegal instruction.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const cpuid = @import("../linux/cpuid.zig").cpuid;
const say = @import("say.zig");

/// openat2, clone3, pidfds, close_range and fsconfig in the forms that are used here.
const kernel_oldest: Release = .{ .major = 5, .minor = 10 };

const Release = struct {
    major: u32,
    minor: u32,

    /// "6.1.0-13-cloud-amd64" -> 6.1
    fn parse(text: []const u8) Release {
        var numbers: [2]u32 = .{ 0, 0 };
        var at: usize = 0;
        for (&numbers) |*number| {
            while (at < text.len and std.ascii.isDigit(text[at])) : (at += 1) number.* = number.* *| 10 +| (text[at] - '0');
            at += 1;
        }
        return .{ .major = numbers[0], .minor = numbers[1] };
    }

    fn isBefore(release: Release, other: Release) bool {
        return release.major < other.major or (release.major == other.major and release.minor < other.minor);
    }
};

pub fn check(auxiliary: [*]const [2]usize) void {
    var names: linux.utsname = undefined;
    _ = say.check(linux.uname(&names), "uname");
    const release = std.mem.sliceTo(&names.release, 0);
    if (Release.parse(release).isBefore(kernel_oldest))
        say.die(&.{ "this kernel is Linux ", release, ", and rt needs 5.10 or newer" });
    if (missingFeature(auxiliary)) |feature|
        say.die(&.{ "this CPU has no ", feature, ", which rt's JavaScript engine needs: it runs on ", processors });
}

const processors = switch (builtin.cpu.arch) {
    .x86_64 => "x86-64-v3 (Intel Haswell, AMD Excavator, or newer)",
    else => "ARMv8 with the CRC extension",
};

/// The value that the kernel told under `key`.
pub fn value(auxiliary: [*]const [2]usize, key: usize) ?usize {
    var at: usize = 0;
    while (auxiliary[at][0] != std.elf.AT_NULL) : (at += 1) {
        if (auxiliary[at][0] == key) return auxiliary[at][1];
    }
    return null;
}

fn missingFeature(auxiliary: [*]const [2]usize) ?[]const u8 {
    if (builtin.cpu.arch != .x86_64) {
        const crc32 = 1 << 7;
        return if ((value(auxiliary, std.elf.AT_HWCAP) orelse 0) & crc32 == 0) "CRC32" else null;
    }
    if (cpuid(0).eax < 7) return "AVX2";
    const basic = cpuid(1).ecx;
    const extended = cpuid(7).ebx;
    if (bit(basic, 20) == 0) return "SSE4.2";
    if (bit(basic, 22) == 0) return "MOVBE";
    // AVX is there for programs only where the kernel saves its registers.
    if (bit(basic, 28) == 0 or bit(basic, 27) == 0 or extendedControl() & 0b110 != 0b110) return "AVX";
    if (bit(basic, 12) == 0) return "FMA";
    if (bit(extended, 5) == 0) return "AVX2";
    if (bit(extended, 3) == 0 or bit(extended, 8) == 0) return "BMI";
    return null;
}

fn bit(word: u32, index: u5) u32 {
    return word >> index & 1;
}

fn extendedControl() u32 {
    return asm volatile ("xgetbv"
        : [eax] "={eax}" (-> u32),
        : [index] "{ecx}" (@as(u32, 0)),
        : .{ .edx = true });
}

test "a kernel's release is compared by its first two numbers" {
    for ([_][]const u8{ "5.10.0", "5.10", "6.1.0-13-cloud-amd64", "10.0", "6.18.44-x" }) |text| {
        try std.testing.expect(!Release.parse(text).isBefore(kernel_oldest));
    }
    for ([_][]const u8{ "5.9.16", "4.19.0-27-amd64", "2.6.78", "5", "", "x" }) |text| {
        try std.testing.expect(Release.parse(text).isBefore(kernel_oldest));
    }
}
