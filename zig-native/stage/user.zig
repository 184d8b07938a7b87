//! Docker's user string ("name|uid[:group|gid]") resolved against the container's own /etc/passwd and /etc/group. The
//! files are the image's, so links are followed beneath its root only, what is found must be regular and small, and is
//! read as plain text, in time that grows with its length: no library of the container has a say. Numbers are 0..2^32-2
//! and never wrap; a number is a number even when a user bears it as a name.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const handshake = @import("handshake.zig");
const path = @import("../linux/path.zig");

pub const Identity = struct {
    uid: u32,
    gid: u32,
    /// Supplementary groups; the primary one is added by `groupList`.
    groups: []const u32,
    /// So many of them, the first, are from the image's file alone.
    named: usize = 0,
    home: []const u8,
};

const file_bytes_max = 10 * 1024 * 1024;
/// NGROUPS_MAX
const groups_max = 65536;
const id_max = std.math.maxInt(u32) - 1;

/// One of the two files. A container can make anything of them, and that must not keep out who needs no name of theirs.
const Database = struct {
    name: [:0]const u8,
    text: []const u8 = "",
    /// Why `text` is empty although something is there, null when nothing is wrong.
    problem: ?[]const u8 = null,

    /// A name is to be looked up.
    fn need(self: *const Database) fault.Error!void {
        const problem = self.problem orelse return;
        return fault.fail(.identity, .SUCCESS, "{s} {s}", .{ self.name, problem });
    }

    fn warn(self: *const Database, sync: i32) void {
        const problem = self.problem orelse return;
        handshake.warn(sync, "{s} {s}: it is taken as empty", .{ self.name, problem });
    }
};

/// `root` is the container's root directory. With an empty `text` the identity is `default_uid`:`default_gid`, and its
/// passwd entry, when there is one, still gives the home and the supplementary groups.
/// `additional` are names or numbers of more groups (`--group-add`).
pub fn resolve(
    arena: std.mem.Allocator,
    sync: i32,
    root: i32,
    text: []const u8,
    default_uid: u32,
    default_gid: u32,
    additional: []const []const u8,
) fault.AllocError!Identity {
    // Up to 10 MiB each: in pages of their own, which end with the execve.
    const passwd = try readDatabase(std.heap.page_allocator, root, "/etc/passwd");
    const group = try readDatabase(std.heap.page_allocator, root, "/etc/group");
    var identity = try lookUp(arena, passwd, group, text, default_uid, default_gid);
    identity.named = identity.groups.len;
    if (additional.len > 0) identity.groups = try withGroups(arena, group, identity.groups, additional);
    passwd.warn(sync);
    group.warn(sync);
    return identity;
}

/// Empty when there is no such file, or a link to none.
fn readDatabase(pages: std.mem.Allocator, root: i32, name: [:0]const u8) fault.AllocError!Database {
    const flags: linux.O = .{ .CLOEXEC = true, .NONBLOCK = true, .NOCTTY = true };
    const opened = path.open(root, name, flags, 0, path.contained);
    switch (linux.errno(opened)) {
        .SUCCESS => {},
        .NOENT, .NOTDIR, .LOOP => return .{ .name = name },
        .NXIO => return .{ .name = name, .problem = irregular },
        else => return .{ .name = name, .problem = "cannot be opened" },
    }
    const fd: i32 = @intCast(opened);
    defer _ = linux.close(fd);
    const info = path.stat(fd) orelse return .{ .name = name, .problem = "cannot be read" };
    // Of the kernel's own files some wait for something to happen, and none has users.
    const kernels = switch (path.fileSystem(fd)) {
        path.magic_proc, path.magic_sysfs => true,
        else => false,
    };
    if (info.kind != .regular or kernels) return .{ .name = name, .problem = irregular };
    if (info.size > file_bytes_max) return .{ .name = name, .problem = "is larger than 10 MiB" };
    const text = try path.readAll(pages, fd, file_bytes_max) orelse return .{ .name = name, .problem = "cannot be read" };
    return .{ .name = name, .text = text };
}

const irregular = "is not a regular file";

