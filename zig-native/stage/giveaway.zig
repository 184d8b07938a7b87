//! `U`: all of a tree goes to the container's user. The tree may be in use by others who move and link in it all the while: it is
//! walked on descriptors, a component at a time, no link is followed, and what is mounted in it is left alone. What belongs to
//! the user already is not touched.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("../linux/directory.zig").Listing;
const fault = @import("../wire/fault.zig");
const path = @import("../linux/path.zig");

/// One descriptor and a page for each.
const depth_max = 512;

const Level = struct { fd: i32, listing: Listing };

const Owner = struct { uid: u32, gid: u32 };

/// A descriptor of what is to be given away, from where the tree can be written to. -1 where there is none.
pub fn open(directory: i32) i32 {
    const readable = linux.openat(directory, ".", .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(readable) == .SUCCESS) return @intCast(readable);
    const same = linux.fcntl(directory, linux.F.DUPFD_CLOEXEC, 3); // a file
    return if (linux.errno(same) == .SUCCESS) @intCast(same) else -1;
}

/// `top` is closed.
pub fn tree(top: i32, uid: u32, gid: u32) fault.AllocError!void {
    const owner: Owner = .{ .uid = uid, .gid = gid };
    const info = attributesOf(top, "") orelse return fault.fail(.mount, .IO, "stat what U gives away", .{});
    try give(top, "", info, owner);
    var levels: std.ArrayList(Level) = .empty;
    defer levels.deinit(std.heap.page_allocator);
    defer for (levels.items) |level| {
        _ = linux.close(level.fd);
    };
    if (info.mode & linux.S.IFMT != linux.S.IFDIR) {
        _ = linux.close(top);
        return;
    }
    try enter(&levels, top);
    while (levels.items.len > 0) {
        const level = &levels.items[levels.items.len - 1];
        const name = level.listing.next() orelse {
            if (level.listing.errno != .SUCCESS) return fault.fail(.mount, level.listing.errno, "list what U gives away", .{});
            _ = linux.close(levels.pop().?.fd);
            continue;
        };
        const found = attributesOf(level.fd, name) orelse continue; // gone since it was listed
        if (isMounted(found)) continue;
        try give(level.fd, name, found, owner);
        if (found.mode & linux.S.IFMT != linux.S.IFDIR) continue;
        const within = path.beneath | path.no_symlinks | path.no_magic_links | path.no_cross_mount;
        const child = path.open(level.fd, name, .{ .DIRECTORY = true, .NOFOLLOW = true, .CLOEXEC = true }, 0, within);
        switch (linux.errno(child)) {
            .SUCCESS => try enter(&levels, @intCast(child)),
            // Others have put something else there.
            .NOENT, .NOTDIR, .LOOP, .XDEV => {},
            else => |errno| return fault.fail(.mount, errno, "open {s} to give it away", .{name}),
        }
    }
}

fn enter(levels: *std.ArrayList(Level), fd: i32) fault.AllocError!void {
    if (levels.items.len == depth_max)
        return fault.fail(.mount, .SUCCESS, "U: directories are more than {d} deep", .{depth_max});
    const level = try levels.addOne(std.heap.page_allocator);
    level.fd = fd;
    level.listing.open(fd);
}

/// STATX_BASIC_STATS
const mask: linux.STATX = @bitCast(@as(u32, 0x7ff));

/// Of `name` in `directory`, not followed; of `directory` itself where the name is empty.
fn attributesOf(directory: i32, name: [*:0]const u8) ?linux.Statx {
    var buffer: linux.Statx = undefined;
    const flags = linux.AT.SYMLINK_NOFOLLOW | linux.AT.NO_AUTOMOUNT | linux.AT.EMPTY_PATH;
    return if (linux.errno(linux.statx(directory, name, flags, mask, &buffer)) == .SUCCESS) buffer else null;
}

fn isMounted(info: linux.Statx) bool {
    const attributes: u64 = @bitCast(info.attributes);
    return attributes & path.attribute_mount_root != 0;
}

fn give(directory: i32, name: [*:0]const u8, info: linux.Statx, owner: Owner) fault.Error!void {
    if (info.uid == owner.uid and info.gid == owner.gid) return;
    const flags = linux.AT.SYMLINK_NOFOLLOW | linux.AT.EMPTY_PATH;
    const result = linux.fchownat(directory, name, owner.uid, owner.gid, flags);
    switch (linux.errno(result)) {
        .SUCCESS, .NOENT => {},
        else => |errno| return fault.fail(.mount, errno, "give {s} to user {d}:{d}", .{ name, owner.uid, owner.gid }),
    }
}
