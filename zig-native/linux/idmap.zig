//! A user namespace that nobody lives in: its maps are what an idmapped mount translates by (mount_setattr(2), Linux 5.12).
//!
//! It takes a child to make one, and over that child every root of the parent namespace has all capabilities: the root of a
//! container that could name it (user_namespaces(7)), who would find our root, and our descriptors, in its /proc directory. So
//! whoever calls is not dumpable, which the child inherits, and has joined no pid namespace.
const std = @import("std");
const linux = std.os.linux;
const path = @import("path.zig");

/// Numbers on the file system, and what they are seen as.
pub const Range = struct { from: u32, to: u32, count: u32 };

/// Of users, and of groups.
pub const Maps = struct { uids: []const Range = &.{}, gids: []const Range = &.{} };

/// What `number` is seen as.
pub fn outside(ranges: []const Range, number: u32) ?u32 {
    for (ranges) |range| {
        if (number >= range.from and number - range.from < range.count) return range.to +% (number - range.from);
    }
    return null;
}

/// What a child says of itself: descriptors in the table that we share.
const Said = extern struct { process: i32, namespace: i32 };

/// A descriptor of the namespace, or -errno. A map without ranges maps nothing.
pub fn open(arena: std.mem.Allocator, uids: []const Range, gids: []const Range) error{OutOfMemory}!i32 {
    var pipe: [2]i32 = undefined;
    const made = linux.pipe2(&pipe, .{ .CLOEXEC = true });
    if (linux.errno(made) != .SUCCESS) return code(linux.errno(made));
    defer for (pipe) |fd| {
        _ = linux.close(fd);
    };
    const child = linux.syscall5(.clone, linux.CLONE.NEWUSER | linux.CLONE.FILES | @intFromEnum(linux.SIG.CHLD), 0, 0, 0, 0);
    if (linux.errno(child) != .SUCCESS) return code(linux.errno(child));
    if (child == 0) live(pipe[1]);
    defer end(@intCast(child));
    var said: Said = undefined;
    // The child has the other end too, so that no end of file would tell of its death: it always says something.
    if (linux.read(pipe[0], @ptrCast(&said), @sizeOf(Said)) != @sizeOf(Said)) return code(.IO);
    defer if (said.process >= 0) {
        _ = linux.close(said.process);
    };
    if (said.process < 0 or said.namespace < 0) return code(.NOENT); // no /proc here
    const errno = try write(arena, said.process, uids, gids);
    if (errno == .SUCCESS) return said.namespace;
    _ = linux.close(said.namespace);
    return code(errno);
}

/// The maps of somebody's user namespace, in our numbers.
pub fn read(arena: std.mem.Allocator, namespace: i32, maps: *Maps) error{OutOfMemory}!linux.E {
    var pipe: [2]i32 = undefined;
    const made = linux.pipe2(&pipe, .{ .CLOEXEC = true });
    if (linux.errno(made) != .SUCCESS) return linux.errno(made);
    defer for (pipe) |fd| {
        _ = linux.close(fd);
    };
    const child = linux.syscall5(.clone, linux.CLONE.FILES | @intFromEnum(linux.SIG.CHLD), 0, 0, 0, 0);
    if (linux.errno(child) != .SUCCESS) return linux.errno(child);
    if (child == 0) {
        const entered = linux.errno(linux.setns(namespace, linux.CLONE.NEWUSER));
        if (entered == .SUCCESS) live(pipe[1]);
        const said: Said = .{ .process = code(entered), .namespace = -1 };
        _ = linux.write(pipe[1], @ptrCast(&said), @sizeOf(Said));
        while (true) _ = linux.pause();
    }
    defer end(@intCast(child));
    var said: Said = undefined;
    if (linux.read(pipe[0], @ptrCast(&said), @sizeOf(Said)) != @sizeOf(Said)) return .IO;
    if (said.process < 0) return @enumFromInt(-said.process);
    defer for ([_]i32{ said.process, said.namespace }) |fd| if (fd >= 0) {
        _ = linux.close(fd);
    };
    maps.uids = try readOne(arena, said.process, "uid_map") orelse return .IO;
    maps.gids = try readOne(arena, said.process, "gid_map") orelse return .IO;
    return .SUCCESS;
}

fn readOne(arena: std.mem.Allocator, process: i32, name: [*:0]const u8) error{OutOfMemory}!?[]const Range {
    const opened = path.open(process, name, .{ .CLOEXEC = true, .NOFOLLOW = true }, 0, path.beneath);
    if (linux.errno(opened) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(opened));
    return parse(arena, try path.readAll(arena, @intCast(opened), map_bytes_max) orelse return null);
}

/// 340 lines of three numbers.
const map_bytes_max = 16 * 1024;

/// The kernel's text of a map.
pub fn parse(arena: std.mem.Allocator, text: []const u8) error{OutOfMemory}!?[]const Range {
    var ranges: std.ArrayList(Range) = .empty;
    var words = std.mem.tokenizeAny(u8, text, " \n");
    while (words.next()) |from| {
        try ranges.append(arena, .{
            .from = std.fmt.parseInt(u32, from, 10) catch return null,
            .to = std.fmt.parseInt(u32, words.next() orelse return null, 10) catch return null,
            .count = std.fmt.parseInt(u32, words.next() orelse return null, 10) catch return null,
        });
    }
    return ranges.items;
}

fn code(errno: linux.E) i32 {
    return -@as(i32, @intFromEnum(errno));
}

/// In the child, which has the new namespace, and our descriptors.
fn live(answer: i32) noreturn {
    const process = linux.open("/proc/self", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    const namespace = linux.open("/proc/self/ns/user", .{ .CLOEXEC = true }, 0);
    const said: Said = .{
        .process = if (linux.errno(process) == .SUCCESS) @intCast(process) else -1,
        .namespace = if (linux.errno(namespace) == .SUCCESS) @intCast(namespace) else -1,
    };
    _ = linux.write(answer, @ptrCast(&said), @sizeOf(Said));
    while (true) _ = linux.pause();
}

fn end(child: i32) void {
    _ = linux.kill(child, .KILL);
    var status: u32 = 0;
    while (linux.errno(linux.waitpid(child, &status, 0)) == .INTR) {}
}

fn write(arena: std.mem.Allocator, process: i32, uids: []const Range, gids: []const Range) error{OutOfMemory}!linux.E {
    for ([_][:0]const u8{ "uid_map", "gid_map" }, [_][]const Range{ uids, gids }) |name, ranges| {
        var text: std.ArrayList(u8) = .empty;
        for (ranges) |range| try text.print(arena, "{d} {d} {d}\n", .{ range.from, range.to, range.count });
        // What is not mentioned stays as it is on disk.
        if (ranges.len == 0) try text.appendSlice(arena, "0 0 4294967295\n");
        const errno = path.writeFile(process, name, text.items, path.beneath);
        if (errno != .SUCCESS) return errno;
    }
    return .SUCCESS;
}

test parse {
    var memory: [1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const ranges = (try parse(fixed.allocator(), "         0       1000          1\n         1     100000      65536\n")).?;
    try std.testing.expectEqual(2, ranges.len);
    try std.testing.expectEqual(1000, outside(ranges, 0));
    try std.testing.expectEqual(100_009, outside(ranges, 10));
    try std.testing.expectEqual(null, outside(ranges, 65_537));
    try std.testing.expectEqual(null, try parse(fixed.allocator(), "1 2"));
}
