//! Sysctls, written through a procfs that we mounted ourselves: an image cannot put a file of its own in the way.
const std = @import("std");
const linux = std.os.linux;
const path = @import("path.zig");

/// `procfs` is our own proc's root, `name` a `fileName`.
pub fn set(procfs: i32, name: [:0]const u8, value: []const u8) linux.E {
    return path.writeFile(procfs, name, value, path.beneath | path.no_symlinks | path.no_cross_mount);
}

/// "net.ipv4.ip_forward" is "sys/net/ipv4/ip_forward"; "net/ipv4/conf/eth0.1/forwarding", with slashes, keeps its dot. Null
/// when it could lead elsewhere.
pub fn fileName(arena: std.mem.Allocator, key: []const u8) error{OutOfMemory}!?[:0]const u8 {
    if (key.len == 0 or std.mem.indexOfScalar(u8, key, 0) != null) return null;
    const name = try std.fmt.allocPrintSentinel(arena, "sys/{s}", .{key}, 0);
    const separator = std.mem.indexOfAny(u8, key, "./") orelse return null;
    if (key[separator] == '.') {
        for (name) |*character| character.* = switch (character.*) {
            '.' => '/',
            '/' => '.',
            else => character.*,
        };
        name[3] = '/';
    }
    var parts = std.mem.splitScalar(u8, name, '/');
    while (parts.next()) |part| if (part.len == 0 or std.mem.eql(u8, part, ".") or std.mem.eql(u8, part, "..")) return null;
    return name;
}

test "file names of sysctls" {
    var memory: [1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const arena = fixed.allocator();
    try std.testing.expectEqualStrings("sys/net/ipv4/ip_forward", (try fileName(arena, "net.ipv4.ip_forward")).?);
    try std.testing.expectEqualStrings("sys/net/ipv4/conf/eth0.1/forwarding", (try fileName(arena, "net/ipv4/conf/eth0.1/forwarding")).?);
    try std.testing.expectEqualStrings("sys/net/ipv4/conf/eth0.1/forwarding", (try fileName(arena, "net.ipv4.conf.eth0/1.forwarding")).?);
    for ([_][]const u8{ "", "kernel", "kernel..x", "net/../../x", "a.b\x00" }) |bad| try std.testing.expectEqual(
        null,
        try fileName(arena, bad),
    );
}
