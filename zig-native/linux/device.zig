//! Device nodes and the links of /dev. A node is made with mknod; where that is not allowed the host's node of the same name
//! takes its place, after a look at its numbers.
const std = @import("std");
const linux = std.os.linux;
const stage = @import("../stage/sync.zig");
const request = @import("../wire/request.zig");
const mount = @import("mount.zig");
const path = @import("path.zig");

/// A new node `name` in `parent`, with its owner.
pub fn makeNode(parent: i32, name: [*:0]const u8, device: request.Device) linux.E {
    const made = linux.mknodat(parent, name, typeBits(device) | (device.fileMode & 0o7777), number(device.major, device.minor));
    if (linux.errno(made) != .SUCCESS or (device.uid == 0 and device.gid == 0)) return linux.errno(made);
    return linux.errno(linux.fchownat(parent, name, device.uid, device.gid, linux.AT.SYMLINK_NOFOLLOW));
}

fn typeBits(device: request.Device) u32 {
    return switch (device.type) {
        .c => linux.S.IFCHR,
        .b => linux.S.IFBLK,
        .p => linux.S.IFIFO,
    };
}

pub fn kind(device: request.Device) path.Stat.Kind {
    return switch (device.type) {
        .c => .character,
        .b => .block,
        .p => .fifo,
    };
}

/// mknod(2)'s form of a device number: 12 bits of major, 20 of minor.
fn number(major: u32, minor: u32) u32 {
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~@as(u32, 0xff)) << 12;
}

/// What is there already is accepted only if it is that very device.
pub fn verify(parent: i32, name: [*:0]const u8, device: request.Device) stage.Error!void {
    const opened = path.open(parent, name, .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0, path.beneath | path.no_symlinks);
    const fd: i32 = @intCast(try stage.check(opened, .device, "open {s}", .{device.path}));
    defer _ = linux.close(fd);
    const info = path.stat(fd) orelse return stage.fail(.device, .IO, "stat {s}", .{device.path});
    const same = if (device.type == .p) info.kind == .fifo else info.isDevice(kind(device), device.major, device.minor);
    if (!same) return stage.fail(.device, .EXIST, "make device {s}: the image has something else there", .{device.path});
}

/// A detached mount of the host's node of the same name.
pub fn cloneFromHost(arena: std.mem.Allocator, device: request.Device) path.Error!i32 {
    const host = try path.terminated(arena, device.path, .device, "a device's path");
    return cloneVerified(linux.AT.FDCWD, host, device.path, kind(device), device.major, device.minor);
}

/// A detached mount of one device node, whose numbers were read from the very file that is mounted.
fn cloneVerified(directory: i32, name: [*:0]const u8, shown: []const u8, wanted: path.Stat.Kind, major: u32, minor: u32) stage.Error!i32 {
    const tree: i32 = @intCast(try stage.check(mount.clone(directory, name, false), .device, "open {s}", .{shown}));
    errdefer _ = linux.close(tree);
    const info = path.stat(tree) orelse return stage.fail(.device, .IO, "stat {s}", .{shown});
    if (!info.isDevice(wanted, major, minor)) return stage.fail(.device, .INVAL, "{s} is not the device {d}:{d}", .{ shown, major, minor });
    return tree;
}

/// An O_PATH descriptor of a true /dev/null (character device 1:3): the container's, or the host's where it has none.
pub fn openNull(root: i32) stage.Error!i32 {
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
    return stage.fail(.device, .NOENT, "find /dev/null: neither the container nor the host has it", .{});
}

const links = [_]struct { name: [:0]const u8, target: [:0]const u8 }{
    .{ .name = "fd", .target = "/proc/self/fd" },
    .{ .name = "stdin", .target = "/proc/self/fd/0" },
    .{ .name = "stdout", .target = "/proc/self/fd/1" },
    .{ .name = "stderr", .target = "/proc/self/fd/2" },
    .{ .name = "core", .target = "/proc/kcore" },
    .{ .name = "ptmx", .target = "pts/ptmx" },
};

/// The usual links. An image's own entries of these names stay.
pub fn makeLinks(arena: std.mem.Allocator, root: i32) path.Error!void {
    const dev = try path.ensureDirectory(arena, root, "/dev", .device);
    defer _ = linux.close(dev);
    for (links) |link| {
        const errno = linux.errno(linux.symlinkat(link.target, dev, link.name));
        if (errno != .SUCCESS and errno != .EXIST) return stage.fail(.device, errno, "link /dev/{s}", .{link.name});
    }
}

test "device numbers" {
    try std.testing.expectEqual(@as(u32, 0x103), number(1, 3));
    try std.testing.expectEqual(@as(u32, 0x10000500), number(5, 0x10000));
    try std.testing.expectEqual(@as(u32, 0xfff00), number(0xfff, 0));
}
