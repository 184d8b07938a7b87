//! The container's control groups. The stage makes them and puts itself in, before it leaves for a cgroup namespace of its
//! own, so that it sees itself at "/". All that the monitor does is remove them at the end.
//!
//! A host without (writable) cgroups still runs containers: only a limit that was asked for makes that an error.
const std = @import("std");
const linux = std.os.linux;
const cgroup = @import("../linux/cgroup.zig");
const cgroup_devices = @import("../linux/bpf/cgroup_devices.zig");
const cgroup_hierarchy = @import("../linux/cgroup_hierarchy.zig");
const device_rule = @import("../linux/device_rule.zig");
const fault = @import("../wire/fault.zig");
const handshake = @import("handshake.zig");
const request = @import("../wire/request.zig");

const Hierarchy = cgroup_hierarchy.Hierarchy;

/// Make the container's group in every hierarchy, and write its limits. A file that is not `required` is a default: a host that
/// does not have it does without.
pub fn create(
    arena: std.mem.Allocator,
    hierarchies: []const Hierarchy,
    group: *const request.Cgroup,
    sync: i32,
) fault.AllocError!void {
    if (!cgroup.isGroup(group.path)) return fault.fail(.request, .INVAL, "cgroup path {s}", .{group.path});
    for (hierarchies) |hierarchy| {
        const errno = try cgroup.makeGroup(arena, hierarchy, group.path);
        // Read-only hierarchies are how a container sees its own: quietly do without.
        if (errno != .SUCCESS and errno != .ROFS and errno != .EXIST and errno != .PERM and errno != .ACCES)
            handshake.warn(sync, "cannot make a cgroup in {s}: {s}", .{ hierarchy.mount_point, @tagName(errno) });
    }
    for (group.above) |file| try writeAbove(arena, hierarchies, std.fs.path.dirnamePosix(group.path) orelse "", file);
    for (group.files) |file| {
        const errno = try writeLimit(arena, hierarchies, group.path, file);
        if (errno != .SUCCESS and file.required)
            return fault.fail(.monitor, errno, "{s}: cannot set {s} of its cgroup to {s}", .{ file.flag, file.name, file.value });
    }
}

/// What somebody has set for all containers stays.
fn writeAbove(
    arena: std.mem.Allocator,
    hierarchies: []const Hierarchy,
    above: []const u8,
    file: request.CgroupAbove,
) error{OutOfMemory}!void {
    const hierarchy = cgroup.hierarchyOf(hierarchies, file.controller) orelse return;
    const directory = try std.fmt.allocPrint(arena, "{s}/{s}", .{ hierarchy.mount_point, above });
    const now = try cgroup.readFile(arena, directory, file.name) orelse return;
    if (std.mem.eql(u8, std.mem.trimEnd(u8, now, "\n"), file.unset)) _ = try cgroup.write(arena, hierarchy, above, file.name, file.value);
}

fn writeLimit(
    arena: std.mem.Allocator,
    hierarchies: []const Hierarchy,
    group: []const u8,
    file: request.CgroupFile,
) error{OutOfMemory}!linux.E {
    const hierarchy = cgroup.hierarchyOf(hierarchies, file.controller) orelse return .NOENT;
    const errno = try cgroup.write(arena, hierarchy, group, file.name, file.value);
    const other = file.instead orelse return errno;
    return if (errno == .NOENT) cgroup.write(arena, hierarchy, group, other.name, other.value) else errno;
}

/// Put the calling process, which must have one thread, into `group` of every hierarchy that has it; `born`: it is in that
/// of v2 since its birth.
pub fn join(arena: std.mem.Allocator, hierarchies: []const Hierarchy, group: *const request.Cgroup, born: bool) fault.AllocError!void {
    for (hierarchies) |hierarchy| {
        if (born and hierarchy.unified()) continue;
        const directory = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ hierarchy.mount_point, group.path }, 0);
        try enter(arena, hierarchy, directory, group.delegated);
    }
}

