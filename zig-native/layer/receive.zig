//! `receive`: an archive from descriptor 3 into a tree that is there already, and that others may change meanwhile: a running
//! container's. Each entry is made in a directory that was opened beneath the root; a link in its path leads to where it leads
//! in the container, and what else is mounted there takes nothing.
//!
//! Where it goes is cp's rule, decided when the first entry says what comes. Of an archive of `send as=x` the x becomes
//!
//!   path is              a directory comes                       a file comes
//!   a directory          path/base (path, with base= empty)      path/base
//!   something else       refused                                 path
//!   not there            path                                    path; refused if it ends with "/"
//!
//! With raw= it is somebody's own archive, gzipped or not, and goes into the directory `path` as it is.
const std = @import("std");
const linux = std.os.linux;
const Archive = @import("archive.zig").Archive;
const Entry = @import("archive.zig").Entry;
const Gunzip = @import("gzip.zig").Gunzip;
const Pool = @import("pool.zig").Pool;
const Request = @import("request.zig").Request;
const Ring = @import("ring.zig").Ring;
const Root = @import("root.zig").Root;
const Source = @import("source.zig").Source;
const confine = @import("confine.zig");
const device = @import("../linux/device.zig");
const files = @import("files.zig");
const gzip = @import("gzip.zig");
const ids = @import("ids.zig");
const names = @import("names.zig");
const path = @import("../linux/path.zig");
const pax = @import("pax.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const xattrs = @import("xattrs.zig");

const shown = report.shown;
/// Somebody may make again what we have just removed, but not for ever.
const attempts_max = 100;
const links_max = 40;
const kept_bytes_max = 64 * 1024 * 1024;

// Large, and one of each: not on a stack.
var root: Root = undefined;
var ring: Ring = undefined;
var pool: Pool = .{ .ring = undefined };
var archive: Archive = undefined;
var receiver: Receiver = undefined;
var peeked: Peeked = undefined;
var gunzip: Gunzip(Peeked, Ring) = undefined;

pub fn run(request: Request) noreturn {
    root = .ofContainer(request);
    root.enter(&confine.copying);
    ring.init(std.math.maxInt(u63));
    // Nobody takes its digest: no reader is behind the archive's.
    ring.setHashed(std.math.maxInt(u64));
    pool.init(&ring, 0);
    archive.init(&ring, &pool);
    const input: i32 = if (request.get("stdin") != null) 0 else 3;
    _ = std.Thread.spawn(.{ .stack_size = 256 * 1024 }, pump, .{input}) catch report.fail(.limit, "cannot start a thread", .{});
    receiver = .{
        .destination = request.need("path"),
        .base = request.get("base") orelse "",
        .raw = request.get("raw") != null,
        .plain = request.get("plain") != null,
        .readonly = request.get("readonly-root") != null,
        .owner = if (request.get("uid")) |_| .{
            .uid = @intCast(request.number("uid", 0)),
            .gid = @intCast(request.number("gid", 0)),
        } else null,
    };
    receiver.all();
    report.succeed(",\"bytes\":{d},\"devices\":{d}", .{ ring.streamBytes(), receiver.devices });
}

/// A plain archive, or one in gzip's form, as its first bytes say.
fn pump(input: i32) void {
    peeked = .{ .source = .{ .fd = input, .growing = null } };
    peeked.look();
    if (std.mem.eql(u8, peeked.head[0..peeked.count], &gzip_magic)) {
        gunzip.run(&peeked, &ring) catch |e| report.fail(.malformed, "{s}", .{gzip.describe(e)});
    } else while (true) {
        const span = ring.reserve();
        const got = peeked.read(span);
        if (got == 0) break;
        ring.commit(span[0..got]);
    }
    ring.close();
}

const gzip_magic = [_]u8{ 0x1f, 0x8b };

/// A stream whose first bytes were looked at.
const Peeked = struct {
    source: Source,
    head: [gzip_magic.len]u8 = undefined,
    count: usize = 0,
    given: usize = 0,

    fn look(self: *Peeked) void {
        while (self.count < self.head.len) {
            const got = self.source.read(self.head[self.count..]);
            if (got == 0) return;
            self.count += got;
        }
    }

    pub fn read(self: *Peeked, into: []u8) usize {
        if (self.given == self.count) return self.source.read(into);
        const length = @min(into.len, self.count - self.given);
        @memcpy(into[0..length], self.head[self.given..][0..length]);
        self.given += length;
        return length;
    }
};

const Timed = struct { path: []const u8, mtime: pax.Time };
const Owner = struct { uid: u32, gid: u32 };

const Receiver = struct {
    destination: [:0]const u8,
    base: []const u8,
    raw: bool,
    /// No device nodes, and no bits that give rights.
    plain: bool,
    /// The root itself takes nothing: only volumes do.
    readonly: bool,
    owner: ?Owner,
    devices: u64 = 0,
    /// The archive's own top is the directory that was there before, which stays as it is.
    into_it: bool = false,
    /// What stands in front of each entry's path, below the root.
    prefix: [names.path_bytes_max]u8 = undefined,
    prefix_bytes: usize = 0,
    /// The last parent: archives list files by directory.
    parent_path: [names.path_bytes_max]u8 = undefined,
    parent_bytes: usize = 0,
    parent_fd: i32 = -1,
    timed: std.ArrayList(Timed) = .empty,
    kept_bytes: usize = 0,
    arena: std.heap.ArenaAllocator = .init(std.heap.page_allocator),

    fn all(self: *Receiver) void {
        var is_first = true;
        while (archive.next()) |entry| {
            if (is_first) self.decide(entry.type == .directory);
            is_first = false;
            self.one(&entry);
        }
        // An archive of nothing still wants to be told whether it had a place.
        if (is_first) self.decide(true);
        archive.drain();
        self.setTimes();
    }

    fn decide(self: *Receiver, directory_comes: bool) void {
        const there = self.look(self.destination);
        const is_directory = if (there) |s| sys.isDirectory(s) else false;
        if (self.raw and !is_directory) {
            if (there == null) missing(self.destination);
            report.fail(.refused, "destination {f} must be a directory", .{shown(self.destination)});
        }
        if (is_directory) {
            self.into_it = self.raw or self.base.len == 0;
            return self.setPrefix(self.destination, if (self.raw) "" else self.base);
        }
        if (there != null and directory_comes) report.fail(.refused, "cannot copy directory", .{});
        if (std.mem.endsWith(u8, self.destination, "/")) {
            if (there != null) report.fail(.refused, "{f} is not a directory", .{shown(self.destination)});
            if (!directory_comes) report.fail(.refused, "no such directory", .{});
        }
        if (there) |s| switch (s.mode & linux.S.IFMT) {
            linux.S.IFREG, linux.S.IFLNK => {},
            else => report.fail(.refused, "destination {f} must be a directory or a regular file", .{shown(self.destination)}),
        };
        var buffer: [names.path_bytes_max]u8 = undefined;
        const split = path.splitLast(self.followed(&buffer));
        self.setPrefix(split.parent, split.name);
        if (split.name.len == 0 or path.isDots(split.name) or self.parent(split.parent, .existing) == null) missing(self.destination);
    }

    /// What the destination is, in a tree of ours; links are followed.
    fn look(_: *Receiver, place: [:0]const u8) ?linux.Statx {
        var buffer: [names.path_bytes_max]u8 = undefined;
        const trimmed = std.fmt.bufPrintZ(&buffer, "/{s}", .{std.mem.trim(u8, place, "/")}) catch tooLong(place);
        const found = sys.openContained(root.fd, trimmed.ptr, .{ .PATH = true }, true);
        switch (linux.errno(found)) {
            .SUCCESS => {},
            .NOENT, .NOTDIR => return null,
            else => |e| report.failErrno(e, "cannot open {f}", .{shown(place)}),
        }
        defer _ = linux.close(@intCast(found));
        const s = sys.statFd(@intCast(found));
        return if (root.has(s)) s else null;
    }

    /// The destination, or where the links there lead to; there may be nothing. What others make of it meanwhile is resolved
    /// beneath the root, too.
    fn followed(self: *Receiver, into: *[names.path_bytes_max]u8) []const u8 {
        var place: []const u8 = std.fmt.bufPrint(into, "{s}", .{self.destination}) catch tooLong(self.destination);
        for (0..links_max) |_| {
            const split = path.splitLast(place);
            const fd = self.parent(split.parent, .existing) orelse return place;
            var target: [names.path_bytes_max]u8 = undefined;
            const length = linux.readlinkat(fd, nameOf(split.name).ptr(), &target, target.len);
            if (linux.errno(length) != .SUCCESS) return place;
            var joined: [names.path_bytes_max]u8 = undefined;
            const outer = if (target[0] == '/') "" else split.parent;
            const text = std.fmt.bufPrint(&joined, "{s}/{s}", .{ outer, target[0..length] }) catch tooLong(target[0..length]);
            @memcpy(into[0..text.len], text);
            place = into[0..text.len];
        }
        report.fail(.refused, "too many links at {f}", .{shown(self.destination)});
    }

    fn setPrefix(self: *Receiver, directory_: []const u8, name: []const u8) void {
        const text = std.fmt.bufPrint(&self.prefix, "{s}/{s}", .{ std.mem.trimEnd(u8, directory_, "/"), name }) catch tooLong(directory_);
        self.prefix_bytes = std.mem.trimEnd(u8, text, "/").len;
    }

    /// The place of an entry; null: it is the directory that was there before.
    fn placeOf(self: *Receiver, name: []const u8, into: *[names.path_bytes_max]u8) ?[]const u8 {
        var buffer: [names.path_bytes_max]u8 = undefined;
        const clean = names.clean(name, &buffer) catch |e| switch (e) {
            error.Escapes => report.fail(.malformed, "the name {f} leads out of the archive", .{shown(name)}),
            error.TooLong => tooLong(name),
            error.HasNul => report.fail(.malformed, "the name {f} has a NUL in it", .{shown(name)}),
        };
        const rest = if (self.raw) clean else clean[std.mem.indexOfScalar(u8, clean, '/') orelse clean.len ..];
        const below = std.mem.trimStart(u8, rest, "/");
        if (below.len == 0 and self.into_it) return null;
        return std.fmt.bufPrint(into, "{s}{s}{s}", .{
            self.prefix[0..self.prefix_bytes], if (below.len == 0) "" else "/", below,
        }) catch tooLong(name);
    }

    const Need = enum { existing, made };

    /// The directory at `place`, beneath the root. Null: it is not there, or no directory of ours.
    fn parent(self: *Receiver, place: []const u8, need: Need) ?i32 {
        if (self.parent_fd >= 0 and std.mem.eql(u8, place, self.parent_path[0..self.parent_bytes])) return self.parent_fd;
        var buffer: [names.path_bytes_max + 1]u8 = undefined;
        const text = std.fmt.bufPrintZ(&buffer, "/{s}", .{place}) catch tooLong(place);
        const opened = sys.openContained(root.fd, text.ptr, .{ .DIRECTORY = true }, true);
        const fd: i32 = switch (linux.errno(opened)) {
            .SUCCESS => @intCast(opened),
            .NOENT => if (need == .existing) return null else self.make(place),
            .NOTDIR, .LOOP => return null,
            else => |e| report.failErrno(e, "cannot open {f}", .{shown(place)}),
        };
        const s = sys.statFd(fd);
        if (!root.has(s)) {
            _ = linux.close(fd);
            return null;
        }
        if (self.readonly and root.isOwn(s)) report.fail(.refused, "container rootfs is marked read-only", .{});
        if (self.parent_fd >= 0) _ = linux.close(self.parent_fd);
        @memcpy(self.parent_path[0..place.len], place);
        self.parent_bytes = place.len;
        self.parent_fd = fd;
        return fd;
    }

    /// A directory that the archive implies.
    fn make(self: *Receiver, place: []const u8) i32 {
        const split = path.splitLast(place);
        const outer = self.parent(split.parent, .made) orelse notDirectory(split.parent);
        const name = nameOf(split.name);
        const made = linux.mkdirat(outer, name.ptr(), 0o755);
        if (linux.errno(made) != .EXIST) files.check(made, "create", place);
        const opened = sys.openDirectory(outer, name.ptr());
        files.check(opened, "open", place);
        return @intCast(opened);
    }

    fn one(self: *Receiver, entry: *const Entry) void {
        var buffer: [names.path_bytes_max]u8 = undefined;
        const place = self.placeOf(entry.name, &buffer) orelse return;
        xattrs.check(entry.xattrs, place);
        const split = path.splitLast(place);
        if (split.name.len == 0) return;
        const fd = self.parent(split.parent, .made) orelse notDirectory(split.parent);
        const name = nameOf(split.name);
        switch (entry.type) {
            .regular => self.regular(entry, fd, &name, place),
            .directory => self.directory(entry, fd, &name, place),
            .hard_link => self.hardLink(entry, fd, &name, place),
            .symbolic_link => self.symbolicLink(entry, fd, &name, place),
            .character_device, .block_device, .fifo => self.special(entry, fd, &name, place),
            else => unreachable, // the archive reader lets nothing else through
        }
    }

    fn modeOf(self: *const Receiver, entry: *const Entry) u32 {
        return entry.mode & if (self.plain) @as(u32, 0o1777) else 0o7777;
    }

    fn ownerOf(self: *const Receiver, entry: *const Entry) ids.Owner {
        const owner: Owner = self.owner orelse .{ .uid = entry.uid, .gid = entry.gid };
        return .{ .uid = owner.uid, .gid = owner.gid, .mode = self.modeOf(entry) };
    }

    /// Nothing has the name after this, but what somebody else makes meanwhile. False: it is in use, and stays.
    fn clear(_: *Receiver, fd: i32, name: *const names.NameZ, place: []const u8) bool {
        const found = sys.stat(fd, name.ptr()) orelse return true;
        // In the container's namespace something is mounted there, which from ours would just go, and the container lose it.
        if (found.mnt_id != sys.statFd(fd).mnt_id) {
            if (sys.isDirectory(found)) notReplaced(place);
            return false;
        }
        switch (linux.errno(linux.unlinkat(fd, name.ptr(), 0))) {
            .SUCCESS, .NOENT => return true,
            .BUSY => return false,
            .ISDIR => notReplaced(place),
            else => |e| report.failErrno(e, "cannot replace {f}", .{shown(place)}),
        }
    }

    fn regular(self: *Receiver, entry: *const Entry, parent_fd: i32, name: *const names.NameZ, place: []const u8) void {
        const fd = self.fresh(parent_fd, name, place) orelse self.mounted(parent_fd, name, place);
        if (entry.map) |map| {
            for (map) |span| {
                files.check(linux.lseek(fd, @intCast(span.offset), linux.SEEK.SET), "write", place);
                pour(fd, span.length, place);
            }
            files.check(linux.ftruncate(fd, @intCast(entry.real_size)), "set the size of", place);
        } else pour(fd, entry.stored_bytes, place);
        self.dress(fd, entry, place);
        files.setTime(fd, entry.mtime, place);
        _ = linux.close(fd);
    }

    fn fresh(self: *Receiver, parent_fd: i32, name: *const names.NameZ, place: []const u8) ?i32 {
        for (0..attempts_max) |_| {
            if (!self.clear(parent_fd, name, place)) return null;
            const opened = linux.openat(
                parent_fd,
                name.ptr(),
                .{ .ACCMODE = .WRONLY, .CREAT = true, .EXCL = true, .NOFOLLOW = true, .CLOEXEC = true },
                0o600,
            );
            if (linux.errno(opened) == .EXIST) continue;
            files.check(opened, "create", place);
            return @intCast(opened);
        }
        inTheWay(place);
    }

    /// A single file that is mounted there is written to, for it cannot be replaced.
    fn mounted(_: *Receiver, parent_fd: i32, name: *const names.NameZ, place: []const u8) i32 {
        const opened = linux.openat(parent_fd, name.ptr(), .{ .ACCMODE = .WRONLY, .NOFOLLOW = true, .NONBLOCK = true, .CLOEXEC = true }, 0);
        files.check(opened, "open", place);
        const s = sys.statFd(@intCast(opened));
        if (s.mode & linux.S.IFMT != linux.S.IFREG or !root.has(s)) report.failErrno(.BUSY, "cannot replace {f}", .{shown(place)});
        files.check(linux.ftruncate(@intCast(opened), 0), "write", place);
        return @intCast(opened);
    }

    fn dress(self: *Receiver, fd: i32, entry: *const Entry, place: []const u8) void {
        const is_file = entry.type == .regular;
        const wanted = self.ownerOf(entry);
        if (root.owners == null) ids.check(wanted.uid, wanted.gid, place);
        const owner = ids.given(wanted, is_file);
        checkOwned(linux.fchown(fd, owner.uid, owner.gid), owner, place);
        files.check(linux.fchmod(fd, owner.mode), "change the mode of", place);
        if (!self.plain) xattrs.set(fd, entry.xattrs, place);
        ids.keepAnew(fd, wanted, is_file, place);
    }

    fn directory(self: *Receiver, entry: *const Entry, parent_fd: i32, name: *const names.NameZ, place: []const u8) void {
        const made = linux.mkdirat(parent_fd, name.ptr(), 0o700);
        if (linux.errno(made) != .EXIST) files.check(made, "create", place);
        const opened = sys.openDirectory(parent_fd, name.ptr());
        switch (linux.errno(opened)) {
            .SUCCESS => {},
            .NOTDIR, .LOOP => report.fail(.refused, "cannot overwrite non-directory {f} with directory", .{shown(place)}),
            else => |e| report.failErrno(e, "cannot open {f}", .{shown(place)}),
        }
        defer _ = linux.close(@intCast(opened));
        // What is mounted there is dressed by whoever mounted it.
        if (!root.has(sys.statFd(@intCast(opened)))) return;
        self.dress(@intCast(opened), entry, place);
        self.kept_bytes += place.len + @sizeOf(Timed);
        if (self.kept_bytes > kept_bytes_max) report.fail(.limit, "too many directories", .{});
        const kept = self.arena.allocator().dupe(u8, place) catch outOfMemory();
        self.timed.append(self.arena.allocator(), .{ .path = kept, .mtime = entry.mtime }) catch outOfMemory();
    }

    /// When nothing is made in them any more; the innermost first.
    fn setTimes(self: *Receiver) void {
        while (self.timed.pop()) |each| {
            const split = path.splitLast(each.path);
            const fd = self.parent(split.parent, .existing) orelse continue;
            const opened = sys.openDirectory(fd, nameOf(split.name).ptr());
            if (linux.errno(opened) != .SUCCESS) continue;
            const times = files.timesOf(each.mtime);
            _ = linux.futimens(@intCast(opened), &times);
            _ = linux.close(@intCast(opened));
        }
    }

    fn symbolicLink(self: *Receiver, entry: *const Entry, parent_fd: i32, name: *const names.NameZ, place: []const u8) void {
        const target = entry.linkname;
        if (target.len == 0 or target.len >= names.path_bytes_max or std.mem.indexOfScalar(u8, target, 0) != null)
            report.fail(.malformed, "the symbolic link {f} has an invalid target", .{shown(place)});
        var buffer: [names.path_bytes_max + 1]u8 = undefined;
        @memcpy(buffer[0..target.len], target);
        buffer[target.len] = 0;
        for (0..attempts_max) |_| {
            if (!self.clear(parent_fd, name, place)) report.failErrno(.BUSY, "cannot replace {f}", .{shown(place)});
            const made = linux.symlinkat(@ptrCast(&buffer), parent_fd, name.ptr());
            if (linux.errno(made) == .EXIST) continue;
            files.check(made, "create", place);
            return self.dressNoFollow(entry, parent_fd, name, place);
        }
        inTheWay(place);
    }

    fn special(self: *Receiver, entry: *const Entry, parent_fd: i32, name: *const names.NameZ, place: []const u8) void {
        if (self.plain and entry.type != .fifo) {
            self.devices += 1;
            return;
        }
        const kind: u32 = switch (entry.type) {
            .character_device => linux.S.IFCHR,
            .block_device => linux.S.IFBLK,
            else => linux.S.IFIFO,
        };
        if (kind == linux.S.IFCHR and entry.device_major == 0 and entry.device_minor == 0)
            report.fail(.malformed, "{f} is the device 0:0, which is overlay's mark for a deleted file", .{shown(place)});
        const number = device.number(entry.device_major, entry.device_minor);
        for (0..attempts_max) |_| {
            if (!self.clear(parent_fd, name, place)) report.failErrno(.BUSY, "cannot replace {f}", .{shown(place)});
            const made = linux.mknodat(parent_fd, name.ptr(), kind | (self.modeOf(entry) & 0o777), number);
            if (linux.errno(made) == .EXIST) continue;
            if (linux.errno(made) == .PERM and entry.type != .fifo) {
                // In a user namespace there are none to be made.
                self.devices += 1;
                return;
            }
            files.check(made, "create", place);
            return self.dressNoFollow(entry, parent_fd, name, place);
        }
        inTheWay(place);
    }

    /// For what cannot be opened. The name may be another's by now: no link is followed, and it stays in this directory.
    fn dressNoFollow(self: *Receiver, entry: *const Entry, parent_fd: i32, name: *const names.NameZ, place: []const u8) void {
        const wanted = self.ownerOf(entry);
        if (root.owners == null) ids.check(wanted.uid, wanted.gid, place);
        const owner = ids.given(wanted, false);
        const owned = linux.fchownat(parent_fd, name.ptr(), owner.uid, owner.gid, linux.AT.SYMLINK_NOFOLLOW);
        if (linux.errno(owned) != .NOENT) checkOwned(owned, owner, place);
        const times = files.timesOf(entry.mtime);
        _ = linux.utimensat(parent_fd, name.ptr(), &times, linux.AT.SYMLINK_NOFOLLOW);
    }

    fn hardLink(self: *Receiver, entry: *const Entry, parent_fd: i32, name: *const names.NameZ, place: []const u8) void {
        var buffer: [names.path_bytes_max]u8 = undefined;
        const target = self.placeOf(entry.linkname, &buffer) orelse
            report.fail(.malformed, "{f} is a hard link to the root", .{shown(place)});
        const outer = sys.duplicate(parent_fd);
        defer _ = linux.close(outer);
        const split = path.splitLast(target);
        const fd = self.parent(split.parent, .existing) orelse noTarget(place, target);
        const target_name = nameOf(split.name);
        const opened = linux.openat(fd, target_name.ptr(), .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
        if (linux.errno(opened) != .SUCCESS) noTarget(place, target);
        defer _ = linux.close(@intCast(opened));
        const s = sys.statFd(@intCast(opened));
        if (sys.isDirectory(s)) noTarget(place, target);
        if (sys.stat(outer, name.ptr())) |there| if (there.ino == s.ino and there.mnt_id == s.mnt_id) return;
        for (0..attempts_max) |_| {
            if (!self.clear(outer, name, place)) report.failErrno(.BUSY, "cannot replace {f}", .{shown(place)});
            const linked = sys.link(@intCast(opened), outer, name.ptr());
            if (linux.errno(linked) == .EXIST) continue;
            return files.check(linked, "create the hard link", place);
        }
        inTheWay(place);
    }
};

fn pour(fd: i32, length: u64, place: []const u8) void {
    var left = length;
    while (left > 0) {
        const bytes = archive.data(left);
        files.writeAll(fd, bytes, place);
        left -= bytes.len;
        archive.position += bytes.len;
        pool.advance(archive.position);
    }
}

fn checkOwned(rc: usize, owner: ids.Owner, place: []const u8) void {
    if (linux.errno(rc) != .INVAL or root.owners == null) return files.checkOwner(rc, owner, place);
    const why = "{f} would belong to {d}:{d}, whom the container's user namespace has not got";
    report.fail(.unmapped, why, .{ shown(place), owner.uid, owner.gid });
}

fn nameOf(name: []const u8) names.NameZ {
    if (name.len > names.name_bytes_max) tooLong(name);
    return .init(name);
}

fn noTarget(place: []const u8, target: []const u8) noreturn {
    report.fail(.malformed, "{f} is a hard link to {f}, which is no file", .{ shown(place), shown(target) });
}

fn notDirectory(place: []const u8) noreturn {
    report.fail(.refused, "{f} is not a directory to copy into", .{shown(place)});
}

fn notReplaced(place: []const u8) noreturn {
    report.fail(.refused, "cannot overwrite directory {f} with non-directory", .{shown(place)});
}

fn inTheWay(place: []const u8) noreturn {
    report.fail(.refused, "cannot replace {f}: it is made again and again", .{shown(place)});
}

fn missing(place: []const u8) noreturn {
    report.fail(.missing, "{f}", .{shown(place)});
}

fn tooLong(name: []const u8) noreturn {
    report.fail(.malformed, "the name {f} is too long", .{shown(name)});
}

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}
