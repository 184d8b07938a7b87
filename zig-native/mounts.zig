//! The mounts of the specification, in its order, on descriptors of directories beneath the root. Binds are opened while
//! the host is still in sight and still shares its propagation with us; they are attached once the root stands.
const std = @import("std");
const linux = std.os.linux;
const cgroup_hierarchy = @import("linux/cgroup_hierarchy.zig");
const mount = @import("linux/mount.zig");
const mount_options = @import("linux/mount_options.zig");
const path = @import("linux/path.zig");
const request = @import("request.zig");
const stage = @import("stage.zig");

/// A mount whose options are understood, and whose source, if it is a bind, is open.
pub const Prepared = struct {
    mount: *const request.Mount,
    options: mount_options.Options,
    /// A detached mount, -1 for a file system that is made later.
    tree: i32,
    directory: bool,
};

/// What later steps need of what was mounted: descriptors of our own procfs and devpts, or -1.
pub const Mounted = struct { procfs: i32 = -1, devpts: i32 = -1, dev_is_bound: bool = false };

pub fn prepare(arena: std.mem.Allocator, list: []const request.Mount) path.Error![]const Prepared {
    const prepared = try arena.alloc(Prepared, list.len);
    for (prepared, list) |*entry, *wanted| {
        const options = try mount_options.parse(arena, wanted.options);
        entry.* = .{ .mount = wanted, .options = options, .tree = -1, .directory = true };
        if (options.bind == .none) continue;
        const source = try path.terminated(arena, wanted.source, .mount, "a mount's source");
        const opened = mount.clone(linux.AT.FDCWD, source, options.bind == .recursive);
        entry.tree = @intCast(try stage.check(opened, .mount, "open {s} to bind it at {s}", .{ wanted.source, wanted.destination }));
        const info = path.stat(entry.tree) orelse return stage.fail(.mount, .IO, "stat {s}", .{wanted.source});
        entry.directory = info.kind == .directory;
        try setBindAttributes(entry);
    }
    return prepared;
}

fn setBindAttributes(entry: *const Prepared) stage.Error!void {
    const options = entry.options;
    const propagation = if (options.propagation == 0) mount.private else options.propagation;
    const recursive = options.propagation == 0 or options.propagation_recursive;
    try setAttributes(entry, .{ .propagation = propagation }, recursive);
    if (options.set != 0 or options.clear != 0) try setAttributes(entry, .{ .set = options.set, .clear = options.clear }, false);
    // A read-only bind is read-only all the way down.
    const deep = options.set_recursive | if (options.bind == .recursive) options.set & mount.attribute_readonly else 0;
    if (deep != 0) try setAttributes(entry, .{ .set = deep }, true);
}

fn setAttributes(entry: *const Prepared, attributes: mount.Attributes, recursive: bool) stage.Error!void {
    const result = mount.setAttributes(entry.tree, attributes, recursive);
    _ = try stage.check(result, .mount, "set the options of mount {s}", .{entry.mount.destination});
}

pub fn attachAll(arena: std.mem.Allocator, root: i32, list: []const Prepared, hierarchies: []const cgroup_hierarchy.Hierarchy) path.Error!Mounted {
    var mounted: Mounted = .{};
    for (list) |entry| {
        const kind = entry.mount.type;
        if (entry.tree >= 0) {
            try attachChecked(arena, root, entry, entry.tree);
            _ = linux.close(entry.tree);
            if (std.mem.eql(u8, try path.tidy(arena, entry.mount.destination), "/dev")) mounted.dev_is_bound = true;
        } else if (std.mem.eql(u8, kind, "cgroup") or std.mem.eql(u8, kind, "cgroup2")) {
            try attachCgroups(arena, root, entry, hierarchies);
        } else {
            const tree = mount.create(arena, kind, entry.mount.source, entry.options.data, entry.options.attributes()) catch |err| {
                // A default that small kernels are built without, and few programs use.
                if (err == error.Failed and stage.failure.errno == .NODEV and std.mem.eql(u8, kind, "mqueue")) continue;
                return err;
            };
            try attachChecked(arena, root, entry, tree);
            if (std.mem.eql(u8, kind, "proc")) {
                mounted.procfs = tree;
            } else if (std.mem.eql(u8, kind, "devpts")) {
                mounted.devpts = tree;
            } else _ = linux.close(tree);
        }
    }
    return mounted;
}

