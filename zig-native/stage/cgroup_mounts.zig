//! What a container sees of its cgroups.
const std = @import("std");
const linux = std.os.linux;
const cgroup_hierarchy = @import("../linux/cgroup_hierarchy.zig");
const fault = @import("../wire/fault.zig");
const file_system = @import("file_system.zig");
const Guard = @import("guard.zig");
const mount = @import("../linux/mount.zig");
const path = @import("../linux/path.zig");
const request = @import("../wire/request.zig");

/// At `target`: the container's own groups, bound from where the host has them mounted. v1 hierarchies lie in a tmpfs as on any host.
pub fn attach(
    arena: std.mem.Allocator,
    target: i32,
    wanted: *const request.Mount,
    hierarchies: []const cgroup_hierarchy.Hierarchy,
    guard: *Guard,
) fault.AllocError!void {
    if (hierarchies.len == 0) return; // a host without cgroups
    const destination = wanted.destination;
    if (hierarchies.len == 1 and hierarchies[0].unified()) return attachHierarchy(arena, hierarchies[0], wanted, target, guard);

    const flags = mount.attribute_nosuid | mount.attribute_nodev | mount.attribute_noexec;
    const tmpfs = try file_system.create(arena, "tmpfs", "tmpfs", &.{"mode=755"}, flags);
    defer _ = linux.close(tmpfs);
    try guard.check(arena, destination, target, tmpfs);
    _ = try fault.check(mount.attach(tmpfs, target), .mount, "mount tmpfs at {s}", .{destination});
    try guard.note(arena, try path.tidy(arena, destination), wanted.type, tmpfs);
    for (hierarchies) |hierarchy| {
        const name = try arena.dupeZ(u8, path.splitLast(hierarchy.mount_point).name);
        _ = try fault.check(linux.mkdirat(tmpfs, name, 0o755), .mount, "make {s}/{s}", .{ destination, name });
        const directory = path.open(tmpfs, name, path.directory_path, 0, path.beneath | path.no_symlinks);
        const place: i32 = @intCast(try fault.check(directory, .mount, "open {s}/{s}", .{ destination, name }));
        defer _ = linux.close(place);
        try attachHierarchy(arena, hierarchy, wanted, place, guard);
        // "cpu,cpuacct" is also found as "cpu" and as "cpuacct".
        if (std.mem.indexOfScalar(u8, hierarchy.controllers, ',') == null) continue;
        var controllers = std.mem.splitScalar(u8, hierarchy.controllers, ',');
        while (controllers.next()) |controller| _ = linux.symlinkat(name, tmpfs, try arena.dupeZ(u8, controller));
    }
    const sealed = mount.setAttributes(tmpfs, .{ .set = wanted.set }, false);
    _ = try fault.check(sealed, .mount, "make {s} read-only", .{destination});
}

fn attachHierarchy(
    arena: std.mem.Allocator,
    hierarchy: cgroup_hierarchy.Hierarchy,
    wanted: *const request.Mount,
    target: i32,
    guard: *Guard,
) fault.AllocError!void {
    const directory = try hierarchy.directory(arena, hierarchy.own);
    const opened = mount.clone(linux.AT.FDCWD, directory, false);
    if (linux.errno(opened) == .NOENT) return; // ours is outside of what is mounted here
    const tree: i32 = @intCast(try fault.check(opened, .mount, "open cgroup {s}", .{directory}));
    defer _ = linux.close(tree);
    const set = mount.setAttributes(tree, .{ .set = wanted.set, .clear = wanted.clear, .propagation = mount.private }, false);
    _ = try fault.check(set, .mount, "set the options of cgroup {s}", .{directory});
    _ = try fault.check(mount.attach(tree, target), .mount, "mount cgroup at {s}", .{wanted.destination});
    try guard.note(arena, try path.tidy(arena, wanted.destination), wanted.type, tree);
}
