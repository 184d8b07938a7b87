//! One entry of an archive onto the file system.
//!
//! The tree is ours alone while we work (a temporary directory 0700, or a mount in our own namespace), so what a name is
//! cannot change behind our back; what the archive itself does is another matter: every step is by one name beneath an
//! open directory, and never follows what stands there.
const std = @import("std");
const linux = std.os.linux;
const Archive = @import("archive.zig").Archive;
const Entry = @import("archive.zig").Entry;
const Directories = @import("directories.zig").Directories;
const Directory = @import("directories.zig").Directory;
const Kind = @import("seen.zig").Kind;
const Pool = @import("pool.zig").Pool;
const Seen = @import("seen.zig").Seen;
const device = @import("../linux/device.zig");
const files = @import("files.zig");
const ids = @import("ids.zig");
const names = @import("names.zig");
const pax = @import("pax.zig");
const remove = @import("remove.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const whiteout = @import("whiteout.zig");
const xattrs = @import("xattrs.zig");

const shown = report.shown;

/// Larger files are written by the archive reader while they arrive.
const small_bytes_max = 1024 * 1024;

/// Some 700,000 directories of usual names.
const kept_bytes_max = 64 * 1024 * 1024;

pub const Mode = enum {
    /// The tree holds this layer alone, in overlay's form.
    diff,
    /// The tree shows the layers below.
    merged,
};

/// In `Seen`, of a directory: no name can be this.
const time_mark = "/time";

/// A directory's time is set when nothing is created in it any more.
const Timed = struct {
    path: []const u8,
    mtime: pax.Time,
    /// It is that of a directory of a lower layer.
    lower: bool = false,
};

pub const Apply = struct {
    mode: Mode,
    has_parents: bool,
    archive: *Archive,
    pool: *Pool,
    seen: Seen,
    directories: Directories,
    /// Paths of what is kept below.
    arena: std.heap.ArenaAllocator,
    timed: std.ArrayList(Timed) = .empty,
    implied: std.ArrayList([]const u8) = .empty,
    whiteouts: std.ArrayList([]const u8) = .empty,
    kept_bytes: usize = 0,
    root_listed: bool = false,
    /// Hard links may lead to what aufs kept: it goes in the end.
    has_aufs_links: bool = false,
    entries: u64 = 0,
    file_bytes: u64 = 0,
    /// Nodes that nobody but the host's root can make.
    devices_left_out: u64 = 0,

    pub fn run(self: *Apply) void {
        while (self.archive.next()) |entry| {
            self.entries += 1;
            var buffer: [names.path_bytes_max]u8 = undefined;
            const path = names.cleanEntry(entry.name, &buffer) catch |e| switch (e) {
                error.Escapes => report.fail(.malformed, "{f} leads out of the layer", .{shown(entry.name)}),
                error.TooLong => report.fail(.malformed, "the name {f} is too long", .{shown(entry.name)}),
                error.HasNul => report.fail(.malformed, "the name {f} has a NUL in it", .{shown(entry.name)}),
            };
            self.one(&entry, path);
        }
        self.archive.drain();
        self.pool.idle();
        if (!self.has_aufs_links) return;
        self.directories.forget();
        remove.tree(self.directories.root, whiteout.aufs_links);
    }

    fn one(self: *Apply, entry: *const Entry, path: []const u8) void {
        const at = names.split(path);
        switch (whiteout.meaningOf(path)) {
            .none => {},
            .ignored => return,
            .aufs_link => {
                if (entry.type != .regular) return;
                self.has_aufs_links = true;
            },
            .opaque_directory => return whiteout.hideLower(self, at.parent),
            .deletion => |name| return whiteout.delete(self, at.parent, name),
        }
        xattrs.check(entry.xattrs, path);
        ids.check(entry.uid, entry.gid, path);
        if (entry.xattrs.len > 0) self.noteAcls(entry);
        if (path.len == 0) return self.root(entry);
        if (at.base.len > names.name_bytes_max) report.fail(.malformed, "the name {f} is too long", .{shown(entry.name)});
        const parent = self.parentOf(at.parent);
        const name = names.NameZ.init(at.base);
        const target: Target = .{ .parent = parent, .name = &name, .base = at.base, .path = path };
        switch (entry.type) {
            .regular => self.regular(entry, target),
            .directory => self.directory(entry, target),
            .hard_link => self.hardLink(entry, target),
            .symbolic_link => self.symbolicLink(entry, target),
            .character_device, .block_device, .fifo => self.special(entry, target),
            else => unreachable, // the archive reader lets nothing else through
        }
    }

    /// Where an entry goes: `parent` is retained by nobody, and valid until the next look-up.
    const Target = struct { parent: *Directory, name: *const names.NameZ, base: []const u8, path: []const u8 };

    pub fn parentOf(self: *Apply, path: []const u8) *Directory {
        return self.directories.get(path, .create) orelse
            report.fail(.malformed, "{f} is not a directory, and an entry is to be in it", .{shown(path)});
    }

    fn noteAcls(self: *Apply, entry: *const Entry) void {
        for (entry.xattrs) |x| {
            if (!std.mem.eql(u8, x.name, "system.posix_acl_default") or self.directories.default_acls) continue;
            self.directories.default_acls = true;
            self.directories.forget();
        }
    }

    // --- files -------------------------------------------------------------------------------------------------

    fn regular(self: *Apply, entry: *const Entry, target: Target) void {
        const parent = self.claim(target, .file);
        self.file_bytes += entry.stored_bytes;
        const meta = metaOf(entry);
        const small = entry.map == null and entry.xattrs.len == 0 and entry.stored_bytes <= small_bytes_max;
        if (!small) return self.large(entry, parent, target, meta);
        const size: usize = @intCast(entry.stored_bytes);
        const bytes = self.archive.ring.wait(self.archive.position, size);
        if (bytes.len < size) report.fail(.malformed, "the archive ends in the middle of {f}", .{shown(target.path)});
        parent.retain();
        self.pool.add(.{
            .directory = parent,
            .name = target.name.*,
            .name_bytes = target.base.len,
            .meta = meta,
            .position = self.archive.position,
            .bytes = bytes,
        });
    }

    fn large(self: *Apply, entry: *const Entry, parent: *Directory, target: Target, meta: files.Meta) void {
        const fd = files.openNew(parent, target.name.ptr(), target.base, meta.mode);
        if (entry.map) |map| {
            for (map) |span| {
                const rc = linux.lseek(fd, @intCast(span.offset), linux.SEEK.SET);
                files.check(rc, "write", target.path);
                self.pour(fd, span.length, target.path);
            }
            files.check(linux.ftruncate(fd, @intCast(entry.real_size)), "set the size of", target.path);
        } else {
            self.pour(fd, entry.stored_bytes, target.path);
            // The end may have been a hole.
            files.check(linux.ftruncate(fd, @intCast(entry.stored_bytes)), "set the size of", target.path);
        }
        files.setOwnerAndMode(fd, parent.inherits, ids.given(meta.owner(), true), 0o777, target.path);
        xattrs.set(fd, entry.xattrs, target.path);
        ids.keep(fd, meta.owner(), true, target.path);
        files.setTime(fd, meta.mtime, target.path);
        _ = linux.close(fd);
    }

    fn pour(self: *Apply, fd: i32, length: u64, path: []const u8) void {
        var left = length;
        while (left > 0) {
            const bytes = self.archive.data(left);
            files.writeOrSkip(fd, bytes, path);
            left -= bytes.len;
            self.archive.position += bytes.len;
            self.pool.advance(self.archive.position);
        }
    }

    /// Make the name free: after this nothing has it, and it is ours. What was there goes, a whole tree if need be, as
    /// docker and containerd do. Answers the parent anew, for a removal empties the cache that it lives in.
    fn claim(self: *Apply, target: Target, kind: Kind) *Directory {
        const before = self.seen.get(target.parent.canonical, target.base);
        if (kind != .directory and (before == .directory or before == .implied_directory)) self.changedItsMind(target.path);
        self.seen.put(target.parent.canonical, target.base, kind);
        self.touch(target.parent);
        // In a diff a name is free until this layer itself takes it.
        if (before == null and self.mode == .diff) return target.parent;
        if (before != null) self.pool.idle();
        const found = sys.stat(target.parent.fd, target.name.ptr()) orelse return target.parent;
        if (found.mode & linux.S.IFMT == linux.S.IFREG) {
            files.check(linux.unlinkat(target.parent.fd, target.name.ptr(), 0), "replace", target.path);
            return target.parent;
        }
        self.pool.idle();
        remove.tree(target.parent.fd, target.name.ptr());
        self.directories.forget();
        return self.parentOf(names.split(target.path).parent);
    }

    /// What of the lower layers that leaves in sight, only a merged tree shows.
    fn changedItsMind(self: *Apply, path: []const u8) void {
        if (self.directories.blind) report.fail(.conflict, "{f} is both a directory and something else", .{shown(path)});
    }

    fn symbolicLink(self: *Apply, entry: *const Entry, target: Target) void {
        if (entry.linkname.len == 0 or entry.linkname.len >= names.path_bytes_max or std.mem.indexOfScalar(u8, entry.linkname, 0) != null)
            report.fail(.malformed, "the symbolic link {f} has an invalid target", .{shown(target.path)});
        const parent = self.claim(target, .file);
        var buffer: [names.path_bytes_max + 1]u8 = undefined;
        @memcpy(buffer[0..entry.linkname.len], entry.linkname);
        buffer[entry.linkname.len] = 0;
        files.check(linux.symlinkat(@ptrCast(&buffer), parent.fd, target.name.ptr()), "create", target.path);
        finishNoFollow(entry, parent, target, false);
    }

    fn special(self: *Apply, entry: *const Entry, target: Target) void {
        const kind: u32 = switch (entry.type) {
            .character_device => linux.S.IFCHR,
            .block_device => linux.S.IFBLK,
            else => linux.S.IFIFO,
        };
        if (kind == linux.S.IFCHR and entry.device_major == 0 and entry.device_minor == 0)
            report.fail(.malformed, "{f} is the device 0:0, which is overlay's mark for a deleted file", .{shown(target.path)});
        if (kind != linux.S.IFIFO and ids.extent != .every) return self.leaveOut(target);
        const parent = self.claim(target, .file);
        const number = device.number(entry.device_major, entry.device_minor);
        files.check(linux.mknodat(parent.fd, target.name.ptr(), kind | (entry.mode & 0o777), number), "create", target.path);
        finishNoFollow(entry, parent, target, true);
    }

    /// A device node that cannot be made. Its name shows nothing of the layers below.
    fn leaveOut(self: *Apply, target: Target) void {
        self.devices_left_out += 1;
        const parent = self.claim(target, .whiteout);
        if (self.directories.blind) self.noteWhiteout(parent.canonical, target.base);
    }

    /// For what cannot be opened.
    fn finishNoFollow(entry: *const Entry, parent: *Directory, target: Target, has_mode: bool) void {
        const name = target.name.ptr();
        const owner = ids.given(metaOf(entry).owner(), false);
        if (owner.uid != 0 or owner.gid != 0 or parent.inherits)
            files.checkOwner(linux.fchownat(parent.fd, name, owner.uid, owner.gid, linux.AT.SYMLINK_NOFOLLOW), owner, target.path);
        if (has_mode and (entry.mode & ~@as(u32, 0o777) != 0 or parent.inherits))
            files.check(sys.changeMode(parent.fd, name, entry.mode), "change the mode of", target.path);
        xattrs.setNoFollow(parent.fd, name, entry.xattrs, target.path);
        const times = files.timesOf(entry.mtime);
        files.check(linux.utimensat(parent.fd, name, &times, linux.AT.SYMLINK_NOFOLLOW), "set the time of", target.path);
    }

    fn hardLink(self: *Apply, entry: *const Entry, target: Target) void {
        var buffer: [names.path_bytes_max]u8 = undefined;
        const path = names.clean(entry.linkname, &buffer) catch
            report.fail(.malformed, "the hard link {f} leads out of the layer: {f}", .{ shown(target.path), shown(entry.linkname) });
        if (path.len == 0) report.fail(.malformed, "{f} is a hard link to the root", .{shown(target.path)});
        self.pool.idle();
        const at = names.split(path);
        const parent_path = names.split(target.path).parent;
        const source = self.directories.get(at.parent, .existing) orelse self.noLinkTarget(target.path, path);
        const source_fd = sys.duplicate(source.fd);
        defer _ = linux.close(source_fd);
        const source_name = names.NameZ.init(at.base);
        // One more name of what was left out.
        const is_device = self.devices_left_out > 0 and self.seen.get(source.canonical, at.base) == .whiteout;
        const found = sys.stat(source_fd, source_name.ptr()) orelse {
            if (!is_device) self.noLinkTarget(target.path, path);
            const outer = self.parentOf(parent_path);
            return self.leaveOut(.{ .parent = outer, .name = target.name, .base = target.base, .path = target.path });
        };
        // What a diff only implies may be a link in a lower layer.
        const is_implied = self.directories.blind and self.seen.get(source.canonical, at.base) == .implied_directory;
        if (is_implied) report.fail(.conflict, "{f} links to {f}, which this layer has not", .{ shown(target.path), shown(path) });
        if (sys.isDirectory(found)) report.fail(
            .malformed,
            "{f} is a hard link to the directory {f}",
            .{ shown(target.path), shown(path) },
        );
        // The look-up above may have emptied the slot that the parent lived in.
        const parent = self.parentOf(parent_path);
        if (sys.stat(parent.fd, target.name.ptr())) |there|
            if (there.ino == found.ino and there.dev_major == found.dev_major and there.dev_minor == found.dev_minor) return;
        const free = self.claim(.{ .parent = parent, .name = target.name, .base = target.base, .path = target.path }, .file);
        const rc = linux.linkat(source_fd, source_name.ptr(), free.fd, target.name.ptr(), 0);
        if (linux.errno(rc) == .NOENT) self.noLinkTarget(target.path, path);
        files.check(rc, "create the hard link", target.path);
    }

    fn noLinkTarget(self: *Apply, path: []const u8, target: []const u8) noreturn {
        if (self.mode == .diff and self.has_parents) report.fail(.conflict, "{f} links into a lower layer", .{shown(path)});
        report.fail(.malformed, "{f} is a hard link to {f}, which does not exist", .{ shown(path), shown(target) });
    }

    // --- directories -------------------------------------------------------------------------------------------

    fn root(self: *Apply, entry: *const Entry) void {
        if (entry.type != .directory) report.fail(.malformed, "the archive has a root that is not a directory", .{});
        self.root_listed = true;
        const directory_ = self.parentOf("");
        self.dress(entry, directory_, "", true);
    }

    fn directory(self: *Apply, entry: *const Entry, target: Target) void {
        const before = self.seen.get(target.parent.canonical, target.base);
        if (before == .file) self.pool.idle();
        var parent = target.parent;
        var fresh = true;
        self.touch(parent);
        switch (linux.errno(linux.mkdirat(parent.fd, target.name.ptr(), entry.mode & 0o1777))) {
            .SUCCESS => {},
            .EXIST => {
                const found = sys.stat(parent.fd, target.name.ptr());
                if (found != null and sys.isDirectory(found.?)) {
                    fresh = false;
                } else {
                    self.changedItsMind(target.path);
                    parent = self.claim(target, .directory);
                    files.check(linux.mkdirat(parent.fd, target.name.ptr(), entry.mode & 0o1777), "create", target.path);
                }
            },
            else => |e| report.failErrno(e, "cannot create {f}", .{shown(target.path)}),
        }
        self.seen.put(parent.canonical, target.base, .directory);
        const inherited = parent.inherits;
        var buffer: [names.path_bytes_max]u8 = undefined;
        const canonical = names.join(parent.canonical, target.base, &buffer) catch tooLong(target.base);
        const made = self.directories.getChild(parent, target.name, target.path, canonical);
        if (fresh and whiteout.hides(&self.directories, before, canonical)) whiteout.setOpaque(&self.directories, made.fd, target.path);
        self.dress(entry, made, target.path, !fresh or inherited);
    }

    /// Owner, mode and xattrs now, the time at the end.
    fn dress(self: *Apply, entry: *const Entry, made: *Directory, path: []const u8, unknown: bool) void {
        const meta = metaOf(entry);
        // Files that are on their way into it take from it what it had when they were listed.
        if (unknown and (made.inherits or meta.mode & linux.S.ISGID != 0)) self.pool.idle();
        files.setOwnerAndMode(made.fd, unknown, ids.given(meta.owner(), false), 0o1777, path);
        if (unknown) xattrs.clear(made.fd, path);
        xattrs.set(made.fd, entry.xattrs, path);
        ids.keep(made.fd, meta.owner(), false, path);
        made.inherits = sys.inherits(made.fd, self.directories.default_acls);
        self.timed.append(self.arena.allocator(), .{ .path = self.keep(made.canonical), .mtime = entry.mtime }) catch outOfMemory();
    }

    /// A diff deletes `name` of what is below the directory.
    pub fn noteWhiteout(self: *Apply, directory_: []const u8, name: []const u8) void {
        var buffer: [names.path_bytes_max]u8 = undefined;
        const path = names.join(directory_, name, &buffer) catch tooLong(name);
        self.whiteouts.append(self.arena.allocator(), self.keep(path)) catch outOfMemory();
    }

    /// Before names change in a directory: in a merged tree one of a lower layer, which this one does not list, keeps its
    /// time. A diff does not touch it.
    pub fn touch(self: *Apply, changed: *Directory) void {
        if (changed.touched) return;
        changed.touched = true;
        self.touchOpen(changed.fd, changed.canonical);
    }

    pub fn touchOpen(self: *Apply, fd: i32, canonical: []const u8) void {
        if (self.mode == .diff or !self.has_parents) return;
        const mtime = sys.statFd(fd).mtime;
        self.keepTime(canonical, .{ .seconds = mtime.sec, .nanoseconds = mtime.nsec });
    }

    pub fn keepTime(self: *Apply, canonical: []const u8, mtime: pax.Time) void {
        if (self.isOwn(canonical) or self.seen.get(canonical, time_mark) != null) return;
        self.seen.put(canonical, time_mark, .file);
        self.timed.append(self.arena.allocator(), .{ .path = self.keep(canonical), .mtime = mtime, .lower = true }) catch outOfMemory();
    }

    /// Does this layer list the directory, or did it make it?
    fn isOwn(self: *Apply, canonical: []const u8) bool {
        const at = names.split(canonical);
        return if (canonical.len == 0) self.root_listed else self.seen.get(at.parent, at.base) != null;
    }

    /// Paths of directories are kept until the end: a hostile archive must not take the memory with them.
    pub fn keep(self: *Apply, text: []const u8) []const u8 {
        self.kept_bytes += text.len + @sizeOf(Timed);
        if (self.kept_bytes > kept_bytes_max) report.fail(.limit, "the layer has too many directories", .{});
        return self.arena.allocator().dupe(u8, text) catch outOfMemory();
    }

    /// After everything else: creating in a directory changes its time. One that is gone again is no matter.
    pub fn setTimes(self: *Apply) void {
        self.directories.forget();
        for (self.timed.items) |timed| {
            // The one below was deleted, or is listed with a time of its own.
            if (timed.lower and self.isOwn(timed.path)) continue;
            const fd = self.directories.openDirect(timed.path) orelse continue;
            files.setTime(fd, timed.mtime, timed.path);
            _ = linux.close(fd);
        }
    }
};

fn metaOf(entry: *const Entry) files.Meta {
    return .{ .mode = entry.mode, .uid = entry.uid, .gid = entry.gid, .mtime = entry.mtime };
}

fn tooLong(name: []const u8) noreturn {
    report.fail(.malformed, "a path is too long: {f}", .{shown(name)});
}

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}
