//! Files of a tree that others may be changing, as entries of an archive: nothing is followed, what was opened decides and not
//! what stood there before, and a file is never longer than its header says.
const std = @import("std");
const linux = std.os.linux;
const Owners = @import("owners.zig").Owners;
const Writer = @import("tar_writer.zig").Writer;
const ids = @import("ids.zig");
const names = @import("names.zig");
const pax = @import("pax.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const tar = @import("tar.zig");

const shown = report.shown;

/// Of first names of files that have several.
const kept_bytes_max = 64 * 1024 * 1024;
/// Shorter holes are read as what they are, zeros.
const hole_bytes_min = 256 * 1024;

/// Names that have the same one are one file.
pub const FileId = struct {
    mount: u64,
    device: u64,
    inode: u64,

    pub fn of(s: linux.Statx) FileId {
        return .{ .mount = s.mnt_id, .device = @as(u64, s.dev_major) << 32 | s.dev_minor, .inode = s.ino };
    }
};

pub const Entries = struct {
    writer: Writer,
    /// Times to the nanosecond.
    exact: bool = false,
    /// Of the entry at work, in the archive; room for the slash of a directory.
    path: [64 * 1024]u8 = undefined,
    path_bytes: usize = 0,
    links: std.AutoHashMapUnmanaged(FileId, []const u8) = .empty,
    kept_bytes: usize = 0,
    arena: std.heap.ArenaAllocator = .init(std.heap.page_allocator),
    target: [names.path_bytes_max]u8 = undefined,
    attributes: Attributes = .{},

    pub fn push(self: *Entries, name: []const u8) void {
        if (name.len == 0) return;
        if (self.path_bytes + name.len + 2 > self.path.len) report.fail(.limit, "a path is too long: {f}", .{shown(name)});
        if (self.path_bytes > 0) {
            self.path[self.path_bytes] = '/';
            self.path_bytes += 1;
        }
        @memcpy(self.path[self.path_bytes..][0..name.len], name);
        self.path_bytes += name.len;
    }

    pub fn here(self: *const Entries) []const u8 {
        return self.path[0..self.path_bytes];
    }

    pub fn openFile(self: *Entries, parent: i32, name: [*:0]const u8) ?i32 {
        const opened = linux.openat(parent, name, .{ .NOFOLLOW = true, .CLOEXEC = true, .NONBLOCK = true, .NOCTTY = true }, 0);
        switch (linux.errno(opened)) {
            .SUCCESS => {},
            .NOENT, .NOTDIR, .LOOP, .NXIO, .NODEV => return null, // something else by now
            .ACCES => {
                // A device, where none opens; or in a container's own user namespace a file of somebody whom it has not got.
                const now = sys.stat(parent, name) orelse return null;
                if (now.mode & linux.S.IFMT != linux.S.IFREG) return null;
                report.failErrno(.ACCES, "cannot open {f}", .{shown(self.here())});
            },
            else => |e| report.failErrno(e, "cannot open {f}", .{shown(self.here())}),
        }
        const fd: i32 = @intCast(opened);
        if (sys.statFd(fd).mode & linux.S.IFMT == linux.S.IFREG) return fd;
        _ = linux.close(fd);
        return null;
    }

    /// The directory `fd` itself.
    pub fn directory(self: *Entries, fd: i32, s: linux.Statx) void {
        self.path[self.path_bytes] = '/';
        self.path_bytes += 1;
        self.put(ids.readBack(fd, s), '5', "", 0, ids.withoutKept(self.attributes.of(fd)));
        self.path_bytes -= 1;
    }

    /// Of the open regular file the first `size` bytes.
    pub fn contents(self: *Entries, fd: i32, s: linux.Statx, size: u64) void {
        if (s.nlink > 1) if (self.firstName(s)) |first| return self.put(ids.readBack(fd, s), '1', first, 0, &.{});
        self.put(ids.readBack(fd, s), '0', "", size, ids.withoutKept(self.attributes.of(fd)));
        const sink = self.writer.sink;
        const has_holes = s.blocks * 512 < size and size >= hole_bytes_min;
        var left = size;
        while (left > 0) {
            const data = if (has_holes) self.dataUntil(fd, size - left, &left) else left;
            if (left == 0) break;
            if (!self.copied(fd, data)) break; // it became shorter
            left -= data;
        }
        sink.zeros(left + tar.paddingOf(size));
    }

    /// Passes over a hole at `position`. Bytes of data that follow; what they are not, is a hole.
    fn dataUntil(self: *Entries, fd: i32, position: u64, left: *u64) u64 {
        const end = position + left.*;
        const start = @min(seek(fd, position, 3) orelse end, end); // SEEK_DATA
        if (start > position) {
            self.writer.sink.zeros(start - position);
            left.* = end - start;
        }
        if (left.* == 0) return 0;
        const hole = @min(seek(fd, start, 4) orelse end, end); // SEEK_HOLE
        _ = linux.lseek(fd, @intCast(start), linux.SEEK.SET);
        return if (hole > start) hole - start else left.*;
    }

    fn seek(fd: i32, position: u64, whence: usize) ?u64 {
        const rc = linux.lseek(fd, @intCast(position), whence);
        return if (linux.errno(rc) == .SUCCESS) rc else null;
    }

    fn copied(self: *Entries, fd: i32, count: u64) bool {
        const sink = self.writer.sink;
        var left = count;
        while (left > 0) {
            const room = sink.room();
            const got = linux.read(fd, room.ptr, @intCast(@min(left, room.len)));
            switch (linux.errno(got)) {
                .SUCCESS => {},
                .INTR => continue,
                else => |e| report.failErrno(e, "cannot read {f}", .{shown(self.here())}),
            }
            if (got == 0) {
                sink.zeros(left);
                return true;
            }
            sink.took(got);
            left -= got;
        }
        return true;
    }

    pub fn symbolicLink(self: *Entries, parent: i32, name: [*:0]const u8, s: linux.Statx) void {
        const length = linux.readlinkat(parent, name, &self.target, self.target.len);
        if (linux.errno(length) != .SUCCESS) return; // something else by now
        self.put(s, '2', self.target[0..length], 0, &.{});
    }

    /// A device or a fifo.
    pub fn special(self: *Entries, s: linux.Statx) void {
        const flag: u8 = switch (s.mode & linux.S.IFMT) {
            linux.S.IFCHR => '3',
            linux.S.IFBLK => '4',
            else => '6',
        };
        self.put(s, flag, "", 0, &.{});
    }

    /// Of a file that has several: the one that it has in the archive already. Null: this is it.
    fn firstName(self: *Entries, s: linux.Statx) ?[]const u8 {
        const slot = self.links.getOrPut(std.heap.smp_allocator, .of(s)) catch outOfMemory();
        if (slot.found_existing) return slot.value_ptr.*;
        self.kept_bytes += self.path_bytes + @sizeOf(FileId);
        if (self.kept_bytes > kept_bytes_max) report.fail(.limit, "too many hard links at {f}", .{shown(self.here())});
        slot.value_ptr.* = self.arena.allocator().dupe(u8, self.here()) catch outOfMemory();
        return null;
    }

    fn put(self: *Entries, s: linux.Statx, flag: u8, link: []const u8, size: u64, xattrs: []const pax.Xattr) void {
        self.writer.entry(&.{
            .typeflag = flag,
            .name = self.here(),
            .linkname = link,
            .mode = s.mode & 0o7777,
            .uid = s.uid,
            .gid = s.gid,
            .size = size,
            .seconds = s.mtime.sec,
            .nanoseconds = if (self.exact) s.mtime.nsec else 0,
            .device_major = s.rdev_major,
            .device_minor = s.rdev_minor,
            .xattrs = xattrs,
        });
    }
};

/// Capabilities of programs, and what users note; the others are about the file system that a file lies on.
pub const Attributes = struct {
    /// Access control lists too: a mode without its list gives the file's group what the list allows others.
    lists: bool = false,
    bytes: [128 * 1024]u8 = undefined,
    found: [64]pax.Xattr = undefined,
    /// Of a file that lies there with the host's numbers.
    owners: ?Owners = null,

    /// By name, however the file system lists them; until it is asked again.
    pub fn of(self: *Attributes, fd: i32) []pax.Xattr {
        var list: [16 * 1024]u8 = undefined;
        const length = linux.flistxattr(fd, &list, list.len);
        if (linux.errno(length) != .SUCCESS) return &.{};
        var count: usize = 0;
        var used: usize = 0;
        var each = std.mem.splitScalar(u8, list[0..length], 0);
        while (each.next()) |name| {
            const is_list = self.lists and std.mem.startsWith(u8, name, "system.posix_acl_");
            const is_wanted = is_list or std.mem.eql(u8, name, "security.capability") or
                (std.mem.startsWith(u8, name, "user.") and !std.mem.startsWith(u8, name, "user.overlay."));
            if (!is_wanted or count == self.found.len) continue;
            if (used + name.len + 1 > self.bytes.len) break;
            const own_name = self.bytes[used..][0 .. name.len + 1];
            @memcpy(own_name[0..name.len], name);
            own_name[name.len] = 0;
            used += own_name.len;
            const room = self.bytes[used..];
            const got = linux.fgetxattr(fd, @ptrCast(own_name.ptr), room.ptr, room.len);
            if (linux.errno(got) != .SUCCESS) continue;
            if (is_list) Owners.seeList(self.owners, room[0..got]);
            const value = if (self.owners != null and std.mem.eql(u8, name, "security.capability"))
                self.owners.?.seenCapability(room[0..got]) orelse continue
            else
                room[0..got];
            used += got;
            self.found[count] = .{ .name = own_name[0..name.len], .value = value };
            count += 1;
        }
        std.mem.sortUnstable(pax.Xattr, self.found[0..count], {}, isBefore);
        return self.found[0..count];
    }
};

fn isBefore(_: void, a: pax.Xattr, b: pax.Xattr) bool {
    return std.mem.order(u8, a.name, b.name) == .lt;
}

pub fn sameAttributes(before: []const pax.Xattr, now: []const pax.Xattr) bool {
    if (before.len != now.len) return false;
    for (before) |x| {
        for (now) |y| {
            if (std.mem.eql(u8, x.name, y.name) and std.mem.eql(u8, x.value, y.value)) break;
        } else return false;
    }
    return true;
}

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}
