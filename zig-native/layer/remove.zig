//! rm -rf beneath an open directory: never follows a link, needs no permission bits (we are root), and copes with trees
//! deeper than any path and than our descriptors.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const names = @import("names.zig");
const sys = @import("sys.zig");

/// Deeper directories are moved up to the top and come later: constant descriptors and stack.
const depth_max = 64;

/// The names in a directory, without "." and "..". Reads a page at a time from its own offset, so that entries may be
/// removed while listing.
pub const Listing = struct {
    fd: i32,
    buffer: [2048]u8 align(8),
    start: usize,
    end: usize,

    pub fn open(self: *Listing, fd: i32) void {
        self.fd = fd;
        self.start = 0;
        self.end = 0;
        _ = linux.lseek(fd, 0, linux.SEEK.SET);
    }

    pub fn next(self: *Listing) ?[]const u8 {
        while (true) {
            if (self.start == self.end) {
                const got = linux.getdents64(self.fd, &self.buffer, self.buffer.len);
                if (linux.errno(got) != .SUCCESS) report.failErrno(linux.errno(got), "cannot list a directory", .{});
                if (got == 0) return null;
                self.start = 0;
                self.end = got;
            }
            const found: *align(1) linux.dirent64 = @ptrCast(&self.buffer[self.start]);
            const name_z: [*:0]const u8 = @ptrCast(&self.buffer[self.start + @offsetOf(linux.dirent64, "name")]);
            self.start += found.reclen;
            const name = std.mem.span(name_z);
            if (!std.mem.eql(u8, name, ".") and !std.mem.eql(u8, name, "..")) return name;
        }
    }
};

/// Remove `name` in `parent`, whatever it is. Not there is fine.
pub fn tree(parent: i32, name: [*:0]const u8) void {
    if (unlinked(parent, name)) return;
    const top = openForRemoval(parent, name) orelse return;
    defer _ = linux.close(top);
    children(top);
    removeDirectory(parent, name);
}

/// A directory that is being emptied: `name` in the one above.
const Level = struct { fd: i32, name: names.NameZ, listing: Listing, found: usize };

fn children(top: i32) void {
    var levels: std.ArrayList(Level) = .empty;
    defer levels.deinit(std.heap.smp_allocator);
    enter(&levels, top, names.NameZ.init(""));
    while (true) {
        const level = &levels.items[levels.items.len - 1];
        if (level.listing.next()) |name| {
            level.found += 1;
            // A copy: the listing moves when a level is added.
            const name_z = names.NameZ.init(name);
            if (unlinked(level.fd, name_z.ptr())) continue;
            if (levels.items.len > depth_max and movedUp(top, level.fd, name_z.ptr())) continue;
            if (openForRemoval(level.fd, name_z.ptr())) |child| enter(&levels, child, name_z);
        } else if (level.found > 0) {
            // Again until nothing is listed: some file systems skip entries when others are removed meanwhile, and
            // directories may have been moved up here.
            level.found = 0;
            level.listing.open(level.fd);
        } else {
            const done = levels.pop().?;
            if (levels.items.len == 0) return;
            _ = linux.close(done.fd);
            removeDirectory(levels.items[levels.items.len - 1].fd, done.name.ptr());
        }
    }
}

fn enter(levels: *std.ArrayList(Level), fd: i32, name: names.NameZ) void {
    if (levels.items.len > names.depth_max) report.fail(.limit, "directories are more than {d} deep", .{names.depth_max});
    const level = levels.addOne(std.heap.smp_allocator) catch report.fail(.limit, "out of memory", .{});
    level.fd = fd;
    level.name = name;
    level.found = 0;
    level.listing.open(fd);
}

/// False: it is a directory.
fn unlinked(fd: i32, name: [*:0]const u8) bool {
    return switch (linux.errno(linux.unlinkat(fd, name, 0))) {
        .SUCCESS, .NOENT => true,
        .ISDIR, .PERM => false,
        else => |e| fail(e, name),
    };
}

var moved_total: u64 = 0;

/// False: overlay moves no directory of a lower layer. Those are no deeper than a path of an archive.
fn movedUp(top: i32, fd: i32, name: [*:0]const u8) bool {
    while (true) {
        var buffer: [64]u8 = undefined;
        const target = std.fmt.bufPrintZ(&buffer, ".rt-removed-{d}", .{moved_total}) catch unreachable; // fits
        moved_total += 1;
        switch (linux.errno(linux.renameat2(fd, name, top, target.ptr, .{ .NOREPLACE = true }))) {
            .SUCCESS => return true,
            .EXIST => {},
            .XDEV => return false,
            else => |e| fail(e, name),
        }
    }
}

fn openForRemoval(parent: i32, name: [*:0]const u8) ?i32 {
    const fd = sys.openDirectory(parent, name);
    return switch (linux.errno(fd)) {
        .SUCCESS => @intCast(fd),
        .NOENT => null,
        else => |e| fail(e, name),
    };
}

fn removeDirectory(parent: i32, name: [*:0]const u8) void {
    switch (linux.errno(linux.unlinkat(parent, name, linux.AT.REMOVEDIR))) {
        .SUCCESS, .NOENT => {},
        else => |e| fail(e, name),
    }
}

fn fail(e: linux.E, name: [*:0]const u8) noreturn {
    report.failErrno(e, "cannot remove {f}", .{report.shown(std.mem.span(name))});
}
