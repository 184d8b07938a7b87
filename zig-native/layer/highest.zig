//! `owners`: the highest user and the highest group that anything in a tree belongs to, and a path of each: what the maps of a
//! container's user namespace have to have. Nobody (65534) is in none, and is what the kernel shows where nothing fits.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("remove.zig").Listing;
const Request = @import("request.zig").Request;
const confine = @import("confine.zig");
const names = @import("names.zig");
const owners = @import("owners.zig");
const place = @import("place.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

pub fn run(request: Request) noreturn {
    const tree = place.openPath(request.need("path"));
    confine.enter(tree, &confine.looking);
    walk.see(sys.statFd(tree));
    walk.below(tree);
    report.succeed(",\"uid\":{d},\"uidPath\":\"{f}\",\"gid\":{d},\"gidPath\":\"{f}\"", .{
        walk.uid.id, report.quoted(walk.uid.path()), walk.gid.id, report.quoted(walk.gid.path()),
    });
}

const Highest = struct {
    id: u32 = 0,
    text: [path_bytes_max]u8 = undefined,
    bytes: usize = 0,

    fn path(self: *const Highest) []const u8 {
        return if (self.bytes == 0) "/" else self.text[0..self.bytes];
    }

    fn note(self: *Highest, id: u32, at: []const u8) void {
        if (id <= self.id or id == owners.nobody) return;
        self.id = id;
        self.bytes = @min(at.len, self.text.len);
        @memcpy(self.text[0..self.bytes], at[0..self.bytes]);
    }
};

/// For people: the end of a long one says less than its beginning.
const path_bytes_max = 200;

const Level = struct { fd: i32, path_bytes: usize, listing: Listing };

// Large, and one of each: not on a stack.
var walk: Walk = .{};

const Walk = struct {
    uid: Highest = .{},
    gid: Highest = .{},
    path: [path_bytes_max]u8 = undefined,
    path_bytes: usize = 0,
    levels: std.ArrayList(Level) = .empty,

    fn see(self: *Walk, s: linux.Statx) void {
        self.uid.note(s.uid, self.path[0..self.path_bytes]);
        self.gid.note(s.gid, self.path[0..self.path_bytes]);
    }

    fn below(self: *Walk, top: i32) void {
        self.enter(top);
        while (self.levels.items.len > 0) {
            const level = &self.levels.items[self.levels.items.len - 1];
            self.path_bytes = level.path_bytes;
            if (level.listing.next()) |name| self.one(level.fd, name) else _ = linux.close(self.levels.pop().?.fd);
        }
    }

    fn one(self: *Walk, fd: i32, name: []const u8) void {
        const name_z = names.NameZ.init(name);
        const s = sys.stat(fd, name_z.ptr()) orelse return; // gone since it was listed
        self.push(name);
        // A deletion belongs to nobody that a container could see.
        if (!sys.isWhiteout(s)) self.see(s);
        if (!sys.isDirectory(s)) return;
        const child = sys.openDirectory(fd, name_z.ptr());
        if (linux.errno(child) == .SUCCESS) self.enter(@intCast(child));
    }

    /// As far as there is room for it.
    fn push(self: *Walk, name: []const u8) void {
        for ([_][]const u8{ "/", name }) |part| {
            const length = @min(part.len, self.path.len - self.path_bytes);
            @memcpy(self.path[self.path_bytes..][0..length], part[0..length]);
            self.path_bytes += length;
        }
    }

    fn enter(self: *Walk, fd: i32) void {
        if (self.levels.items.len > names.depth_max) report.fail(.limit, "directories are more than {d} deep", .{names.depth_max});
        const level = self.levels.addOne(std.heap.smp_allocator) catch report.fail(.limit, "out of memory", .{});
        level.fd = fd;
        level.path_bytes = self.path_bytes;
        level.listing.open(fd);
    }
};
