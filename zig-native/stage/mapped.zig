//! Layers whose owners are seen as the numbers of a user namespace: each is a detached mount with its maps (mount_setattr(2)), which
//! overlay takes by its descriptor since Linux 6.13. For older kernels they are attached where only we see them.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const file_system = @import("file_system.zig");
const mount = @import("../linux/mount.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");

pub const Layers = struct {
    trees: []i32,
    /// A tmpfs on top of "/", with the layers at "0", "1"…; or -1.
    place: i32 = -1,

    pub fn open(arena: std.mem.Allocator, layers: []const []const u8, map: i32) fault.AllocError!Layers {
        const trees = try arena.alloc(i32, layers.len);
        const attributes: mount.Attributes = .{ .set = mount.idmapped, .user_namespace = @intCast(map) };
        for (trees, layers) |*tree, layer| {
            const name = try paths.terminated(arena, layer, .rootfs, "a layer's path");
            const cloned = mount.clone(linux.AT.FDCWD, name, false);
            tree.* = @intCast(try fault.check(cloned, .rootfs, "open layer {s}", .{layer}));
            try mapped(mount.setAttributes(tree.*, attributes, false), layer);
        }
        return .{ .trees = trees };
    }

    pub fn attach(self: *Layers, arena: std.mem.Allocator) fault.AllocError!void {
        // What is put there must not reach the host.
        const alone = linux.mount(null, "/", null, linux.MS.PRIVATE, 0);
        _ = try fault.check(alone, .rootfs, "make / private", .{});
        self.place = try file_system.create(arena, "tmpfs", "", &.{"mode=700"}, mount.attribute_nosuid | mount.attribute_nodev);
        const slash = try fault.check(linux.open("/", path.directory_path, 0), .rootfs, "open /", .{});
        defer _ = linux.close(@intCast(slash));
        _ = try fault.check(mount.attach(self.place, @intCast(slash)), .rootfs, "attach a temporary directory", .{});
        for (self.trees, 0..) |tree, index| {
            const name = try std.fmt.allocPrintSentinel(arena, "{d}", .{index}, 0);
            _ = try fault.check(linux.mkdirat(self.place, name, 0o700), .rootfs, "make a temporary directory", .{});
            const opened = path.open(self.place, name, path.directory_path, 0, path.beneath | path.no_symlinks);
            const target: i32 = @intCast(try fault.check(opened, .rootfs, "open a temporary directory", .{}));
            defer _ = linux.close(target);
            _ = try fault.check(mount.attach(tree, target), .rootfs, "attach a layer", .{});
        }
    }

    pub fn close(self: *Layers) void {
        for (self.trees) |tree| _ = linux.close(tree);
        if (self.place < 0) return;
        // "/" is still the host's; its parent is what lies on top of it.
        _ = linux.umount2("/..", linux.MNT.DETACH);
        _ = linux.close(self.place);
    }
};

/// The result of a layer's mapping.
pub fn mapped(result: usize, layer: []const u8) fault.Error!void {
    if (linux.errno(result) == .INVAL) return fault.fail(
        .rootfs,
        .SUCCESS,
        "map the owners of layer {s}: its file system cannot do that (--storage-driver copy does without)",
        .{layer},
    );
    _ = try fault.check(result, .rootfs, "map the owners of layer {s}", .{layer});
}
