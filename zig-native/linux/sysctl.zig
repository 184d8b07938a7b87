//! Sysctls, written through a procfs that we mounted ourselves: an image cannot put a file of its own in the way.
const std = @import("std");
const linux = std.os.linux;
const path = @import("path.zig");
const user_namespace = @import("user_namespace.zig");

const own = path.beneath | path.no_symlinks | path.no_cross_mount;

/// `procfs` is our own proc's root, `name` a `fileName`.
pub fn set(procfs: i32, name: [:0]const u8, value: []const u8) linux.E {
    const errno = path.writeFile(procfs, name, value, own);
    const is_all = std.mem.eql(u8, name, "sys/net/ipv4/ping_group_range") and std.mem.eql(u8, value, "0 2147483647");
    if (errno != .INVAL or !is_all) return errno;
    // The top has to be a group of this user namespace.
    var text: [32]u8 = undefined;
    const range = std.fmt.bufPrint(&text, "0 {d}", .{topGroup() orelse return errno}) catch return errno;
    return path.writeFile(procfs, name, range, own);
}

/// By the host's /proc: in one of another pid namespace we may be nobody.
fn topGroup() ?u32 {
    var buffer: [user_namespace.map_bytes_max]u8 = undefined;
    return topFromZero(user_namespace.readFile("/proc/self/gid_map", &buffer) orelse return null);
}

/// The last of the groups that follow each other from 0, by a map's lines.
fn topFromZero(map: []const u8) ?u32 {
    var next: u32 = 0;
    var lines = std.mem.splitScalar(u8, map, '\n');
    while (lines.next()) |line| {
        var words = std.mem.tokenizeScalar(u8, line, ' ');
        const first = std.fmt.parseInt(u32, words.next() orelse break, 10) catch break;
        _ = words.next();
        const size = std.fmt.parseInt(u32, words.next() orelse break, 10) catch break;
        if (first != next) break;
        next +|= size;
    }
    return if (next == 0) null else @min(next - 1, std.math.maxInt(i32));
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

test topFromZero {
    try std.testing.expectEqual(0, topFromZero("         0       5000          1\n"));
    try std.testing.expectEqual(65536, topFromZero("         0       5000          1\n         1     100000      65536\n"));
    try std.testing.expectEqual(9, topFromZero("         0       5000         10\n        11     100000      65536\n"));
    try std.testing.expectEqual(std.math.maxInt(i32), topFromZero("         0          0 4294967295\n"));
    for ([_][]const u8{ "", "         1     100000      65536\n" }) |map| try std.testing.expectEqual(null, topFromZero(map));
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