/// As Docker's GetExecUser: the first matching passwd line wins; supplementary groups only without an explicit group.
fn lookUp(
    arena: std.mem.Allocator,
    passwd: Database,
    group: Database,
    text: []const u8,
    default_uid: u32,
    default_gid: u32,
) fault.AllocError!Identity {
    const colon = std.mem.indexOfScalar(u8, text, ':') orelse text.len;
    const user_text = text[0..colon];
    const group_text = if (colon < text.len) text[colon + 1 ..] else "";
    var result: Identity = .{ .uid = default_uid, .gid = default_gid, .groups = &.{}, .home = "/" };

    const asked_uid = try number(user_text);
    const wanted_uid: ?u32 = if (user_text.len == 0) default_uid else asked_uid;
    if (wanted_uid == null) try passwd.need();
    const entry = findUser(passwd.text, user_text, wanted_uid);
    if (entry) |found| {
        result.uid = found.uid;
        if (user_text.len > 0) result.gid = found.gid;
        if (found.home.len > 0 and found.home[0] == '/') result.home = found.home;
    } else if (wanted_uid) |uid| {
        result.uid = uid;
        if (user_text.len > 0) result.gid = 0;
    } else {
        return fault.fail(.identity, .SUCCESS, "unable to find user {s}: no matching entries in passwd file", .{user_text});
    }

    if (group_text.len > 0) {
        result.gid = try findGroup(group, group_text);
    } else if (entry) |found| {
        result.groups = try memberships(arena, group.text, found.name);
    }
    return result;
}

/// The number that is no group's means: those that we have. An ordinary user's groups have no number in his namespace, and once
/// they are gone nothing brings them back.
pub fn keepsGroups(additional: []const u32) bool {
    return std.mem.indexOfScalar(u32, additional, std.math.maxInt(u32)) != null;
}

/// setgroups(2)'s list: the primary group too (a file that denies it must deny us), each once. The kernel sorts it anyway.
pub fn groupList(arena: std.mem.Allocator, identity: Identity, additional: []const u32) error{OutOfMemory}![]const u32 {
    const list = try std.mem.concat(arena, u32, &.{ &.{identity.gid}, identity.groups, additional });
    std.mem.sortUnstable(u32, list, {}, std.sort.asc(u32));
    var length: usize = 0;
    for (list) |gid| {
        if (length > 0 and list[length - 1] == gid) continue;
        list[length] = gid;
        length += 1;
    }
    return list[0..length];
}

/// The number that `text` is, null when it is a name, an error when it is a number that no id can be.
fn number(text: []const u8) fault.Error!?u32 {
    if (text.len == 0) return null;
    const digits = if (text[0] == '-' or text[0] == '+') text[1..] else text;
    if (digits.len == 0) return null;
    for (digits) |character| if (!std.ascii.isDigit(character)) return null;
    const value = std.fmt.parseInt(u32, text, 10) catch id_max + 1; // negative or too large
    if (value > id_max) return fault.fail(.identity, .SUCCESS, "invalid user {s}: uids and gids must be in range 0-{d}", .{ text, id_max });
    return value;
}

const User = struct { name: []const u8, uid: u32, gid: u32, home: []const u8 };

fn findUser(passwd: []const u8, name: []const u8, uid: ?u32) ?User {
    var lines = std.mem.splitScalar(u8, passwd, '\n');
    while (lines.next()) |line| {
        const user = parseUser(line) orelse continue;
        const matches = if (uid) |wanted| user.uid == wanted else std.mem.eql(u8, user.name, name);
        if (matches) return user;
    }
    return null;
}

/// "name:password:uid:gid:comment:home:shell". A line without proper numbers is no entry.
fn parseUser(raw: []const u8) ?User {
    const line = std.mem.trim(u8, raw, " \t\r");
    if (line.len == 0 or line[0] == '#') return null;
    var fields = std.mem.splitScalar(u8, line, ':');
    const name = fields.next() orelse return null;
    _ = fields.next();
    const uid = id(fields.next()) orelse return null;
    const gid = id(fields.next()) orelse return null;
    _ = fields.next();
    return .{ .name = name, .uid = uid, .gid = gid, .home = fields.next() orelse "" };
}

