//! rm -rf by descriptors: a link that is put in the way leads nowhere. It needs no permission bits (we are root), and copes
//! with trees deeper than any path and than our descriptors: a container may nest directories without end.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("directory.zig").Listing;

/// Deeper directories are moved up to the top and come later: constant descriptors and stack.
const depth_max = 64;
/// Where they cannot be moved: overlay moves no directory of a lower layer. Those are no deeper than a path.
const levels_max = linux.PATH_MAX / 2;

/// Of `names_max`.
pub const unlimited = std.math.maxInt(u64);

pub const Failure = struct {
    errno: linux.E,
    buffer: [linux.NAME_MAX + 1]u8,
    length: usize,

    /// What could not be removed.
    pub fn name(self: *const Failure) []const u8 {
        return self.buffer[0..self.length];
    }
};

/// A directory that is being emptied: `name` in the one above.
const Level = struct { fd: i32, name: [linux.NAME_MAX + 1]u8, listing: Listing, found: usize };

/// Remove `name` in `parent`, whatever it is; not there is fine. The first thing that could not be removed, if any. More than
/// `levels_max` directories one in the other that cannot be moved are LOOP; AGAIN: there were more than `names_max` names, and
/// some are left.
pub fn tree(allocator: std.mem.Allocator, parent: i32, name: [*:0]const u8, names_max: u64) ?Failure {
    var removal: Removal = .{ .allocator = allocator, .names_left = names_max };
    removal.remove(parent, name) catch {
        return removal.failure;
    };
    return null;
}

