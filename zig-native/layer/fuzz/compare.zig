//! Two trees, entry by entry: what one driver shows and what the other does.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("../remove.zig").Listing;
const names = @import("../names.zig");
const report = @import("../report.zig");
const sys = @import("../sys.zig");
const xattrs = @import("../xattrs.zig");

const depth_max = 64;
const entries_max = 256;
const content_bytes_max = 4096;

pub const Comparison = struct {
    /// Times of this second and later are those of the test itself.
    since: i64,
    path: [names.path_bytes_max]u8 = undefined,
    path_bytes: usize = 0,

    /// Two open directories. The first difference ends the process with a line that tells it.
    pub fn directories(self: *Comparison, a: i32, b: i32, depth: usize) void {
        if (depth == depth_max) self.differs("depth", .{});
        var kept: Names = .{};
        kept.read(a);
        var others: Names = .{};
        others.read(b);
        for (kept.slice()) |name| if (!others.has(name)) self.differs("only overlay has {f}", .{report.shown(name)});
        for (others.slice()) |name| if (!kept.has(name)) self.differs("only copy has {f}", .{report.shown(name)});
        for (kept.slice()) |name| {
            const before = self.path_bytes;
            const added = std.fmt.bufPrint(self.path[before..], "/{s}", .{name}) catch self.differs("path", .{});
            self.path_bytes += added.len;
            self.entry(a, b, &names.NameZ.init(name), depth);
            self.path_bytes = before;
        }
    }

    fn entry(self: *Comparison, a: i32, b: i32, name: *const names.NameZ, depth: usize) void {
        const left = sys.stat(a, name.ptr()) orelse self.differs("overlay lists it and has it not", .{});
        const right = sys.stat(b, name.ptr()) orelse self.differs("copy lists it and has it not", .{});
        self.metadata(left, right);
        switch (left.mode & linux.S.IFMT) {
            linux.S.IFDIR => {
                const own = open(a, name);
                const other = open(b, name);
                self.attributes(own, other);
                self.directories(own, other, depth + 1);
                _ = linux.close(own);
                _ = linux.close(other);
            },
            linux.S.IFREG => self.contents(a, b, name),
            linux.S.IFLNK => {
                var target: [2][names.path_bytes_max]u8 = undefined;
                const one = linux.readlinkat(a, name.ptr(), &target[0], target[0].len);
                const two = linux.readlinkat(b, name.ptr(), &target[1], target[1].len);
                if (one != two or !std.mem.eql(u8, target[0][0..one], target[1][0..two])) self.differs("link target", .{});
            },
            else => {},
        }
    }

    pub fn metadata(self: *Comparison, left: linux.Statx, right: linux.Statx) void {
        if (left.mode != right.mode) self.differs("mode {o} and {o}", .{ left.mode, right.mode });
        if (left.uid != right.uid or left.gid != right.gid) self.differs("owner {d}:{d} and {d}:{d}", .{ left.uid, left.gid, right.uid, right.gid });
        if (left.rdev_major != right.rdev_major or left.rdev_minor != right.rdev_minor) self.differs("device", .{});
        if (!sys.isDirectory(left) and left.size != right.size) self.differs("size {d} and {d}", .{ left.size, right.size });
        const fresh = left.mtime.sec >= self.since and right.mtime.sec >= self.since;
        const same = left.mtime.sec == right.mtime.sec and left.mtime.nsec == right.mtime.nsec;
        if (!fresh and !same) self.differs("time {d}.{d} and {d}.{d}", .{ left.mtime.sec, left.mtime.nsec, right.mtime.sec, right.mtime.nsec });
    }

    fn contents(self: *Comparison, a: i32, b: i32, name: *const names.NameZ) void {
        var bytes: [2][content_bytes_max]u8 = undefined;
        const own = openFile(a, name);
        const other = openFile(b, name);
        const one = linux.read(own, &bytes[0], content_bytes_max);
        const two = linux.read(other, &bytes[1], content_bytes_max);
        if (one != two or !std.mem.eql(u8, bytes[0][0..one], bytes[1][0..two])) self.differs("contents", .{});
        self.attributes(own, other);
        _ = linux.close(own);
        _ = linux.close(other);
    }

    fn attributes(self: *Comparison, a: i32, b: i32) void {
        var lists: [2][4096]u8 = undefined;
        const one = lists[0][0..linux.flistxattr(a, &lists[0], lists[0].len)];
        const two = lists[1][0..linux.flistxattr(b, &lists[1], lists[1].len)];
        if (!covers(one, two) or !covers(two, one)) self.differs("attributes {f} and {f}", .{ report.shown(one), report.shown(two) });
    }

    fn differs(self: *Comparison, comptime format: []const u8, values: anytype) noreturn {
        var buffer: [512]u8 = undefined;
        const text = std.fmt.bufPrint(&buffer, format, values) catch buffer[0..];
        report.fail(.malformed, "{f}: {s}", .{ report.shown(self.path[0..self.path_bytes]), text });
    }
};

fn covers(list: []const u8, other: []const u8) bool {
    var each = std.mem.tokenizeScalar(u8, list, 0);
    next: while (each.next()) |name| {
        if (xattrs.isOverlays(name)) continue;
        var candidates = std.mem.tokenizeScalar(u8, other, 0);
        while (candidates.next()) |candidate| if (std.mem.eql(u8, candidate, name)) continue :next;
        return false;
    }
    return true;
}

const Names = struct {
    memory: [entries_max * 64]u8 = undefined,
    list: [entries_max][]const u8 = undefined,
    count: usize = 0,

    fn read(self: *Names, fd: i32) void {
        var used: usize = 0;
        var listing: Listing = undefined;
        listing.open(fd);
        while (listing.next()) |name| {
            @memcpy(self.memory[used..][0..name.len], name);
            self.list[self.count] = self.memory[used..][0..name.len];
            self.count += 1;
            used += name.len;
        }
    }

    fn slice(self: *const Names) []const []const u8 {
        return self.list[0..self.count];
    }

    fn has(self: *const Names, name: []const u8) bool {
        for (self.slice()) |candidate| if (std.mem.eql(u8, candidate, name)) return true;
        return false;
    }
};

fn open(parent: i32, name: *const names.NameZ) i32 {
    const fd = sys.openDirectory(parent, name.ptr());
    if (linux.errno(fd) != .SUCCESS) report.failErrno(linux.errno(fd), "cannot open a directory to compare it", .{});
    return @intCast(fd);
}

fn openFile(parent: i32, name: *const names.NameZ) i32 {
    const fd = linux.openat(parent, name.ptr(), .{ .NOFOLLOW = true, .CLOEXEC = true }, 0);
    if (linux.errno(fd) != .SUCCESS) report.failErrno(linux.errno(fd), "cannot open a file to compare it", .{});
    return @intCast(fd);
}
