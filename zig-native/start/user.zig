//! An ordinary user's rt runs in his user namespace, which a process of his holds (holder.zig), and is root in there. It is
//! joined here, where there is one thread: setns(2) refuses a program that has more.
//!
//! The holder's file says "PID START BOOT", and is not believed: it lies in a directory of the user's, the process is the
//! one that started then, and its namespace is owned by him and is a child of ours. The kernel itself lets nobody into what
//! is not below him. Where anything is amiss we go on as we are, and JavaScript makes a holder (src/rootless/).
const std = @import("std");
const linux = std.os.linux;
const machine = @import("machine.zig");
const say = @import("say.zig");
const user_namespace = @import("../linux/user_namespace.zig");

/// Of a command that has just made a holder and executed itself again (src/rootless/enter.ts): the number of its process. It
/// would make one for ever, where the holder cannot be joined.
const again = "RT_HOLDER";

const variable = "RT_ROOTLESS=";
/// "RT_ROOTLESS=UID:GID" and its end.
pub const value_size_max = variable.len + 10 + 1 + 10 + 1;

const Ids = struct { uid: u32, gid: u32 };

/// The variable that tells JavaScript who has called; null where that is root, or somebody who has no holder. Whoever is root
/// asks the kernel nothing, but where he was told of a user: by us, in the user's namespace.
///
/// Who speaks of `ssh://` stays outside for now, as ssh is to be the user's own: in the namespace it would take root's home for
/// his, and the host's configuration for nobody's. What has to be inside begins anew in there (src/rootless/enter.ts).
pub fn enter(
    auxiliary: [*]const [2]usize,
    arguments: [*]const usize,
    environment: [*]const usize,
    buffer: *[value_size_max]u8,
) ?[:0]const u8 {
    const uid: u32 = @truncate(machine.value(auxiliary, std.elf.AT_EUID) orelse return null);
    const gid: u32 = @truncate(machine.value(auxiliary, std.elf.AT_EGID) orelse return null);
    if (uid == 0) {
        const told = parse(valueOf(environment, "RT_ROOTLESS") orelse return null) orelse return null;
        const are = isOutside("/proc/self/uid_map", told.uid) and isOutside("/proc/self/gid_map", told.gid);
        return if (are) describe(told, buffer) else null;
    }
    const is_again = isOwnNumber(valueOf(environment, again));
    if (!is_again and namesSsh(arguments)) return null;
    const namespace = find(uid, environment) orelse {
        if (is_again) say.die(&.{"cannot find the process that holds your user namespace, though it was just made: try again"});
        return null;
    };
    defer _ = linux.close(namespace);
    const joined = linux.setns(namespace, linux.CLONE.NEWUSER);
    if (is_again) _ = say.check(joined, "joining your user namespace");
    if (linux.errno(joined) != .SUCCESS) return null;
    // His groups stay: they are his on the host, and a container may be given them.
    _ = say.check(linux.setresgid(0, 0, 0), "becoming root of the user namespace");
    _ = say.check(linux.setresuid(0, 0, 0), "becoming root of the user namespace");
    return describe(.{ .uid = uid, .gid = gid }, buffer);
}

fn namesSsh(arguments: [*]const usize) bool {
    var index: usize = 0;
    while (arguments[index] != 0) : (index += 1) {
        const word: [*:0]const u8 = @ptrFromInt(arguments[index]);
        if (std.mem.startsWith(u8, std.mem.span(word), "ssh://")) return true;
    }
    return false;
}

/// The holder's namespace, in the first of the directories where one may be (src/base/runtime-directory.ts has the same).
fn find(uid: u32, environment: [*]const usize) ?i32 {
    const directory = directoryOf(uid, environment) orelse return null;
    defer _ = linux.close(directory);
    var text: [128]u8 = undefined;
    const holder = Holder.parse(read(directory, "rt/holder", uid, &text) orelse return null) orelse return null;
    const boot = read(linux.AT.FDCWD, "/proc/sys/kernel/random/boot_id", null, &text) orelse return null;
    if (!std.mem.eql(u8, std.mem.trimEnd(u8, boot, "\n"), &holder.boot)) return null;
    return user_namespace.openChild(holder.pid, holder.start, uid);
}

fn directoryOf(uid: u32, environment: [*]const usize) ?i32 {
    const others_write = 0o022;
    const others = 0o077;
    if (valueOf(environment, "XDG_RUNTIME_DIR")) |path| {
        if (path[0] == '/') if (ownDirectory(path, uid, others_write, false)) |directory| return directory;
    }
    var buffer: [32]u8 = undefined;
    for ([_][]const u8{ "/run/user/", "/tmp/rt-" }) |prefix| {
        @memcpy(buffer[0..prefix.len], prefix);
        buffer[prefix.len + say.decimal(buffer[prefix.len..], uid)] = 0;
        if (ownDirectory(@ptrCast(&buffer), uid, others, true)) |directory| return directory;
    }
    return null;
}

