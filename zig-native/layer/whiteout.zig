//! Deletions: `.wh.name` deletes `name` of lower layers, `.wh..wh..opq` all of a directory's (OCI image-spec, layer.md).
//! Never what this layer itself brings, whatever the order in the archive.
//!
//! In a diff they become overlay's marks: a character device 0:0, the xattr trusted.overlay.opaque. In a merged tree the
//! names are removed.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const files = @import("files.zig");
const names = @import("names.zig");
const remove = @import("remove.zig");
const sys = @import("sys.zig");
const Apply = @import("apply.zig").Apply;
const Directory = @import("directories.zig").Directory;

const shown = report.shown;

pub const prefix = ".wh.";
const opaque_name = ".wh..wh..opq";
/// Aufs' own bookkeeping (`.wh..wh.plnk`, `.wh..wh.aufs`), which leaked into old images: means nothing.
const aufs_prefix = ".wh..wh.";

pub const Meaning = union(enum) { none, ignored, opaque_directory, deletion: []const u8 };

pub fn meaningOf(path: []const u8) Meaning {
    var parts = std.mem.splitScalar(u8, path, '/');
    while (parts.next()) |part| {
        if (!std.mem.startsWith(u8, part, prefix)) continue;
        const last = parts.peek() == null;
        if (last and std.mem.eql(u8, part, opaque_name)) return .opaque_directory;
        if (std.mem.startsWith(u8, part, aufs_prefix)) return .ignored;
        const name = part[prefix.len..];
        if (!last or name.len == 0 or std.mem.eql(u8, name, ".") or std.mem.eql(u8, name, ".."))
            report.fail(.malformed, "invalid whiteout {f}", .{shown(path)});
        return .{ .deletion = name };
    }
    return .none;
}

pub fn setOpaque(fd: i32, path: []const u8) void {
    files.check(linux.fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0), "mark as opaque", path);
}

/// `.wh.name` in the directory `parent`.
pub fn delete(apply: *Apply, parent_path: []const u8, name: []const u8) void {
    if (apply.mode == .merged) {
        const parent = apply.directories.get(parent_path, .existing) orelse return;
        apply.pool.idle();
        const copy = DirectoryCopy.take(parent);
        defer copy.drop();
        removeLower(apply, copy.fd, copy.canonical, name, 0);
        apply.directories.forget();
        return;
    }
    if (!apply.has_parents) return;
    const parent = apply.parentOf(parent_path);
    const name_z = names.NameZ.init(name);
    if (apply.seen.get(parent.canonical, name)) |kind| switch (kind) {
        .file, .whiteout => return,
        .directory, .implied_directory => {
            const fd = sys.openDirectory(parent.fd, name_z.ptr());
            files.check(fd, "open", name);
            setOpaque(@intCast(fd), name);
            _ = linux.close(@intCast(fd));
            return;
        },
    };
    files.check(linux.mknodat(parent.fd, name_z.ptr(), linux.S.IFCHR, 0), "create the whiteout of", name);
    apply.seen.put(parent.canonical, name, .whiteout);
    apply.noteWhiteout(parent.canonical, name);
}

/// `.wh..wh..opq` in the directory `parent`.
pub fn hideLower(apply: *Apply, parent_path: []const u8) void {
    if (apply.mode == .diff) {
        if (!apply.has_parents) return;
        const parent = apply.parentOf(parent_path);
        // The kernel does not look for the mark on a layer's root.
        if (parent.canonical.len == 0) report.fail(.conflict, "the layer's root is opaque", .{});
        return setOpaque(parent.fd, parent_path);
    }
    const parent = apply.directories.get(parent_path, .existing) orelse return;
    apply.pool.idle();
    const copy = DirectoryCopy.take(parent);
    defer copy.drop();
    removeChildren(apply, copy.fd, copy.canonical, 0);
    apply.directories.forget();
}

/// Outlives the cache's `forget`.
const DirectoryCopy = struct {
    fd: i32,
    canonical: []u8,

    fn take(directory: *const Directory) DirectoryCopy {
        const canonical = std.heap.smp_allocator.dupe(u8, directory.canonical) catch report.fail(.limit, "out of memory", .{});
        return .{ .fd = sys.duplicate(directory.fd), .canonical = canonical };
    }

    fn drop(self: DirectoryCopy) void {
        _ = linux.close(self.fd);
        std.heap.smp_allocator.free(self.canonical);
    }
};

/// Each level is a stack frame and a descriptor.
const depth_max = 600;

/// All of what lower layers brought as `directory`/`name`: names that this layer brought stay, and the directories that
/// lead to them.
fn removeLower(apply: *Apply, fd: i32, directory: []const u8, name: []const u8, depth: usize) void {
    const kind = apply.seen.get(directory, name);
    if (kind == .file) return;
    const name_z = names.NameZ.init(name);
    const found = sys.stat(fd, name_z.ptr()) orelse return;
    if (!sys.isDirectory(found)) {
        files.check(linux.unlinkat(fd, name_z.ptr(), 0), "remove", name);
        return;
    }
    if (depth == depth_max) report.fail(.malformed, "directories are too deep at {f}", .{shown(name)});
    const child = sys.openDirectory(fd, name_z.ptr());
    files.check(child, "open", name);
    var buffer: [names.path_bytes_max + 1 + names.name_bytes_max]u8 = undefined;
    if (directory.len > names.path_bytes_max) report.fail(.malformed, "a path is too long: {f}", .{shown(name)});
    removeChildren(apply, @intCast(child), names.join(directory, name, &buffer), depth + 1);
    _ = linux.close(@intCast(child));
    if (kind != null) return;
    const rc = linux.unlinkat(fd, name_z.ptr(), linux.AT.REMOVEDIR);
    switch (linux.errno(rc)) {
        .SUCCESS, .NOTEMPTY, .EXIST => {}, // what this layer brought is in it
        else => |e| report.failErrno(e, "cannot remove {f}", .{shown(name)}),
    }
}

fn removeChildren(apply: *Apply, fd: i32, directory: []const u8, depth: usize) void {
    var listing: remove.Listing = undefined;
    listing.open(fd);
    while (listing.next()) |name| removeLower(apply, fd, directory, name, depth);
}

test meaningOf {
    try std.testing.expectEqual(Meaning.none, meaningOf("a/b"));
    try std.testing.expectEqual(Meaning.opaque_directory, meaningOf("a/.wh..wh..opq"));
    try std.testing.expectEqual(Meaning.ignored, meaningOf(".wh..wh.plnk/12.34"));
    try std.testing.expectEqualStrings("x", meaningOf("a/.wh.x").deletion);
}
