//! The user's identity and rights: limits, capabilities, the filter of system calls, groups, uid and gid. In this order only
//! does each step still have the right that it needs.
const std = @import("std");
const linux = std.os.linux;
const capability = @import("../linux/capability.zig");
const fault = @import("../wire/fault.zig");
const handshake = @import("handshake.zig");
const request = @import("../wire/request.zig");
const rlimit = @import("../linux/rlimit.zig");
const seccomp = @import("../linux/seccomp.zig");
const user = @import("user.zig");

pub fn setLimits(sync: i32, limits: []const request.Limit) fault.Error!void {
    for (limits) |limit| {
        const name = rlimit.nameOf(limit.resource) orelse return fault.fail(.settings, .INVAL, "unknown limit {d}", .{limit.resource});
        switch (rlimit.set(limit.resource, limit.soft, limit.hard)) {
            .as_asked => {},
            .clamped => handshake.warn(
                sync,
                "cannot raise RLIMIT_{s} to {d}:{d} on this host: it stays at what rt itself has",
                .{ name, limit.soft, limit.hard },
            ),
            .failed => |errno| return fault.fail(.settings, errno, "set RLIMIT_{s} to {d}:{d}", .{ name, limit.soft, limit.hard }),
        }
    }
}

pub fn take(
    arena: std.mem.Allocator,
    sync: i32,
    process: *const request.Process,
    confined: bool,
    identity: user.Identity,
) fault.AllocError!void {
    const asked = process.capabilities;
    var ours: u64 = 0;
    try fault.ensure(capability.ours(&ours), .identity, "read capabilities", .{});
    const sets = capability.forUser(.{
        .bounding = asked.bounding,
        .effective = asked.effective & ours,
        .permitted = asked.permitted & ours,
        .inheritable = asked.inheritable & ours,
        .ambient = asked.ambient & ours,
    }, identity.uid);
    // Without no_new_privs only who has CAP_SYS_ADMIN may load a filter; what follows is allowed by it.
    if (confined) switch (seccomp.load(sets.bounding)) {
        .SUCCESS => {},
        .INVAL, .NOSYS => handshake.warn(sync, "this kernel has no filters of system calls: the container runs without", .{}),
        else => |errno| return fault.fail(.identity, errno, "load the filter of system calls", .{}),
    };
    var failed: usize = 0;
    try fault.ensure(capability.dropBounding(sets.bounding, &failed), .identity, "drop capability {d} from the bounding set", .{failed});
    const groups = try user.groupList(arena, identity, process.user.additionalGids);
    _ = try fault.check(linux.setgroups(groups.len, groups.ptr), .identity, "set groups", .{});
    _ = try fault.check(linux.setresgid(identity.gid, identity.gid, identity.gid), .identity, "set gid {d}", .{identity.gid});
    try set(.SET_KEEPCAPS, 1, "keep capabilities");
    _ = try fault.check(linux.setresuid(identity.uid, identity.uid, identity.uid), .identity, "set uid {d}", .{identity.uid});
    try set(.SET_KEEPCAPS, 0, "keep capabilities");
    try fault.ensure(capability.set(sets), .identity, "set capabilities", .{});
    try fault.ensure(capability.setAmbient(sets.ambient), .identity, "set ambient capabilities", .{});
    if (process.noNewPrivileges) try set(.SET_NO_NEW_PRIVS, 1, "set no_new_privs");
}

pub fn set(option: linux.PR, value: usize, comptime what: []const u8) fault.Error!void {
    _ = try fault.check(linux.prctl(@intFromEnum(option), value, 0, 0, 0), .identity, what, .{});
}
