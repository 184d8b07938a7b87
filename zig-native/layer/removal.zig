//! Deletions in a merged tree: all that lower layers brought as a name, or in a directory. Names that this layer brought
//! stay, and the directories that lead to them.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const files = @import("files.zig");
const names = @import("names.zig");
const pax = @import("pax.zig");
const sys = @import("sys.zig");
const Apply = @import("apply.zig").Apply;
const Directory = @import("directories.zig").Directory;
const Listing = @import("remove.zig").Listing;

const shown = report.shown;

pub fn name(apply: *Apply, parent: *Directory, text: []const u8) void {
    var self = Removal.begin(apply, parent);
    self.one(self.top, &names.NameZ.init(text));
    self.end();
}

pub fn children(apply: *Apply, directory: *Directory) void {
    var self = Removal.begin(apply, directory);
    var listing: Listing = undefined;
    listing.open(self.top);
    while (listing.next()) |text| {
        self.path_bytes = self.top_bytes;
        self.one(self.top, &names.NameZ.init(text));
        self.drain();
    }
    self.end();
}

/// A directory that is being emptied: `name` in the one above, `path_bytes` of the path.
const Level = struct { fd: i32, name: names.NameZ, own: bool, mtime: pax.Time, path_bytes: usize, listing: Listing };

const Removal = struct {
    apply: *Apply,
    /// A descriptor of ours: the cache that the directory came from is emptied in the end.
    top: i32,
    top_bytes: usize,
    path: [names.path_bytes_max]u8 = undefined,
    path_bytes: usize,
    levels: std.ArrayList(Level) = .empty,

    fn begin(apply: *Apply, directory: *Directory) Removal {
        apply.pool.idle();
        apply.touch(directory);
        var self: Removal = .{
            .apply = apply,
            .top = sys.duplicate(directory.fd),
            .top_bytes = directory.canonical.len,
            .path_bytes = directory.canonical.len,
        };
        @memcpy(self.path[0..self.top_bytes], directory.canonical);
        return self;
    }

    fn end(self: *Removal) void {
        self.drain();
        _ = linux.close(self.top);
        self.levels.deinit(std.heap.smp_allocator);
        self.apply.directories.forget();
    }

    fn one(self: *Removal, fd: i32, entry: *const names.NameZ) void {
        const text = std.mem.span(entry.ptr());
        const kind = self.apply.seen.get(self.path[0..self.path_bytes], text);
        if (kind == .file) return;
        const found = sys.stat(fd, entry.ptr()) orelse return;
        if (!sys.isDirectory(found)) return files.check(linux.unlinkat(fd, entry.ptr(), 0), "remove", text);
        const child = sys.openDirectory(fd, entry.ptr());
        files.check(child, "open", text);
        self.enter(@intCast(child), entry, kind != null, .{ .seconds = found.mtime.sec, .nanoseconds = found.mtime.nsec });
    }

    fn enter(self: *Removal, fd: i32, entry: *const names.NameZ, own: bool, mtime: pax.Time) void {
        const text = std.mem.span(entry.ptr());
        var buffer: [names.path_bytes_max]u8 = undefined;
        const path = names.join(self.path[0..self.path_bytes], text, &buffer) catch
            report.fail(.malformed, "a path is too long: {f}", .{shown(text)});
        @memcpy(self.path[0..path.len], path);
        self.path_bytes = path.len;
        const level = self.levels.addOne(std.heap.smp_allocator) catch report.fail(.limit, "out of memory", .{});
        level.* = .{ .fd = fd, .name = entry.*, .own = own, .mtime = mtime, .path_bytes = path.len, .listing = undefined };
        level.listing.open(fd);
    }

    fn drain(self: *Removal) void {
        while (self.levels.items.len > 0) {
            const level = &self.levels.items[self.levels.items.len - 1];
            self.path_bytes = level.path_bytes;
            if (level.listing.next()) |text| {
                // A copy: the listing moves when a level is added.
                self.one(level.fd, &names.NameZ.init(text));
            } else self.leave(self.levels.pop().?);
        }
    }

    fn leave(self: *Removal, level: Level) void {
        _ = linux.close(level.fd);
        if (level.own) return;
        const count = self.levels.items.len;
        const parent = if (count == 0) self.top else self.levels.items[count - 1].fd;
        switch (linux.errno(linux.unlinkat(parent, level.name.ptr(), linux.AT.REMOVEDIR))) {
            .SUCCESS => {},
            // What this layer brought is in it.
            .NOTEMPTY, .EXIST => self.apply.keepTime(self.path[0..level.path_bytes], level.mtime),
            else => |e| report.failErrno(e, "cannot remove {f}", .{shown(std.mem.span(level.name.ptr()))}),
        }
    }
};
