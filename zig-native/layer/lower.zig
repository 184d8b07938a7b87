//! Directories that a layer implies without listing them look like those of the layers below. A diff is made before
//! those are there, so this comes last: each implied directory takes owner, mode, attributes and times of the nearest
//! lower one, and so does the root.
//!
//! Whiteouts that hide nothing go.
//!
//! What it finds may also show that the diff is wrong: where a lower layer has a link, the entries belong elsewhere.
//! Then the answer is "conflict", and the layer is applied anew in merged mode.
const std = @import("std");
const linux = std.os.linux;
const Apply = @import("apply.zig").Apply;
const files = @import("files.zig");
const names = @import("names.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const xattrs = @import("xattrs.zig");

const shown = report.shown;

/// `lowers` are the open roots of the layers below, topmost first.
pub fn fill(apply: *Apply, lowers: []const i32) void {
    if (!apply.root_listed) one(apply, "", lowers);
    for (apply.implied.items) |path| {
        const at = names.split(path);
        if (apply.seen.get(at.parent, at.base) == .implied_directory) one(apply, path, lowers);
    }
    for (apply.whiteouts.items) |path| removeUseless(apply, path, lowers);
}

/// Where no lower layer has the directory, overlay shows ours as it is, and a whiteout in it would be listed, as a name
/// that cannot be opened.
fn removeUseless(apply: *Apply, path: []const u8, lowers: []const i32) void {
    const at = names.split(path);
    if (at.parent.len == 0) return;
    const name = names.NameZ.init(at.base);
    const own = apply.directories.openDirect(at.parent) orelse return;
    defer _ = linux.close(own);
    const found = sys.stat(own, name.ptr()) orelse return;
    if (!sys.isWhiteout(found)) return;
    if (!hiddenByThisLayer(apply, path)) for (lowers) |lower| switch (find(lower, at.parent)) {
        .directory => |fd| {
            _ = linux.close(fd);
            return;
        },
        .missing => {},
        .hidden, .other => break,
    };
    files.check(linux.unlinkat(own, name.ptr(), 0), "remove the whiteout", path);
}

fn one(apply: *Apply, path: []const u8, lowers: []const i32) void {
    // It may have been removed again by a later entry.
    const own = apply.directories.openDirect(path) orelse return;
    defer _ = linux.close(own);
    if (hiddenByThisLayer(apply, path)) return;
    for (lowers) |lower| switch (find(lower, path)) {
        .directory => |fd| {
            take(fd, own, path);
            _ = linux.close(fd);
            return;
        },
        .missing => {},
        .hidden => return,
        .other => report.fail(.conflict, "{f} is not a directory in a lower layer", .{shown(path)}),
    };
}

const Found = union(enum) { directory: i32, missing, hidden, other };

/// As overlay would: a whiteout, or an opaque directory without the name, hides what is further down.
fn find(lower: i32, path: []const u8) Found {
    var fd = sys.duplicate(lower);
    var is_opaque = false;
    var parts = std.mem.tokenizeScalar(u8, path, '/');
    while (parts.next()) |part| {
        const name = names.NameZ.init(part);
        const next = sys.openDirectory(fd, name.ptr());
        const there = if (linux.errno(next) == .SUCCESS) null else sys.stat(fd, name.ptr());
        _ = linux.close(fd);
        if (linux.errno(next) != .SUCCESS) {
            const found = there orelse return if (is_opaque) .hidden else .missing;
            return if (sys.isWhiteout(found)) .hidden else .other;
        }
        fd = @intCast(next);
        is_opaque = is_opaque or isOpaque(fd);
    }
    return .{ .directory = fd };
}

/// Is a directory above `path` opaque in the layer that we make?
fn hiddenByThisLayer(apply: *Apply, path: []const u8) bool {
    var end: usize = 0;
    while (std.mem.indexOfScalarPos(u8, path, end, '/')) |slash| : (end = slash + 1) {
        const fd = apply.directories.openDirect(path[0..slash]) orelse return false;
        defer _ = linux.close(fd);
        if (isOpaque(fd)) return true;
    }
    return false;
}

fn isOpaque(fd: i32) bool {
    var value: [1]u8 = undefined;
    const length = linux.fgetxattr(fd, "trusted.overlay.opaque", &value, 1);
    return linux.errno(length) == .SUCCESS and length == 1 and value[0] == 'y';
}

fn take(from: i32, to: i32, path: []const u8) void {
    const s = sys.statFd(from);
    files.check(linux.fchown(to, s.uid, s.gid), "change the owner of", path);
    files.check(linux.fchmod(to, s.mode & 0o7777), "change the mode of", path);
    xattrs.copy(from, to, path);
    files.setTime(to, .{ .seconds = s.mtime.sec, .nanoseconds = s.mtime.nsec }, path);
}
