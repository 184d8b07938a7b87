//! Whose a file can be. In the host's own user namespace that is anybody; in another (user_namespaces(7)) whoever its maps name,
//! overlay keeps its marks in attributes of users, and device nodes cannot be made.
//!
//! Where the namespace has one user or one group alone, every file is his. What a file should be is kept beside it then, in an
//! attribute that containers/storage and fuse-overlayfs know too:
//!
//!   user.containers.override_stat     UID:GID:MODE, MODE octal with the set-id bits; what comes after another colon is for others
//!
//! It is there only where it says something else than the file. Links and special files can have none (xattr(7)): read back, they
//! are root's. In such a namespace set-id bits would make a program the user himself, so files do without them. Who changes a
//! file's mode after that means what he does: the bits count as long as the others are as they were.
const std = @import("std");
const linux = std.os.linux;
const pax = @import("pax.zig");
const report = @import("report.zig");
const user_namespace = @import("../linux/user_namespace.zig");

const shown = report.shown;

pub const Extent = enum {
    /// All that there are.
    every,
    /// Some: those of the maps.
    mapped,
    /// One user, or one group.
    one,
};

pub const Owner = struct { uid: u32, gid: u32, mode: u32 };

pub const kept_name = "user.containers.override_stat";
const set_id_bits = linux.S.ISUID | linux.S.ISGID;
/// As many as the kernel takes in one map.
const ranges_max = 340;

pub var extent: Extent = .every;
/// Files whose owners could not be kept: their file system has no attributes.
pub var lost: std.atomic.Value(u32) = .init(0);
var users: Map = .{};
var groups: Map = .{};

const Map = struct {
    ranges: [ranges_max]struct { first: u32, count: u32 } = undefined,
    count: usize = 0,
    total: u64 = 0,

    fn read(self: *Map, text: []const u8) void {
        self.count = 0;
        self.total = 0;
        var lines = std.mem.tokenizeScalar(u8, text, '\n');
        while (lines.next()) |line| {
            var words = std.mem.tokenizeScalar(u8, line, ' ');
            const first = std.fmt.parseInt(u32, words.next() orelse "", 10) catch continue;
            _ = words.next();
            const count = std.fmt.parseInt(u32, words.next() orelse "", 10) catch continue;
            if (self.count == ranges_max) return;
            self.ranges[self.count] = .{ .first = first, .count = count };
            self.count += 1;
            self.total += count;
        }
    }

    fn has(self: *const Map, id: u32) bool {
        for (self.ranges[0..self.count]) |range| if (id >= range.first and id - range.first < range.count) return true;
        return false;
    }
};

/// Once, before there are threads, and while /proc is there.
pub fn look() void {
    if (user_namespace.isInitial()) return;
    var buffer: [16 * 1024]u8 = undefined;
    users.read(user_namespace.readFile("/proc/self/uid_map", &buffer) orelse return);
    groups.read(user_namespace.readFile("/proc/self/gid_map", &buffer) orelse return);
    extent = if (users.total == 1 or groups.total == 1) .one else .mapped;
}

/// The name of a mark of overlay's.
pub fn overlayMark(comptime name: []const u8) [*:0]const u8 {
    return if (extent == .every) "trusted.overlay." ++ name else "user.overlay." ++ name;
}

/// Of something that an archive brings: can it be whose it is to be? With one id everything can, in a way.
pub fn check(uid: u32, gid: u32, path: []const u8) void {
    if (extent != .mapped) return;
    if (!users.has(uid)) notMapped("user", "subuid", uid, users.total, path);
    if (!groups.has(gid)) notMapped("group", "subgid", gid, groups.total, path);
}

fn notMapped(comptime what: []const u8, comptime file: []const u8, id: u32, total: u64, path: []const u8) noreturn {
    report.fail(
        .unmapped,
        "/{f} belongs to the " ++ what ++ " {d}, and {d} ids are mapped: add a range to /etc/" ++ file ++ ", or do it as root",
        .{ shown(std.mem.trimStart(u8, path, "/")), id, total },
    );
}

/// What a new file gets itself.
pub fn given(owner: Owner, is_file: bool) Owner {
    if (extent != .one) return owner;
    return .{
        .uid = if (users.has(owner.uid)) owner.uid else 0,
        .gid = if (groups.has(owner.gid)) owner.gid else 0,
        .mode = if (is_file) owner.mode & ~@as(u32, set_id_bits) else owner.mode,
    };
}

