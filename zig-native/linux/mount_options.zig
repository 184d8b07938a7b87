//! The options of an OCI mount, sorted into what they mean: attributes of the mount, propagation, kind of bind, and the rest,
//! which is for the file system. Names as in mount(8) and the runtime specification's config.md, "Linux mount options".
const std = @import("std");
const linux = std.os.linux;
const mount = @import("mount.zig");

pub const Options = struct {
    bind: enum { none, plain, recursive } = .none,
    set: u32 = 0,
    clear: u32 = 0,
    /// Attributes for every mount below too (`rro`, and `ro` of a recursive bind).
    set_recursive: u32 = 0,
    /// 0: nothing was said.
    propagation: u32 = 0,
    propagation_recursive: bool = false,
    /// For the file system: "size=64m".
    data: []const []const u8 = &.{},

    /// The attributes of a new file system's mount.
    pub fn attributes(self: Options) u32 {
        return self.set | self.set_recursive;
    }
};

const Attribute = struct { name: []const u8, set: u32 = 0, clear: u32 = 0 };

const attribute_table = [_]Attribute{
    .{ .name = "ro", .set = mount.attribute_readonly },
    .{ .name = "rw", .clear = mount.attribute_readonly },
    .{ .name = "nosuid", .set = mount.attribute_nosuid },
    .{ .name = "suid", .clear = mount.attribute_nosuid },
    .{ .name = "nodev", .set = mount.attribute_nodev },
    .{ .name = "dev", .clear = mount.attribute_nodev },
    .{ .name = "noexec", .set = mount.attribute_noexec },
    .{ .name = "exec", .clear = mount.attribute_noexec },
    .{ .name = "relatime", .clear = mount.attribute_atime_mask },
    .{ .name = "norelatime", .clear = mount.attribute_atime_mask },
    .{ .name = "noatime", .set = mount.attribute_noatime, .clear = mount.attribute_atime_mask },
    .{ .name = "atime", .clear = mount.attribute_atime_mask },
    .{ .name = "strictatime", .set = mount.attribute_strictatime, .clear = mount.attribute_atime_mask },
    .{ .name = "nodiratime", .set = mount.attribute_nodiratime },
    .{ .name = "diratime", .clear = mount.attribute_nodiratime },
    .{ .name = "nosymfollow", .set = mount.attribute_nosymfollow },
    .{ .name = "symfollow", .clear = mount.attribute_nosymfollow },
};

const propagation_table = [_]struct { name: []const u8, flag: u32 }{
    .{ .name = "private", .flag = mount.private },
    .{ .name = "slave", .flag = mount.slave },
    .{ .name = "shared", .flag = mount.shared },
    .{ .name = "unbindable", .flag = linux.MS.UNBINDABLE },
};

/// Accepted from fstab habit; they mean nothing for a mount that we make.
const ignored = [_][]const u8{ "defaults", "async", "auto", "noauto", "user", "nouser", "owner", "group", "_netdev", "nofail" };

pub fn parse(arena: std.mem.Allocator, options: []const []const u8) error{OutOfMemory}!Options {
    var result: Options = .{};
    var data: std.ArrayList([]const u8) = .empty;
    for (options) |option| {
        if (take(&result, option)) continue;
        try data.append(arena, option);
    }
    result.data = data.items;
    return result;
}

fn take(result: *Options, option: []const u8) bool {
    if (std.mem.eql(u8, option, "bind")) {
        if (result.bind == .none) result.bind = .plain;
        return true;
    }
    if (std.mem.eql(u8, option, "rbind")) {
        result.bind = .recursive;
        return true;
    }
    for (ignored) |name| if (std.mem.eql(u8, option, name)) return true;
    for (attribute_table) |row| {
        if (std.mem.eql(u8, option, row.name)) {
            result.set = (result.set & ~row.clear) | row.set;
            result.clear = (result.clear & ~row.set) | row.clear;
            return true;
        }
        if (option.len > 1 and option[0] == 'r' and row.set != 0 and std.mem.eql(u8, option[1..], row.name)) {
            result.set_recursive |= row.set;
            return true;
        }
    }
    for (propagation_table) |row| {
        const recursive = option.len > 1 and option[0] == 'r' and std.mem.eql(u8, option[1..], row.name);
        if (!recursive and !std.mem.eql(u8, option, row.name)) continue;
        result.propagation = row.flag;
        result.propagation_recursive = recursive;
        return true;
    }
    return false;
}

test "options are sorted by what they mean" {
    var memory: [1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const options = try parse(fixed.allocator(), &.{ "nosuid", "noexec", "mode=755", "size=65536k", "ro", "newinstance", "strictatime" });
    try std.testing.expectEqual(@as(u32, mount.attribute_nosuid | mount.attribute_noexec | mount.attribute_readonly | mount.attribute_strictatime), options.attributes());
    try std.testing.expectEqual(@as(usize, 3), options.data.len);
    try std.testing.expectEqualStrings("newinstance", options.data[2]);
    try std.testing.expectEqual(.none, options.bind);
}

test "bind, propagation, later options win" {
    var memory: [1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const options = try parse(fixed.allocator(), &.{ "rbind", "bind", "ro", "rw", "rslave", "defaults" });
    try std.testing.expectEqual(.recursive, options.bind);
    try std.testing.expectEqual(@as(u32, 0), options.attributes());
    try std.testing.expectEqual(@as(u32, mount.slave), options.propagation);
    try std.testing.expect(options.propagation_recursive);
    try std.testing.expectEqual(@as(usize, 0), options.data.len);
    const plain = try parse(fixed.allocator(), &.{ "bind", "rro", "shared" });
    try std.testing.expectEqual(@as(u32, mount.attribute_readonly), plain.set_recursive);
    try std.testing.expect(!plain.propagation_recursive);
}