const Removal = struct {
    allocator: std.mem.Allocator,
    levels: std.ArrayList(Level) = .empty,
    names_left: u64,
    moved: u64 = 0,
    failure: Failure = undefined,

    fn remove(self: *Removal, parent: i32, name: [*:0]const u8) error{Failed}!void {
        if (try self.removed(parent, name)) return;
        const top = try self.openDirectory(parent, name) orelse return;
        defer _ = linux.close(top);
        defer self.levels.deinit(self.allocator);
        errdefer for (self.levels.items) |level| if (level.fd != top) {
            _ = linux.close(level.fd);
        };
        try self.empty(top);
        try self.removeDirectory(parent, name);
    }

    fn empty(self: *Removal, top: i32) error{Failed}!void {
        try self.enter(top, "");
        while (true) {
            const level = &self.levels.items[self.levels.items.len - 1];
            if (level.listing.next()) |name| {
                level.found += 1;
                if (try self.removed(level.fd, name)) continue;
                if (self.levels.items.len > depth_max and try self.movedUp(top, level.fd, name)) continue;
                if (try self.openDirectory(level.fd, name)) |child| try self.enter(child, name);
            } else if (level.listing.errno != .SUCCESS) {
                return self.fail(level.listing.errno, @ptrCast(&level.name));
            } else if (level.found > 0) {
                // Again until nothing is listed: some file systems skip entries when others are removed meanwhile, and
                // directories may have been moved up here.
                level.found = 0;
                level.listing.open(level.fd);
            } else {
                const done = self.levels.pop().?;
                if (self.levels.items.len == 0) return;
                _ = linux.close(done.fd);
                try self.removeDirectory(self.levels.items[self.levels.items.len - 1].fd, @ptrCast(&done.name));
            }
        }
    }

    /// `fd` is ours to close from here on.
    fn enter(self: *Removal, fd: i32, name: [:0]const u8) error{Failed}!void {
        errdefer _ = if (self.levels.items.len > 0) linux.close(fd);
        if (self.levels.items.len > levels_max) return self.fail(.LOOP, name);
        var copy: [linux.NAME_MAX + 1]u8 = undefined;
        if (name.len >= copy.len) return self.fail(.NAMETOOLONG, name);
        // A copy: the listing that it is from moves when a level is added.
        @memcpy(copy[0 .. name.len + 1], name[0 .. name.len + 1]);
        const level = self.levels.addOne(self.allocator) catch return self.fail(.NOMEM, @ptrCast(&copy));
        level.fd = fd;
        level.name = copy;
        level.found = 0;
        level.listing.open(fd);
    }

    /// False: it is a directory with something in it. (A mount point is busy, and what is mounted there is not ours to empty.)
    fn removed(self: *Removal, parent: i32, name: [*:0]const u8) error{Failed}!bool {
        if (self.names_left == 0) return self.fail(.AGAIN, name);
        self.names_left -= 1;
        const plain = linux.errno(linux.unlinkat(parent, name, 0));
        switch (plain) {
            .SUCCESS, .NOENT => return true,
            .ISDIR, .PERM => {},
            else => return self.fail(plain, name),
        }
        // Most are empty: overlay's work directories, a fresh upper.
        return switch (linux.errno(linux.unlinkat(parent, name, linux.AT.REMOVEDIR))) {
            .SUCCESS, .NOENT => true,
            .NOTEMPTY, .EXIST => false,
            .NOTDIR => self.fail(plain, name),
            else => |errno| self.fail(errno, name),
        };
    }

    /// False: where it is, it cannot be moved.
    fn movedUp(self: *Removal, top: i32, parent: i32, name: [*:0]const u8) error{Failed}!bool {
        while (true) {
            var buffer: [64]u8 = undefined;
            const target = std.fmt.bufPrintZ(&buffer, ".rt-removed-{d}", .{self.moved}) catch unreachable; // fits
            self.moved += 1;
            switch (linux.errno(linux.renameat2(parent, name, top, target, .{ .NOREPLACE = true }))) {
                .SUCCESS, .NOENT => return true,
                .EXIST => {},
                .XDEV => return false,
                else => |errno| return self.fail(errno, name),
            }
        }
    }

    /// Null: two may remove the same tree, and what the other has taken is done.
    fn openDirectory(self: *Removal, parent: i32, name: [*:0]const u8) error{Failed}!?i32 {
        const fd = linux.openat(parent, name, .{ .DIRECTORY = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
        return switch (linux.errno(fd)) {
            .SUCCESS => @intCast(fd),
            .NOENT => null,
            else => |errno| self.fail(errno, name),
        };
    }

    fn removeDirectory(self: *Removal, parent: i32, name: [*:0]const u8) error{Failed}!void {
        switch (linux.errno(linux.unlinkat(parent, name, linux.AT.REMOVEDIR))) {
            .SUCCESS, .NOENT => {},
            else => |errno| return self.fail(errno, name),
        }
    }

    fn fail(self: *Removal, errno: linux.E, name: [*:0]const u8) error{Failed} {
        const text = std.mem.span(name);
        self.failure.errno = errno;
        self.failure.length = @min(text.len, self.failure.buffer.len);
        @memcpy(self.failure.buffer[0..self.failure.length], text[0..self.failure.length]);
        return error.Failed;
    }
};

test "a tree deeper than our levels, links out of it, and what is not there" {
    var buffer: [64]u8 = undefined;
    const top = try std.fmt.bufPrintZ(&buffer, "/tmp/rt-remove-test-{d}", .{linux.getpid()});
    try std.testing.expectEqual(.SUCCESS, linux.errno(linux.mkdir(top, 0o700)));
    var here: i32 = @intCast(linux.open(top, .{ .PATH = true, .CLOEXEC = true }, 0));
    for (0..3 * depth_max) |_| {
        _ = linux.mkdirat(here, "d", 0o700);
        _ = linux.symlinkat("/", here, "link");
        const below: i32 = @intCast(linux.openat(here, "d", .{ .PATH = true, .CLOEXEC = true }, 0));
        _ = linux.close(here);
        here = below;
    }
    _ = linux.close(here);
    try std.testing.expectEqual(.AGAIN, tree(std.testing.allocator, linux.AT.FDCWD, top, 10).?.errno);
    try std.testing.expectEqual(null, tree(std.testing.allocator, linux.AT.FDCWD, top, unlimited));
    try std.testing.expectEqual(.NOENT, linux.errno(linux.rmdir(top)));
    try std.testing.expectEqual(null, tree(std.testing.allocator, linux.AT.FDCWD, top, unlimited));
    try std.testing.expectEqual(.NOTDIR, tree(std.testing.allocator, linux.AT.FDCWD, "/proc/version/x", unlimited).?.errno);
}
