//! Does overlay really work in this directory? It depends on the kernel, on the file system (it must have xattrs and
//! whiteout devices, and not be an overlay itself) and on our rights: so we do once what we want of it.
const std = @import("std");
const linux = std.os.linux;
const Owners = @import("owners.zig").Owners;
const confine = @import("confine.zig");
const idmap = @import("../linux/idmap.zig");
const ids = @import("ids.zig");
const mount = @import("../linux/mount.zig");
const overlay = @import("overlay.zig");
const place = @import("place.zig");
const remove = @import("remove.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

const none = -1;

pub const Layers = enum { plain, mapped };

/// Whose a file is in the layer and in the mount, when layers are mapped.
const mapped_owner = 1;
const maps: Owners = .{
    .uids = &.{.{ .from = 0, .to = mapped_owner, .count = 1 }},
    .gids = &.{.{ .from = 0, .to = mapped_owner, .count = 1 }},
};

pub fn run(directory: [:0]const u8, wanted: Layers) noreturn {
    // While our root is the host's: see there.
    const namespace: i32 = if (wanted == .plain) none else made: {
        const opened = idmap.open(std.heap.page_allocator, maps.uids, maps.gids) catch cannot(.NOMEM);
        break :made if (opened < 0) cannot(@enumFromInt(-opened)) else opened;
    };
    // Before anything is opened: overlay takes no directories of another namespace's mounts.
    const separate = overlay.ownNamespace();
    const parent = place.openPath(directory);
    confine.enter(parent, &confine.probing);
    var buffer: [64]u8 = undefined;
    const name = std.fmt.bufPrintZ(&buffer, ".probe-{d}", .{linux.getpid()}) catch unreachable; // fits
    remove.tree(parent, name.ptr);
    const problem = separate orelse attempt(parent, name.ptr, namespace);
    remove.tree(parent, name.ptr);
    if (problem) |e| cannot(e);
    report.succeed(",\"works\":true", .{});
}

fn cannot(e: linux.E) noreturn {
    report.succeed(",\"works\":false,\"errno\":\"{s}\"", .{std.enums.tagName(linux.E, e) orelse "unknown"});
}

/// Null: it works.
fn attempt(parent: i32, name: [*:0]const u8, namespace: i32) ?linux.E {
    if (failed(linux.mkdirat(parent, name, 0o700))) |e| return e;
    const fd = sys.openDirectory(parent, name);
    if (failed(fd)) |e| return e;
    defer _ = linux.close(@intCast(fd));
    if (failed(linux.fchdir(@intCast(fd)))) |e| return e;
    defer _ = linux.fchdir(parent);
    if (layers()) |e| return e;
    if (namespace >= 0) for ([_][*:0]const u8{ "0", "1" }) |layer| if (shift(layer, namespace)) |e| return e;
    const root = switch (overlay.mountHere(2, "upper")) {
        .fd => |mounted| mounted,
        .errno => |e| return e,
    };
    const problem = look(root) orelse if (namespace >= 0) lookMapped(root) else null;
    _ = linux.close(root);
    const MNT_DETACH = 2;
    _ = linux.umount2("root", MNT_DETACH); // not a mount point if it was mounted without a place
    if (namespace >= 0) for ([_][*:0]const u8{ "0", "1" }) |layer| {
        _ = linux.umount2(layer, MNT_DETACH);
    };
    return problem;
}

/// Layer 0 deletes `gone` of layer 1 and hides what is in its `opaque`.
fn layers() ?linux.E {
    for ([_][*:0]const u8{ "0", "1", "upper", "work", "root", "0/opaque", "1/opaque", "1/opaque/x", "1/gone", "1/kept" }) |path|
        if (failed(linux.mkdir(path, 0o700))) |e| return e;
    if (failed(linux.mknod("0/gone", linux.S.IFCHR, 0))) |e| return e;
    return failed(linux.setxattr("0/opaque", ids.overlayMark("opaque"), "y", 1, 0));
}

fn look(root: i32) ?linux.E {
    if (sys.stat(root, "gone") != null or sys.stat(root, "opaque/x") != null) return .OPNOTSUPP;
    if (failed(linux.mkdirat(root, "opaque/new", 0o700))) |e| return e;
    if (failed(linux.unlinkat(root, "opaque/new", linux.AT.REMOVEDIR))) |e| return e;
    return failed(linux.unlinkat(root, "opaque", linux.AT.REMOVEDIR));
}

/// The layer is covered by a mount of itself.
fn shift(layer: [*:0]const u8, namespace: i32) ?linux.E {
    const cloned = mount.clone(linux.AT.FDCWD, layer, false);
    if (failed(cloned)) |e| return e;
    defer _ = linux.close(@intCast(cloned));
    const attributes: mount.Attributes = .{ .set = mount.idmapped, .user_namespace = @intCast(namespace) };
    if (failed(mount.setAttributes(@intCast(cloned), attributes, false))) |e| return e;
    const point = sys.openDirectory(linux.AT.FDCWD, layer);
    if (failed(point)) |e| return e;
    defer _ = linux.close(@intCast(point));
    return failed(mount.attach(@intCast(cloned), @intCast(point)));
}

/// Ours in the layer, another's in the mount, and once it is changed, in the upper directory.
fn lookMapped(root: i32) ?linux.E {
    const seen = sys.stat(root, "kept") orelse return .NOENT;
    if (seen.uid != mapped_owner or seen.gid != mapped_owner) return .OPNOTSUPP;
    if (failed(sys.changeMode(root, "kept", 0o600))) |e| return e;
    const upper = sys.stat(linux.AT.FDCWD, "upper/kept") orelse return .NOENT;
    return if (upper.uid == mapped_owner and upper.gid == mapped_owner) null else .OPNOTSUPP;
}

fn failed(rc: usize) ?linux.E {
    const e = linux.errno(rc);
    return if (e == .SUCCESS) null else e;
}
