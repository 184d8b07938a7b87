//! How much a tree takes: allocated bytes and inodes, a file with several names once. A container may nest directories without
//! end; what no path can name is not counted, so that nobody's listing ends at it.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("remove.zig").Listing;
const names = @import("names.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

const Level = struct { fd: i32, listing: Listing };

pub const Usage = struct {
    bytes: u64 = 0,
    inodes: u64 = 0,
    linked: std.AutoHashMapUnmanaged(u64, void) = .empty,
    levels: std.ArrayList(Level) = .empty,

    /// Everything below an open directory, which itself does not count.
    pub fn add(self: *Usage, top: i32) void {
        self.enter(top);
        while (true) {
            const level = &self.levels.items[self.levels.items.len - 1];
            if (level.listing.next()) |name| {
                self.one(level.fd, &names.NameZ.init(name));
            } else {
                const done = self.levels.pop().?;
                if (self.levels.items.len == 0) return;
                _ = linux.close(done.fd);
            }
        }
    }

    fn one(self: *Usage, fd: i32, name: *const names.NameZ) void {
        const s = sys.stat(fd, name.ptr()) orelse return; // gone since it was listed
        if (!sys.isDirectory(s) and s.nlink > 1) {
            const slot = self.linked.getOrPut(std.heap.page_allocator, s.ino) catch outOfMemory();
            if (slot.found_existing) return;
        }
        self.bytes += s.blocks * 512;
        self.inodes += 1;
        if (!sys.isDirectory(s)) return;
        const child = sys.openDirectory(fd, name.ptr());
        if (linux.errno(child) == .SUCCESS) self.enter(@intCast(child)); // else gone, or not a directory any more
    }

    fn enter(self: *Usage, fd: i32) void {
        if (self.levels.items.len > names.depth_max) {
            _ = linux.close(fd);
            return;
        }
        const level = self.levels.addOne(std.heap.smp_allocator) catch outOfMemory();
        level.fd = fd;
        level.listing.open(fd);
    }
};

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}
