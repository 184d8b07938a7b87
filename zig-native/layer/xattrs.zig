//! Extended attributes: of entries onto files, and from one open file to another.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const pax = @import("pax.zig");

const shown = report.shown;
const name_bytes_max = 255;
const value_bytes_max = 65536;
const list_bytes_max = 65536;

/// Attributes that the file system or kernel does not know (system.nfs4_acl …), or not on such a file, cannot be kept, and
/// overlay's own marks, which change what a container sees of the layers below, must not be: how many were not.
pub var skipped: std.atomic.Value(u32) = .init(0);

pub fn check(xattrs: []const pax.Xattr, path: []const u8) void {
    for (xattrs) |x| {
        if (x.name.len == 0 or x.name.len > name_bytes_max or std.mem.indexOfScalar(u8, x.name, 0) != null or x.value.len > value_bytes_max)
            report.fail(.malformed, "{f} has an invalid extended attribute {f}", .{ shown(path), shown(x.name) });
    }
}

pub fn isOverlays(name: []const u8) bool {
    return std.mem.startsWith(u8, name, "trusted.overlay.") or std.mem.startsWith(u8, name, "user.overlay.");
}

/// After the owner is set: a change of owner drops security.capability.
pub fn set(fd: i32, xattrs: []const pax.Xattr, path: []const u8) void {
    for (xattrs) |x| {
        if (isLeftOut(x.name)) continue;
        const name = Name.init(x.name);
        settled(linux.fsetxattr(fd, name.ptr(), x.value.ptr, x.value.len, 0), x.name, path);
    }
}

/// For links and special files, which cannot be opened: `directory` becomes the working directory.
pub fn setNoFollow(directory: i32, file: [*:0]const u8, xattrs: []const pax.Xattr, path: []const u8) void {
    if (xattrs.len == 0) return;
    if (linux.errno(linux.fchdir(directory)) != .SUCCESS) report.failErrno(
        linux.errno(linux.fchdir(directory)),
        "cannot enter the directory of {f}",
        .{shown(path)},
    );
    for (xattrs) |x| {
        if (isLeftOut(x.name)) continue;
        const name = Name.init(x.name);
        settled(linux.lsetxattr(file, name.ptr(), x.value.ptr, x.value.len, 0), x.name, path);
    }
}

fn isLeftOut(name: []const u8) bool {
    if (!isOverlays(name)) return false;
    _ = skipped.fetchAdd(1, .monotonic);
    return true;
}

fn settled(rc: usize, name: []const u8, path: []const u8) void {
    const e = linux.errno(rc);
    if (e == .SUCCESS) return;
    // user.* is for files and directories only; links, fifos and devices answer EPERM.
    const impossible = e == .OPNOTSUPP or (e == .PERM and std.mem.startsWith(u8, name, "user."));
    if (!impossible) report.failErrno(e, "cannot set the attribute {f} of {f}", .{ shown(name), shown(path) });
    _ = skipped.fetchAdd(1, .monotonic);
}

/// Take away what a directory had before it is listed anew, or was given by the one around it.
pub fn clear(fd: i32, path: []const u8) void {
    var list: [list_bytes_max]u8 = undefined;
    var names = namesOf(linux.flistxattr(fd, &list, list.len), &list, path);
    while (names.next()) |name| {
        if (name.len == 0 or isOverlays(name)) continue;
        const name_z = Name.init(name);
        switch (linux.errno(linux.fremovexattr(@intCast(fd), name_z.ptr()))) {
            .SUCCESS, .NODATA, .OPNOTSUPP => {},
            else => |e| report.failErrno(e, "cannot remove the attribute {f} of {f}", .{ shown(name), shown(path) }),
        }
    }
}

/// All but overlay's marks.
pub fn copy(from: i32, to: i32, path: []const u8) void {
    var list: [list_bytes_max]u8 = undefined;
    var value: [value_bytes_max]u8 = undefined;
    var names = namesOf(linux.flistxattr(from, &list, list.len), &list, path);
    while (names.next()) |name| {
        if (name.len == 0 or isOverlays(name)) continue;
        const name_z = Name.init(name);
        const length = linux.fgetxattr(from, name_z.ptr(), &value, value.len);
        if (linux.errno(length) != .SUCCESS) report.failErrno(
            linux.errno(length),
            "cannot read the attribute {f} of {f}",
            .{ shown(name), shown(path) },
        );
        settled(linux.fsetxattr(to, name_z.ptr(), &value, length, 0), name, path);
    }
}

/// The same for what cannot be opened: both names are relative to directories that are entered in turn.
pub fn copyNoFollow(from_directory: i32, to_directory: i32, file: [*:0]const u8, path: []const u8) void {
    var list: [list_bytes_max]u8 = undefined;
    var value: [value_bytes_max]u8 = undefined;
    _ = linux.fchdir(from_directory);
    var names = namesOf(linux.llistxattr(file, &list, list.len), &list, path);
    while (names.next()) |name| {
        if (name.len == 0 or isOverlays(name)) continue;
        const name_z = Name.init(name);
        _ = linux.fchdir(from_directory);
        const length = linux.lgetxattr(file, name_z.ptr(), &value, value.len);
        if (linux.errno(length) != .SUCCESS) report.failErrno(
            linux.errno(length),
            "cannot read the attribute {f} of {f}",
            .{ shown(name), shown(path) },
        );
        _ = linux.fchdir(to_directory);
        settled(linux.lsetxattr(file, name_z.ptr(), &value, length, 0), name, path);
    }
}

fn namesOf(length: usize, list: []const u8, path: []const u8) std.mem.SplitIterator(u8, .scalar) {
    const text: []const u8 = switch (linux.errno(length)) {
        .SUCCESS => list[0..length],
        .OPNOTSUPP => "",
        else => |e| report.failErrno(e, "cannot list the attributes of {f}", .{shown(path)}),
    };
    return std.mem.splitScalar(u8, text, 0);
}

const Name = struct {
    buffer: [name_bytes_max + 1]u8,

    fn init(name: []const u8) Name {
        var self: Name = .{ .buffer = undefined };
        const length = @min(name.len, name_bytes_max);
        @memcpy(self.buffer[0..length], name[0..length]);
        self.buffer[length] = 0;
        return self;
    }

    fn ptr(self: *const Name) [*:0]const u8 {
        return @ptrCast(&self.buffer);
    }
};
