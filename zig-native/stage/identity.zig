//! The user's identity and rights: limits, groups, uid and gid, capabilities. In this order only does each step still have the
//! right that it needs; the filter of system calls, whose turn comes later, says what it needs (filter.zig).
const std = @import("std");
const linux = std.os.linux;
const capability = @import("../linux/capability.zig");
const fault = @import("../wire/fault.zig");
const filters = @import("filter.zig");
const handshake = @import("handshake.zig");
const request = @import("../wire/request.zig");
const rlimit = @import("../linux/rlimit.zig");
const user = @import("user.zig");
const Files = @import("../linux/user_namespace.zig").Files;

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

/// Answers what is to be loaded yet. `names` is what is known of the user namespace, where /proc/self is not there.
pub fn take(
    arena: std.mem.Allocator,
    sync: i32,
    process: *const request.Process,
    filter: ?filters.Filter,
    identity: user.Identity,
    names: ?Files,
) fault.AllocError!?filters.Pending {
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
    const more = if (filter == null) 0 else filters.Pending.needed(process.noNewPrivileges, ours);
    var now = sets;
    now.permitted |= more;
    now.effective |= more;
    var failed: usize = 0;
    try fault.ensure(capability.dropBounding(sets.bounding, &failed), .identity, "drop capability {d} from the bounding set", .{failed});
    try setGroups(arena, sync, identity, process.user.additionalGids, names);
    try check(arena, linux.setresgid(identity.gid, identity.gid, identity.gid), "gid", identity.gid, names);
    try set(.SET_KEEPCAPS, 1, "keep capabilities");
    try check(arena, linux.setresuid(identity.uid, identity.uid, identity.uid), "uid", identity.uid, names);
    try set(.SET_KEEPCAPS, 0, "keep capabilities");
    try fault.ensure(capability.set(now), .identity, "set capabilities", .{});
    try fault.ensure(capability.setAmbient(sets.ambient), .identity, "set ambient capabilities", .{});
    if (process.noNewPrivileges) try set(.SET_NO_NEW_PRIVS, 1, "set no_new_privs");
    return .{ .filter = filter orelse return null, .rights = if (std.meta.eql(now, sets)) null else sets };
}

/// In a user namespace of one who may not set groups there are none but those that we have; and a file of the image can name groups
/// that have no number in it.
fn setGroups(
    arena: std.mem.Allocator,
    sync: i32,
    identity: user.Identity,
    additional: []const u32,
    names: ?Files,
) fault.AllocError!void {
    if (user.keepsGroups(additional)) return;
    const groups = try user.groupList(arena, identity, additional);
    var result = linux.setgroups(groups.len, groups.ptr);
    const named, const asked = .{ identity.groups[0..identity.named], identity.groups[identity.named..] };
    if (linux.errno(result) == .PERM and (try filesOf(arena, names)).deniesGroups()) {
        for ([_][]const u32{ asked, additional }) |list| for (list) |gid| if (gid != identity.gid) return handshake.warn(
            sync,
            "group {d}, and whatever --group-add asks for besides, is left out: this user namespace lets nobody set groups " ++
                "(subordinate ids in /etc/subuid and /etc/subgid would)",
            .{gid},
        );
        return;
    }
    if (linux.errno(result) == .INVAL) {
        const files = try filesOf(arena, names);
        for ([_][]const u32{ &.{identity.gid}, asked, additional }) |list| for (list) |gid| {
            if (!files.hasGroup(gid)) return nobody("gid", gid, files.gid_map);
        };
        var known: std.ArrayList(u32) = .empty;
        for (named) |gid| if (files.hasGroup(gid)) try known.append(arena, gid);
        try known.appendSlice(arena, asked);
        var rest = identity;
        rest.groups = known.items;
        const kept = try user.groupList(arena, rest, additional);
        result = linux.setgroups(kept.len, kept.ptr);
    }
    _ = try fault.check(result, .identity, "set groups", .{});
}

fn filesOf(arena: std.mem.Allocator, names: ?Files) error{OutOfMemory}!Files {
    return names orelse try .read(arena, null);
}

fn check(arena: std.mem.Allocator, result: usize, comptime what: []const u8, number: u32, names: ?Files) fault.AllocError!void {
    if (linux.errno(result) == .INVAL) {
        const files = try filesOf(arena, names);
        const of_users = comptime std.mem.eql(u8, what, "uid");
        const known = if (of_users) files.hasUser(number) else files.hasGroup(number);
        if (!known) return nobody(what, number, if (of_users) files.uid_map else files.gid_map);
    }
    _ = try fault.check(result, .identity, "set " ++ what ++ " {d}", .{number});
}

fn nobody(comptime what: []const u8, number: u32, map: ?[]const u8) fault.Error {
    var text: [160]u8 = undefined;
    const format = what ++ " {d} is nobody in the container's user namespace, whose " ++ what ++ "_map is {s}: " ++
        "map it, or run as somebody who is there";
    return fault.fail(.identity, .SUCCESS, format, .{ number, shorten(&text, map orelse "") });
}

/// "0 100000 65536, 65536 1000 1", as much of it as there is room for.
fn shorten(buffer: []u8, map: []const u8) []const u8 {
    var writer: std.Io.Writer = .fixed(buffer);
    var words = std.mem.tokenizeAny(u8, map, " \n");
    var count: usize = 0;
    while (words.next()) |word| : (count += 1) {
        const before = if (count == 0) "" else if (count % 3 == 0) ", " else " ";
        writer.print("{s}{s}", .{ before, word }) catch break; // it says enough
    }
    return writer.buffered();
}

test shorten {
    var buffer: [64]u8 = undefined;
    const map = "         0       1000          1\n         1     100000      65536\n";
    try std.testing.expectEqualStrings("0 1000 1, 1 100000 65536", shorten(&buffer, map));
}

pub fn set(option: linux.PR, value: usize, comptime what: []const u8) fault.Error!void {
    _ = try fault.check(linux.prctl(@intFromEnum(option), value, 0, 0, 0), .identity, what, .{});
}
