//! Which namespaces a container has: those that are made with a process, those that a process of ours leaves for, those that are
//! joined; and what is done in new ones.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const handshake = @import("handshake.zig");
const loopback = @import("../linux/loopback.zig");
const neighbour = @import("neighbour.zig");
const request = @import("../wire/request.zig");
const time_namespace = @import("../linux/time_namespace.zig");
const Users = @import("users.zig");

/// What the monitor's clone3 needs: the new namespaces; or no more than one of mounts, where the others are to belong to a user
/// namespace (outside.zig).
pub fn cloneFlags(spec: *const request.Spec) u64 {
    const flags = new(spec);
    return if (Users.has(spec)) flags & linux.CLONE.NEWNS else flags;
}

/// The stage leaves for a cgroup namespace by itself, once it is in its group, and for one of clocks, which must be set before anybody
/// is in it.
pub fn new(spec: *const request.Spec) u32 {
    var flags: u32 = 0;
    for (spec.namespaces) |namespace| {
        const later = linux.CLONE.NEWCGROUP | linux.CLONE.NEWTIME | linux.CLONE.NEWUSER;
        if (namespace.isNew() and namespace.flag & later == 0) flags |= namespace.flag;
    }
    return flags;
}

/// The process that becomes the program is not that which the monitor clones.
pub fn hasTwo(spec: *const request.Spec) bool {
    return joinsPids(spec) or (Users.has(spec) and !sharesPids(spec));
}

/// The program is born in the pid namespace of somebody else, as a child of the stage's: see `bear`.
pub fn joinsPids(spec: *const request.Spec) bool {
    for (spec.namespaces) |namespace| if (namespace.flag == linux.CLONE.NEWPID) return !namespace.isNew();
    return false;
}

/// The program is no process 1: its end does not end what it has started.
pub fn sharesPids(spec: *const request.Spec) bool {
    return new(spec) & linux.CLONE.NEWPID == 0;
}

/// Those that exist; but for one of users, in which we would have no right over the others.
pub fn join(spec: *const request.Spec, handles: handshake.Handles, arena: std.mem.Allocator) fault.AllocError!void {
    if (new(spec) & linux.CLONE.NEWNS == 0)
        return fault.fail(.namespace, .INVAL, "a container needs a mount namespace of its own", .{});
    for (spec.namespaces) |namespace| {
        if (!namespace.isNew() and namespace.flag != linux.CLONE.NEWUSER) try neighbour.join(arena, namespace, &handles.neighbours);
    }
}

pub fn setUp(spec: *const request.Spec) fault.Error!void {
    const flags = new(spec);
    if (flags & linux.CLONE.NEWNET != 0) try fault.ensure(loopback.up(), .settings, "bring the loopback interface up", .{});
    if (flags & linux.CLONE.NEWUTS != 0) {
        try setName(.sethostname, "hostname", spec.hostname);
        try setName(.setdomainname, "domainname", spec.domainname);
    }
}

/// Null: it has the host's clocks.
pub fn newClocks(spec: *const request.Spec) ?[]const time_namespace.Offset {
    for (spec.namespaces) |namespace| {
        if (namespace.flag == linux.CLONE.NEWTIME and namespace.isNew()) return spec.timeOffsets;
    }
    return null;
}

fn setName(call: linux.SYS, comptime what: []const u8, name: []const u8) fault.Error!void {
    if (name.len == 0) return;
    if (std.mem.indexOfAny(u8, name, "\x00\n") != null)
        return fault.fail(.settings, .INVAL, "the " ++ what ++ " holds a NUL or a line end", .{});
    _ = try fault.check(linux.syscall2(call, @intFromPtr(name.ptr), name.len), .settings, "set the " ++ what ++ " {s}", .{name});
}

pub fn newCgroups(spec: *const request.Spec) u32 {
    for (spec.namespaces) |namespace| {
        if (namespace.flag == linux.CLONE.NEWCGROUP and namespace.isNew()) return linux.CLONE.NEWCGROUP;
    }
    return 0;
}
