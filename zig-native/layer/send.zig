//! `send`: a file, or a directory and what is below it, as an archive on descriptor 3. The tree may be a running container's,
//! which changes it meanwhile and means no good: every name is looked at in the directory that is held open, nothing is
//! followed, a file is never longer than its header says, and what else is mounted there is an empty directory.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("remove.zig").Listing;
const Request = @import("request.zig").Request;
const Root = @import("root.zig").Root;
const Sink = @import("tar_writer.zig").Sink;
const Writer = @import("tar_writer.zig").Writer;
const confine = @import("confine.zig");
const names = @import("names.zig");
const pax = @import("pax.zig");
const path = @import("../linux/path.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const tar = @import("tar.zig");

const shown = report.shown;
const output = 3;
/// Of first names of files that have several.
const kept_bytes_max = 64 * 1024 * 1024;

// Large, and one of each: not on a stack.
var root: Root = undefined;
var sink: Sink = .{ .fd = output };
var sender: Sender = .{ .writer = .{ .sink = &sink } };

pub fn run(request: Request) noreturn {
    confine.outliveReader();
    root = .open(request);
    confine.enter(root.fd, &confine.looking);
    const source = request.need("path");
    const name = request.get("as") orelse "";
    const follow = request.get("follow") != null;
    sender.push(name);
    if (std.mem.trim(u8, source, "/").len == 0) sender.top(root.fd) else sender.find(source, follow, request.get("directory") != null);
    sender.writer.end();
    report.succeed(",\"bytes\":{d}", .{sink.total});
}

const Level = struct { fd: i32, path_bytes: usize, listing: Listing };
const FileId = struct { mount: u64, device: u64, inode: u64 };

const Sender = struct {
    writer: Writer,
    /// Of the entry at work, in the archive; room for the slash of a directory.
    path: [64 * 1024]u8 = undefined,
    path_bytes: usize = 0,
    levels: std.ArrayList(Level) = .empty,
    links: std.AutoHashMapUnmanaged(FileId, []const u8) = .empty,
    kept_bytes: usize = 0,
    arena: std.heap.ArenaAllocator = .init(std.heap.page_allocator),
    buffer: [256 * 1024]u8 = undefined,
    target: [names.path_bytes_max]u8 = undefined,
    xattr_bytes: [128 * 1024]u8 = undefined,
    xattrs: [64]pax.Xattr = undefined,

    /// The root itself.
    fn top(self: *Sender, fd: i32) void {
        const opened = linux.openat(fd, ".", .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
        if (linux.errno(opened) != .SUCCESS) report.failErrno(linux.errno(opened), "cannot open the root", .{});
        self.directory(@intCast(opened), sys.statFd(@intCast(opened)));
        self.below();
    }

    fn find(self: *Sender, source: [:0]const u8, follow: bool, directory_only: bool) void {
        const split = path.splitLast(source);
        var buffer: [names.path_bytes_max]u8 = undefined;
        const parent_path = std.fmt.bufPrintZ(&buffer, "{s}", .{split.parent}) catch missing(source);
        const opened = sys.openContained(root.fd, parent_path.ptr, .{ .PATH = true, .DIRECTORY = true }, true);
        if (linux.errno(opened) != .SUCCESS) missing(source);
        const parent: i32 = @intCast(opened);
        const is_dots = path.isDots(split.name);
        if (split.name.len > names.name_bytes_max) missing(source);
        const name = names.NameZ.init(split.name);
        const found = sys.stat(parent, name.ptr()) orelse missing(source);
        const is_link = found.mode & linux.S.IFMT == linux.S.IFLNK;
        if (!is_dots and !(is_link and (follow or directory_only))) {
            if (!root.has(found)) missing(source);
            if (directory_only and !sys.isDirectory(found)) report.fail(.refused, "{f} is not a directory", .{shown(source)});
            self.entry(parent, name.ptr());
            return self.below();
        }
        const full = std.fmt.bufPrintZ(&buffer, "{s}", .{std.mem.trimEnd(u8, source, "/")}) catch missing(source);
        const s = lookAt(source, full);
        if (!sys.isDirectory(s) and (directory_only or s.mode & linux.S.IFMT != linux.S.IFREG))
            report.fail(.refused, "{f} is not a directory", .{shown(source)});
        const end = sys.openContained(root.fd, full.ptr, .{ .NONBLOCK = true, .NOCTTY = true }, true);
        if (linux.errno(end) != .SUCCESS) report.failErrno(linux.errno(end), "cannot open {f}", .{shown(source)});
        const now = sys.statFd(@intCast(end));
        if (!root.has(now) or now.mode & linux.S.IFMT != s.mode & linux.S.IFMT) missing(source);
        if (!sys.isDirectory(now)) return self.contents(@intCast(end), now);
        self.directory(@intCast(end), now);
        self.below();
    }

    /// What is in the directories that are open.
    fn below(self: *Sender) void {
        while (self.levels.items.len > 0) {
            const level = &self.levels.items[self.levels.items.len - 1];
            self.path_bytes = level.path_bytes;
            if (level.listing.next()) |name| {
                const name_z = names.NameZ.init(name);
                self.push(name);
                self.entry(level.fd, name_z.ptr());
            } else _ = linux.close(self.levels.pop().?.fd);
        }
    }

    fn push(self: *Sender, name: []const u8) void {
        if (name.len == 0) return;
        if (self.path_bytes + name.len + 2 > self.path.len) report.fail(.limit, "a path is too long: {f}", .{shown(name)});
        if (self.path_bytes > 0) {
            self.path[self.path_bytes] = '/';
            self.path_bytes += 1;
        }
        @memcpy(self.path[self.path_bytes..][0..name.len], name);
        self.path_bytes += name.len;
    }

    fn here(self: *const Sender) []const u8 {
        return self.path[0..self.path_bytes];
    }

    fn entry(self: *Sender, parent: i32, name: [*:0]const u8) void {
        const s = sys.stat(parent, name) orelse return; // gone since it was listed
        switch (s.mode & linux.S.IFMT) {
            linux.S.IFDIR => {
                const opened = sys.openDirectory(parent, name);
                switch (linux.errno(opened)) {
                    .SUCCESS => {},
                    .NOENT, .NOTDIR, .LOOP => return, // something else by now
                    else => |e| report.failErrno(e, "cannot open {f}", .{shown(self.here())}),
                }
                // What was opened decides, and not what stood there before.
                self.directory(@intCast(opened), sys.statFd(@intCast(opened)));
            },
            linux.S.IFREG => {
                const opened = linux.openat(parent, name, .{ .NOFOLLOW = true, .CLOEXEC = true, .NONBLOCK = true, .NOCTTY = true }, 0);
                switch (linux.errno(opened)) {
                    .SUCCESS => {},
                    .NOENT, .NOTDIR, .LOOP, .NXIO, .NODEV => return,
                    else => |e| report.failErrno(e, "cannot open {f}", .{shown(self.here())}),
                }
                const fd: i32 = @intCast(opened);
                const now = sys.statFd(fd);
                if (now.mode & linux.S.IFMT == linux.S.IFREG) self.contents(fd, now) else _ = linux.close(fd);
            },
            linux.S.IFLNK => self.symbolicLink(parent, name, s),
            linux.S.IFSOCK => {}, // nobody listens on a copy
            else => {
                if (sys.isWhiteout(s)) return;
                const flag: u8 = switch (s.mode & linux.S.IFMT) {
                    linux.S.IFCHR => '3',
                    linux.S.IFBLK => '4',
                    else => '6',
                };
                self.put(s, flag, "", 0, &.{});
            },
        }
    }

    /// The directory `fd`, ours to close: an entry, and one more to look into.
    fn directory(self: *Sender, fd: i32, s: linux.Statx) void {
        if (self.path_bytes > 0) {
            self.path[self.path_bytes] = '/';
            self.path_bytes += 1;
            self.put(s, '5', "", 0, self.attributes(fd));
            self.path_bytes -= 1;
        }
        if (!root.has(s)) {
            _ = linux.close(fd);
            return;
        }
        if (self.levels.items.len > names.depth_max) report.fail(.limit, "directories are more than {d} deep", .{names.depth_max});
        const level = self.levels.addOne(std.heap.smp_allocator) catch outOfMemory();
        level.fd = fd;
        level.path_bytes = self.path_bytes;
        level.listing.open(fd);
    }

    /// The open regular file, ours to close.
    fn contents(self: *Sender, fd: i32, s: linux.Statx) void {
        defer _ = linux.close(fd);
        if (s.nlink > 1) if (self.firstName(s)) |first| return self.put(s, '1', first, 0, &.{});
        // A mount on a single file is somebody else's.
        const size = if (root.has(s)) s.size else 0;
        self.put(s, '0', "", size, self.attributes(fd));
        var left = size;
        while (left > 0) {
            const got = linux.read(fd, &self.buffer, @intCast(@min(left, self.buffer.len)));
            switch (linux.errno(got)) {
                .SUCCESS => {},
                .INTR => continue,
                else => |e| report.failErrno(e, "cannot read {f}", .{shown(self.here())}),
            }
            if (got == 0) break; // it became shorter
            self.writer.sink.write(self.buffer[0..got]);
            left -= got;
        }
        self.writer.sink.zeros(left + tar.paddingOf(size));
    }

    fn symbolicLink(self: *Sender, parent: i32, name: [*:0]const u8, s: linux.Statx) void {
        const length = linux.readlinkat(parent, name, &self.target, self.target.len);
        if (linux.errno(length) != .SUCCESS) return; // something else by now
        self.put(s, '2', self.target[0..length], 0, &.{});
    }

    /// Of a file that has several: the one that it has in the archive already. Null: this is it.
    fn firstName(self: *Sender, s: linux.Statx) ?[]const u8 {
        const id: FileId = .{ .mount = s.mnt_id, .device = @as(u64, s.dev_major) << 32 | s.dev_minor, .inode = s.ino };
        const slot = self.links.getOrPut(std.heap.smp_allocator, id) catch outOfMemory();
        if (slot.found_existing) return slot.value_ptr.*;
        self.kept_bytes += self.path_bytes + @sizeOf(FileId);
        if (self.kept_bytes > kept_bytes_max) report.fail(.limit, "too many hard links at {f}", .{shown(self.here())});
        slot.value_ptr.* = self.arena.allocator().dupe(u8, self.here()) catch outOfMemory();
        return null;
    }

    fn put(self: *Sender, s: linux.Statx, flag: u8, link: []const u8, size: u64, xattrs: []const pax.Xattr) void {
        self.writer.entry(&.{
            .typeflag = flag,
            .name = self.here(),
            .linkname = link,
            .mode = s.mode & 0o7777,
            .uid = s.uid,
            .gid = s.gid,
            .size = size,
            .seconds = s.mtime.sec,
            .device_major = s.rdev_major,
            .device_minor = s.rdev_minor,
            .xattrs = xattrs,
        });
    }

    /// Capabilities of programs, and what users note; the others are about the file system that it lies on.
    fn attributes(self: *Sender, fd: i32) []const pax.Xattr {
        var list: [16 * 1024]u8 = undefined;
        const length = linux.flistxattr(fd, &list, list.len);
        if (linux.errno(length) != .SUCCESS) return &.{};
        var count: usize = 0;
        var used: usize = 0;
        var each = std.mem.splitScalar(u8, list[0..length], 0);
        while (each.next()) |name| {
            const is_wanted = std.mem.eql(u8, name, "security.capability") or
                (std.mem.startsWith(u8, name, "user.") and !std.mem.startsWith(u8, name, "user.overlay."));
            if (!is_wanted or count == self.xattrs.len) continue;
            if (used + name.len + 1 > self.xattr_bytes.len) break;
            const own_name = self.xattr_bytes[used..][0 .. name.len + 1];
            @memcpy(own_name[0..name.len], name);
            own_name[name.len] = 0;
            used += own_name.len;
            const room = self.xattr_bytes[used..];
            const got = linux.fgetxattr(fd, @ptrCast(own_name.ptr), room.ptr, room.len);
            if (linux.errno(got) != .SUCCESS) continue;
            used += got;
            self.xattrs[count] = .{ .name = own_name[0..name.len], .value = room[0..got] };
            count += 1;
        }
        return self.xattrs[0..count];
    }
};

/// Of what the path leads to, in a tree of ours.
fn lookAt(source: []const u8, full: [:0]const u8) linux.Statx {
    const found = sys.openContained(root.fd, full.ptr, .{ .PATH = true }, true);
    switch (linux.errno(found)) {
        .SUCCESS => {},
        .NOENT, .NOTDIR, .LOOP => missing(source),
        else => |e| report.failErrno(e, "cannot open {f}", .{shown(source)}),
    }
    defer _ = linux.close(@intCast(found));
    const s = sys.statFd(@intCast(found));
    if (!root.has(s)) missing(source);
    return s;
}

fn missing(source: []const u8) noreturn {
    report.fail(.missing, "{f}", .{shown(source)});
}

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}
