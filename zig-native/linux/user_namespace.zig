//! The user namespace that this process is in (user_namespaces(7)), as far as it changes what can be done there.
const std = @import("std");
const linux = std.os.linux;
const process = @import("process.zig");

/// That of the process `pid` which started at `start`, a descriptor; null where it is gone, or its namespace is not a child of
/// ours that belongs to `owner`. The kernel lets nobody join what is not below him (setns(2)).
pub fn openChild(pid: i32, start: u64, owner: u32) ?i32 {
    var path: [32]u8 = undefined;
    const name = std.fmt.bufPrintZ(&path, "/proc/{d}/ns/user", .{pid}) catch return null;
    const opened = linux.open(name, .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    // Asked after it was opened: if it still is the process that started then, it was that when this was opened.
    if (process.startTime(pid) == start and isChild(@intCast(opened), owner)) return @intCast(opened);
    _ = linux.close(@intCast(opened));
    return null;
}

fn isChild(namespace: i32, owner: u32) bool {
    const get_parent = 0xb702; // NS_GET_PARENT
    const get_owner = 0xb704; // NS_GET_OWNER_UID
    var found: u32 = 0;
    if (linux.errno(linux.ioctl(namespace, get_owner, @intFromPtr(&found))) != .SUCCESS or found != owner) return false;
    const parent = linux.ioctl(namespace, get_parent, 0);
    if (linux.errno(parent) != .SUCCESS) return false;
    defer _ = linux.close(@intCast(parent));
    const theirs = Identity.of(@intCast(parent), "", linux.AT.EMPTY_PATH) orelse return false;
    const ours = Identity.of(linux.AT.FDCWD, "/proc/self/ns/user", 0) orelse return false;
    return std.meta.eql(theirs, ours);
}

const Identity = struct {
    major: u32,
    minor: u32,
    inode: u64,

    fn of(directory: i32, name: [*:0]const u8, flags: u32) ?Identity {
        var status: linux.Statx = undefined;
        if (linux.errno(linux.statx(directory, name, flags, .{ .INO = true }, &status)) != .SUCCESS) return null;
        return .{ .major = status.dev_major, .minor = status.dev_minor, .inode = status.ino };
    }
};

/// The host's own, by its inode, which the kernel has given for good (PROC_USER_INIT_INO). Elsewhere device nodes cannot be made, and
/// overlay and file capabilities keep their marks in attributes that belong to the namespace. The maps do not tell: one of root's
/// children may map every number to itself.
pub fn isInitial() bool {
    var buffer: linux.Statx = undefined;
    const result = linux.statx(linux.AT.FDCWD, "/proc/self/ns/user", 0, .{ .INO = true }, &buffer);
    // No /proc, or a kernel without user namespaces.
    return linux.errno(result) != .SUCCESS or buffer.ino == 0xeffffffd;
}

/// How many users there are in it: where it is one, everything belongs to him.
pub fn userCount() u64 {
    var buffer: [4096]u8 = undefined;
    const map = readFile("/proc/self/uid_map", &buffer) orelse return std.math.maxInt(u32);
    var sum: u64 = 0;
    var lines = std.mem.tokenizeScalar(u8, map, '\n');
    while (lines.next()) |line| {
        var words = std.mem.tokenizeScalar(u8, line, ' ');
        var size: u64 = 0;
        while (words.next()) |word| size = std.fmt.parseInt(u32, word, 10) catch 0;
        sum += size;
    }
    return sum;
}

/// Has this group a number in it?
pub fn hasGroup(gid: u32) bool {
    var buffer: [map_bytes_max]u8 = undefined;
    return contains(readFile("/proc/self/gid_map", &buffer) orelse return true, gid);
}

fn contains(map: []const u8, number: u32) bool {
    var lines: Lines = .{ .words = std.mem.tokenizeAny(u8, map, " \n") };
    while (lines.next()) |line| if (number >= line.from and number - line.from < line.count) return true;
    return false;
}

/// Nobody can set supplementary groups in it.
pub fn deniesGroups() bool {
    var buffer: [16]u8 = undefined;
    return isDenial(readFile("/proc/self/setgroups", &buffer));
}

fn isDenial(setgroups: ?[]const u8) bool {
    return std.mem.startsWith(u8, setgroups orelse "", "deny");
}

/// What /proc says of the user namespace of a process. Whoever is about to enter a container whose pid namespace he is not in reads
/// it before: he has no /proc/self there. Null: there is no such file, and nothing that it would keep from us.
pub const Files = struct {
    uid_map: ?[]const u8 = null,
    gid_map: ?[]const u8 = null,
    setgroups: ?[]const u8 = null,

    /// Of ours where `pid` is null.
    pub fn read(arena: std.mem.Allocator, pid: ?i32) error{OutOfMemory}!Files {
        return .{
            .uid_map = try copy(arena, pid, "uid_map"),
            .gid_map = try copy(arena, pid, "gid_map"),
            .setgroups = try copy(arena, pid, "setgroups"),
        };
    }

    pub fn hasUser(self: *const Files, uid: u32) bool {
        return contains(self.uid_map orelse return true, uid);
    }

    pub fn hasGroup(self: *const Files, gid: u32) bool {
        return contains(self.gid_map orelse return true, gid);
    }

    pub fn deniesGroups(self: *const Files) bool {
        return isDenial(self.setgroups);
    }

    fn copy(arena: std.mem.Allocator, pid: ?i32, comptime file: []const u8) error{OutOfMemory}!?[]const u8 {
        var name: [40]u8 = undefined;
        var buffer: [map_bytes_max]u8 = undefined;
        const own = "/proc/self/" ++ file;
        const path = if (pid) |number| std.fmt.bufPrintZ(&name, "/proc/{d}/" ++ file, .{number}) catch unreachable else own;
        return try arena.dupe(u8, readFile(path, &buffer) orelse return null);
    }
};

/// The group whose number on the host is the highest: from 0 to that the kernel takes a range of groups. Null: all are its own, or 0
/// is none.
pub fn highestGroup() ?u32 {
    var buffer: [map_bytes_max]u8 = undefined;
    const map = readFile("/proc/self/gid_map", &buffer) orelse return null;
    return if (isWhole(map)) null else highest(map);
}

fn highest(map: []const u8) ?u32 {
    var lines: Lines = .{ .words = std.mem.tokenizeAny(u8, map, " \n") };
    var found: ?Line = null;
    while (lines.next()) |line| {
        if (line.count > 0 and (found == null or line.to > found.?.to)) found = line;
    }
    const line = found orelse return null;
    return line.from + (line.count - 1);
}

/// A whole map has 340 lines at most.
pub const map_bytes_max = 16 * 1024;

const Line = struct { from: u32, to: u32, count: u32 };

const Lines = struct {
    words: std.mem.TokenIterator(u8, .any),

    fn next(self: *Lines) ?Line {
        return .{
            .from = self.number() orelse return null,
            .to = self.number() orelse return null,
            .count = self.number() orelse return null,
        };
    }

    fn number(self: *Lines) ?u32 {
        return std.fmt.parseInt(u32, self.words.next() orelse return null, 10) catch null;
    }
};

/// The kernel gives a page of it at a time.
pub fn readFile(file: [*:0]const u8, buffer: []u8) ?[]const u8 {
    const opened = linux.open(file, .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(opened));
    var length: usize = 0;
    while (length < buffer.len) {
        const size = linux.read(@intCast(opened), buffer[length..].ptr, buffer.len - length);
        if (linux.errno(size) != .SUCCESS) return null;
        if (size == 0) break;
        length += size;
    }
    return buffer[0..length];
}

fn isWhole(map: []const u8) bool {
    var words = std.mem.tokenizeAny(u8, map, " \n");
    for ([_][]const u8{ "0", "0", "4294967295" }) |wanted| if (!std.mem.eql(u8, words.next() orelse "", wanted)) return false;
    return true;
}

test isWhole {
    try std.testing.expect(isWhole("         0          0 4294967295\n"));
    try std.testing.expect(!isWhole("         0       1000          1\n         1     100000      65536\n"));
    try std.testing.expect(!isWhole(""));
}

test Files {
    const files: Files = .{ .uid_map = "         0       1000          1\n         5     100000      10\n", .setgroups = "deny\n" };
    for ([_]u32{ 0, 5, 14 }) |uid| try std.testing.expect(files.hasUser(uid));
    for ([_]u32{ 1, 15, 1000 }) |uid| try std.testing.expect(!files.hasUser(uid));
    try std.testing.expect(files.hasGroup(7));
    try std.testing.expect(files.deniesGroups());
    try std.testing.expect(!(Files{ .setgroups = "allow\n" }).deniesGroups());
    try std.testing.expect(!(Files{}).deniesGroups());
}

test highest {
    try std.testing.expectEqual(65_536, highest("         0       1000          1\n         1     100000      65536\n").?);
    try std.testing.expectEqual(0, highest("         0       1000          1\n").?);
    try std.testing.expectEqual(1000, highest("0 1 1000\n1000 200000 1\n1001 1001 64536").?);
    try std.testing.expectEqual(null, highest(""));
}
