//! The container's device nodes. In the /dev that we made they are made; anywhere else one is bound as a single node, from
//! the workbench, because nothing there may be opened as a device.
const std = @import("std");
const linux = std.os.linux;
const Bench = @import("bench.zig");
const Guard = @import("guard.zig");
const device = @import("../linux/device.zig");
const mount = @import("../linux/mount.zig");
const path = @import("../linux/path.zig");
const request = @import("../wire/request.zig");
const stage = @import("sync.zig");

arena: std.mem.Allocator,
root: i32,
bench: *Bench,
guard: *const Guard,
/// The /dev that we made, by its kernel's number. Null: a mount of the user's is in its place.
own_dev: ?u64,
/// Nodes open everywhere: a privileged container.
any: bool,

const Devices = @This();

pub fn make(self: *Devices, each: request.Device) path.Error!void {
    if (self.own_dev == null and std.mem.startsWith(u8, each.path, "/dev/")) return self.keep(each);
    const split = path.splitLast(each.path);
    const parent = try path.ensureDirectory(self.arena, self.root, split.parent, .device);
    defer _ = linux.close(parent);
    const info = path.stat(parent) orelse return stage.fail(.device, .IO, "stat {s}", .{split.parent});
    if (info.mount != self.own_dev) return self.bind(each);
    const name = try path.terminated(self.arena, split.name, .device, "a device's path");
    switch (device.makeNode(parent, name, each)) {
        .SUCCESS => {},
        .EXIST => try device.verify(parent, name, each),
        .PERM => try self.bindFromHost(each),
        else => |errno| return stage.fail(.device, errno, "make device {s}", .{each.path}),
    }
}

/// In a /dev of the user's: what he has there is his, but where it is this very device it shall work.
fn keep(self: *Devices, each: request.Device) path.Error!void {
    if (self.any) return;
    const name = try path.terminated(self.arena, each.path, .device, "a device's path");
    const opened = path.open(self.root, name, .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0, path.contained);
    if (linux.errno(opened) != .SUCCESS) return;
    const target: i32 = @intCast(opened);
    defer _ = linux.close(target);
    const info = path.stat(target) orelse return;
    if (info.isDevice(device.kind(each), each.major, each.minor)) try self.bindAt(each, target);
}

fn bind(self: *Devices, each: request.Device) path.Error!void {
    const target = try path.ensureFile(self.arena, self.root, each.path, .device);
    defer _ = linux.close(target);
    const info = path.stat(target) orelse return stage.fail(.device, .IO, "stat {s}", .{each.path});
    const same = info.isDevice(device.kind(each), each.major, each.minor);
    if (!same and !(info.kind == .regular and info.size == 0))
        return stage.fail(.device, .EXIST, "make device {s}: something else is there", .{each.path});
    try self.bindAt(each, target);
}

fn bindAt(self: *Devices, each: request.Device, target: i32) path.Error!void {
    switch (try self.bench.node(self.arena, each)) {
        .tree => |tree| try self.attach(each, tree, target),
        .errno => |errno| if (errno == .PERM) try self.attach(each, try device.cloneFromHost(self.arena, each), target) else return stage.fail(.device, errno, "make device {s}", .{each.path}),
    }
}

/// Where nodes cannot be made (a user namespace, a device cgroup around us).
fn bindFromHost(self: *Devices, each: request.Device) path.Error!void {
    const tree = try device.cloneFromHost(self.arena, each);
    const target = try path.ensureFile(self.arena, self.root, each.path, .device);
    defer _ = linux.close(target);
    try self.attach(each, tree, target);
}

fn attach(self: *Devices, each: request.Device, tree: i32, target: i32) path.Error!void {
    defer _ = linux.close(tree);
    try self.guard.check(self.arena, each.path, target, tree);
    _ = try stage.check(mount.attach(tree, target), .device, "bind device {s}", .{each.path});
}
