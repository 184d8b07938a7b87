//! Everything that is committed goes to the disk and is marked: why, is told in src/snapshot/boot.ts.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("remove.zig").Listing;
const names = @import("names.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

const mark = "durable";

/// Trees committed while we sync are not marked: only what was there before.
pub fn run(committed: i32) noreturn {
    var arena: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    var pending: std.ArrayList(names.NameZ) = .empty;
    var listing: Listing = undefined;
    listing.open(committed);
    while (listing.next()) |name| {
        const name_z = names.NameZ.init(name);
        if (isMarked(committed, &name_z)) continue;
        pending.append(arena.allocator(), name_z) catch report.fail(.limit, "out of memory", .{});
    }
    if (pending.items.len > 0) check(linux.syncfs(committed), "write the snapshots to the disk");
    for (pending.items) |*name| makeMark(committed, name);
    report.succeed(",\"settled\":{d}", .{pending.items.len});
}

fn isMarked(committed: i32, name: *const names.NameZ) bool {
    const fd = sys.openDirectory(committed, name.ptr());
    if (linux.errno(fd) != .SUCCESS) return true; // removed meanwhile
    defer _ = linux.close(@intCast(fd));
    return sys.stat(@intCast(fd), mark) != null;
}

fn makeMark(committed: i32, name: *const names.NameZ) void {
    const fd = sys.openDirectory(committed, name.ptr());
    if (linux.errno(fd) != .SUCCESS) return; // removed meanwhile
    defer _ = linux.close(@intCast(fd));
    const file = linux.openat(@intCast(fd), mark, .{ .ACCMODE = .WRONLY, .CREAT = true, .CLOEXEC = true, .NOFOLLOW = true }, 0o600);
    check(file, "mark a snapshot");
    _ = linux.close(@intCast(file));
}

fn check(rc: usize, comptime what: []const u8) void {
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot " ++ what, .{});
}