fn attachChecked(arena: std.mem.Allocator, root: i32, entry: Prepared, tree: i32) path.Error!void {
    const destination = entry.mount.destination;
    const own = ownMagic(entry);
    const target = try openTarget(arena, root, entry, own != 0);
    defer _ = linux.close(target);
    if (own != 0) {
        if (path.fileSystem(tree) != own) return stage.fail(.mount, .INVAL, "mount {s}: the kernel gave another file system", .{destination});
    } else try refuseOverKernelFiles(arena, destination, target, tree);
    const attached = mount.attach(tree, target);
    const source = if (entry.mount.source.len > 0) entry.mount.source else entry.mount.type;
    if (linux.errno(attached) == .NOTDIR)
        return stage.fail(.mount, .NOTDIR, "mount {s} at {s}: a directory goes on a directory, a file on a file", .{ source, destination });
    _ = try stage.check(attached, .mount, "mount {s} at {s}", .{ source, destination });
    const propagation = entry.options.propagation;
    if (entry.tree >= 0 or propagation == 0) return; // a bind has it already
    const set = mount.setAttributes(tree, .{ .propagation = propagation }, false);
    _ = try stage.check(set, .mount, "set the propagation of mount {s}", .{destination});
}

/// The magic number of a new procfs or sysfs, 0 for anything else.
fn ownMagic(entry: Prepared) u64 {
    if (entry.tree >= 0) return 0;
    if (std.mem.eql(u8, entry.mount.type, "proc")) return path.magic_proc;
    if (std.mem.eql(u8, entry.mount.type, "sysfs")) return path.magic_sysfs;
    return 0;
}

fn openTarget(arena: std.mem.Allocator, root: i32, entry: Prepared, plain: bool) path.Error!i32 {
    if (plain) return openPlainDirectory(arena, root, entry.mount.destination);
    if (entry.directory) return path.ensureDirectory(arena, root, entry.mount.destination, .mount);
    return path.ensureFile(arena, root, entry.mount.destination, .mount);
}

/// Where proc and sysfs go, no component may be a link: what the kernel's own files are thought to be at must be there.
fn openPlainDirectory(arena: std.mem.Allocator, root: i32, destination: []const u8) path.Error!i32 {
    const name = try path.terminated(arena, destination, .mount, "a mount's destination");
    for (0..2) |_| {
        const opened = path.open(root, name, path.directory_path, 0, path.contained | path.no_symlinks);
        switch (linux.errno(opened)) {
            .SUCCESS => return @intCast(opened),
            .NOENT => _ = linux.close(try path.ensureDirectory(arena, root, destination, .mount)),
            .LOOP, .NOTDIR => break,
            else => |errno| return stage.fail(.mount, errno, "open {s}", .{destination}),
        }
    }
    return stage.fail(.mount, .INVAL, "mount {s}: the image has a link or a file there, it must be an ordinary directory", .{destination});
}

/// Files of /proc that lxcfs and the like replace.
const replaceable = [_][]const u8{
    "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",  "/proc/stat",    "/proc/swaps",
    "/proc/uptime",  "/proc/loadavg",   "/proc/slabinfo", "/proc/net/dev",
};

