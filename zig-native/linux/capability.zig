//! Capabilities by name, and the five sets of a process. capabilities(7), linux/capability.h.
const std = @import("std");
const linux = std.os.linux;
const stage = @import("../stage/sync.zig");
const path = @import("path.zig");

/// Index is the capability's number.
pub const names = [_][]const u8{
    "CHOWN",      "DAC_OVERRIDE",  "DAC_READ_SEARCH", "FOWNER",           "FSETID",        "KILL",               "SETGID",
    "SETUID",     "SETPCAP",       "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN",          "NET_RAW",
    "IPC_LOCK",   "IPC_OWNER",     "SYS_MODULE",      "SYS_RAWIO",        "SYS_CHROOT",    "SYS_PTRACE",         "SYS_PACCT",
    "SYS_ADMIN",  "SYS_BOOT",      "SYS_NICE",        "SYS_RESOURCE",     "SYS_TIME",      "SYS_TTY_CONFIG",     "MKNOD",
    "LEASE",      "AUDIT_WRITE",   "AUDIT_CONTROL",   "SETFCAP",          "MAC_OVERRIDE",  "MAC_ADMIN",          "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",      "PERFMON",          "BPF",           "CHECKPOINT_RESTORE",
};

pub const Sets = struct {
    bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
};

const ambient_raise = 2;
const ambient_clear_all = 4;

/// capset(2)'s header and two 32-bit halves.
const Header = extern struct { version: u32 = 0x20080522, pid: i32 = 0 };
const Half = extern struct { effective: u32, permitted: u32, inheritable: u32 };

/// "CAP_CHOWN" is bit 0. Null for a name that this kernel interface has no number for.
pub fn bit(name: []const u8) ?u6 {
    const prefix = "CAP_";
    const short = if (std.ascii.startsWithIgnoreCase(name, prefix)) name[prefix.len..] else name;
    for (names, 0..) |known, number| if (std.ascii.eqlIgnoreCase(known, short)) return @intCast(number);
    return null;
}

pub fn mask(list: []const []const u8) stage.Error!u64 {
    var bits: u64 = 0;
    for (list) |name| {
        const number = bit(name) orelse return stage.fail(.identity, .INVAL, "unknown capability {s}", .{name});
        bits |= @as(u64, 1) << number;
    }
    return bits;
}

/// The sets that a process of `uid` starts with. Only root's execve keeps what it has, so a user gets no permitted or
/// effective set beyond the ambient one, as Docker does: what is bounding can still be gained through a file.
pub fn forUser(asked: Sets, uid: u32) Sets {
    if (uid == 0) return asked;
    return .{
        .bounding = asked.bounding,
        .effective = asked.ambient,
        .permitted = asked.ambient,
        .inheritable = asked.ambient,
        .ambient = asked.ambient,
    };
}

/// What we have of `permitted`: a host may have taken some from us (CAP_SYS_RESOURCE), and those cannot be handed on.
pub fn ours() stage.Error!u64 {
    var header: Header = .{};
    var halves: [2]Half = undefined;
    _ = try stage.check(linux.syscall2(.capget, @intFromPtr(&header), @intFromPtr(&halves)), .identity, "read capabilities", .{});
    return @as(u64, halves[1].permitted) << 32 | halves[0].permitted;
}

/// Drop what is not in `bounding`. Needs CAP_SETPCAP, so before the user changes.
pub fn dropBounding(bounding: u64) stage.Error!void {
    for (0..64) |number| {
        if (bounding & (@as(u64, 1) << @intCast(number)) != 0) continue;
        const dropped = prctl(.CAPBSET_DROP, number, 0);
        if (linux.errno(dropped) == .INVAL) return; // beyond the kernel's last
        _ = try stage.check(dropped, .identity, "drop capability {d} from the bounding set", .{number});
    }
}

/// The other four sets; after the user changed with PR_SET_KEEPCAPS.
pub fn apply(sets: Sets) stage.Error!void {
    var header: Header = .{};
    var halves: [2]Half = undefined;
    for (&halves, [2]u6{ 0, 32 }) |*half, shift| half.* = .{
        .effective = @truncate(sets.effective >> shift),
        .permitted = @truncate(sets.permitted >> shift),
        .inheritable = @truncate(sets.inheritable >> shift),
    };
    _ = try stage.check(linux.syscall2(.capset, @intFromPtr(&header), @intFromPtr(&halves)), .identity, "set capabilities", .{});
    const cleared = prctl(.CAP_AMBIENT, ambient_clear_all, 0);
    // EINVAL: a kernel older than ambient capabilities, which then has none to clear.
    if (linux.errno(cleared) != .SUCCESS and linux.errno(cleared) != .INVAL)
        return stage.fail(.identity, linux.errno(cleared), "clear ambient capabilities", .{});
    for (0..names.len) |number| {
        if (sets.ambient & (@as(u64, 1) << @intCast(number)) == 0) continue;
        _ = try stage.check(prctl(.CAP_AMBIENT, ambient_raise, number), .identity, "raise ambient capability {s}", .{names[number]});
    }
}

fn prctl(option: linux.PR, first: usize, second: usize) usize {
    return linux.prctl(@intFromEnum(option), first, second, 0, 0);
}

test "names and numbers" {
    try std.testing.expectEqual(@as(usize, 41), names.len);
    try std.testing.expectEqual(@as(?u6, 0), bit("CAP_CHOWN"));
    try std.testing.expectEqual(@as(?u6, 21), bit("cap_sys_admin"));
    try std.testing.expectEqual(@as(?u6, 24), bit("SYS_RESOURCE"));
    try std.testing.expectEqual(@as(?u6, 31), bit("CAP_SETFCAP"));
    try std.testing.expectEqual(@as(?u6, 40), bit("CAP_CHECKPOINT_RESTORE"));
    try std.testing.expectEqual(@as(?u6, null), bit("CAP_ALL"));
    try std.testing.expectEqual(@as(u64, 0b100001), try mask(&.{ "CAP_CHOWN", "CAP_KILL" }));
    try std.testing.expectError(error.Failed, mask(&.{"CAP_NONE"}));
}

test "a user has no permitted capabilities, and only asked ambient ones" {
    const asked: Sets = .{ .bounding = 7, .effective = 7, .permitted = 7, .inheritable = 0, .ambient = 0 };
    try std.testing.expectEqual(asked, forUser(asked, 0));
    try std.testing.expectEqual(Sets{ .bounding = 7, .effective = 0, .permitted = 0, .inheritable = 0, .ambient = 0 }, forUser(asked, 1000));
}
