//! What a diff cannot know before the layers below are there comes last:
//!
//! Directories that a layer implies without listing them look like those of the layers below: each takes owner, mode,
//! attributes and times of the nearest lower one, and so does the root. Deletions of names that a lower layer has become
//! overlay's marks; all others mean nothing, and leave nothing.
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
const whiteout = @import("whiteout.zig");
const xattrs = @import("xattrs.zig");

const shown = report.shown;

/// `lowers` are the open roots of the layers below, topmost first.
pub fn fill(apply: *Apply, lowers: []const i32) void {
    // First: some directories are implied by them.
    for (apply.whiteouts.items) |path| hide(apply, path, lowers);
    if (!apply.root_listed) one(apply, "", lowers, true);
    for (apply.implied.items) |path| {
        const at = names.split(path);
        // One that is listed after all looks like that, and yet it may not have been a directory when it was implied.
        one(apply, path, lowers, apply.seen.get(at.parent, at.base) == .implied_directory);
    }
}

/// A deletion, unless the layer brought the name after all, or there is nothing to hide. First of all: does a link below give
/// it another meaning?
fn hide(apply: *Apply, path: []const u8, lowers: []const i32) void {
    const at = names.split(path);
    if (std.mem.eql(u8, at.base, whiteout.opaque_name)) return hideAll(apply, at.parent, lowers);
    if (!isBelow(lowers, at.parent, at.base) or apply.seen.get(at.parent, at.base) != .whiteout) return;
    if (whiteout.hidden(apply, at.parent)) return;
    const parent = apply.parentOf(at.parent);
    const made = linux.mknodat(parent.fd, names.NameZ.init(at.base).ptr(), linux.S.IFCHR, 0);
    // A name may be noted twice: for two devices that were left out.
    if (linux.errno(made) != .EXIST) files.check(made, "create the whiteout of", path);
}

fn hideAll(apply: *Apply, path: []const u8, lowers: []const i32) void {
    const at = names.split(path);
    // Not null: a directory that came later was marked at once; a file or another deletion has the name.
    if (!isDirectoryBelow(lowers, path) or apply.seen.get(at.parent, at.base) != null or whiteout.hidden(apply, at.parent)) return;
    // Making it marks it.
    _ = apply.parentOf(path);
}

fn isDirectoryBelow(lowers: []const i32, path: []const u8) bool {
    for (lowers) |lower| switch (find(lower, path)) {
        .directory => |found| {
            _ = linux.close(found.fd);
            return true;
        },
        .missing => {},
        .hidden => return false,
        .other => notDirectory(path),
    };
    return false;
}

/// Do the lower layers have `name` in `directory`? Through a link, nobody can say.
fn isBelow(lowers: []const i32, directory: []const u8, name: []const u8) bool {
    const name_z = names.NameZ.init(name);
    for (lowers) |lower| switch (find(lower, directory)) {
        .directory => |found| {
            defer _ = linux.close(found.fd);
            if (sys.stat(found.fd, name_z.ptr())) |there| return !sys.isWhiteout(there);
            if (found.is_opaque) return false;
        },
        .missing => {},
        .hidden => return false,
        .other => notDirectory(directory),
    };
    return false;
}

fn one(apply: *Apply, path: []const u8, lowers: []const i32, dressed: bool) void {
    // It may have been removed again by a later entry.
    const own = apply.directories.openDirect(path) orelse return;
    defer _ = linux.close(own);
    for (lowers) |lower| switch (find(lower, path)) {
        .directory => |found| {
            if (dressed) take(found.fd, own, path);
            _ = linux.close(found.fd);
            return;
        },
        .missing => {},
        .hidden => return,
        .other => notDirectory(path),
    };
}

/// It may be a link, and then all that is said of it is meant for another place.
fn notDirectory(path: []const u8) noreturn {
    report.fail(.conflict, "{f} is not a directory in a lower layer", .{shown(path)});
}

const Found = union(enum) {
    /// `is_opaque`: no layer further down adds to it.
    directory: struct { fd: i32, is_opaque: bool },
    missing,
    hidden,
    other,
};

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
        is_opaque = is_opaque or whiteout.isOpaque(fd);
    }
    return .{ .directory = .{ .fd = fd, .is_opaque = is_opaque } };
}

fn take(from: i32, to: i32, path: []const u8) void {
    const s = sys.statFd(from);
    files.check(linux.fchown(to, s.uid, s.gid), "change the owner of", path);
    files.check(linux.fchmod(to, s.mode & 0o7777), "change the mode of", path);
    xattrs.copy(from, to, null, path);
    files.setTime(to, .{ .seconds = s.mtime.sec, .nanoseconds = s.mtime.nsec }, path);
}
