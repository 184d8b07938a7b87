//! Deletions: `.wh.name` deletes `name` of lower layers, `.wh..wh..opq` all of a directory's (OCI image-spec, layer.md).
//! Never what this layer itself brings, whatever the order in the archive; and they bring nothing themselves.
//!
//! In a merged tree the names are removed (removal.zig). In a diff they are noted: a directory that takes a deleted name
//! hides what is below, and in the end, when the layers below are there, lower.zig marks the names that have something to
//! hide, with a character device 0:0 or the xattr trusted.overlay.opaque (in a user namespace user.overlay.opaque; the device can
//! be made there, too, since Linux 5.8).
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const files = @import("files.zig");
const ids = @import("ids.zig");
const names = @import("names.zig");
const removal = @import("removal.zig");
const sys = @import("sys.zig");
const Apply = @import("apply.zig").Apply;
const Directories = @import("directories.zig").Directories;
const Directory = @import("directories.zig").Directory;
const Kind = @import("seen.zig").Kind;

const shown = report.shown;

pub const prefix = ".wh.";
pub const opaque_name = ".wh..wh..opq";
/// Aufs' own bookkeeping (`.wh..wh.plnk`, `.wh..wh.aufs`), which leaked into old images.
const aufs_prefix = ".wh..wh.";
/// Where aufs kept the first name of files that have several: hard links lead there, nothing else does.
pub const aufs_links = ".wh..wh.plnk";
/// In `Seen`, of a directory: no name can be this.
const opaque_mark = "/opaque";

pub const Meaning = union(enum) { none, ignored, aufs_link, opaque_directory, deletion: []const u8 };

