//! Removing and listing (linux/remove.zig, linux/directory.zig), where what cannot be done is the answer and the end.
const std = @import("std");
const linux = std.os.linux;
const directory = @import("../linux/directory.zig");
const removal = @import("../linux/remove.zig");
const report = @import("report.zig");

/// Remove `name` in `parent`, whatever it is. Not there is fine.
pub fn tree(parent: i32, name: [*:0]const u8) void {
    const failure = removal.tree(std.heap.smp_allocator, parent, name, removal.unlimited) orelse return;
    report.failErrno(failure.errno, "cannot remove {f}", .{report.shown(failure.name())});
}

/// The names in a directory, without "." and "..".
pub const Listing = struct {
    names: directory.Listing,

    pub fn open(self: *Listing, fd: i32) void {
        self.names.open(fd);
    }

    pub fn next(self: *Listing) ?[]const u8 {
        if (self.names.next()) |name| return name;
        if (self.names.errno != .SUCCESS) report.failErrno(self.names.errno, "cannot list a directory", .{});
        return null;
    }
};
