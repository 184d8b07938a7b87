//! All control groups of a tree, however deep a container nested them and whatever their names add up to: no recursion, no
//! path, one descriptor at a time. It walks by name and "..", which in a cgroup file system lead where they led before, as
//! nothing in it can be moved elsewhere or linked.
const std = @import("std");
const linux = std.os.linux;

/// Call `visit` with a descriptor of `top` and of each group below, a group before those in it. What cannot be opened, or
/// goes meanwhile, is left out. `arena` holds eight bytes for each level.
pub fn each(
    arena: std.mem.Allocator,
    top: [*:0]const u8,
    context: anytype,
    comptime visit: fn (i32, @TypeOf(context)) void,
) error{OutOfMemory}!void {
    var here = open(linux.AT.FDCWD, top) orelse return;
    defer _ = linux.close(here);
    // Where to go on in the directories above this one.
    var above: std.ArrayList(u64) = .empty;
    defer above.deinit(arena);
    visit(here, context);
    while (true) {
        var position: u64 = 0;
        var name: [linux.NAME_MAX + 1]u8 = undefined;
        if (nextGroup(here, &name, &position)) {
            const below = open(here, @ptrCast(&name)) orelse {
                if (linux.errno(linux.lseek(here, @bitCast(position), linux.SEEK.SET)) != .SUCCESS) return;
                continue;
            };
            try above.append(arena, position);
            _ = linux.close(here);
            here = below;
            visit(here, context);
            continue;
        }
        const back = above.pop() orelse return;
        const parent = open(here, "..") orelse return;
        _ = linux.close(here);
        here = parent;
        if (linux.errno(linux.lseek(here, @bitCast(back), linux.SEEK.SET)) != .SUCCESS) return;
    }
}

fn open(parent: i32, name: [*:0]const u8) ?i32 {
    const opened = linux.openat(parent, name, .{ .DIRECTORY = true, .CLOEXEC = true, .NOFOLLOW = true }, 0);
    return if (linux.errno(opened) == .SUCCESS) @intCast(opened) else null;
}

/// The next group in an open directory, and the position behind it. False at the end.
fn nextGroup(directory: i32, name: *[linux.NAME_MAX + 1]u8, position: *u64) bool {
    var buffer: [2048]u8 align(@alignOf(linux.dirent64)) = undefined;
    while (true) {
        const count = linux.getdents64(directory, &buffer, buffer.len);
        if (linux.errno(count) != .SUCCESS or count == 0) return false;
        var offset: usize = 0;
        while (offset < count) {
            const entry: *align(1) const linux.dirent64 = @ptrCast(&buffer[offset]);
            const child: [*:0]const u8 = @ptrCast(buffer[offset + @offsetOf(linux.dirent64, "name") ..].ptr);
            offset += entry.reclen;
            const text = std.mem.span(child);
            if (entry.type != linux.DT.DIR or text.len > linux.NAME_MAX) continue;
            if (std.mem.eql(u8, text, ".") or std.mem.eql(u8, text, "..")) continue;
            @memcpy(name[0 .. text.len + 1], text[0 .. text.len + 1]);
            position.* = @bitCast(entry.off);
            return true;
        }
    }
}

test "each directory once, the upper one first" {
    var name: [64]u8 = undefined;
    const top = try std.fmt.bufPrintZ(&name, "/tmp/rt-walk-test-{d}", .{linux.getpid()});
    for ([_][:0]const u8{ "", "/a", "/a/b", "/a/b/c", "/a/d", "/e" }) |sub| {
        var buffer: [96]u8 = undefined;
        try std.testing.expectEqual(.SUCCESS, linux.errno(linux.mkdir(try std.fmt.bufPrintZ(&buffer, "{s}{s}", .{ top, sub }), 0o700)));
    }
    defer for ([_][:0]const u8{ "/e", "/a/d", "/a/b/c", "/a/b", "/a", "" }) |sub| {
        var buffer: [96]u8 = undefined;
        _ = linux.rmdir(std.fmt.bufPrintZ(&buffer, "{s}{s}", .{ top, sub }) catch unreachable); // short enough
    };
    var visits: usize = 0;
    try each(std.testing.allocator, top, &visits, struct {
        fn visit(_: i32, count: *usize) void {
            count.* += 1;
        }
    }.visit);
    try std.testing.expectEqual(6, visits);
}