pub fn meaningOf(path: []const u8) Meaning {
    if (std.mem.startsWith(u8, path, aufs_links ++ "/")) return .aufs_link;
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

/// `.wh.name` in the directory `parent_path`.
pub fn delete(apply: *Apply, parent_path: []const u8, name: []const u8) void {
    if (!apply.has_parents) return;
    if (apply.mode == .merged) {
        const parent = apply.directories.get(parent_path, .existing) orelse return;
        return removal.name(apply, parent, name);
    }
    const place = placeOf(apply, parent_path) orelse return;
    if (apply.seen.get(place.canonical, name)) |kind| switch (kind) {
        .file, .whiteout => {},
        .directory, .implied_directory => {
            const parent = place.directory orelse return;
            const fd = sys.openDirectory(parent.fd, names.NameZ.init(name).ptr());
            files.check(fd, "open", name);
            setOpaque(&apply.directories, @intCast(fd), name);
            _ = linux.close(@intCast(fd));
        },
    } else {
        apply.seen.put(place.canonical, name, .whiteout);
        apply.noteWhiteout(place.canonical, name);
    }
}

/// `.wh..wh..opq` in the directory `path`.
pub fn hideLower(apply: *Apply, path: []const u8) void {
    if (!apply.has_parents) return;
    if (apply.mode == .merged) {
        const directory = apply.directories.get(path, .existing) orelse return;
        return removal.children(apply, directory);
    }
    const place = placeOf(apply, path) orelse return;
    // The kernel does not look for the mark on a layer's root.
    if (place.canonical.len == 0) report.fail(.conflict, "the layer's root is opaque", .{});
    if (place.directory) |directory| return setOpaque(&apply.directories, directory.fd, path);
    if (apply.seen.get(place.canonical, opaque_mark) != null) return;
    apply.seen.put(place.canonical, opaque_mark, .whiteout);
    apply.noteWhiteout(place.canonical, opaque_name);
}

const Place = struct {
    /// Without links, as far as this layer has any.
    canonical: []const u8,
    /// Null: this layer has not brought it.
    directory: ?*Directory,
};

/// Where `path` is, as far as a diff knows. Null: there is nothing below that could be deleted.
fn placeOf(apply: *Apply, path: []const u8) ?Place {
    if (apply.directories.get(path, .existing)) |directory| return .{ .canonical = directory.canonical, .directory = directory };
    var prefixes: Prefixes = .{ .path = path };
    while (prefixes.next()) |at| switch (apply.seen.get(at.parent, at.base) orelse continue) {
        // It may be a link to a directory of a lower layer.
        .file => report.fail(.conflict, "{f} is a file of this layer, and something is deleted in it", .{shown(path)}),
        .whiteout => return null,
        .directory, .implied_directory => {},
    };
    return .{ .canonical = path, .directory = null };
}

/// `a`, `a/b`, `a/b/c` of `a/b/c`.
pub const Prefixes = struct {
    path: []const u8,
    end: usize = 0,

    pub fn next(self: *Prefixes) ?names.Split {
        if (self.end >= self.path.len) return null;
        const start = if (self.end == 0) 0 else self.end + 1;
        self.end = std.mem.indexOfScalarPos(u8, self.path, start, '/') orelse self.path.len;
        return names.split(self.path[0..self.end]);
    }
};

pub fn setOpaque(directories: *Directories, fd: i32, path: []const u8) void {
    directories.has_opaque = true;
    files.check(linux.fsetxattr(fd, ids.overlayMark("opaque"), "y", 1, 0), "mark as opaque", path);
}

pub fn isOpaque(fd: i32) bool {
    var value: [1]u8 = undefined;
    const length = linux.fgetxattr(fd, ids.overlayMark("opaque"), &value, 1);
    return linux.errno(length) == .SUCCESS and length == 1 and value[0] == 'y';
}

/// Does the new directory `path`, whose name was `before` in this layer, hide those below?
pub fn hides(directories: *const Directories, before: ?Kind, path: []const u8) bool {
    return directories.blind and (before == .whiteout or directories.seen.get(path, opaque_mark) == .whiteout);
}

/// Is a directory above `path` opaque in the diff?
pub fn hiddenAbove(directories: *Directories, path: []const u8) bool {
    if (!directories.has_opaque) return false;
    var prefixes: Prefixes = .{ .path = names.split(path).parent };
    while (prefixes.next()) |_| {
        const fd = directories.openDirect(path[0..prefixes.end]) orelse return false;
        defer _ = linux.close(fd);
        if (isOpaque(fd)) return true;
    }
    return false;
}

/// Does this layer hide whatever is below in the directory `path`?
pub fn hidden(apply: *Apply, path: []const u8) bool {
    var prefixes: Prefixes = .{ .path = path };
    while (prefixes.next()) |at| {
        const kind = apply.seen.get(at.parent, at.base);
        if (kind == .file or kind == .whiteout) return true;
        if (apply.seen.get(path[0..prefixes.end], opaque_mark) == .whiteout) return true;
    }
    if (hiddenAbove(&apply.directories, path)) return true;
    const fd = apply.directories.openDirect(path) orelse return false;
    defer _ = linux.close(fd);
    return isOpaque(fd);
}

test meaningOf {
    try std.testing.expectEqual(Meaning.none, meaningOf("a/b"));
    try std.testing.expectEqual(Meaning.opaque_directory, meaningOf("a/.wh..wh..opq"));
    try std.testing.expectEqual(Meaning.aufs_link, meaningOf(".wh..wh.plnk/12.34"));
    try std.testing.expectEqual(Meaning.ignored, meaningOf(".wh..wh.plnk"));
    try std.testing.expectEqual(Meaning.ignored, meaningOf("a/.wh..wh.plnk/12.34"));
    try std.testing.expectEqualStrings("x", meaningOf("a/.wh.x").deletion);
}

test Prefixes {
    var prefixes: Prefixes = .{ .path = "a/bc/d" };
    for ([_][2][]const u8{ .{ "", "a" }, .{ "a", "bc" }, .{ "a/bc", "d" } }) |want| {
        const at = prefixes.next().?;
        try std.testing.expectEqualStrings(want[0], at.parent);
        try std.testing.expectEqualStrings(want[1], at.base);
    }
    try std.testing.expectEqual(null, prefixes.next());
    var none: Prefixes = .{ .path = "" };
    try std.testing.expectEqual(null, none.next());
}
