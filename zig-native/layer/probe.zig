//! Does overlay really work in this directory? It depends on the kernel, on the file system (it must have xattrs and
//! whiteout devices, and not be an overlay itself) and on our rights: so we do once what we want of it.
const std = @import("std");
const linux = std.os.linux;
const confine = @import("confine.zig");
const overlay = @import("overlay.zig");
const place = @import("place.zig");
const remove = @import("remove.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

pub fn run(directory: [:0]const u8) noreturn {
    // Before anything is opened: overlay takes no directories of another namespace's mounts.
    const separate = overlay.ownNamespace();
    const parent = place.openPath(directory);
    confine.enter(parent, &confine.probing);
    var buffer: [64]u8 = undefined;
    const name = std.fmt.bufPrintZ(&buffer, ".probe-{d}", .{linux.getpid()}) catch unreachable; // fits
    remove.tree(parent, name.ptr);
    const problem = separate orelse attempt(parent, name.ptr);
    remove.tree(parent, name.ptr);
    if (problem) |e| report.succeed(",\"works\":false,\"errno\":\"{s}\"", .{std.enums.tagName(linux.E, e) orelse "unknown"});
    report.succeed(",\"works\":true", .{});
}

/// Null: it works.
fn attempt(parent: i32, name: [*:0]const u8) ?linux.E {
    if (failed(linux.mkdirat(parent, name, 0o700))) |e| return e;
    const fd = sys.openDirectory(parent, name);
    if (failed(fd)) |e| return e;
    defer _ = linux.close(@intCast(fd));
    if (failed(linux.fchdir(@intCast(fd)))) |e| return e;
    defer _ = linux.fchdir(parent);
    if (layers()) |e| return e;
    const root = switch (overlay.mountHere(2, "upper")) {
        .fd => |mounted| mounted,
        .errno => |e| return e,
    };
    const problem = look(root);
    _ = linux.close(root);
    const MNT_DETACH = 2;
    _ = linux.umount2("root", MNT_DETACH); // not a mount point if it was mounted without a place
    return problem;
}

/// Layer 0 deletes `gone` of layer 1 and hides what is in its `opaque`.
fn layers() ?linux.E {
    for ([_][*:0]const u8{ "0", "1", "upper", "work", "root", "0/opaque", "1/opaque", "1/opaque/x", "1/gone" }) |path|
        if (failed(linux.mkdir(path, 0o700))) |e| return e;
    if (failed(linux.mknod("0/gone", linux.S.IFCHR, 0))) |e| return e;
    return failed(linux.setxattr("0/opaque", "trusted.overlay.opaque", "y", 1, 0));
}

fn look(root: i32) ?linux.E {
    if (sys.stat(root, "gone") != null or sys.stat(root, "opaque/x") != null) return .OPNOTSUPP;
    if (failed(linux.mkdirat(root, "opaque/new", 0o700))) |e| return e;
    if (failed(linux.unlinkat(root, "opaque/new", linux.AT.REMOVEDIR))) |e| return e;
    return failed(linux.unlinkat(root, "opaque", linux.AT.REMOVEDIR));
}

fn failed(rc: usize) ?linux.E {
    const e = linux.errno(rc);
    return if (e == .SUCCESS) null else e;
}
