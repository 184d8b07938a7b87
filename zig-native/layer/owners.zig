//! The maps of a container's own user namespace (user_namespaces(7)), for whoever looks at its files from outside:
//! `uids=CONTAINER:HOST:SIZE…` and `gids=…` in a request. On disk its writable top has the host's numbers, its image the
//! container's.
//!
//! A number that is not in the maps is nobody's where it is read, and an error where it is written; none is ever wrapped.
const std = @import("std");
const linux = std.os.linux;
const Range = idmap.Range;
const Request = @import("request.zig").Request;
const idmap = @import("../linux/idmap.zig");
const ids = @import("ids.zig");
const report = @import("report.zig");

/// As the kernel shows what it cannot map (/proc/sys/kernel/overflowuid).
pub const nobody = 65534;

/// The kernel takes no more lines.
const ranges_max = 340;

pub const Owners = struct {
    /// From the container's numbers to ours.
    uids: []const Range,
    gids: []const Range,

    /// Null: the container is in our own user namespace.
    pub fn of(request: Request) ?Owners {
        const uids = rangesOf(request, "uids");
        const gids = rangesOf(request, "gids");
        return if (uids.len + gids.len == 0) null else .{ .uids = uids, .gids = gids };
    }

    /// As the container sees it.
    pub fn seen(self: Owners, s: linux.Statx) linux.Statx {
        var result = s;
        result.uid = inside(self.uids, s.uid) orelse nobody;
        result.gid = inside(self.gids, s.gid) orelse nobody;
        return result;
    }

    /// Numbers of the container, as they are on disk. Null: it has no such user, or no such group.
    pub fn onDisk(self: Owners, s: linux.Statx) ?linux.Statx {
        var result = s;
        result.uid = outsideOrNobody(self.uids, s.uid) orelse return null;
        result.gid = outsideOrNobody(self.gids, s.gid) orelse return null;
        return result;
    }

    /// A program's capabilities (the attribute security.capability) as the container sees them; null: they are nobody's there.
    pub fn seenCapability(self: Owners, value: []u8) ?[]u8 {
        const root = rootOf(value) orelse return null;
        return withRoot(value, value, inside(self.uids, root) orelse return null);
    }

    /// The other way round. Null: there is no such root.
    pub fn capabilityOnDisk(self: Owners, value: []const u8, into: *[capability_bytes_max]u8) ?[]u8 {
        const root = rootOf(value) orelse return null;
        return withRoot(value, into, outside(self.uids, root) orelse return null);
    }

    /// The value of system.posix_acl_access or _default. False: it names somebody whom the container has not got.
    pub fn aclOnDisk(self: Owners, value: []u8) bool {
        var named: Named = .of(value);
        while (named.next()) |entry| {
            const ranges = if (entry.is_user) self.uids else self.gids;
            const id = outside(ranges, std.mem.readInt(u32, entry.id, .little)) orelse return false;
            std.mem.writeInt(u32, entry.id, id, .little);
        }
        return true;
    }

    /// The other way round; and whom the kernel cannot tell us, as it has no number for him here, is nobody as well.
    pub fn seeList(owners: ?Owners, value: []u8) void {
        var named: Named = .of(value);
        while (named.next()) |entry| {
            const id = std.mem.readInt(u32, entry.id, .little);
            const ranges = if (owners) |map| (if (entry.is_user) map.uids else map.gids) else null;
            const known = if (ranges) |each| inside(each, id) else if (id == std.math.maxInt(u32)) null else id;
            std.mem.writeInt(u32, entry.id, known orelse nobody, .little);
        }
    }

    /// A descriptor of a user namespace with these maps. Ours must be the host's root yet (create_user_ns refuses a changed one).
    pub fn namespace(self: Owners) i32 {
        const opened = idmap.open(std.heap.page_allocator, self.uids, self.gids) catch report.fail(.limit, "out of memory", .{});
        if (opened < 0) report.failErrno(@enumFromInt(-opened), "cannot make a user namespace", .{});
        return opened;
    }

    /// From here on we have rights over what belongs to the container and nothing else, and all numbers are its own. No thread was
    /// started yet.
    pub fn join(self: Owners, fd: i32) void {
        // Where a user namespace takes no setgroups(2), the groups are the caller's own, who has no more of them than he.
        const alone = linux.errno(linux.setgroups(0, @ptrCast(&[_]linux.gid_t{0})));
        if (alone != .SUCCESS and alone != .PERM) report.failErrno(alone, "cannot leave our groups", .{});
        check(linux.setns(fd, linux.CLONE.NEWUSER), "enter the container's user namespace");
        // Its root, or who else is the first in it: what is made is made by somebody whom it has.
        const gid = first(self.gids);
        const uid = first(self.uids);
        check(linux.setresgid(gid, gid, gid), "take a group of the container's");
        check(linux.setresuid(uid, uid, uid), "take a user of the container's");
        _ = linux.close(fd);
        ids.look();
        // One that has but one user knows no others: there is nothing to be kept beside his files.
        ids.extent = .mapped;
    }
};

fn first(ranges: []const Range) u32 {
    return if (outside(ranges, 0) != null or ranges.len == 0) 0 else ranges[0].from;
}

