//! Whole trees, copied: owners, modes, times, xattrs, hard links, holes, devices. Blocks are shared where the file
//! system can do that. For a container with a user namespace of its own they come to belong to the host's numbers of its users.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("remove.zig").Listing;
const Owners = @import("owners.zig").Owners;
const Request = @import("request.zig").Request;
const confine = @import("confine.zig");
const device = @import("../linux/device.zig");
const files = @import("files.zig");
const layers = @import("layers.zig");
const names = @import("names.zig");
const overlay = @import("overlay.zig");
const place = @import("place.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const xattrs = @import("xattrs.zig");

const shown = report.shown;

/// Files of at most this, without holes, are not worth more than a read and a write.
const small_bytes_max = 64 * 1024;

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

pub const Devices = enum { copied, left_out };

/// `copy`: of a directory, or of what layers of an image show together.
pub fn run(request: Request) noreturn {
    const parents = layers.of(request, "layers");
    // Before anything is opened: see there.
    if (parents.count > 1) overlay.privateNamespace();
    const from = if (parents.count == 0) place.openPath(request.need("from")) else layers.open(request, &parents);
    const to = place.openPath(request.need("to"));
    confine.enter(to, &confine.copying);
    treeInto(from, to, .copied, .of(request));
    report.succeed("", .{});
}

/// Everything below the directory `from` into the directory `to`, which is empty, and its own metadata too. With `owners` what
/// has a container's numbers in `from` has the host's in `to`.
pub fn treeInto(from: i32, to: i32, devices: Devices, owners: ?Owners) void {
    var copier: Copier = .{ .to_root = to, .inherits = sys.inherits(to, true), .devices = devices, .owners = owners };
    copier.children(from, to);
    copier.finishDirectory(from, to);
}

/// A directory that is being filled; `kept` is its path, once a hard link's first name is in it.
const Level = struct { from: i32, to: i32, path_bytes: usize, kept: ?[]const u8, listing: Listing };

/// The first name of a file that has several: its directory's path is kept once for all of them.
const FirstName = struct { directory: []const u8, name: []const u8 };

/// Of paths and names of hard links: some million usual ones. Whoever has more means no good.
const kept_bytes_max = 64 * 1024 * 1024;

const FileId = struct { device: u64, inode: u64 };

const Copier = struct {
    to_root: i32,
    /// The path below `to_root` of the directory at work, for messages and for the first names of hard links.
    path: [64 * 1024]u8 = undefined,
    path_bytes: usize = 0,
    levels: std.ArrayList(Level) = .empty,
    links: std.AutoHashMapUnmanaged(FileId, FirstName) = .empty,
    kept_bytes: usize = 0,
    arena: std.heap.ArenaAllocator = .init(std.heap.page_allocator),
    buffer: [small_bytes_max]u8 = undefined,
    /// The target's root has a default ACL or the set-group-id bit. Below it directories are made 0700 and dressed last, so
    /// nothing is inherited from them.
    inherits: bool,
    devices: Devices,
    owners: ?Owners,
    can_clone: bool = true,
    can_copy_range: bool = true,

    fn children(self: *Copier, from: i32, to: i32) void {
        self.enter(from, to);
        while (true) {
            const level = &self.levels.items[self.levels.items.len - 1];
            self.path_bytes = level.path_bytes;
            if (level.listing.next()) |name| {
                const name_z = names.NameZ.init(name);
                self.push(name);
                self.entry(level.from, level.to, name_z.ptr());
            } else {
                const done = self.levels.pop().?;
                if (self.levels.items.len == 0) return;
                self.finishDirectory(done.from, done.to);
                _ = linux.close(done.from);
                _ = linux.close(done.to);
            }
        }
    }

    /// The directory at `here`.
    fn enter(self: *Copier, from: i32, to: i32) void {
        if (self.levels.items.len > names.depth_max) report.fail(.limit, "directories are more than {d} deep", .{names.depth_max});
        const level = self.levels.addOne(std.heap.smp_allocator) catch outOfMemory();
        level.from = from;
        level.to = to;
        level.path_bytes = self.path_bytes;
        level.kept = null;
        level.listing.open(from);
    }

    fn push(self: *Copier, name: []const u8) void {
        if (self.path_bytes + name.len + 2 > self.path.len) report.fail(.limit, "a path is too long: {f}", .{shown(name)});
        if (self.path_bytes > 0) {
            self.path[self.path_bytes] = '/';
            self.path_bytes += 1;
        }
        @memcpy(self.path[self.path_bytes..][0..name.len], name);
        self.path_bytes += name.len;
    }

    fn here(self: *const Copier) []const u8 {
        return self.path[0..self.path_bytes];
    }

    fn entry(self: *Copier, from: i32, to: i32, name: [*:0]const u8) void {
        const s = self.shifted(sys.stat(from, name) orelse return); // gone since it was listed
        switch (s.mode & linux.S.IFMT) {
            linux.S.IFDIR => self.directory(from, to, name),
            linux.S.IFSOCK => {}, // nobody listens on a copy
            else => {
                if (sys.isWhiteout(s)) return; // of an overlay layer that is read without a mount: nothing is there
                if (self.devices == .left_out and sys.isDevice(s)) return;
                if (s.nlink > 1 and self.linked(s, to, name)) return;
                switch (s.mode & linux.S.IFMT) {
                    linux.S.IFREG => self.regular(from, to, name, s),
                    linux.S.IFLNK => self.symbolicLink(from, to, name, s),
                    else => self.special(from, to, name, s),
                }
            },
        }
    }

    /// As it is to be in the copy.
    fn shifted(self: *const Copier, s: linux.Statx) linux.Statx {
        const owners = self.owners orelse return s;
        return owners.onDisk(s) orelse report.fail(
            .unmapped,
            "{f} belongs to {d}:{d}, whom the container's user namespace has not got",
            .{ shown(if (self.path_bytes == 0) "/" else self.here()), s.uid, s.gid },
        );
    }

    fn directory(self: *Copier, from: i32, to: i32, name: [*:0]const u8) void {
        const source = sys.openDirectory(from, name);
        files.check(source, "open", self.here());
        files.check(linux.mkdirat(to, name, 0o700), "create", self.here());
        const target = sys.openDirectory(to, name);
        files.check(target, "open", self.here());
        self.enter(@intCast(source), @intCast(target));
    }

    /// True: this is another name of a file that was copied before. Its first name is remembered, if a path can be so long.
    fn linked(self: *Copier, s: linux.Statx, to: i32, name: [*:0]const u8) bool {
        const id: FileId = .{ .device = @as(u64, s.dev_major) << 32 | s.dev_minor, .inode = s.ino };
        const slot = self.links.getOrPut(std.heap.smp_allocator, id) catch outOfMemory();
        if (slot.found_existing) {
            var buffer: [names.path_bytes_max + 2]u8 = undefined;
            const path = slot.value_ptr.*;
            const between = if (path.directory.len == 0) "" else "/";
            const text = std.fmt.bufPrintZ(
                &buffer,
                "{s}{s}{s}",
                .{ path.directory, between, path.name },
            ) catch unreachable; // it was short enough
            const first = sys.pathBeneath(self.to_root, text.ptr);
            files.check(first, "open the first name of", self.here());
            defer _ = linux.close(@intCast(first));
            files.check(sys.link(@intCast(first), to, name), "link", self.here());
            return true;
        }
        if (self.path_bytes < names.path_bytes_max) {
            const level = &self.levels.items[self.levels.items.len - 1];
            const holder = level.kept orelse self.keep(self.path[0..level.path_bytes]);
            level.kept = holder;
            slot.value_ptr.* = .{ .directory = holder, .name = self.keep(std.mem.span(name)) };
        } else _ = self.links.remove(id);
        return false;
    }

    fn keep(self: *Copier, text: []const u8) []const u8 {
        self.kept_bytes += text.len + @sizeOf(FileId) + @sizeOf(FirstName);
        if (self.kept_bytes > kept_bytes_max) report.fail(.limit, "too many hard links at {f}", .{shown(self.here())});
        return self.arena.allocator().dupe(u8, text) catch outOfMemory();
    }

    fn regular(self: *Copier, from: i32, to: i32, name: [*:0]const u8, s: linux.Statx) void {
        const source = linux.openat(from, name, .{ .NOFOLLOW = true, .CLOEXEC = true, .NONBLOCK = true, .NOCTTY = true }, 0);
        files.check(source, "open", self.here());
        if (sys.statFd(@intCast(source)).mode & linux.S.IFMT != linux.S.IFREG) { // somebody put it there since we looked
            _ = linux.close(@intCast(source));
            return;
        }
        const target = linux.openat(
            to,
            name,
            .{ .ACCMODE = .WRONLY, .CREAT = true, .EXCL = true, .NOFOLLOW = true, .CLOEXEC = true },
            s.mode & 0o777,
        );
        files.check(target, "create", self.here());
        self.contents(@intCast(source), @intCast(target), s);
        // New files are ours and have the mode that they were made with (the umask is 0): usually that is right already.
        if (s.uid != 0 or s.gid != 0 or s.mode & 0o7000 != 0 or self.inherits) {
            finishAs(@intCast(source), @intCast(target), s, self.owners, self.here());
        } else finishOwned(@intCast(source), @intCast(target), s, self.owners, self.here());
        _ = linux.close(@intCast(source));
        _ = linux.close(@intCast(target));
    }

    fn contents(self: *Copier, source: i32, target: i32, s: linux.Statx) void {
        if (s.size == 0) return;
        const has_holes = s.blocks * 512 < s.size;
        if (self.can_clone and self.cloned(source, target)) return;
        if (s.size <= small_bytes_max and !has_holes) return self.readAndWrite(source, target, 0, s.size);
        var position: u64 = 0;
        while (position < s.size) {
            const start = seek(source, position, SEEK_DATA) orelse break;
            const end = seek(source, start, SEEK_HOLE) orelse s.size;
            self.range(source, target, start, end);
            position = end;
        }
        files.check(linux.ftruncate(target, @intCast(s.size)), "set the size of", self.here());
    }

    fn cloned(self: *Copier, source: i32, target: i32) bool {
        const FICLONE = 0x40049409;
        switch (linux.errno(linux.ioctl(target, FICLONE, @intCast(source)))) {
            .SUCCESS => return true,
            else => {
                self.can_clone = false; // this file system cannot, or not between these two
                return false;
            },
        }
    }

    fn range(self: *Copier, source: i32, target: i32, start: u64, end: u64) void {
        var from: i64 = @intCast(start);
        var to: i64 = @intCast(start);
        while (self.can_copy_range and from < end) {
            const rc = linux.copy_file_range(source, &from, target, &to, @intCast(end - @as(u64, @intCast(from))), 0);
            switch (linux.errno(rc)) {
                .SUCCESS => if (rc == 0) return, // it became shorter
                .INTR => {},
                .NOSPC, .DQUOT, .FBIG, .IO => |e| report.failErrno(e, "cannot write {f}", .{shown(self.here())}),
                else => self.can_copy_range = false,
            }
        }
        if (from < end) self.readAndWrite(source, target, @intCast(from), end);
    }

    fn readAndWrite(self: *Copier, source: i32, target: i32, start: u64, end: u64) void {
        var position = start;
        files.check(linux.lseek(target, @intCast(start), linux.SEEK.SET), "write", self.here());
        while (position < end) {
            const got = linux.pread(source, &self.buffer, @intCast(@min(self.buffer.len, end - position)), @intCast(position));
            if (linux.errno(got) == .INTR) continue;
            files.check(got, "read", self.here());
            if (got == 0) return; // it became shorter
            files.writeAll(target, self.buffer[0..got], self.here());
            position += got;
        }
    }

    fn symbolicLink(self: *Copier, from: i32, to: i32, name: [*:0]const u8, s: linux.Statx) void {
        var target: [names.path_bytes_max + 1]u8 = undefined;
        const length = linux.readlinkat(from, name, &target, names.path_bytes_max);
        files.check(length, "read the link", self.here());
        target[length] = 0;
        files.check(linux.symlinkat(@ptrCast(&target), to, name), "create", self.here());
        self.finishNoFollow(from, to, name, s, false);
    }

    fn special(self: *Copier, from: i32, to: i32, name: [*:0]const u8, s: linux.Statx) void {
        files.check(linux.mknodat(to, name, s.mode & ~@as(u32, 0o7000), device.number(s.rdev_major, s.rdev_minor)), "create", self.here());
        self.finishNoFollow(from, to, name, s, true);
    }

    fn finishNoFollow(self: *Copier, from: i32, to: i32, name: [*:0]const u8, s: linux.Statx, has_mode: bool) void {
        files.check(linux.fchownat(to, name, s.uid, s.gid, linux.AT.SYMLINK_NOFOLLOW), "change the owner of", self.here());
        if (has_mode) files.check(sys.changeMode(to, name, s.mode & 0o7777), "change the mode of", self.here());
        xattrs.copyNoFollow(from, to, name, self.owners, self.here());
        const times = timesOf(s);
        files.check(linux.utimensat(to, name, &times, linux.AT.SYMLINK_NOFOLLOW), "set the time of", self.here());
    }

    fn finishDirectory(self: *Copier, from: i32, to: i32) void {
        finishAs(from, to, self.shifted(sys.statFd(from)), self.owners, self.here());
    }
};

/// Owner, mode and times of `s`, attributes of `from`.
pub fn finish(from: i32, to: i32, s: linux.Statx, path: []const u8) void {
    finishAs(from, to, s, null, path);
}

/// `s` is as it is to be; attributes that have numbers in them are still the container's.
fn finishAs(from: i32, to: i32, s: linux.Statx, owners: ?Owners, path: []const u8) void {
    files.check(linux.fchown(to, s.uid, s.gid), "change the owner of", path);
    files.check(linux.fchmod(to, s.mode & 0o7777), "change the mode of", path);
    finishOwned(from, to, s, owners, path);
}

fn finishOwned(from: i32, to: i32, s: linux.Statx, owners: ?Owners, path: []const u8) void {
    xattrs.copy(from, to, owners, path);
    const times = timesOf(s);
    files.check(linux.futimens(to, &times), "set the time of", path);
}

fn timesOf(s: linux.Statx) [2]linux.timespec {
    return .{ .{ .sec = s.atime.sec, .nsec = s.atime.nsec }, .{ .sec = s.mtime.sec, .nsec = s.mtime.nsec } };
}

/// Null: no more data (or no hole, or the file system does not tell).
fn seek(fd: i32, position: u64, whence: usize) ?u64 {
    const rc = linux.lseek(fd, @intCast(position), whence);
    return if (linux.errno(rc) == .SUCCESS) rc else null;
}

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}