fn id(text: ?[]const u8) ?u32 {
    const value = std.fmt.parseInt(u32, text orelse return null, 10) catch return null; // the line is not an entry
    return if (value > id_max) null else value;
}

const GroupLines = struct {
    lines: std.mem.SplitIterator(u8, .scalar),

    const Group = struct { name: []const u8, gid: u32, members: []const u8 };

    /// "name:password:gid:member,member".
    fn next(self: *GroupLines) ?Group {
        while (self.lines.next()) |raw| {
            const line = std.mem.trim(u8, raw, " \t\r");
            if (line.len == 0 or line[0] == '#') continue;
            var fields = std.mem.splitScalar(u8, line, ':');
            const name = fields.next() orelse continue;
            _ = fields.next();
            const gid = id(fields.next()) orelse continue;
            return .{ .name = name, .gid = gid, .members = fields.next() orelse "" };
        }
        return null;
    }
};

fn groupLines(text: []const u8) GroupLines {
    return .{ .lines = std.mem.splitScalar(u8, text, '\n') };
}

fn findGroup(group: Database, text: []const u8) fault.Error!u32 {
    if (try number(text)) |gid| return gid;
    try group.need();
    var lines = groupLines(group.text);
    while (lines.next()) |entry| if (std.mem.eql(u8, entry.name, text)) return entry.gid;
    return fault.fail(.identity, .SUCCESS, "unable to find group {s}: no matching entries in group file", .{text});
}

fn withGroups(arena: std.mem.Allocator, group: Database, gids: []const u32, additional: []const []const u8) fault.AllocError![]const u32 {
    const out = try arena.alloc(u32, gids.len + additional.len);
    @memcpy(out[0..gids.len], gids);
    for (out[gids.len..], additional) |*gid, text| gid.* = try findGroup(group, text);
    return out;
}

fn memberships(arena: std.mem.Allocator, group: []const u8, name: []const u8) fault.AllocError![]const u32 {
    var gids: std.ArrayList(u32) = .empty;
    var lines = groupLines(group);
    while (lines.next()) |entry| {
        var members = std.mem.splitScalar(u8, entry.members, ',');
        while (members.next()) |member| {
            if (!std.mem.eql(u8, member, name)) continue;
            if (gids.items.len == groups_max) return fault.fail(
                .identity,
                .SUCCESS,
                "{s} is in more than {d} groups of /etc/group",
                .{ name, groups_max },
            );
            try gids.append(arena, entry.gid);
            break;
        }
    }
    return gids.items;
}

const test_passwd: Database = .{ .name = "/etc/passwd", .text =
    \\root:x:0:0:root:/root:/bin/sh
    \\# a comment
    \\broken line
    \\daemon:x:1:1::/usr/sbin:/bin/false
    \\huge:x:4294967296:1::/h:
    \\4294967296:x:7:7::/seven:
    \\1000:x:8:8::/eight:
    \\app:x:1000:100:App:/home/app:/bin/sh
    \\app:x:2000:200::/second:
    \\relative:x:55:55::home:
};
const test_group: Database = .{ .name = "/etc/group", .text =
    \\root:x:0:root
    \\bin:x:1:root,daemon
    \\wheel:x:10:root,app,other
    \\staff:x:50:app
    \\named:x:77:
};

const Expected = struct { text: []const u8, uid: u32, gid: u32, groups: []const u32 = &.{}, home: []const u8 = "/" };

