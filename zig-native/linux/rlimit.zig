//! Resource limits. A host that took CAP_SYS_RESOURCE from us cannot raise a hard limit: then we give what there is.
const std = @import("std");
const linux = std.os.linux;

const Limit = extern struct { soft: u64, hard: u64 };

pub const Outcome = union(enum) {
    as_asked,
    /// To our own hard limit, which we may not raise.
    clamped,
    failed: linux.E,
};

/// "NOFILE" of 7.
pub fn nameOf(resource: usize) ?[]const u8 {
    return std.enums.tagName(linux.rlimit_resource, std.enums.fromInt(linux.rlimit_resource, resource) orelse return null);
}

/// -1 is "unlimited", all bits set.
pub fn set(resource: usize, soft: i64, hard: i64) Outcome {
    var wanted: Limit = .{ .soft = @bitCast(soft), .hard = @bitCast(hard) };
    switch (linux.errno(prlimit(resource, &wanted, null))) {
        .SUCCESS => return .as_asked,
        .PERM => {},
        else => |errno| return .{ .failed = errno },
    }
    var current: Limit = undefined;
    const read = linux.errno(prlimit(resource, null, &current));
    if (read != .SUCCESS) return .{ .failed = read };
    wanted.hard = @min(wanted.hard, current.hard);
    wanted.soft = @min(wanted.soft, wanted.hard);
    const errno = linux.errno(prlimit(resource, &wanted, null));
    return if (errno == .SUCCESS) .clamped else .{ .failed = errno };
}

/// The hard limit, where it is lower; as far as we may.
pub fn raise(resource: usize, hard: i64) void {
    var current: Limit = undefined;
    if (linux.errno(prlimit(resource, null, &current)) != .SUCCESS) return;
    const wanted: Limit = .{ .soft = current.soft, .hard = @bitCast(hard) };
    if (wanted.hard > current.hard) _ = prlimit(resource, &wanted, null);
}

fn prlimit(resource: usize, new: ?*const Limit, old: ?*Limit) usize {
    return linux.syscall4(.prlimit64, 0, resource, @intFromPtr(new), @intFromPtr(old));
}

test "a limit that is what it was is set" {
    const core = @intFromEnum(linux.rlimit_resource.CORE);
    var before: Limit = undefined;
    _ = prlimit(core, null, &before);
    try std.testing.expectEqual(.as_asked, set(core, @bitCast(before.soft), @bitCast(before.hard)));
}
