//! The names in one directory, or in two, each once and in the order of their bytes: whatever the file system lists them in,
//! the same tree is told of in the same order.
const std = @import("std");
const Listing = @import("remove.zig").Listing;
const report = @import("report.zig");

/// Of all directories that are open at once; a directory of a million files needs a tenth.
const bytes_max = 256 * 1024 * 1024;
var bytes_held: usize = 0;

pub const SortedNames = struct {
    bytes: std.ArrayList(u8) = .empty,
    /// Where each begins in `bytes`; a NUL ends it.
    starts: std.ArrayList(u32) = .empty,
    at: usize = 0,

    pub fn read(self: *SortedNames, directory: i32) void {
        var listing: Listing = undefined;
        listing.open(directory);
        while (listing.next()) |name| self.add(name);
    }

    fn add(self: *SortedNames, name: []const u8) void {
        bytes_held += name.len + 1 + @sizeOf(u32);
        if (bytes_held > bytes_max) report.fail(.limit, "directories with too many names", .{});
        self.starts.append(std.heap.smp_allocator, @intCast(self.bytes.items.len)) catch outOfMemory();
        self.bytes.appendSlice(std.heap.smp_allocator, name) catch outOfMemory();
        self.bytes.append(std.heap.smp_allocator, 0) catch outOfMemory();
    }

    pub fn sort(self: *SortedNames) void {
        std.mem.sortUnstable(u32, self.starts.items, self.bytes.items, isBefore);
    }

    fn isBefore(bytes: []const u8, a: u32, b: u32) bool {
        return std.mem.order(u8, nameAt(bytes, a), nameAt(bytes, b)) == .lt;
    }

    fn nameAt(bytes: []const u8, start: u32) [:0]const u8 {
        return std.mem.span(@as([*:0]const u8, @ptrCast(bytes[start..].ptr)));
    }

    /// Lives until `deinit`.
    pub fn next(self: *SortedNames) ?[:0]const u8 {
        while (self.at < self.starts.items.len) {
            const name = nameAt(self.bytes.items, self.starts.items[self.at]);
            const is_again = self.at > 0 and std.mem.eql(u8, name, nameAt(self.bytes.items, self.starts.items[self.at - 1]));
            self.at += 1;
            if (!is_again) return name;
        }
        return null;
    }

    pub fn deinit(self: *SortedNames) void {
        bytes_held -= self.bytes.items.len + self.starts.items.len * @sizeOf(u32);
        self.bytes.deinit(std.heap.smp_allocator);
        self.starts.deinit(std.heap.smp_allocator);
    }
};

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}

test "each once, by its bytes" {
    var names: SortedNames = .{};
    defer names.deinit();
    for ([_][]const u8{ "b", "\xff", "a", "B", "b", "a.b", "a" }) |name| names.add(name);
    names.sort();
    for ([_][]const u8{ "B", "a", "a.b", "b", "\xff" }) |want| try std.testing.expectEqualStrings(want, names.next().?);
    try std.testing.expectEqual(null, names.next());
}
