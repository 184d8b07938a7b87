//! The container's device nodes. In the /dev that we made they are made; anywhere else one is bound as a single node, from
//! the workbench, because nothing there may be opened as a device.
const std = @import("std");
const linux = std.os.linux;
const Bench = @import("bench.zig");
const device = @import("../linux/device.zig");
const fault = @import("../wire/fault.zig");
const Guard = @import("guard.zig");
const mount = @import("../linux/mount.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const request = @import("../wire/request.zig");

arena: std.mem.Allocator,
root: i32,
bench: *Bench,
guard: *const Guard,
/// The /dev that we made, by its kernel's number. Null: a mount of the user's is in its place.
own_dev: ?u64,
/// Nodes open everywhere: a privileged container.
any: bool,
/// Detached mounts of the nodes, in their order, where those cannot be made (outside.zig).
ready: []const i32 = &.{},
/// That of the device in hand, or -1.
tree: i32 = -1,

const Devices = @This();

pub fn makeAll(self: *Devices, list: []const request.Device) fault.AllocError!void {
    for (list, 0..) |each, index| {
        self.tree = if (self.ready.len > 0) self.ready[index] else -1;
        try self.make(each);
    }
}

fn make(self: *Devices, each: request.Device) fault.AllocError!void {
    if (self.own_dev == null and std.mem.startsWith(u8, each.path, "/dev/")) return self.keep(each);
    const split = path.splitLast(each.path);
    const parent = try paths.ensureDirectory(self.arena, self.root, split.parent, .device);
    defer _ = linux.close(parent);
    const info = path.stat(parent) orelse return fault.fail(.device, .IO, "stat {s}", .{split.parent});
    if (info.mount != self.own_dev or self.tree >= 0) return self.bind(each);
    const name = try paths.terminated(self.arena, split.name, .device, "a device's path");
    switch (device.make(parent, name, each.node())) {
        .SUCCESS => {},
        .EXIST => try verify(parent, name, each),
        .PERM => try self.bindFromHost(each),
        else => |errno| return fault.fail(.device, errno, "make device {s}", .{each.path}),
    }
}

/// In a /dev of the user's: what he has there is his, but where it is this very device it shall work.
fn keep(self: *Devices, each: request.Device) fault.AllocError!void {
    if (self.any) return;
    const name = try paths.terminated(self.arena, each.path, .device, "a device's path");
    const opened = path.open(self.root, name, .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0, path.contained);
    if (linux.errno(opened) != .SUCCESS) return;
    const target: i32 = @intCast(opened);
    defer _ = linux.close(target);
    const info = path.stat(target) orelse return;
    if (each.node().is(info)) try self.bindAt(each, target);
}

fn bind(self: *Devices, each: request.Device) fault.AllocError!void {
    const target = try paths.ensureFile(self.arena, self.root, each.path, .device);
    defer _ = linux.close(target);
    const info = path.stat(target) orelse return fault.fail(.device, .IO, "stat {s}", .{each.path});
    const same = each.node().is(info);
    if (!same and !(info.kind == .regular and info.size == 0))
        return fault.fail(.device, .EXIST, "make device {s}: something else is there", .{each.path});
    try self.bindAt(each, target);
}

fn bindAt(self: *Devices, each: request.Device, target: i32) fault.AllocError!void {
    if (self.tree >= 0) return self.attach(each, self.tree, target);
    switch (try self.bench.node(self.arena, each)) {
        .tree => |tree| try self.attach(each, tree, target),
        .errno => |errno| if (errno == .PERM) try self.attach(
            each,
            try cloneFromHost(self.arena, each),
            target,
        ) else return fault.fail(.device, errno, "make device {s}", .{each.path}),
    }
}

/// Where nodes cannot be made (a user namespace, a device cgroup around us).
fn bindFromHost(self: *Devices, each: request.Device) fault.AllocError!void {
    const tree = try cloneFromHost(self.arena, each);
    const target = try paths.ensureFile(self.arena, self.root, each.path, .device);
    defer _ = linux.close(target);
    try self.attach(each, tree, target);
}

fn attach(self: *Devices, each: request.Device, tree: i32, target: i32) fault.AllocError!void {
    defer _ = linux.close(tree);
    try self.guard.check(self.arena, each.path, target, tree);
    _ = try fault.check(mount.attach(tree, target), .device, "bind device {s}", .{each.path});
}

/// What is there already is accepted only if it is that very device.
fn verify(parent: i32, name: [*:0]const u8, each: request.Device) fault.Error!void {
    const opened = path.open(parent, name, .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0, path.beneath | path.no_symlinks);
    const fd: i32 = @intCast(try fault.check(opened, .device, "open {s}", .{each.path}));
    defer _ = linux.close(fd);
    const info = path.stat(fd) orelse return fault.fail(.device, .IO, "stat {s}", .{each.path});
    if (!each.node().is(info)) return fault.fail(.device, .EXIST, "make device {s}: the image has something else there", .{each.path});
}

/// A detached mount of the host's node, whose numbers were read from the very file that is mounted: that of the same name, or the one
/// that the kernel names.
pub fn cloneFromHost(arena: std.mem.Allocator, each: request.Device) fault.AllocError!i32 {
    if (try cloneNode(arena, each, each.path)) |tree| return tree;
    if (try kernelsName(arena, each)) |name| if (try cloneNode(arena, each, name)) |tree| return tree;
    const node = each.node();
    return fault.fail(
        .device,
        .SUCCESS,
        "device {s} ({d}:{d}) can be neither made, without the rights of the host's root, nor found in the host's /dev",
        .{ each.path, node.major, node.minor },
    );
}

fn cloneNode(arena: std.mem.Allocator, each: request.Device, name: []const u8) fault.AllocError!?i32 {
    const cloned = mount.clone(linux.AT.FDCWD, try paths.terminated(arena, name, .device, "a device's path"), false);
    if (linux.errno(cloned) != .SUCCESS) return null;
    const tree: i32 = @intCast(cloned);
    if (path.stat(tree)) |info| if (each.node().is(info)) return tree;
    _ = linux.close(tree);
    return null;
}

/// Where devtmpfs has the node of these numbers.
fn kernelsName(arena: std.mem.Allocator, each: request.Device) error{OutOfMemory}!?[]const u8 {
    const node = each.node();
    const kind = switch (node.mode & linux.S.IFMT) {
        linux.S.IFCHR => "char",
        linux.S.IFBLK => "block",
        else => return null,
    };
    const file = try std.fmt.allocPrintSentinel(arena, "/sys/dev/{s}/{d}:{d}/uevent", .{ kind, node.major, node.minor }, 0);
    const opened = linux.open(file, .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(opened));
    var lines = std.mem.splitScalar(u8, try path.readAll(arena, @intCast(opened), 4096) orelse return null, '\n');
    while (lines.next()) |line| {
        if (std.mem.startsWith(u8, line, "DEVNAME=")) return try std.fmt.allocPrint(arena, "/dev/{s}", .{line[8..]});
    }
    return null;
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
pub fn makeLinks(arena: std.mem.Allocator, root: i32) fault.AllocError!void {
    const dev = try paths.ensureDirectory(arena, root, "/dev", .device);
    defer _ = linux.close(dev);
    for (links) |link| {
        const errno = linux.errno(linux.symlinkat(link.target, dev, link.name));
        if (errno != .SUCCESS and errno != .EXIST) return fault.fail(.device, errno, "link /dev/{s}", .{link.name});
    }
}
