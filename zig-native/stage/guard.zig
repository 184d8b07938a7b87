//! What of the kernel's no other mount may cover, wherever a link of the image leads that mount: everything that trusts the
//! kernel's files (masks, security labels, the program itself) would be told lies.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const path = @import("../linux/path.zig");

const Guard = @This();

/// A mount of ours at or below /proc, /sys or /dev, by its kernel's number.
const Place = struct { mount: u64, top: []const u8 };

places: std.ArrayList(Place) = .empty,

/// `tree` was mounted at `destination`, which is tidy. Elsewhere, or a tmpfs like /dev/shm, it needs no guard.
pub fn note(self: *Guard, arena: std.mem.Allocator, destination: []const u8, kind: []const u8, tree: i32) fault.AllocError!void {
    if (std.mem.eql(u8, kind, "tmpfs") and !std.mem.eql(u8, destination, "/dev")) return;
    const info = path.stat(tree) orelse return;
    for ([_][]const u8{ "/proc", "/sys", "/dev" }) |top| {
        if (isBelow(destination, top)) try self.places.append(arena, .{ .mount = info.mount, .top = top });
    }
}

/// May `tree` be mounted at `destination`? `target` is where that would really land.
pub fn check(self: *const Guard, arena: std.mem.Allocator, destination: []const u8, target: i32, tree: i32) fault.AllocError!void {
    const name = try path.tidy(arena, destination);
    const info = path.stat(target) orelse return fault.fail(.mount, .IO, "stat {s}", .{destination});
    const source = path.fileSystem(tree);
    const covered = path.fileSystem(target);
    if ((std.mem.eql(u8, name, "/proc") or covered == path.magic_proc) and source != path.magic_proc) {
        for (replaceable) |file| if (std.mem.eql(u8, file, name) and info.kind == .regular) return;
        return fault.fail(.mount, .PERM, "mount {s}: /proc cannot be covered", .{destination});
    }
    const covers_sys = std.mem.eql(u8, name, "/sys") or (covered == path.magic_sysfs and info.mount_root);
    if (covers_sys and source != path.magic_sysfs) return fault.fail(.mount, .PERM, "mount {s}: /sys cannot be covered", .{destination});
    for (self.places.items) |place| {
        if (place.mount == info.mount and !isBelow(name, place.top))
            return fault.fail(.mount, .PERM, "mount {s}: a link leads from there into {s}", .{ destination, place.top });
    }
}

/// Files of /proc that lxcfs and the like replace.
const replaceable = [_][]const u8{
    "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",  "/proc/stat",    "/proc/swaps",
    "/proc/uptime",  "/proc/loadavg",   "/proc/slabinfo", "/proc/net/dev",
};

fn isBelow(name: []const u8, top: []const u8) bool {
    return std.mem.startsWith(u8, name, top) and (name.len == top.len or name[top.len] == '/');
}

test isBelow {
    try std.testing.expect(isBelow("/sys", "/sys") and isBelow("/sys/kernel", "/sys"));
    try std.testing.expect(!isBelow("/system", "/sys") and !isBelow("/x/sys", "/sys"));
}
