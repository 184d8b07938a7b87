//! What a container must not see or write in /proc and /sys: masked paths get /dev/null or an empty directory on top,
//! read-only ones a read-only mount of themselves. Both are mounted on descriptors of what was looked at.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const file_system = @import("file_system.zig");
const mount = @import("../linux/mount.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");

pub fn hide(arena: std.mem.Allocator, root: i32, list: []const []const u8) fault.AllocError!void {
    if (list.len == 0) return;
    const null_device = try openNull(root);
    defer _ = linux.close(null_device);
    var empty: i32 = -1;
    defer if (empty >= 0) {
        _ = linux.close(empty);
    };
    for (list) |name| {
        const target = try open(arena, root, name) orelse continue;
        defer _ = linux.close(target);
        const info = path.stat(target) orelse return fault.fail(.mount, .IO, "stat {s}", .{name});
        const tree: i32 = if (info.kind != .directory)
            try nothing(null_device, name)
        else if (empty < 0)
            try file_system.create(arena, "tmpfs", "tmpfs", &.{ "nr_inodes=1", "mode=555" }, mount_flags)
        else
            @intCast(try fault.check(mount.clone(empty, "", false), .mount, "mask {s}", .{name}));
        _ = try fault.check(mount.attach(tree, target), .mount, "mask {s}", .{name});
        // One empty directory serves all: cloned once it is attached, which older kernels want of a mount's source.
        if (info.kind == .directory and empty < 0) empty = tree else _ = linux.close(tree);
    }
}

/// The null device, of which nothing can be changed by this name. A device has to count here.
fn nothing(null_device: i32, name: []const u8) fault.Error!i32 {
    const tree: i32 = @intCast(try fault.check(mount.clone(null_device, "", false), .mount, "mask {s}", .{name}));
    const set = mount.setAttributes(tree, .{ .set = mount_flags & ~@as(u64, mount.attribute_nodev) }, false);
    _ = try fault.check(set, .mount, "mask {s}", .{name});
    return tree;
}

const mount_flags = mount.attribute_readonly | mount.attribute_nosuid | mount.attribute_nodev | mount.attribute_noexec;

pub fn protect(arena: std.mem.Allocator, root: i32, list: []const []const u8) fault.AllocError!void {
    for (list) |name| {
        const target = try open(arena, root, name) orelse continue;
        defer _ = linux.close(target);
        const tree: i32 = @intCast(try fault.check(mount.clone(target, "", true), .mount, "make {s} read-only", .{name}));
        defer _ = linux.close(tree);
        const set = mount.setAttributes(tree, .{ .set = mount.attribute_readonly }, true);
        _ = try fault.check(set, .mount, "make {s} read-only", .{name});
        _ = try fault.check(mount.attach(tree, target), .mount, "make {s} read-only", .{name});
    }
}

/// Null when this kernel or image has no such path.
fn open(arena: std.mem.Allocator, root: i32, name: []const u8) fault.AllocError!?i32 {
    const text = try paths.terminated(arena, name, .mount, "a masked path");
    const opened = path.open(root, text, path.file_path, 0, path.contained);
    return switch (linux.errno(opened)) {
        .SUCCESS => @intCast(opened),
        .NOENT, .NOTDIR => null,
        else => |errno| fault.fail(.mount, errno, "open {s}", .{name}),
    };
}

/// An O_PATH descriptor of a true /dev/null (character device 1:3): the container's, or the host's where it has none.
fn openNull(root: i32) fault.Error!i32 {
    for ([_]struct { directory: i32, resolve: u64 }{
        .{ .directory = root, .resolve = path.contained },
        .{ .directory = linux.AT.FDCWD, .resolve = path.no_magic_links },
    }) |place| {
        const opened = path.open(place.directory, "/dev/null", .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0, place.resolve);
        if (linux.errno(opened) != .SUCCESS) continue;
        const fd: i32 = @intCast(opened);
        if (path.stat(fd)) |info| if (info.isDevice(.character, 1, 3)) return fd;
        _ = linux.close(fd);
    }
    return fault.fail(.device, .NOENT, "find /dev/null: neither the container nor the host has it", .{});
}
