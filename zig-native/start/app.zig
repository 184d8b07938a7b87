//! A packed app (`rt pack`): this file, an image's layout behind it, and a trailer, whose last 24 bytes are "rt-pack2", where
//! the layout begins and how long it is (u64, little-endian). Its ELF header says "rt-app1" where that has padding, so that
//! an app of which just rt is left is not taken for rt.
const std = @import("std");
const linux = std.os.linux;
const say = @import("say.zig");

const trailer_size = 24;
const magic = "rt-pack2";
const mark = "rt-app1";
const mark_at = 9; // EI_PAD
const prefix = "RT_PACKED=";
/// "RT_PACKED=OFFSET,LENGTH" and its end.
pub const value_size_max = prefix.len + 20 + 1 + 20 + 1;

/// The variable that tells JavaScript of the layout; null when this file is plain rt. What is longer than rt was built and
/// has no trailer is an app that was cut short: its arguments are not for rt.
pub fn variable(file: i32, built_size: u64, header: *const [64]u8, buffer: *[value_size_max]u8) ?[:0]const u8 {
    const size = linux.lseek(file, 0, linux.SEEK.END);
    const is_app = std.mem.eql(u8, header[mark_at..][0..mark.len], mark);
    if (linux.errno(size) != .SUCCESS or (size == built_size and !is_app)) return null;
    if (size < built_size) say.die(&.{"cannot start: this file is cut short: copy it again"});
    var trailer: [trailer_size]u8 = undefined;
    const read = linux.pread(file, &trailer, trailer_size, @intCast(size - trailer_size));
    if (read == trailer_size) if (describe(&trailer, buffer)) |text| return text;
    say.die(&.{"cannot start: this app is cut short or damaged: copy it again"});
}

fn describe(trailer: *const [trailer_size]u8, buffer: *[value_size_max]u8) ?[:0]const u8 {
    if (!std.mem.eql(u8, trailer[0..8], magic)) return null;
    @memcpy(buffer[0..prefix.len], prefix);
    var used: usize = prefix.len;
    used += say.decimal(buffer[used..], std.mem.readInt(u64, trailer[8..16], .little));
    buffer[used] = ',';
    used += 1;
    used += say.decimal(buffer[used..], std.mem.readInt(u64, trailer[16..24], .little));
    buffer[used] = 0;
    return buffer[0..used :0];
}

test "a trailer is told in decimal, and only its own magic is one" {
    var buffer: [value_size_max]u8 = undefined;
    const small = magic ++ [_]u8{ 0, 16, 0, 0, 0, 0, 0, 0 } ++ [_]u8{ 7, 0, 0, 0, 0, 0, 0, 0 };
    try std.testing.expectEqualStrings("RT_PACKED=4096,7", describe(small, &buffer).?);
    const largest = magic ++ [_]u8{0xff} ** 16;
    try std.testing.expectEqualStrings("RT_PACKED=18446744073709551615,18446744073709551615", describe(largest, &buffer).?);
    try std.testing.expectEqual(null, describe("rt-pack1" ++ [_]u8{0} ** 16, &buffer));
}
