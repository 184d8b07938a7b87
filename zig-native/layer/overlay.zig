//! Overlay mounts in a mount namespace of this process alone: they vanish with it, however it ends.
const std = @import("std");
const linux = std.os.linux;
const Place = @import("place.zig").Place;
const report = @import("report.zig");
const remove = @import("remove.zig");
const sys = @import("sys.zig");

/// Mount the committed `parents` (topmost first) under tmp/<name>/<leaf> as the upper directory; answers the root of the
/// mount. The work directory is tmp/<name>/work.
pub fn mountMerged(place: Place, name: []const u8, leaf: []const u8, parents: []const []const u8) i32 {
    privateNamespace();
    const fs = open();
    var buffer: [256]u8 = undefined;
    check(linux.fchdir(place.committed), "enter the snapshots");
    for (parents) |hex| set(fs, "lowerdir+", std.fmt.bufPrintZ(&buffer, "{s}/{s}", .{ hex, leaf }) catch tooLong());
    check(linux.fchdir(place.tmp), "enter the snapshots");
    set(fs, "upperdir", std.fmt.bufPrintZ(&buffer, "{s}/{s}", .{ name, leaf }) catch tooLong());
    const work = std.fmt.bufPrintZ(&buffer, "{s}/work", .{name}) catch tooLong();
    check(linux.mkdirat(place.tmp, work.ptr, 0o700), "create the work directory");
    set(fs, "workdir", work);
    return finish(fs);
}

pub fn removeWork(place: Place, name: [*:0]const u8) void {
    const outer = sys.openDirectory(place.tmp, name);
    check(outer, "open a temporary directory");
    remove.tree(@intCast(outer), "work");
    _ = linux.close(@intCast(outer));
}

pub fn privateNamespace() void {
    check(linux.unshare(linux.CLONE.NEWNS), "make a mount namespace");
    check(linux.mount(null, "/", null, linux.MS.REC | linux.MS.PRIVATE, 0), "make mounts private");
}

pub fn open() i32 {
    const fd = linux.fsopen("overlay", .{ .CLOEXEC = true });
    check(fd, "open overlay");
    const fs: i32 = @intCast(fd);
    // What we make must be readable as plain layers by any later mount.
    for ([_][*:0]const u8{ "redirect_dir", "index", "metacopy", "xino" }) |option| set(fs, option, "off");
    return fs;
}

pub fn set(fs: i32, key: [*:0]const u8, value: [*:0]const u8) void {
    check(linux.fsconfig(fs, .SET_STRING, key, value, 0), "set up overlay");
}

pub fn finish(fs: i32) i32 {
    check(linux.fsconfig(fs, .CREATE, null, null, 0), "mount overlay");
    const mount = linux.fsmount(fs, .{ .CLOEXEC = true }, @bitCast(@as(u32, 0)));
    check(mount, "mount overlay");
    // A detached mount: reachable through this descriptor only.
    const root = sys.openDirectory(@intCast(mount), ".");
    check(root, "open the mount");
    return @intCast(root);
}

fn check(rc: usize, comptime what: []const u8) void {
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot " ++ what, .{});
}

fn tooLong() noreturn {
    report.fail(.request, "a name is too long", .{});
}
