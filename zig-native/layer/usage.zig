//! How much a tree takes: allocated bytes and inodes, a file with several names once.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("remove.zig").Listing;
const names = @import("names.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

/// Each level is a stack frame and a descriptor.
const depth_max = 2000;

pub const Usage = struct {
    bytes: u64 = 0,
    inodes: u64 = 0,
    linked: std.AutoHashMapUnmanaged(u64, void) = .empty,

    /// Everything below an open directory, which itself does not count.
    pub fn add(self: *Usage, fd: i32, depth: usize) void {
        if (depth == depth_max) report.fail(.limit, "directories are too deep", .{});
        var listing: Listing = undefined;
        listing.open(fd);
        while (listing.next()) |name| {
            const name_z = names.NameZ.init(name);
            const s = sys.stat(fd, name_z.ptr()) orelse continue; // gone since it was listed
            if (!sys.isDirectory(s) and s.nlink > 1) {
                const slot = self.linked.getOrPut(std.heap.page_allocator, s.ino) catch report.fail(.limit, "out of memory", .{});
                if (slot.found_existing) continue;
            }
            self.bytes += s.blocks * 512;
            self.inodes += 1;
            if (!sys.isDirectory(s)) continue;
            const child = sys.openDirectory(fd, name_z.ptr());
            if (linux.errno(child) != .SUCCESS) continue; // gone, or not a directory any more
            self.add(@intCast(child), depth + 1);
            _ = linux.close(@intCast(child));
        }
    }
};
