//! The container's control groups. The stage makes them and puts itself in, before it leaves for a cgroup namespace of its
//! own, so that it sees itself at "/". All that the monitor does is remove them at the end.
//!
//! A host without (writable) cgroups still runs containers: only a limit that was asked for makes that an error.
const std = @import("std");
const linux = std.os.linux;
const cgroup = @import("../linux/cgroup.zig");
const cgroup_hierarchy = @import("../linux/cgroup_hierarchy.zig");
const fault = @import("../wire/fault.zig");
const handshake = @import("handshake.zig");
const request = @import("../wire/request.zig");

const Hierarchy = cgroup_hierarchy.Hierarchy;

/// Make the container's group in every hierarchy, write its limits and its device rules. A file that is not `required` is a
/// default: a host that does not have it does without.
pub fn create(
    arena: std.mem.Allocator,
    hierarchies: []const Hierarchy,
    group: *const request.Cgroup,
    devices: []const request.DeviceRule,
    sync: i32,
) fault.AllocError!void {
    if (!cgroup.isGroup(group.path)) return fault.fail(.request, .INVAL, "cgroup path {s}", .{group.path});
    for (hierarchies) |hierarchy| {
        const errno = try cgroup.makeGroup(arena, hierarchy, group.path);
        // Read-only hierarchies are how a container sees its own: quietly do without.
        if (errno != .SUCCESS and errno != .ROFS and errno != .EXIST and errno != .PERM and errno != .ACCES)
            handshake.warn(sync, "cannot make a cgroup in {s}: {s}", .{ hierarchy.mount_point, @tagName(errno) });
    }
    const above = std.fs.path.dirnamePosix(group.path) orelse "";
    for (group.above) |file| {
        // What somebody has set for all containers stays.
        const hierarchy = cgroup.hierarchyOf(hierarchies, file.controller) orelse continue;
        const directory = try std.fmt.allocPrint(arena, "{s}/{s}", .{ hierarchy.mount_point, above });
        const now = try cgroup.readFile(arena, directory, file.name) orelse continue;
        if (std.mem.eql(u8, now, "max\n")) _ = try cgroup.write(arena, hierarchy, above, file.name, file.value);
    }
    for (group.files) |file| {
        const hierarchy = cgroup.hierarchyOf(hierarchies, file.controller);
        const errno: linux.E = if (hierarchy) |there| try cgroup.write(arena, there, group.path, file.name, file.value) else .NOENT;
        if (errno != .SUCCESS and file.required) return fault.fail(.monitor, errno, "set cgroup limit {s}={s}", .{ file.name, file.value });
    }
    if (cgroup_hierarchy.find(hierarchies, "devices")) |hierarchy| try writeDeviceRules(arena, hierarchy, group.path, devices);
}

/// Put the calling process, which must have one thread, into `group` of every hierarchy that has it; `born`: it is in that
/// of v2 since its birth.
pub fn join(arena: std.mem.Allocator, hierarchies: []const Hierarchy, group: []const u8, born: bool) fault.AllocError!void {
    for (hierarchies) |hierarchy| {
        if (born and hierarchy.unified()) continue;
        const directory = try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ hierarchy.mount_point, group }, 0);
        try enter(arena, hierarchy, directory);
    }
}

/// Join the groups of another process; `groups` is its /proc/PID/cgroup. `born`: we are in that of v2 since our birth.
pub fn joinProcess(arena: std.mem.Allocator, hierarchies: []const Hierarchy, groups: []const u8, born: bool) fault.AllocError!void {
    for (hierarchies) |hierarchy| {
        if (born and hierarchy.unified()) continue;
        const there = cgroup_hierarchy.ownGroup(groups, hierarchy.controllers);
        if (std.mem.eql(u8, there, hierarchy.own)) continue;
        try enter(arena, hierarchy, try hierarchy.directory(arena, there));
    }
}

fn enter(arena: std.mem.Allocator, hierarchy: Hierarchy, directory: []const u8) fault.AllocError!void {
    switch (try cgroup.enter(arena, hierarchy, directory)) {
        // The monitor could not make it there, and warned or failed as was due.
        .SUCCESS, .NOENT, .ROFS, .ACCES, .PERM => {},
        else => |errno| return fault.fail(.namespace, errno, "join cgroup {s}", .{directory}),
    }
}

/// v1 only: on v2 the rules are an eBPF program. A host that refuses (we are in a container ourselves) has stricter ones.
fn writeDeviceRules(
    arena: std.mem.Allocator,
    hierarchy: Hierarchy,
    group: []const u8,
    rules: []const request.DeviceRule,
) fault.AllocError!void {
    for (rules) |rule| {
        const text = try deviceRule(arena, rule);
        switch (try cgroup.write(arena, hierarchy, group, if (rule.allow) "devices.allow" else "devices.deny", text)) {
            .SUCCESS, .PERM, .ACCES, .ROFS, .NOENT => {},
            else => |errno| return fault.fail(.monitor, errno, "write device rule {s}", .{text}),
        }
    }
}

/// "c 1:3 rwm", "b *:* m"; everything is "a".
fn deviceRule(arena: std.mem.Allocator, rule: request.DeviceRule) error{OutOfMemory}![]const u8 {
    var major: [10]u8 = undefined;
    var minor: [10]u8 = undefined;
    return std.fmt.allocPrint(arena, "{c} {s}:{s} {s}{s}{s}", .{
        @as(u8, "abc?"[rule.kind]),
        deviceNumber(&major, rule.major),
        deviceNumber(&minor, rule.minor),
        if (rule.access & request.DeviceRule.read != 0) "r" else "",
        if (rule.access & request.DeviceRule.write != 0) "w" else "",
        if (rule.access & request.DeviceRule.make != 0) "m" else "",
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
