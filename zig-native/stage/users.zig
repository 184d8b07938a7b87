//! A container's own user namespace: who is who in it, and how a process of ours gets there.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const idmap = @import("../linux/idmap.zig");
const neighbour = @import("neighbour.zig");
const handshake = @import("handshake.zig");
const program = @import("program.zig");
const request = @import("../wire/request.zig");
const user_namespace = @import("../linux/user_namespace.zig");

const Users = @This();

pub const Owner = struct { uid: u32, gid: u32 };

/// The namespace, open.
fd: i32,
uids: []const idmap.Range,
gids: []const idmap.Range,

/// Is the container in one of its own, or of another container?
pub fn has(spec: *const request.Spec) bool {
    return find(spec) != null;
}

fn find(spec: *const request.Spec) ?request.Namespace {
    for (spec.namespaces) |namespace| if (namespace.flag == linux.CLONE.NEWUSER) return namespace;
    return null;
}

/// Null: it is in ours. To be called in no pid namespace of others (linux/idmap.zig).
pub fn open(
    arena: std.mem.Allocator,
    spec: *const request.Spec,
    neighbours: *const [handshake.neighbours_max]handshake.Neighbour,
) fault.AllocError!?Users {
    const namespace = find(spec) orelse return null;
    if (!namespace.isNew()) {
        const fd = try neighbour.open(arena, namespace, neighbours);
        var maps: idmap.Maps = .{ .uids = spec.uids, .gids = spec.gids };
        if (maps.uids.len == 0) try fault.ensure(try idmap.read(arena, fd, &maps), .namespace, "read the maps of the user namespace", .{});
        return .{ .fd = fd, .uids = maps.uids, .gids = maps.gids };
    }
    const made = try idmap.open(arena, spec.uids, spec.gids);
    if (made >= 0) return .{ .fd = made, .uids = spec.uids, .gids = spec.gids };
    return fault.fail(.namespace, @enumFromInt(-made), "create a user namespace", .{});
}

/// The number out here of one in there; null where it has none.
pub fn uid(self: *const Users, inside: u32) ?u32 {
    return idmap.outside(self.uids, inside);
}

pub fn gid(self: *const Users, inside: u32) ?u32 {
    return idmap.outside(self.gids, inside);
}

/// Out here: the namespace's root, or who else has the lowest number in it.
pub fn firstUid(self: *const Users) u32 {
    return self.uid(lowest(self.uids)) orelse 0;
}

pub fn firstGid(self: *const Users) u32 {
    return self.gid(lowest(self.gids)) orelse 0;
}

fn lowest(ranges: []const idmap.Range) u32 {
    var number: u32 = std.math.maxInt(u32);
    for (ranges) |range| number = @min(number, range.from);
    return number;
}

/// A program opens its pipes again by way of /dev/stdout: they become the namespace's root's, who can give them to its user.
pub fn give(self: *const Users, handles: handshake.Handles) void {
    for ([_]i32{ handles.stdin, handles.stdout, handles.stderr }) |fd| {
        if (fd >= 0) _ = linux.fchown(fd, self.firstUid(), self.firstGid());
    }
}

/// Our groups stay outside: whoever is in the container can be in a namespace of its own making that takes no setgroups(2), or has no
/// users yet. To be called while /proc is ours.
pub fn leaveGroups() fault.Error!void {
    const none = linux.setgroups(0, undefined);
    // Where our own takes none (setgroups(2) is denied for good) what we have is all that there is.
    if (linux.errno(none) == .PERM and user_namespace.deniesGroups()) return;
    _ = try fault.check(none, .identity, "set groups", .{});
}

/// All rights in there, and none out here. We are still nobody's there: `becomeFirst`. `leaveGroups` comes before.
pub fn enter(self: *const Users) fault.Error!void {
    if (self.uids.len == 0 or self.gids.len == 0)
        return fault.fail(.namespace, .SUCCESS, "enter the user namespace: it has no users, or no groups", .{});
    _ = try fault.check(linux.setns(self.fd, linux.CLONE.NEWUSER), .namespace, "enter the user namespace", .{});
}

/// In the namespace: its root, so that what we make in the container is the container's.
pub fn becomeFirst(self: *const Users) fault.Error!void {
    const g, const u = .{ lowest(self.gids), lowest(self.uids) };
    _ = try fault.check(linux.setresgid(g, g, g), .identity, "set gid {d}", .{g});
    _ = try fault.check(linux.setresuid(u, u, u), .identity, "set uid {d}", .{u});
    // The change of credentials made us what fs.suid_dumpable says.
    try program.hide();
}
