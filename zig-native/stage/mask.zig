//! What a container must not see or write in /proc and /sys: masked paths get /dev/null or an empty directory on top,
//! read-only ones a read-only mount of themselves. Both are mounted on descriptors of what was looked at.
const std = @import("std");
const linux = std.os.linux;
const device = @import("../linux/device.zig");
const mount = @import("../linux/mount.zig");
const path = @import("../linux/path.zig");
const stage = @import("sync.zig");

pub fn hide(arena: std.mem.Allocator, root: i32, paths: []const []const u8) path.Error!void {
    if (paths.len == 0) return;
    const null_device = try device.openNull(root);
    defer _ = linux.close(null_device);
    var empty: i32 = -1;
    defer if (empty >= 0) {
        _ = linux.close(empty);
    };
    for (paths) |name| {
        const target = try open(arena, root, name) orelse continue;
        defer _ = linux.close(target);
        const info = path.stat(target) orelse return stage.fail(.mount, .IO, "stat {s}", .{name});
        const tree: i32 = if (info.kind != .directory)
            @intCast(try stage.check(mount.clone(null_device, "", false), .mount, "mask {s}", .{name}))
        else if (empty < 0)
            try mount.create(arena, "tmpfs", "tmpfs", &.{ "nr_inodes=1", "mode=555" }, mount_flags)
        else
            @intCast(try stage.check(mount.clone(empty, "", false), .mount, "mask {s}", .{name}));
        _ = try stage.check(mount.attach(tree, target), .mount, "mask {s}", .{name});
        // One empty directory serves all: cloned once it is attached, which older kernels want of a mount's source.
        if (info.kind == .directory and empty < 0) empty = tree else _ = linux.close(tree);
    }
}

const mount_flags = mount.attribute_readonly | mount.attribute_nosuid | mount.attribute_nodev | mount.attribute_noexec;

pub fn protect(arena: std.mem.Allocator, root: i32, paths: []const []const u8) path.Error!void {
    for (paths) |name| {
        const target = try open(arena, root, name) orelse continue;
        defer _ = linux.close(target);
        const tree: i32 = @intCast(try stage.check(mount.clone(target, "", true), .mount, "make {s} read-only", .{name}));
        defer _ = linux.close(tree);
        const set = mount.setAttributes(tree, .{ .set = mount.attribute_readonly }, true);
        _ = try stage.check(set, .mount, "make {s} read-only", .{name});
        _ = try stage.check(mount.attach(tree, target), .mount, "make {s} read-only", .{name});
    }
}

/// Null when this kernel or image has no such path.
fn open(arena: std.mem.Allocator, root: i32, name: []const u8) path.Error!?i32 {
    const text = try path.terminated(arena, name, .mount, "a masked path");
    const opened = path.open(root, text, path.file_path, 0, path.contained);
    return switch (linux.errno(opened)) {
        .SUCCESS => @intCast(opened),
        .NOENT, .NOTDIR => null,
        else => |errno| stage.fail(.mount, errno, "open {s}", .{name}),
    };
}
