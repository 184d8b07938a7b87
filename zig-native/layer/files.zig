//! Regular files: created exclusively, beneath an open directory, never through a link.
const std = @import("std");
const linux = std.os.linux;
const ids = @import("ids.zig");
const report = @import("report.zig");
const names = @import("names.zig");
const pax = @import("pax.zig");
const Directory = @import("directories.zig").Directory;

const shown = report.shown;
const hole_bytes_min = 64 * 1024;

/// A small file whose bytes are all there.
pub const Job = struct {
    directory: *Directory,
    name: names.NameZ,
    name_bytes: usize,
    meta: Meta,
    /// Where its bytes begin in the stream, for the ring.
    position: u64,
    bytes: []const u8,

    fn nameText(self: *const Job) []const u8 {
        return self.name.buffer[0..self.name_bytes];
    }
};

pub const Meta = struct {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: pax.Time,

    pub fn owner(self: Meta) ids.Owner {
        return .{ .uid = self.uid, .gid = self.gid, .mode = self.mode };
    }
};

pub fn create(job: *const Job) void {
    const owner = job.meta.owner();
    const fd = openNew(job.directory, job.name.ptr(), job.nameText(), owner.mode);
    writeAll(fd, job.bytes, job.nameText());
    setOwnerAndMode(fd, job.directory.inherits, ids.given(owner, true), 0o777, job.nameText());
    ids.keep(fd, owner, true, job.nameText());
    setTime(fd, job.meta.mtime, job.nameText());
    _ = linux.close(fd);
}

/// The permission bits are right from the start where that is possible: the umask is 0.
pub fn openNew(directory: *const Directory, name: [*:0]const u8, text: []const u8, mode: u32) i32 {
    const fd = linux.openat(
        directory.fd,
        name,
        .{ .ACCMODE = .WRONLY, .CREAT = true, .EXCL = true, .NOFOLLOW = true, .CLOEXEC = true },
        mode & 0o777,
    );
    switch (linux.errno(fd)) {
        .SUCCESS => return @intCast(fd),
        else => |e| report.failErrno(e, "cannot create {f}/{f}", .{ shown(directory.canonical), shown(text) }),
    }
}

pub fn writeAll(fd: i32, bytes: []const u8, text: []const u8) void {
    var rest = bytes;
    while (rest.len > 0) {
        const written = linux.write(fd, rest.ptr, rest.len);
        switch (linux.errno(written)) {
            .SUCCESS => rest = rest[written..],
            .INTR => {},
            else => |e| report.failErrno(e, "cannot write {f}", .{shown(text)}),
        }
    }
}

/// Of a new file: many zeros are a hole.
pub fn writeOrSkip(fd: i32, bytes: []const u8, text: []const u8) void {
    if (bytes.len < hole_bytes_min or !std.mem.allEqual(u8, bytes, 0)) return writeAll(fd, bytes, text);
    check(linux.lseek(fd, @intCast(bytes.len), linux.SEEK.CUR), "write", text);
}

/// Owner first, then the bits that a change of owner clears. A new file belongs to us and has the bits of `given_mask`;
/// only what differs is changed. In a set-group-id directory, or one with a default ACL, nothing is taken for granted, and
/// an ACL that came from there goes.
pub fn setOwnerAndMode(fd: i32, inherits: bool, owner: ids.Owner, given_mask: u32, text: []const u8) void {
    const owned = owner.uid == 0 and owner.gid == 0 and !inherits;
    if (inherits) _ = linux.fremovexattr(@intCast(fd), "system.posix_acl_access");
    if (!owned) checkOwner(linux.fchown(fd, owner.uid, owner.gid), owner, text);
    if (inherits or owner.mode & ~given_mask != 0) check(linux.fchmod(fd, owner.mode), "change the mode of", text);
}

pub fn setTime(fd: i32, mtime: pax.Time, text: []const u8) void {
    const times = timesOf(mtime);
    check(linux.futimens(fd, &times), "set the time of", text);
}

/// Access time is the modification time, as docker does: the same layer gives the same tree.
pub fn timesOf(mtime: pax.Time) [2]linux.timespec {
    const time: linux.timespec = .{ .sec = mtime.seconds, .nsec = mtime.nanoseconds };
    return .{ time, time };
}

/// A server's file system knows nothing of our maps, and lets nobody but its own root give files away.
pub fn checkOwner(rc: usize, owner: ids.Owner, text: []const u8) void {
    if (ids.extent == .every or linux.errno(rc) != .PERM) return check(rc, "change the owner of", text);
    report.fail(
        .unmapped,
        "the file system does not let {f} belong to {d}:{d}, as NFS does not: put the data directory on another (--root, RT_ROOT)",
        .{ shown(text), owner.uid, owner.gid },
    );
}

pub fn check(rc: usize, comptime what: []const u8, text: []const u8) void {
    const e = linux.errno(rc);
    if (e != .SUCCESS) report.failErrno(e, "cannot " ++ what ++ " {f}", .{shown(text)});
}
