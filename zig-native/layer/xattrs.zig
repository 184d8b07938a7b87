//! Extended attributes: of entries onto files, and from one open file to another.
const std = @import("std");
const linux = std.os.linux;
const Owners = owning.Owners;
const ids = @import("ids.zig");
const owning = @import("owners.zig");
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

/// Of a file that is read or written by us: overlay's marks, and the label that SELinux gives to every file there is. That is the host's,
/// who lets nobody take it away; what another host's policy called it means nothing here.
pub fn isHosts(name: []const u8) bool {
    return isOverlays(name) or std.mem.eql(u8, name, "security.selinux");
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
    // What we keep of a file is not for archives to say.
    const is_ours = ids.extent == .one and std.mem.eql(u8, name, ids.kept_name);
    if (!is_ours and !isHosts(name)) return false;
    if (is_ours or isOverlays(name)) _ = skipped.fetchAdd(1, .monotonic);
    return true;
}

fn settled(rc: usize, name: []const u8, path: []const u8) void {
    const e = linux.errno(rc);
    if (e == .SUCCESS) return;
    // user.* is for files and directories only; links, fifos and devices answer EPERM. In a user namespace trusted.* and most of
    // security.* belong to the host, and what names users that are not mapped means nobody.
    const impossible = e == .OPNOTSUPP or (e == .PERM and std.mem.startsWith(u8, name, "user."));
    const is_beyond_us = ids.extent != .every and (e == .PERM or e == .INVAL);
    if (!impossible and !is_beyond_us) report.failErrno(e, "cannot set the attribute {f} of {f}", .{ shown(name), shown(path) });
    _ = skipped.fetchAdd(1, .monotonic);
}

/// Take away what a directory had before it is listed anew, or was given by the one around it.
pub fn clear(fd: i32, path: []const u8) void {
    var list: [list_bytes_max]u8 = undefined;
    var names = namesOf(linux.flistxattr(fd, &list, list.len), &list, path);
    while (names.next()) |name| {
        if (name.len == 0 or isHosts(name)) continue;
        const name_z = Name.init(name);
        switch (linux.errno(linux.fremovexattr(@intCast(fd), name_z.ptr()))) {
            .SUCCESS, .NODATA, .OPNOTSUPP => {},
            else => |e| report.failErrno(e, "cannot remove the attribute {f} of {f}", .{ shown(name), shown(path) }),
        }
    }
}

/// All but the host's own. With `owners` the numbers in them become the host's.
pub fn copy(from: i32, to: i32, owners: ?Owners, path: []const u8) void {
    var list: [list_bytes_max]u8 = undefined;
    var value: [value_bytes_max]u8 = undefined;
    var names = namesOf(linux.flistxattr(from, &list, list.len), &list, path);
    while (names.next()) |name| {
        if (name.len == 0 or isHosts(name)) continue;
        const name_z = Name.init(name);
        const length = linux.fgetxattr(from, name_z.ptr(), &value, value.len);
        if (linux.errno(length) != .SUCCESS) report.failErrno(
            linux.errno(length),
            "cannot read the attribute {f} of {f}",
            .{ shown(name), shown(path) },
        );
        const wanted = onDisk(owners, name, value[0..length], path);
        settled(linux.fsetxattr(to, name_z.ptr(), wanted.ptr, wanted.len, 0), name, path);
    }
}

/// The same for what cannot be opened: both names are relative to directories that are entered in turn.
pub fn copyNoFollow(from_directory: i32, to_directory: i32, file: [*:0]const u8, owners: ?Owners, path: []const u8) void {
    var list: [list_bytes_max]u8 = undefined;
    var value: [value_bytes_max]u8 = undefined;
    _ = linux.fchdir(from_directory);
    var names = namesOf(linux.llistxattr(file, &list, list.len), &list, path);
    while (names.next()) |name| {
        if (name.len == 0 or isHosts(name)) continue;
        const name_z = Name.init(name);
        _ = linux.fchdir(from_directory);
        const length = linux.lgetxattr(file, name_z.ptr(), &value, value.len);
        if (linux.errno(length) != .SUCCESS) report.failErrno(
            linux.errno(length),
            "cannot read the attribute {f} of {f}",
            .{ shown(name), shown(path) },
        );
        _ = linux.fchdir(to_directory);
        const wanted = onDisk(owners, name, value[0..length], path);
        settled(linux.lsetxattr(file, name_z.ptr(), wanted.ptr, wanted.len, 0), name, path);
    }
}

/// A value in which somebody's numbers may be.
fn onDisk(owners: ?Owners, name: []const u8, value: []u8, path: []const u8) []const u8 {
    const map = owners orelse return value;
    if (std.mem.eql(u8, name, "security.capability")) {
        const Buffer = struct {
            threadlocal var bytes: [owning.capability_bytes_max]u8 = undefined;
        };
        return map.capabilityOnDisk(value, &Buffer.bytes) orelse unmapped("capabilities", path);
    }
    if (std.mem.startsWith(u8, name, "system.posix_acl_") and !map.aclOnDisk(value)) unmapped("an access control list", path);
    return value;
}

fn unmapped(what: []const u8, path: []const u8) noreturn {
    report.fail(.unmapped, "{f} has {s} for somebody whom the container's user namespace has not got", .{ shown(path), what });
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
