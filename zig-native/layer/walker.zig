//! The slow way from a path to a directory: one component at a time, links followed inside the root, missing directories
//! made on the way (`var/run -> /run` with a file in it makes `run`).
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const names = @import("names.zig");
const files = @import("files.zig");
const sys = @import("sys.zig");
const whiteout = @import("whiteout.zig");
const xattrs = @import("xattrs.zig");
const Directories = @import("directories.zig").Directories;
const Need = @import("directories.zig").Need;

const shown = report.shown;
const links_max = 40;

pub const Walker = struct {
    owner: *Directories,
    /// The directory that `canonical` names; ours to close.
    fd: i32,
    canonical: [names.path_bytes_max]u8 = undefined,
    canonical_bytes: usize = 0,
    /// What is left to walk, from `start` on: link targets are put in front.
    rest: [4 * names.path_bytes_max]u8 = undefined,
    start: usize = 4 * names.path_bytes_max,
    links: usize = 0,
    /// The directory where we are was made on this way.
    made: bool = false,

    /// Null: missing, or something that is not a directory is in the way.
    pub fn walk(self: *Walker, path: []const u8, need: Need) ?i32 {
        self.push(path);
        while (self.take()) |part| {
            if (self.step(part, need)) continue;
            _ = linux.close(self.fd);
            return null;
        }
        return self.fd;
    }

    pub fn here(self: *const Walker) []const u8 {
        return self.canonical[0..self.canonical_bytes];
    }

    fn push(self: *Walker, text: []const u8) void {
        if (text.len + 1 > self.start) report.fail(.malformed, "symbolic links make too long a path", .{});
        if (self.start < self.rest.len) {
            self.start -= 1;
            self.rest[self.start] = '/';
        }
        self.start -= text.len;
        @memcpy(self.rest[self.start..][0..text.len], text);
    }

    fn take(self: *Walker) ?[]const u8 {
        while (self.start < self.rest.len and self.rest[self.start] == '/') self.start += 1;
        if (self.start == self.rest.len) return null;
        const end = std.mem.indexOfScalarPos(u8, &self.rest, self.start, '/') orelse self.rest.len;
        defer self.start = end;
        return self.rest[self.start..end];
    }

    fn step(self: *Walker, part: []const u8, need: Need) bool {
        if (std.mem.eql(u8, part, ".")) return true;
        if (std.mem.eql(u8, part, "..")) {
            // With the layers below in sight it may not have been made, and a later whiteout of it means something else.
            if (self.made and self.owner.blind) report.fail(
                .conflict,
                "a link leads through {f}, which this layer has not",
                .{shown(self.here())},
            );
            self.reopen(std.mem.lastIndexOfScalar(u8, self.here(), '/') orelse 0);
            return true;
        }
        if (part.len > names.name_bytes_max) report.fail(.malformed, "a name in a path is too long: {f}", .{shown(part)});
        const name = names.NameZ.init(part);
        // A file of this name may be on its way.
        if (self.owner.seen.get(self.here(), part)) |kind| if (kind == .file) self.owner.pool.idle();
        var fd = sys.openDirectory(self.fd, name.ptr());
        switch (linux.errno(fd)) {
            .SUCCESS => self.made = false,
            .NOENT => {
                if (need == .existing) return false;
                fd = self.make(&name, part);
                self.made = true;
            },
            .NOTDIR, .LOOP => {
                if (self.follow(&name)) return true;
                if (need == .existing or !self.replace(&name, part)) return false;
                fd = self.make(&name, part);
                self.made = true;
            },
            else => |e| report.failErrno(e, "cannot open {f}", .{shown(part)}),
        }
        self.enter(part, @intCast(fd));
        return true;
    }

    fn enter(self: *Walker, part: []const u8, fd: i32) void {
        _ = linux.close(self.fd);
        self.fd = fd;
        if (self.canonical_bytes + part.len + 1 >= self.canonical.len) tooLong(part);
        if (self.canonical_bytes > 0) {
            self.canonical[self.canonical_bytes] = '/';
            self.canonical_bytes += 1;
        }
        @memcpy(self.canonical[self.canonical_bytes..][0..part.len], part);
        self.canonical_bytes += part.len;
    }

    fn make(self: *Walker, name: *const names.NameZ, part: []const u8) usize {
        var buffer: [names.path_bytes_max]u8 = undefined;
        const path = names.join(self.here(), part, &buffer) catch tooLong(part);
        const before = self.owner.seen.get(self.here(), part);
        self.owner.on_change(self.fd, self.here());
        const made = linux.mkdirat(self.fd, name.ptr(), 0o755);
        if (linux.errno(made) != .SUCCESS) report.failErrno(linux.errno(made), "cannot create {f}", .{shown(part)});
        const fd = sys.openDirectory(self.fd, name.ptr());
        files.check(fd, "open", part);
        if (sys.inherits(self.fd, true)) plain(@intCast(fd), path);
        if (whiteout.hides(self.owner, before, path)) whiteout.setOpaque(self.owner, @intCast(fd), path);
        // Then no lower layer says what it looks like.
        const hidden = before == .whiteout or whiteout.hiddenAbove(self.owner, path);
        self.owner.seen.put(self.here(), part, if (hidden) .directory else .implied_directory);
        if (!hidden) self.owner.on_implied(path);
        return fd;
    }

    /// Whatever the directory around it gives to new ones.
    fn plain(fd: i32, path: []const u8) void {
        files.setOwnerAndMode(fd, true, .{ .mode = 0o755, .uid = 0, .gid = 0 }, 0, path);
        xattrs.clear(fd, path);
    }

    /// Not a directory: a link is followed, inside the root.
    fn follow(self: *Walker, name: *const names.NameZ) bool {
        var target: [names.path_bytes_max]u8 = undefined;
        const length = linux.readlinkat(self.fd, name.ptr(), &target, target.len);
        if (linux.errno(length) != .SUCCESS) return false;
        self.links += 1;
        if (self.links > links_max) report.fail(.malformed, "too many symbolic links in a path", .{});
        self.push(target[0..length]);
        if (target[0] == '/') self.reopen(0);
        return true;
    }

    /// What a lower layer has in the way of a directory goes, as for docker and containerd. False: this layer brought it.
    fn replace(self: *Walker, name: *const names.NameZ, part: []const u8) bool {
        if (self.owner.seen.get(self.here(), part) != null) return false;
        self.owner.on_change(self.fd, self.here());
        files.check(linux.unlinkat(self.fd, name.ptr(), 0), "replace", part);
        return true;
    }

    /// Go to the directory that the first `length` bytes of the canonical path name: no links are in it.
    fn reopen(self: *Walker, length: usize) void {
        const fd = self.owner.openDirect(self.canonical[0..length]) orelse
            report.fail(.malformed, "a directory vanished while its path was walked", .{});
        _ = linux.close(self.fd);
        self.fd = fd;
        self.made = false;
        self.canonical_bytes = length;
    }
};

fn tooLong(part: []const u8) noreturn {
    report.fail(.malformed, "a path is too long: {f}", .{shown(part)});
}
