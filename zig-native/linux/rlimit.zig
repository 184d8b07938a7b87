//! Resource limits by name. A host that took CAP_SYS_RESOURCE from us cannot raise a hard limit: then we give what there is.
const std = @import("std");
const linux = std.os.linux;
const stage = @import("../stage/sync.zig");

/// Index is the resource's number on Linux's common architectures (asm-generic/resource.h).
const names = [_][]const u8{
    "CPU",   "FSIZE",      "DATA",     "STACK", "CORE",   "RSS",    "NPROC", "NOFILE", "MEMLOCK", "AS",
    "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE",  "RTPRIO", "RTTIME",
};

const Limit = extern struct { soft: u64, hard: u64 };

/// "RLIMIT_NOFILE" is 7.
pub fn number(name: []const u8) ?usize {
    const prefix = "RLIMIT_";
    if (!std.mem.startsWith(u8, name, prefix)) return null;
    for (names, 0..) |known, index| if (std.mem.eql(u8, known, name[prefix.len..])) return index;
    return null;
}

/// True when the limit was set as asked, false when it had to be clamped to our own hard limit.
pub fn set(name: []const u8, soft: i64, hard: i64) stage.Error!bool {
    const resource = number(name) orelse return stage.fail(.settings, .INVAL, "unknown limit {s}", .{name});
    // -1 is "unlimited", all bits set.
    var wanted: Limit = .{ .soft = @bitCast(soft), .hard = @bitCast(hard) };
    const direct = prlimit(resource, &wanted, null);
    if (linux.errno(direct) != .PERM) {
        _ = try stage.check(direct, .settings, "set {s} to {d}:{d}", .{ name, soft, hard });
        return true;
    }
    var current: Limit = undefined;
    _ = try stage.check(prlimit(resource, null, &current), .settings, "read {s}", .{name});
    wanted.hard = @min(wanted.hard, current.hard);
    wanted.soft = @min(wanted.soft, wanted.hard);
    _ = try stage.check(prlimit(resource, &wanted, null), .settings, "set {s} to {d}:{d}", .{ name, soft, hard });
    return false;
}

fn prlimit(resource: usize, new: ?*const Limit, old: ?*Limit) usize {
    return linux.syscall4(.prlimit64, 0, resource, @intFromPtr(new), @intFromPtr(old));
}

test "names" {
    try std.testing.expectEqual(@as(?usize, 7), number("RLIMIT_NOFILE"));
    try std.testing.expectEqual(@as(?usize, 15), number("RLIMIT_RTTIME"));
    try std.testing.expectEqual(@as(?usize, null), number("NOFILE"));
    try std.testing.expectEqual(@as(?usize, null), number("RLIMIT_X"));
}

test "a limit that cannot be raised is clamped" {
    var before: Limit = undefined;
    _ = prlimit(number("RLIMIT_CORE").?, null, &before);
    try std.testing.expect(try set("RLIMIT_CORE", @bitCast(before.soft), @bitCast(before.hard)));
}
