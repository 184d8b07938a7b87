//! The workbench: a small tmpfs of the container's own, of whose files single ones are bound into the container.
//!
//!   /etc/hosts and its kin    a program may write there, and must not fill the host's /run with that
//!   a device outside of /dev  one node, where nothing else may be opened as a device
//!
//! In the container's namespace it lies on its state directory, which goes with the host's root at pivot_root: what is
//! bound keeps it alive, and nobody can reach the rest. (On "/" it would be what umount2 takes in place of the host's
//! root.) The files can be rewritten in place for as long as the container lives, by way of /proc/PID/root.
const std = @import("std");
const linux = std.os.linux;
const device = @import("../linux/device.zig");
const fault = @import("../wire/fault.zig");
const file_system = @import("file_system.zig");
const mount = @import("../linux/mount.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const request = @import("../wire/request.zig");

/// What a container may put into its files beyond what they begin with.
const spare_bytes = 1 << 20;
/// Extended attributes count as inodes.
const spare_inodes = 64;

root: i32,
/// Of the files in it.
uid: u32 = 0,
gid: u32 = 0,
nodes: u32 = 0,
directories: u32 = 0,

const Bench = @This();

/// To be opened when the namespace is cut off from the host's. `place`: a directory of the host that is of no use any more.
/// `label`: SELinux's, or "".
pub fn open(arena: std.mem.Allocator, place: []const u8, label: []const u8, file_bytes: u64, nodes_max: usize) fault.AllocError!Bench {
    const size = try std.fmt.allocPrint(arena, "size={d}", .{spare_bytes +| file_bytes});
    const inodes = try std.fmt.allocPrint(arena, "nr_inodes={d}", .{spare_inodes + nodes_max});
    const context = try std.fmt.allocPrint(arena, "context={s}", .{label});
    const options = [_][]const u8{ size, inodes, "mode=700", context };
    const tree = try file_system.create(
        arena,
        "tmpfs",
        "tmpfs",
        if (label.len > 0) &options else options[0..3],
        mount.attribute_nosuid | mount.attribute_noexec,
    );
    errdefer _ = linux.close(tree);
    const opened = linux.open(try paths.terminated(arena, place, .mount, "the state directory"), path.directory_path, 0);
    const target: i32 = @intCast(try fault.check(opened, .mount, "open {s}", .{place}));
    defer _ = linux.close(target);
    _ = try fault.check(mount.attach(tree, target), .mount, "mount tmpfs at {s}", .{place});
    return .{ .root = tree };
}

/// What lies below it can be seen there again.
pub fn clearAway(arena: std.mem.Allocator, place: []const u8) fault.AllocError!void {
    const name = try paths.terminated(arena, place, .mount, "the state directory");
    const nofollow = 8; // UMOUNT_NOFOLLOW
    _ = try fault.check(linux.umount2(name, linux.MNT.DETACH | nofollow), .mount, "detach the workbench at {s}", .{place});
}

/// A detached mount of a new file, 0644, with what the open file `from` holds.
pub fn file(self: *const Bench, arena: std.mem.Allocator, name: []const u8, from: i32) fault.AllocError!i32 {
    const name_z = try paths.terminated(arena, name, .mount, "a file's name");
    const created = path.open(
        self.root,
        name_z,
        .{ .ACCMODE = .WRONLY, .CREAT = true, .EXCL = true, .CLOEXEC = true },
        0o644,
        path.beneath | path.no_symlinks,
    );
    const fd: i32 = @intCast(try fault.check(created, .mount, "create {s}", .{name}));
    defer _ = linux.close(fd);
    if (self.uid != 0 or self.gid != 0)
        _ = try fault.check(linux.fchown(fd, self.uid, self.gid), .mount, "give {s} to the container's root", .{name});
    while (try fault.check(linux.sendfile(fd, from, null, 1 << 20), .mount, "write {s}", .{name}) > 0) {}
    return self.bound(name_z);
}

/// A new directory, for something to be mounted at.
pub fn directory(self: *Bench, arena: std.mem.Allocator) fault.AllocError!i32 {
    const name = try std.fmt.allocPrintSentinel(arena, "directory-{d}", .{self.directories}, 0);
    self.directories += 1;
    _ = try fault.check(linux.mkdirat(self.root, name, 0o700), .mount, "make {s}", .{name});
    const opened = path.open(self.root, name, path.directory_path, 0, path.beneath | path.no_symlinks);
    return @intCast(try fault.check(opened, .mount, "open {s}", .{name}));
}

/// A detached mount of a new node, or what mknod(2) had against it.
pub fn node(self: *Bench, arena: std.mem.Allocator, wanted: request.Device) fault.AllocError!union(enum) { tree: i32, errno: linux.E } {
    const name = try std.fmt.allocPrintSentinel(arena, "node-{d}", .{self.nodes}, 0);
    self.nodes += 1;
    const errno = self.makeNode(name, wanted.node());
    return if (errno == .SUCCESS) .{ .tree = try self.bound(name) } else .{ .errno = errno };
}

pub fn makeNode(self: *const Bench, name: [:0]const u8, wanted: device.Node) linux.E {
    return device.make(self.root, name, wanted);
}

/// Something new that can be mounted on. An O_PATH descriptor.
pub fn spot(self: *const Bench, name: [:0]const u8, is_directory: bool) fault.Error!i32 {
    const within = path.beneath | path.no_symlinks;
    if (is_directory) {
        _ = try fault.check(linux.mkdirat(self.root, name, 0o700), .mount, "make {s}", .{name});
    } else {
        const flags: linux.O = .{ .ACCMODE = .WRONLY, .CREAT = true, .EXCL = true, .CLOEXEC = true };
        const created = path.open(self.root, name, flags, 0o600, within);
        _ = linux.close(@intCast(try fault.check(created, .mount, "create {s}", .{name})));
    }
    return @intCast(try fault.check(path.open(self.root, name, path.file_path, 0, within), .mount, "open {s}", .{name}));
}

fn bound(self: *const Bench, name: [:0]const u8) fault.Error!i32 {
    return @intCast(try fault.check(mount.clone(self.root, name, false), .mount, "bind {s}", .{name}));
}