test "user strings as Docker reads them" {
    const cases = [_]Expected{
        .{ .text = "", .uid = 0, .gid = 0, .groups = &.{ 0, 1, 10 }, .home = "/root" },
        .{ .text = "root", .uid = 0, .gid = 0, .groups = &.{ 0, 1, 10 }, .home = "/root" },
        .{ .text = "app", .uid = 1000, .gid = 100, .groups = &.{ 10, 50 }, .home = "/home/app" },
        .{ .text = "1000", .uid = 1000, .gid = 100, .groups = &.{ 10, 50 }, .home = "/home/app" },
        .{ .text = "app:named", .uid = 1000, .gid = 77, .home = "/home/app" },
        .{ .text = "app:5", .uid = 1000, .gid = 5, .home = "/home/app" },
        .{ .text = "1000:1000", .uid = 1000, .gid = 1000, .home = "/home/app" },
        .{ .text = "4242", .uid = 4242, .gid = 0 },
        .{ .text = "4294967294:4294967294", .uid = 4294967294, .gid = 4294967294 },
        .{ .text = "2147483648", .uid = 2147483648, .gid = 0 },
        .{ .text = ":named", .uid = 0, .gid = 77, .home = "/root" },
        .{ .text = "relative", .uid = 55, .gid = 55 },
    };
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    for (cases) |case| {
        const got = try lookUp(fixed.allocator(), test_passwd, test_group, case.text, 0, 0);
        try std.testing.expectEqual(case.uid, got.uid);
        try std.testing.expectEqual(case.gid, got.gid);
        try std.testing.expectEqualSlices(u32, case.groups, got.groups);
        try std.testing.expectEqualStrings(case.home, got.home);
    }
}

test "groups by name and number" {
    var memory: [256]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    try std.testing.expectEqualSlices(u32, &.{ 1, 77, 12 }, try withGroups(fixed.allocator(), test_group, &.{1}, &.{ "named", "12" }));
    try std.testing.expectError(error.Failed, withGroups(fixed.allocator(), test_group, &.{}, &.{"none"}));
}

test "what is refused" {
    const cases = [_][2][]const u8{
        .{ "nobody", "unable to find user nobody: no matching entries in passwd file" },
        .{ "app:none", "unable to find group none: no matching entries in group file" },
        .{ "4294967296", "invalid user 4294967296: uids and gids must be in range 0-4294967294" },
        .{ "4294967295", "invalid user 4294967295: uids and gids must be in range 0-4294967294" },
        .{ "-1", "invalid user -1: uids and gids must be in range 0-4294967294" },
        .{ "0:-1", "invalid user -1: uids and gids must be in range 0-4294967294" },
        .{ "18446744073709551616", "invalid user 18446744073709551616: uids and gids must be in range 0-4294967294" },
        .{ "huge", "unable to find user huge: no matching entries in passwd file" },
    };
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    for (cases) |case| {
        try std.testing.expectError(error.Failed, lookUp(fixed.allocator(), test_passwd, test_group, case[0], 0, 0));
        try std.testing.expectEqualStrings(case[1], fault.failure.message());
    }
}

test "a database that cannot be read matters where a name is looked up" {
    const odd: Database = .{ .name = "/etc/odd", .problem = irregular };
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    for ([_][]const u8{ "root", "5:staff" }) |text| {
        try std.testing.expectError(error.Failed, lookUp(fixed.allocator(), odd, odd, text, 0, 0));
        try std.testing.expectEqualStrings("/etc/odd is not a regular file", fault.failure.message());
    }
    try std.testing.expectError(error.Failed, withGroups(fixed.allocator(), odd, &.{}, &.{"staff"}));
    for ([_]Expected{
        .{ .text = "", .uid = 0, .gid = 0 },
        .{ .text = "0", .uid = 0, .gid = 0 },
        .{ .text = "5:7", .uid = 5, .gid = 7 },
    }) |case| {
        const got = try lookUp(fixed.allocator(), odd, odd, case.text, 0, 0);
        try std.testing.expectEqual([2]u32{ case.uid, case.gid }, .{ got.uid, got.gid });
    }
    const got = try lookUp(fixed.allocator(), test_passwd, odd, "app", 0, 0);
    try std.testing.expectEqual([2]u32{ 1000, 100 }, .{ got.uid, got.gid });
}

test "the group list holds the primary group, each once" {
    var memory: [256]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const identity: Identity = .{ .uid = 1, .gid = 5, .groups = &.{ 10, 5 }, .home = "/" };
    try std.testing.expectEqualSlices(u32, &.{ 5, 10, 99 }, try groupList(fixed.allocator(), identity, &.{ 99, 10 }));
}
