//! System calls as this program uses them: those that the standard library lacks, and those with one fixed meaning here.
const std = @import("std");
const linux = std.os.linux;
const path = @import("../linux/path.zig");
const report = @import("report.zig");

const directory_flags: linux.O = .{ .DIRECTORY = true, .NOFOLLOW = true, .CLOEXEC = true };
const no_link = path.beneath | path.no_symlinks | path.no_magic_links | path.no_cross_mount;

/// An existing directory, by a path without a single link in it.
pub fn openBeneath(root: i32, name: [*:0]const u8) usize {
    return path.open(root, name, directory_flags, 0, no_link);
}

/// Whatever is at a path without a single link in it, as a name to work on: nothing is opened (O_PATH).
pub fn pathBeneath(root: i32, name: [*:0]const u8) usize {
    return path.open(root, name, .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0, no_link);
}

/// An existing directory, by a path whose links are followed as if `root` were the root.
pub fn openInRoot(root: i32, name: [*:0]const u8) usize {
    return path.open(root, name, .{ .DIRECTORY = true, .CLOEXEC = true }, 0, path.contained | path.no_cross_mount);
}

/// Whatever is at a path whose links are followed as if `root` were the root, across the mounts that are there; `follow`: its
/// last component too.
pub fn openContained(root: i32, name: [*:0]const u8, flags: linux.O, follow: bool) usize {
    var asked = flags;
    asked.CLOEXEC = true;
    asked.NOFOLLOW = !follow;
    return path.open(root, name, asked, 0, path.contained);
}

/// One component, not followed.
pub fn openDirectory(parent: i32, name: [*:0]const u8) usize {
    return linux.openat(parent, name, directory_flags, 0);
}

/// /proc/self/fd, opened while the host's root is ours; -1 where there is none.
var own_descriptors: i32 = -1;

pub fn openOwnDescriptors() void {
    const fd = linux.open("/proc/self/fd", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(fd) == .SUCCESS) own_descriptors = @intCast(fd);
}

/// The mode of what `name` is, and not of what it may point to.
pub fn changeMode(directory: i32, name: [*:0]const u8, mode: u32) usize {
    const rc = linux.fchmodat2(directory, name, mode, linux.AT.SYMLINK_NOFOLLOW);
    if (linux.errno(rc) != .NOSYS) return rc;
    // Before Linux 6.6: through a descriptor, whose link in /proc leads to that very file.
    const fd = linux.openat(directory, name, .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
    if (linux.errno(fd) != .SUCCESS) return fd;
    defer _ = linux.close(@intCast(fd));
    if (statFd(@intCast(fd)).mode & linux.S.IFMT == linux.S.IFLNK) return @bitCast(-@as(isize, @intFromEnum(linux.E.OPNOTSUPP)));
    var buffer: [16]u8 = undefined;
    const number = std.fmt.bufPrintZ(&buffer, "{d}", .{fd}) catch unreachable; // fits
    return linux.fchmodat(own_descriptors, number, mode);
}

/// One more name for an open file.
pub fn link(file: i32, directory: i32, name: [*:0]const u8) usize {
    const rc = linux.linkat(file, "", directory, name, linux.AT.EMPTY_PATH);
    // Before Linux 6.10 only CAP_DAC_READ_SEARCH gives the right to that.
    if (linux.errno(rc) != .NOENT) return rc;
    var buffer: [16]u8 = undefined;
    const number = std.fmt.bufPrintZ(&buffer, "{d}", .{file}) catch unreachable; // fits
    return linux.linkat(own_descriptors, number, directory, name, linux.AT.SYMLINK_FOLLOW);
}

pub fn duplicate(fd: i32) i32 {
    const copy = linux.fcntl(fd, linux.F.DUPFD_CLOEXEC, 3);
    if (linux.errno(copy) != .SUCCESS) report.failErrno(linux.errno(copy), "cannot duplicate a descriptor", .{});
    return @intCast(copy);
}

/// STATX_BASIC_STATS, STATX_MNT_ID
pub const stat_mask: linux.STATX = @bitCast(@as(u32, 0x17ff));

/// Of `name` itself in `directory`, links not followed. Null: it is not there.
pub fn stat(directory: i32, name: [*:0]const u8) ?linux.Statx {
    var result: linux.Statx = undefined;
    const rc = linux.statx(directory, name, linux.AT.SYMLINK_NOFOLLOW | linux.AT.NO_AUTOMOUNT, stat_mask, &result);
    switch (linux.errno(rc)) {
        .SUCCESS => return result,
        .NOENT, .NOTDIR => return null,
        else => |e| report.failErrno(e, "cannot examine {f}", .{report.shown(std.mem.span(name))}),
    }
}

pub fn statFd(fd: i32) linux.Statx {
    var result: linux.Statx = undefined;
    const rc = linux.statx(fd, "", linux.AT.EMPTY_PATH, stat_mask, &result);
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot examine an open file", .{});
    return result;
}

pub fn isDirectory(s: linux.Statx) bool {
    return s.mode & linux.S.IFMT == linux.S.IFDIR;
}

pub fn isDevice(s: linux.Statx) bool {
    const kind = s.mode & linux.S.IFMT;
    return kind == linux.S.IFCHR or kind == linux.S.IFBLK;
}

/// Overlay's mark that a name of a lower layer is gone.
pub fn isWhiteout(s: linux.Statx) bool {
    return s.mode & linux.S.IFMT == linux.S.IFCHR and s.rdev_major == 0 and s.rdev_minor == 0;
}

/// Will entries made in this directory take a group or mode from it?
pub fn inherits(fd: i32, acls: bool) bool {
    if (statFd(fd).mode & linux.S.ISGID != 0) return true;
    var none: [1]u8 = undefined;
    return acls and linux.errno(linux.fgetxattr(fd, "system.posix_acl_default", &none, 0)) == .SUCCESS;
}