fn rangesOf(request: Request, key: []const u8) []const Range {
    var ranges: std.ArrayList(Range) = .empty;
    var values = request.all(key);
    while (values.next()) |text| {
        if (ranges.items.len == ranges_max) report.fail(.request, "more than {d} ranges", .{ranges_max});
        const range = parse(text) orelse report.fail(.request, "{s}={s} is no range", .{ key, text });
        ranges.append(std.heap.page_allocator, range) catch report.fail(.limit, "out of memory", .{});
    }
    return ranges.items;
}

fn parse(text: []const u8) ?Range {
    var numbers: [3]u32 = undefined;
    var parts = std.mem.splitScalar(u8, text, ':');
    for (&numbers) |*number| number.* = std.fmt.parseInt(u32, parts.next() orelse return null, 10) catch return null;
    const range: Range = .{ .from = numbers[0], .to = numbers[1], .count = numbers[2] };
    if (parts.next() != null or range.count == 0) return null;
    const end = std.math.maxInt(u32); // is nobody's number
    if (range.count > end - range.from or range.count > end - range.to) return null;
    return range;
}

pub fn inside(ranges: []const Range, id: u32) ?u32 {
    for (ranges) |range| if (id >= range.to and id - range.to < range.count) return range.from + (id - range.to);
    return null;
}

/// The container sees nobody's files as nobody's, in its maps or not.
fn outsideOrNobody(ranges: []const Range, id: u32) ?u32 {
    return outside(ranges, id) orelse if (id == nobody) nobody else null;
}

pub fn outside(ranges: []const Range, id: u32) ?u32 {
    for (ranges) |range| if (id >= range.from and id - range.from < range.count) return range.to + (id - range.from);
    return null;
}

// linux/capability.h: a version and flags, two halves of two sets, and in the third version whose root it is for.
const capability_version_mask = 0xff00_0000;
const capability_version_2 = 0x0200_0000;
const capability_version_3 = 0x0300_0000;
const capability_bytes_2 = 20;
pub const capability_bytes_max = 24;

// linux/posix_acl_xattr.h
const acl_header_bytes = 4;
const acl_entry_bytes = 8;
const acl_user = 0x02;
const acl_group = 0x08;

/// The users and groups in a list; none in what is no such thing, as the kernel will say.
const Named = struct {
    rest: []u8,

    fn of(value: []u8) Named {
        return .{ .rest = value[@min(value.len, acl_header_bytes)..] };
    }

    fn next(self: *Named) ?struct { is_user: bool, id: *[4]u8 } {
        while (self.rest.len >= acl_entry_bytes) {
            const entry = self.rest[0..acl_entry_bytes];
            self.rest = self.rest[acl_entry_bytes..];
            const tag = std.mem.readInt(u16, entry[0..2], .little);
            if (tag == acl_user or tag == acl_group) return .{ .is_user = tag == acl_user, .id = entry[4..8] };
        }
        return null;
    }
};

/// Null: it is of no form that we know.
fn rootOf(value: []const u8) ?u32 {
    if (value.len < 4) return null;
    const version = std.mem.readInt(u32, value[0..4], .little) & capability_version_mask;
    if (version == capability_version_2 and value.len == capability_bytes_2) return 0;
    if (version != capability_version_3 or value.len != capability_bytes_max) return null;
    return std.mem.readInt(u32, value[20..24], .little);
}

/// The kernel's own 0 is what the second version says; `value` and `into` may be the same.
fn withRoot(value: []const u8, into: []u8, root: u32) []u8 {
    const rights = value[0..capability_bytes_2];
    if (into.ptr != value.ptr) @memcpy(into[0..capability_bytes_2], rights);
    const flags = std.mem.readInt(u32, rights[0..4], .little) & ~@as(u32, capability_version_mask);
    const version: u32 = if (root == 0) capability_version_2 else capability_version_3;
    std.mem.writeInt(u32, into[0..4], version | flags, .little);
    if (root == 0) return into[0..capability_bytes_2];
    std.mem.writeInt(u32, into[20..24], root, .little);
    return into[0..capability_bytes_max];
}

fn check(rc: usize, comptime what: []const u8) void {
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot " ++ what, .{});
}

const shifted: Owners = .{
    .uids = &.{ .{ .from = 0, .to = 100_000, .count = 1000 }, .{ .from = 2000, .to = 5, .count = 1 } },
    .gids = &.{.{ .from = 0, .to = 200_000, .count = 1000 }},
};

test parse {
    try std.testing.expectEqual(Range{ .from = 0, .to = 100_000, .count = 65_536 }, parse("0:100000:65536").?);
    try std.testing.expectEqual(Range{ .from = 4_294_967_294, .to = 0, .count = 1 }, parse("4294967294:0:1").?);
    for ([_][]const u8{ "", "0:1", "0:1:0", "0:1:2:3", "-1:0:1", "4294967295:0:1", "0:4294967290:6", "4294967296:0:1", "0: 1:1" }) |bad|
        try std.testing.expectEqual(null, parse(bad));
}