/// What it should have got, where that is something else: after all attributes of the archive, on a file that has none of these.
pub fn keep(fd: i32, owner: Owner, is_file: bool, path: []const u8) void {
    if (extent != .one or std.meta.eql(given(owner, is_file), owner)) return;
    var buffer: [40]u8 = undefined;
    const value = write(owner, &buffer);
    const e = linux.errno(linux.fsetxattr(fd, kept_name, value.ptr, value.len, 0));
    switch (e) {
        .SUCCESS => {},
        .OPNOTSUPP => _ = lost.fetchAdd(1, .monotonic),
        else => report.failErrno(e, "cannot keep the owner of {f}", .{shown(path)}),
    }
}

/// Of one that may have been another's.
pub fn keepAnew(fd: i32, owner: Owner, is_file: bool, path: []const u8) void {
    if (extent != .one) return;
    _ = linux.fremovexattr(@intCast(fd), kept_name); // mostly there is none
    keep(fd, owner, is_file, path);
}

/// What the open file or directory should be.
pub fn readBack(fd: i32, found: linux.Statx) linux.Statx {
    if (extent != .one) return found;
    var buffer: [128]u8 = undefined;
    const length = linux.fgetxattr(fd, kept_name, &buffer, buffer.len);
    if (linux.errno(length) != .SUCCESS) return found;
    const owner = parse(buffer[0..length]) orelse return found; // a container's own, and of no meaning
    var s = found;
    s.uid = owner.uid;
    s.gid = owner.gid;
    const without = if (s.mode & linux.S.IFMT == linux.S.IFREG) owner.mode & ~@as(u32, set_id_bits) else owner.mode;
    if (s.mode & 0o7777 == without) s.mode = @intCast(s.mode & linux.S.IFMT | owner.mode);
    return s;
}

/// Attributes as an archive has them: this one is ours.
pub fn withoutKept(xattrs: []pax.Xattr) []const pax.Xattr {
    if (extent != .one) return xattrs;
    for (xattrs, 0..) |x, index| {
        if (!std.mem.eql(u8, x.name, kept_name)) continue;
        xattrs[index] = xattrs[xattrs.len - 1];
        return xattrs[0 .. xattrs.len - 1];
    }
    return xattrs;
}

fn write(owner: Owner, buffer: *[40]u8) []const u8 {
    return std.fmt.bufPrint(buffer, "{d}:{d}:{o:0>4}", .{ owner.uid, owner.gid, owner.mode & 0o7777 }) catch unreachable; // fits
}

fn parse(text: []const u8) ?Owner {
    var words = std.mem.splitScalar(u8, text, ':');
    const uid = std.fmt.parseInt(u32, words.next().?, 10) catch return null;
    const gid = std.fmt.parseInt(u32, words.next() orelse return null, 10) catch return null;
    const mode = std.fmt.parseInt(u32, words.next() orelse return null, 8) catch return null;
    // 2^32-1 is nobody's number.
    if (uid == std.math.maxInt(u32) or gid == std.math.maxInt(u32) or mode > 0o7777) return null;
    return .{ .uid = uid, .gid = gid, .mode = mode };
}

test parse {
    var buffer: [40]u8 = undefined;
    const owner: Owner = .{ .uid = 33, .gid = 4294967294, .mode = 0o4755 };
    try std.testing.expectEqualStrings("33:4294967294:4755", write(owner, &buffer));
    try std.testing.expectEqual(owner, parse(write(owner, &buffer)).?);
    try std.testing.expectEqualStrings("0:0:0000", write(.{ .uid = 0, .gid = 0, .mode = 0 }, &buffer));
    try std.testing.expectEqual(Owner{ .uid = 1, .gid = 2, .mode = 0o755 }, parse("1:2:0755:file").?);
    for ([_][]const u8{ "", "1", "1:2", "1:2:", "1:2:8", "-1:0:0755", "4294967295:0:0755", "0:0:10000", "x:0:0" }) |bad|
        try std.testing.expectEqual(null, parse(bad));
}

test Map {
    var map: Map = .{};
    map.read("         0       5000          1\n         1     100000      65536\n");
    try std.testing.expectEqual(65537, map.total);
    for ([_]u32{ 0, 1, 65536 }) |id| try std.testing.expect(map.has(id));
    for ([_]u32{ 65537, 70000, 4294967294 }) |id| try std.testing.expect(!map.has(id));
}