/// A directory of the user's, of which others have none of the rights `refused`.
fn ownDirectory(path: [*:0]const u8, uid: u32, refused: u16, is_place: bool) ?i32 {
    const opened = linux.open(path, .{ .PATH = true, .DIRECTORY = true, .NOFOLLOW = is_place, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    const directory: i32 = @intCast(opened);
    if (isOwn(directory, uid, refused)) return directory;
    _ = linux.close(directory);
    return null;
}

fn isOwn(file: i32, uid: u32, refused: u16) bool {
    var status: linux.Statx = undefined;
    const found = linux.statx(file, "", linux.AT.EMPTY_PATH, .{ .UID = true, .MODE = true }, &status);
    return linux.errno(found) == .SUCCESS and status.uid == uid and status.mode & refused == 0;
}

/// What a small file says, which is `owner`'s where that matters.
fn read(directory: i32, path: [*:0]const u8, owner: ?u32, buffer: []u8) ?[]const u8 {
    // A pipe of the user's own would have us wait.
    const opened = linux.openat(directory, path, .{ .NOFOLLOW = true, .NONBLOCK = true, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    const file: i32 = @intCast(opened);
    defer _ = linux.close(file);
    if (owner) |uid| if (!isOwn(file, uid, 0o022)) return null;
    const length = linux.read(file, buffer.ptr, buffer.len);
    return if (linux.errno(length) == .SUCCESS) buffer[0..length] else null;
}

const boot_size = 36;

const Holder = struct {
    pid: i32,
    start: u64,
    boot: [boot_size]u8,

    fn parse(text: []const u8) ?Holder {
        if (text.len == 0 or text[text.len - 1] != '\n') return null;
        var words = std.mem.splitScalar(u8, text[0 .. text.len - 1], ' ');
        const pid = number(u31, words.next() orelse return null) orelse return null;
        const start = number(u64, words.next() orelse return null) orelse return null;
        const boot = words.next() orelse return null;
        if (pid == 0 or boot.len != boot_size or words.next() != null) return null;
        return .{ .pid = pid, .start = start, .boot = boot[0..boot_size].* };
    }
};

/// Is our namespace's root `id` outside of it? 0 is that in a whole namespace, and no user.
fn isOutside(map: [*:0]const u8, id: u32) bool {
    var buffer: [512]u8 = undefined;
    return isRoot(read(linux.AT.FDCWD, map, null, &buffer) orelse return false, id);
}

fn isRoot(map: []const u8, id: u32) bool {
    var lines = std.mem.tokenizeScalar(u8, map, '\n');
    while (lines.next()) |line| {
        var words = std.mem.tokenizeScalar(u8, line, ' ');
        const inside = number(u32, words.next() orelse continue) orelse continue;
        if (inside == 0) return id != 0 and number(u32, words.next() orelse continue) == id;
    }
    return false;
}

fn parse(text: [*:0]const u8) ?Ids {
    var words = std.mem.splitScalar(u8, std.mem.span(text), ':');
    const uid = number(u32, words.next() orelse return null) orelse return null;
    const gid = number(u32, words.next() orelse return null) orelse return null;
    return if (words.next() == null) .{ .uid = uid, .gid = gid } else null;
}

fn isOwnNumber(text: ?[*:0]const u8) bool {
    return number(u32, std.mem.span(text orelse return false)) == @as(u32, @intCast(linux.getpid()));
}

/// Digits only, where std's parser knows signs and underscores.
fn number(Number: type, text: []const u8) ?Number {
    for (text) |byte| if (!std.ascii.isDigit(byte)) return null;
    return std.fmt.parseInt(Number, text, 10) catch null;
}

fn describe(ids: Ids, buffer: *[value_size_max]u8) [:0]const u8 {
    @memcpy(buffer[0..variable.len], variable);
    var used: usize = variable.len;
    used += say.decimal(buffer[used..], ids.uid);
    buffer[used] = ':';
    used += 1;
    used += say.decimal(buffer[used..], ids.gid);
    buffer[used] = 0;
    return buffer[0..used :0];
}

/// As for getenv(3) the first counts; none is as good as an empty one.
fn valueOf(environment: [*]const usize, name: []const u8) ?[*:0]const u8 {
    var at: usize = 0;
    while (environment[at] != 0) : (at += 1) {
        const entry: [*:0]const u8 = @ptrFromInt(environment[at]);
        for (name, 0..) |byte, index| {
            if (entry[index] != byte) break;
        } else if (entry[name.len] == '=') {
            const value = entry + name.len + 1;
            return if (value[0] == 0) null else value;
        }
    }
    return null;
}

test "a holder's file is read strictly" {
    const boot = "0b1a7d5c-2c5e-4a0b-9b0e-1f3d7c9a5e42";
    const holder = Holder.parse("123 456789 " ++ boot ++ "\n").?;
    try std.testing.expectEqual(123, holder.pid);
    try std.testing.expectEqual(456789, holder.start);
    try std.testing.expectEqualStrings(boot, &holder.boot);
    for ([_][]const u8{
        "",
        "\n",
        "123 456789 " ++ boot,
        "123 456789 " ++ boot ++ " \n",
        "123  456789 " ++ boot ++ "\n",
        "0 456789 " ++ boot ++ "\n",
        "-1 456789 " ++ boot ++ "\n",
        "1_2 456789 " ++ boot ++ "\n",
        "2147483648 456789 " ++ boot ++ "\n",
        "123 456789 x\n",
        "123 " ++ boot ++ "\n",
    }) |text| try std.testing.expectEqual(null, Holder.parse(text));
}

test "who has called is told in decimal, and believed where the namespace says the same" {
    var buffer: [value_size_max]u8 = undefined;
    try std.testing.expectEqualStrings("RT_ROOTLESS=4294967294:0", describe(.{ .uid = 4294967294, .gid = 0 }, &buffer));
    try std.testing.expectEqual(Ids{ .uid = 5000, .gid = 6000 }, parse("5000:6000").?);
    for ([_][*:0]const u8{ "", "5000", "5000:", ":1", "1:2:3", "+1:2", "x:y", "4294967296:1" }) |text| {
        try std.testing.expectEqual(null, parse(text));
    }
    const map = "         0       5000          1\n         1     100000      65536\n";
    try std.testing.expect(isRoot(map, 5000));
    for ([_]u32{ 0, 1, 100000, 5001 }) |id| try std.testing.expect(!isRoot(map, id));
    try std.testing.expect(!isRoot("         0          0 4294967295\n", 0));
    try std.testing.expect(!isRoot("", 0));
}