/// Nothing but a procfs may cover /proc or lie in it, nothing but a sysfs may cover /sys: everything that trusts the
/// kernel's files (masks, security labels, the program itself) would be told lies. `target` is where it would really land.
fn refuseOverKernelFiles(arena: std.mem.Allocator, destination: []const u8, target: i32, tree: i32) path.Error!void {
    const name = try path.tidy(arena, destination);
    const info = path.stat(target) orelse return stage.fail(.mount, .IO, "stat {s}", .{destination});
    const source = path.fileSystem(tree);
    const covered = path.fileSystem(target);
    if ((std.mem.eql(u8, name, "/proc") or covered == path.magic_proc) and source != path.magic_proc) {
        for (replaceable) |file| if (std.mem.eql(u8, file, name) and info.kind == .regular) return;
        return stage.fail(.mount, .PERM, "mount {s}: /proc cannot be covered", .{destination});
    }
    const covers_sys = std.mem.eql(u8, name, "/sys") or (covered == path.magic_sysfs and info.mount_root);
    if (covers_sys and source != path.magic_sysfs) return stage.fail(.mount, .PERM, "mount {s}: /sys cannot be covered", .{destination});
}

/// The container's own groups, bound from where the host has them mounted. v1 hierarchies lie in a tmpfs as on any host.
fn attachCgroups(arena: std.mem.Allocator, root: i32, entry: Prepared, hierarchies: []const cgroup_hierarchy.Hierarchy) path.Error!void {
    if (hierarchies.len == 0) return; // a host without cgroups
    const destination = entry.mount.destination;
    const target = try path.ensureDirectory(arena, root, destination, .mount);
    defer _ = linux.close(target);
    if (hierarchies.len == 1 and hierarchies[0].unified()) return attachHierarchy(arena, hierarchies[0], entry, target);

    const flags = mount.attribute_nosuid | mount.attribute_nodev | mount.attribute_noexec;
    const tmpfs = try mount.create(arena, "tmpfs", "tmpfs", &.{"mode=755"}, flags);
    defer _ = linux.close(tmpfs);
    _ = try stage.check(mount.attach(tmpfs, target), .mount, "mount tmpfs at {s}", .{destination});
    for (hierarchies) |hierarchy| {
        const name = try arena.dupeZ(u8, path.splitLast(hierarchy.mount_point).name);
        _ = try stage.check(linux.mkdirat(tmpfs, name, 0o755), .mount, "make {s}/{s}", .{ destination, name });
        const directory = path.open(tmpfs, name, path.directory_path, 0, path.beneath | path.no_symlinks);
        const place: i32 = @intCast(try stage.check(directory, .mount, "open {s}/{s}", .{ destination, name }));
        defer _ = linux.close(place);
        try attachHierarchy(arena, hierarchy, entry, place);
        // "cpu,cpuacct" is also found as "cpu" and as "cpuacct".
        if (std.mem.indexOfScalar(u8, hierarchy.controllers, ',') == null) continue;
        var controllers = std.mem.splitScalar(u8, hierarchy.controllers, ',');
        while (controllers.next()) |controller| _ = linux.symlinkat(name, tmpfs, try arena.dupeZ(u8, controller));
    }
    const sealed = mount.setAttributes(tmpfs, .{ .set = entry.options.set }, false);
    _ = try stage.check(sealed, .mount, "make {s} read-only", .{destination});
}

fn attachHierarchy(arena: std.mem.Allocator, hierarchy: cgroup_hierarchy.Hierarchy, entry: Prepared, target: i32) path.Error!void {
    const directory = try hierarchy.directory(arena, hierarchy.own);
    const opened = mount.clone(linux.AT.FDCWD, directory, false);
    if (linux.errno(opened) == .NOENT) return; // ours is outside of what is mounted here
    const tree: i32 = @intCast(try stage.check(opened, .mount, "open cgroup {s}", .{directory}));
    defer _ = linux.close(tree);
    const set = mount.setAttributes(tree, .{ .set = entry.options.set, .clear = entry.options.clear, .propagation = mount.private }, false);
    _ = try stage.check(set, .mount, "set the options of cgroup {s}", .{directory});
    _ = try stage.check(mount.attach(tree, target), .mount, "mount cgroup at {s}", .{entry.mount.destination});
}