test "numbers at the edges of the ranges" {
    try std.testing.expectEqual(999, inside(shifted.uids, 100_999).?);
    try std.testing.expectEqual(2000, inside(shifted.uids, 5).?);
    for ([_]u32{ 0, 4, 6, 99_999, 101_000, std.math.maxInt(u32) }) |id| try std.testing.expectEqual(null, inside(shifted.uids, id));
    try std.testing.expectEqual(5, outside(shifted.uids, 2000).?);
    for ([_]u32{ 1000, 1999, 2001, 100_000, std.math.maxInt(u32) }) |id| try std.testing.expectEqual(null, outside(shifted.uids, id));
}

test "capabilities there and back" {
    const plain = "\x01\x00\x00\x02" ++ "\x00\x04\x00\x00" ++ "\x00" ** 12;
    var buffer: [capability_bytes_max]u8 = undefined;
    const stored = shifted.capabilityOnDisk(plain, &buffer).?;
    try std.testing.expectEqualStrings("\x01\x00\x00\x03" ++ plain[4..] ++ "\xa0\x86\x01\x00", stored);
    try std.testing.expectEqualStrings(plain, shifted.seenCapability(stored).?);
    // Of a namespace within the container's.
    var nested: [capability_bytes_max]u8 = ("\x01\x00\x00\x03" ++ plain[4..] ++ "\xa1\x86\x01\x00").*;
    try std.testing.expectEqualStrings("\x01\x00\x00\x03" ++ plain[4..] ++ "\x01\x00\x00\x00", shifted.seenCapability(&nested).?);
    var host: [20]u8 = plain.*;
    try std.testing.expectEqual(null, shifted.seenCapability(&host));
    for (0..capability_bytes_max + 8) |length| {
        var odd: [capability_bytes_max + 8]u8 = @splat(0xff);
        try std.testing.expectEqual(null, shifted.seenCapability(odd[0..length]));
        try std.testing.expectEqual(null, shifted.capabilityOnDisk(odd[0..length], &buffer));
    }
}

test "access control lists" {
    const head = "\x02\x00\x00\x00" ++ "\x01\x00\x07\x00\xff\xff\xff\xff";
    var list = (head ++ "\x02\x00\x06\x00\x07\x00\x00\x00" ++ "\x08\x00\x04\x00\x08\x00\x00\x00").*;
    try std.testing.expect(shifted.aclOnDisk(&list));
    try std.testing.expectEqualStrings(head ++ "\x02\x00\x06\x00\xa7\x86\x01\x00" ++ "\x08\x00\x04\x00\x48\x0d\x03\x00", &list);
    Owners.seeList(shifted, &list);
    try std.testing.expectEqualStrings(head ++ "\x02\x00\x06\x00\x07\x00\x00\x00" ++ "\x08\x00\x04\x00\x08\x00\x00\x00", &list);
    Owners.seeList(shifted, &list); // the host's 7 and 8
    try std.testing.expectEqualStrings(head ++ "\x02\x00\x06\x00\xfe\xff\x00\x00" ++ "\x08\x00\x04\x00\xfe\xff\x00\x00", &list);
    var own = (head ++ "\x02\x00\x06\x00\x07\x00\x00\x00" ++ "\x08\x00\x04\x00\xff\xff\xff\xff").*;
    Owners.seeList(null, &own);
    try std.testing.expectEqualStrings(head ++ "\x02\x00\x06\x00\x07\x00\x00\x00" ++ "\x08\x00\x04\x00\xfe\xff\x00\x00", &own);
    var foreign = (head ++ "\x08\x00\x04\x00\xd0\x07\x00\x00").*;
    try std.testing.expect(!shifted.aclOnDisk(&foreign));
    for (0..12) |length| {
        var odd: [12]u8 = @splat(0x02);
        _ = shifted.aclOnDisk(odd[0..length]);
    }
}

test "whatever an image has as such attributes: there and back, or not at all" {
    var prng: std.Random.DefaultPrng = .init(std.testing.random_seed);
    const random = prng.random();
    for (0..20_000) |_| {
        var bytes: [40]u8 = undefined;
        random.bytes(&bytes);
        const value = bytes[0..random.uintAtMost(usize, bytes.len)];
        if (value.len > 3 and random.boolean()) value[3] = if (random.boolean()) 2 else 3;
        if (value.len == capability_bytes_max and random.boolean()) @memset(value[22..24], 0);
        var buffer: [capability_bytes_max]u8 = undefined;
        if (shifted.capabilityOnDisk(value, &buffer)) |stored| {
            const seen = shifted.seenCapability(stored).?;
            // The third version for the container's root is the second.
            const is_plain = rootOf(value).? == 0;
            try std.testing.expectEqualStrings(if (is_plain) value[4..20] else value[4..], seen[4..]);
        }
        var list: [40]u8 = undefined;
        @memcpy(list[0..value.len], value);
        if (!shifted.aclOnDisk(list[0..value.len])) continue;
        var at: usize = acl_header_bytes;
        while (at + acl_entry_bytes <= value.len) : (at += acl_entry_bytes)
            try std.testing.expectEqualStrings(value[at..][0..4], list[at..][0..4]);
    }
}