/// Join the groups of another process; `groups` is its /proc/PID/cgroup. `born`: we are in that of v2 since our birth.
pub fn joinProcess(
    arena: std.mem.Allocator,
    all: []const Hierarchy,
    groups: []const u8,
    born: bool,
    delegated: bool,
) fault.AllocError!void {
    const hierarchies = if (delegated) cgroup_hierarchy.unifiedOnly(all) else all;
    for (hierarchies) |hierarchy| {
        if (born and hierarchy.unified()) continue;
        const there = cgroup_hierarchy.ownGroup(groups, hierarchy.controllers);
        if (std.mem.eql(u8, there, hierarchy.own)) continue;
        try enter(arena, hierarchy, try hierarchy.directory(arena, there), delegated);
    }
}

fn enter(arena: std.mem.Allocator, hierarchy: Hierarchy, directory: []const u8, delegated: bool) fault.AllocError!void {
    switch (try cgroup.enter(arena, hierarchy, directory)) {
        .SUCCESS => {},
        // The monitor could not make it there, and warned or failed as was due.
        .NOENT, .ROFS => {},
        // A user's shell may be in a group that is not below what was delegated to him.
        .ACCES, .PERM => |errno| if (delegated)
            return fault.fail(.monitor, errno, "join cgroup {s} from {s}, where rt was started", .{ directory, hierarchy.own }),
        else => |errno| return fault.fail(.namespace, errno, "join cgroup {s}", .{directory}),
    }
}

/// Write the rules down where v1 has devices, or else let a program of v2 hold them. False: neither does, on this host.
pub fn ruleDevices(
    arena: std.mem.Allocator,
    hierarchies: []const Hierarchy,
    group: []const u8,
    rules: []const device_rule.Rule,
) fault.AllocError!bool {
    if (cgroup_hierarchy.find(hierarchies, "devices")) |hierarchy| {
        if (try writeDeviceRules(arena, hierarchy, group, rules)) return true;
    }
    const directory = try cgroup.openUnified(arena, hierarchies, group);
    if (directory < 0) return false;
    defer _ = linux.close(directory);
    return try cgroup_devices.set(arena, directory, rules) == .SUCCESS;
}

/// v1. What a host refuses to allow (we are in a container ourselves) is closed to all of us; false: it denies nothing either.
fn writeDeviceRules(
    arena: std.mem.Allocator,
    hierarchy: Hierarchy,
    group: []const u8,
    rules: []const device_rule.Rule,
) fault.AllocError!bool {
    var denies = true;
    for (rules) |rule| {
        const text = try deviceRule(arena, rule);
        switch (try cgroup.write(arena, hierarchy, group, if (rule.allow) "devices.allow" else "devices.deny", text)) {
            .SUCCESS => {},
            .PERM, .ACCES, .ROFS, .NOENT => denies = denies and rule.allow,
            else => |errno| return fault.fail(.monitor, errno, "write device rule {s}", .{text}),
        }
    }
    return denies;
}

/// "c 1:3 rwm", "b *:* m"; everything is "a".
fn deviceRule(arena: std.mem.Allocator, rule: device_rule.Rule) error{OutOfMemory}![]const u8 {
    var major: [10]u8 = undefined;
    var minor: [10]u8 = undefined;
    return std.fmt.allocPrint(arena, "{c} {s}:{s} {s}{s}{s}", .{
        @as(u8, "abc?"[rule.kind]),
        deviceNumber(&major, rule.major),
        deviceNumber(&minor, rule.minor),
        if (rule.access & device_rule.Rule.read != 0) "r" else "",
        if (rule.access & device_rule.Rule.write != 0) "w" else "",
        if (rule.access & device_rule.Rule.make != 0) "m" else "",
    });
}

fn deviceNumber(buffer: *[10]u8, value: ?u32) []const u8 {
    const given = value orelse return "*";
    var writer: std.Io.Writer = .fixed(buffer);
    writer.print("{d}", .{given}) catch unreachable; // ten digits hold every u32
    return writer.buffered();
}

test "device rules" {
    var memory: [512]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    try std.testing.expectEqualStrings(
        "a *:* rwm",
        try deviceRule(fixed.allocator(), .{ .allow = false, .kind = 0, .major = null, .minor = null, .access = 7 }),
    );
    try std.testing.expectEqualStrings(
        "c 1:3 rw",
        try deviceRule(fixed.allocator(), .{ .allow = true, .kind = 2, .major = 1, .minor = 3, .access = 6 }),
    );
}
