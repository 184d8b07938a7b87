//! The mounts of the specification, in its order, on descriptors of directories beneath the root. Binds are opened while
//! the host is still in sight and still shares its propagation with us; they are attached once the root stands.
//! Of a container that is not privileged no mount lets device nodes be opened but the /dev that we make, its devpts, and
//! single nodes that the container was given: an image, a volume or a directory of the host may hold others.
const std = @import("std");
const linux = std.os.linux;
const Bench = @import("bench.zig");
const cgroup_hierarchy = @import("../linux/cgroup_hierarchy.zig");
const cgroup_mounts = @import("cgroup_mounts.zig");
const fault = @import("../wire/fault.zig");
const giveaway = @import("giveaway.zig");
const Guard = @import("guard.zig");
const handshake = @import("handshake.zig");
const idmap = @import("../linux/idmap.zig");
const mount = @import("../linux/mount.zig");
const neighbour = @import("neighbour.zig");
const new_mount = @import("new_mount.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const request = @import("../wire/request.zig");
const rootfs = @import("rootfs.zig");
const Users = @import("users.zig");

/// A mount whose source, if it is a bind, is open.
pub const Prepared = struct {
    /// As it was asked for, but for device nodes.
    mount: request.Mount,
    /// A detached mount, -1 for what is made later.
    tree: i32 = -1,
    directory: bool = true,
    /// A file of ours, open, or -1: it is not bound from where it lies on the host, but copied to the workbench.
    own: i32 = -1,
    own_bytes: u64 = 0,
    /// What is to go to the container's user, or -1: see giveaway.zig.
    given: i32 = -1,
    /// The user namespace that its owners are mapped by, or -1.
    map: i32 = -1,
    /// `tree` is of layers of which a part is asked for.
    whole: bool = false,
    /// The host has none to show.
    gone: bool = false,
    /// It is on the workbench as it shall be (outside.zig), and `tree` is a copy of that.
    staged: bool = false,
};

/// What later steps need of what was mounted: descriptors of our own procfs and devpts, or -1, and the number of our /dev.
pub const Mounted = struct {
    procfs: i32 = -1,
    devpts: i32 = -1,
    own_dev: ?u64 = null,
    guard: Guard = .{},
    given: std.ArrayList(i32) = .empty,
};

/// The user namespaces that owners are mapped by, for each mount, or -1. Before any namespace is joined: each is made by a child,
/// to whom the host's files are in sight, and who must be in nobody's pid namespace (idmap.zig).
pub fn openMaps(arena: std.mem.Allocator, list: []const request.Mount, users: ?Users) fault.AllocError![]const i32 {
    const maps = try arena.alloc(i32, list.len);
    for (maps, list) |*map, wanted| {
        map.* = -1;
        if (wanted.mapped) if (users) |own| {
            map.* = try duplicate(own.fd);
        };
        if (wanted.uids.len + wanted.gids.len == 0) continue;
        map.* = try idmap.open(arena, wanted.uids, wanted.gids);
        if (map.* < 0) return fault.fail(.mount, @enumFromInt(-map.*), "map the owners of mount {s}", .{wanted.destination});
    }
    return maps;
}

/// For `mapOwners`, which closes it.
fn duplicate(fd: i32) fault.Error!i32 {
    return @intCast(try fault.check(linux.fcntl(fd, linux.F.DUPFD_CLOEXEC, 3), .mount, "duplicate a descriptor", .{}));
}

/// On which mounts device nodes may be opened, besides /dev.
pub const Opening = enum {
    /// All: what may be opened is all.
    all,
    /// Binds of which that was asked: the container's device rules say which.
    asked,
    none,
};

pub fn prepare(
    arena: std.mem.Allocator,
    create: *const request.Create,
    handles: handshake.Handles,
    maps: []const i32,
    opening: Opening,
) fault.AllocError![]Prepared {
    const any_device = opening == .all;
    const list = create.spec.mounts;
    const prepared = try arena.alloc(Prepared, list.len);
    for (prepared, list, maps) |*entry, wanted, map| {
        entry.* = .{ .mount = wanted, .map = map };
        if (wanted.process != null) {
            entry.tree = try neighbour.mounted(arena, &wanted, &handles.neighbours);
            entry.directory = !wanted.bind;
            if (!any_device) closeToDevices(entry);
            if (wanted.bind) try setBindAttributes(entry, entry.tree);
            if (!wanted.bind) try setAttributes(entry, entry.tree, .{ .set = entry.mount.attributes() }, false);
            continue;
        }
        if (!wanted.bind) {
            const terminals = std.mem.eql(u8, wanted.type, "devpts");
            // Also when it is the user's `--tmpfs /dev`: it is new, and the nodes in it will be ours.
            if (isDev(wanted)) {
                entry.mount.set &= ~@as(u32, mount.attribute_nodev);
            } else if (!any_device and !terminals) closeToDevices(entry);
            continue;
        }
        if (wanted.lower.len > 0) continue; // below
        const source = try paths.terminated(arena, wanted.source, .mount, "a mount's source");
        if (std.mem.eql(u8, path.splitLast(wanted.source).parent, create.stateDirectory)) {
            const own = linux.open(source, .{ .CLOEXEC = true }, 0);
            entry.own = @intCast(try fault.check(own, .mount, "open {s}", .{source}));
            const info = path.stat(entry.own) orelse return fault.fail(.mount, .IO, "stat {s}", .{source});
            entry.own_bytes = info.size;
            entry.directory = false;
            if (!any_device) closeToDevices(entry);
            continue;
        }
        try cloneSource(arena, entry, source);
        const info = path.stat(entry.tree) orelse return fault.fail(.mount, .IO, "stat {s}", .{wanted.source});
        entry.directory = info.kind == .directory;
        const asked = opening == .asked and wanted.clear & mount.attribute_nodev != 0;
        if (!any_device and !asked and !isGiven(create.spec.devices, info)) closeToDevices(entry);
        try setBindAttributes(entry, entry.tree);
    }
    // Where that needs mount(2), it cuts us off from the host: when all binds are open.
    for (prepared) |*entry| if (entry.mount.lower.len > 0) try prepareLayers(arena, entry, any_device);
    return prepared;
}

/// A detached copy of what is mounted at `source`, or at a path beneath it.
fn cloneSource(arena: std.mem.Allocator, entry: *Prepared, source: [:0]const u8) fault.AllocError!void {
    const wanted = entry.mount;
    var opened = linux.open(source, path.file_path, 0);
    const whole: i32 = @intCast(try fault.check(opened, .mount, "open {s} to bind it at {s}", .{ wanted.source, wanted.destination }));
    defer _ = linux.close(whole);
    const part = if (wanted.subpath.len > 0) try openSubpath(arena, whole, wanted) else whole;
    defer if (part != whole) {
        _ = linux.close(part);
    };
    opened = mount.clone(part, "", wanted.recursive);
    entry.tree = @intCast(try fault.check(opened, .mount, "open {s} to bind it at {s}", .{ wanted.source, wanted.destination }));
    // By the way that the host has: the container's own may be read-only.
    if (wanted.chown) entry.given = giveaway.open(part);
}

/// A container may have put links in it, and put others in their place while we look.
fn openSubpath(arena: std.mem.Allocator, whole: i32, wanted: request.Mount) fault.AllocError!i32 {
    const name = try paths.terminated(arena, wanted.subpath, .mount, "a subpath");
    // In an image "/" is its root; in a directory of the host it is not.
    const within: u64 = if (wanted.lower.len > 0) path.contained else path.beneath | path.no_magic_links;
    const opened = path.open(whole, name, path.file_path, 0, within);
    const of = shownName(wanted);
    return switch (linux.errno(opened)) {
        .SUCCESS => @intCast(opened),
        .XDEV => fault.fail(.mount, .SUCCESS, "subpath {s} leads out of {s}", .{ wanted.subpath, of }),
        else => |errno| fault.fail(.mount, errno, "open subpath {s} of {s}", .{ wanted.subpath, of }),
    };
}

/// An image, or a directory under an overlay.
fn prepareLayers(arena: std.mem.Allocator, entry: *Prepared, any_device: bool) fault.AllocError!void {
    const wanted = entry.mount;
    entry.tree = try rootfs.open(arena, &.{
        .type = .overlay,
        .lower = wanted.lower,
        .upper = wanted.upper,
        .work = wanted.work,
        .@"volatile" = true,
        .mapped = wanted.mapped,
    }, entry.map);
    // Its layers have been: it is no file system that could be.
    if (wanted.mapped and entry.map >= 0) entry.map = -1;
    entry.whole = true;
    const info = path.stat(entry.tree) orelse return fault.fail(.mount, .IO, "stat {s}", .{wanted.source});
    entry.directory = info.kind == .directory;
    if (!any_device) closeToDevices(entry);
    // With a subpath that is what gets them.
    if (wanted.subpath.len == 0) try setBindAttributes(entry, entry.tree);
    if (wanted.chown) entry.given = giveaway.open(entry.tree);
}

fn closeToDevices(entry: *Prepared) void {
    entry.mount.set |= mount.attribute_nodev;
    entry.mount.clear &= ~@as(u32, mount.attribute_nodev);
    if (entry.mount.recursive) entry.mount.setRecursive |= mount.attribute_nodev;
}

fn isDev(wanted: request.Mount) bool {
    return std.mem.eql(u8, wanted.type, "tmpfs") and std.mem.eql(u8, std.mem.trimEnd(u8, wanted.destination, "/"), "/dev");
}

fn isGiven(devices: []const request.Device, info: path.Stat) bool {
    for (devices) |each| if (each.node().is(info)) return true;
    return false;
}

/// Bytes of the files that the workbench must hold.
pub fn ownBytes(prepared: []const Prepared) u64 {
    var sum: u64 = 0;
    for (prepared) |entry| sum +|= entry.own_bytes;
    return sum;
}

fn setBindAttributes(entry: *const Prepared, tree: i32) fault.AllocError!void {
    const options = entry.mount;
    if (entry.map >= 0) try mapOwners(entry, tree);
    const propagation = if (options.propagation == 0) mount.private else options.propagation;
    const recursive = options.propagation == 0 or options.propagationRecursive;
    try setAttributes(entry, tree, .{ .propagation = propagation }, recursive);
    if (options.set != 0 or options.clear != 0) try setAttributes(entry, tree, .{ .set = options.set, .clear = options.clear }, false);
    if (options.setRecursive != 0) try setAttributes(entry, tree, .{ .set = options.setRecursive }, true);
}

fn mapOwners(entry: *const Prepared, tree: i32) fault.AllocError!void {
    const destination = entry.mount.destination;
    defer _ = linux.close(entry.map);
    const result = mount.setAttributes(tree, .{ .set = mount.idmapped, .user_namespace = @intCast(entry.map) }, entry.mount.recursive);
    if (linux.errno(result) == .INVAL) return fault.fail(
        .mount,
        .SUCCESS,
        "map the owners of mount {s}: its file system, or one that is mounted in it, cannot do that",
        .{destination},
    );
    _ = try fault.check(result, .mount, "map the owners of mount {s}", .{destination});
}

fn setAttributes(entry: *const Prepared, tree: i32, attributes: mount.Attributes, recursive: bool) fault.Error!void {
    const result = mount.setAttributes(tree, attributes, recursive);
    _ = try fault.check(result, .mount, "set the options of mount {s}", .{entry.mount.destination});
}

pub fn attachAll(
    arena: std.mem.Allocator,
    root: i32,
    spec: *const request.Spec,
    list: []const Prepared,
    bench: *Bench,
    hierarchies: []const cgroup_hierarchy.Hierarchy,
) fault.AllocError!Mounted {
    var mounted: Mounted = .{};
    for (list) |wanted| {
        var entry = wanted;
        const kind = entry.mount.type;
        if (entry.gone) continue;
        if (entry.mount.bind) {
            const tree = if (entry.staged) entry.tree else try finishBind(arena, &entry, bench);
            try attachChecked(arena, root, entry, tree, &mounted.guard);
            if (entry.given >= 0) try mounted.given.append(arena, entry.given);
            _ = linux.close(tree);
        } else if (isCgroup(kind) and entry.tree < 0) {
            const target = try paths.ensureDirectory(arena, root, entry.mount.destination, .mount);
            defer _ = linux.close(target);
            try cgroup_mounts.attach(arena, target, &entry.mount, hierarchies, &mounted.guard);
        } else {
            const tree = if (entry.tree >= 0) entry.tree else new_mount.make(arena, &entry.mount, spec) catch |err| {
                if (err == error.Failed and new_mount.canDoWithout(kind)) continue;
                return err;
            };
            try attachChecked(arena, root, entry, tree, &mounted.guard);
            try mounted.guard.note(arena, try path.tidy(arena, entry.mount.destination), kind, tree);
            if (entry.mount.chown) try mounted.given.append(arena, giveaway.open(tree));
            if (isDev(entry.mount)) mounted.own_dev = if (path.stat(tree)) |info| info.mount else null;
            if (std.mem.eql(u8, kind, "proc")) {
                mounted.procfs = tree;
            } else if (std.mem.eql(u8, kind, "devpts")) {
                mounted.devpts = tree;
            } else _ = linux.close(tree);
        }
    }
    return mounted;
}

/// What a bind is of, once the workbench is there: a detached mount.
pub fn finishBind(arena: std.mem.Allocator, entry: *Prepared, bench: *Bench) fault.AllocError!i32 {
    if (entry.own >= 0) {
        defer _ = linux.close(entry.own);
        const tree = try bench.file(arena, path.splitLast(entry.mount.source).name, entry.own);
        try setBindAttributes(entry, tree);
        return tree;
    }
    const partial = entry.mount.lower.len > 0 and entry.mount.subpath.len > 0 and entry.whole;
    return if (partial) partOfLayers(arena, bench, entry) else entry.tree;
}

/// Of a detached mount no part can be taken: it is attached to the workbench for that, which nobody sees.
fn partOfLayers(arena: std.mem.Allocator, bench: *Bench, entry: *Prepared) fault.AllocError!i32 {
    const place = try bench.directory(arena);
    defer _ = linux.close(place);
    _ = try fault.check(mount.attach(entry.tree, place), .mount, "mount {s}", .{shownName(entry.mount)});
    defer _ = linux.close(entry.tree);
    const part = try openSubpath(arena, entry.tree, entry.mount);
    defer _ = linux.close(part);
    const info = path.stat(part) orelse return fault.fail(.mount, .IO, "stat {s}", .{entry.mount.subpath});
    entry.directory = info.kind == .directory;
    entry.whole = false;
    const tree: i32 = @intCast(try fault.check(mount.clone(part, "", false), .mount, "bind {s}", .{entry.mount.subpath}));
    try setBindAttributes(entry, tree);
    return tree;
}

fn attachChecked(arena: std.mem.Allocator, root: i32, entry: Prepared, tree: i32, guard: *const Guard) fault.AllocError!void {
    const destination = entry.mount.destination;
    const own = ownMagic(entry);
    const target = try openTarget(arena, root, entry, own != 0);
    defer _ = linux.close(target);
    if (own != 0) {
        if (path.fileSystem(tree) != own) return fault.fail(
            .mount,
            .INVAL,
            "mount {s}: the kernel gave another file system",
            .{destination},
        );
    } else try guard.check(arena, destination, target, tree);
    _ = try fault.check(mount.attach(tree, target), .mount, "mount {s} at {s}", .{ shownSource(entry), destination });
    const propagation = entry.mount.propagation;
    if (entry.mount.bind or propagation == 0) return; // a bind has it already
    const set = mount.setAttributes(tree, .{ .propagation = propagation }, false);
    _ = try fault.check(set, .mount, "set the propagation of mount {s}", .{destination});
}

pub fn isCgroup(kind: []const u8) bool {
    return std.mem.eql(u8, kind, "cgroup") or std.mem.eql(u8, kind, "cgroup2");
}

/// The magic number of a new procfs or sysfs, 0 for anything else.
fn ownMagic(entry: Prepared) u64 {
    if (entry.mount.bind) return 0;
    if (std.mem.eql(u8, entry.mount.type, "proc")) return path.magic_proc;
    if (std.mem.eql(u8, entry.mount.type, "sysfs")) return path.magic_sysfs;
    return 0;
}

fn openTarget(arena: std.mem.Allocator, root: i32, entry: Prepared, plain: bool) fault.AllocError!i32 {
    if (plain) return openPlainDirectory(arena, root, entry.mount.destination);
    const destination = entry.mount.destination;
    if (entry.directory) return paths.ensureDirectory(arena, root, destination, .mount) catch |err| {
        if (err != error.Failed or fault.failure.errno != .NOTDIR) return err;
        return fault.fail(
            .mount,
            .SUCCESS,
            "mount {s} at {s}: a directory cannot go on a file, or below one",
            .{ shownSource(entry), destination },
        );
    };
    const target = try paths.ensureFile(arena, root, destination, .mount);
    const info = path.stat(target) orelse return target;
    // What the kernel would say of that is "invalid argument" or "not a directory", as it is old or new.
    if (info.kind != .directory) return target;
    _ = linux.close(target);
    return fault.fail(.mount, .SUCCESS, "mount {s} at {s}: a file cannot go on a directory", .{ shownSource(entry), destination });
}

/// What the user knows it by: a file or a volume of ours lies where nobody need look.
fn shownSource(entry: Prepared) []const u8 {
    if (entry.own >= 0) return "a file of rt's own";
    return shownName(entry.mount);
}

fn shownName(wanted: request.Mount) []const u8 {
    return if (wanted.source.len > 0) wanted.source else wanted.type;
}

/// Where proc and sysfs go, no component may be a link: what the kernel's own files are thought to be at must be there.
fn openPlainDirectory(arena: std.mem.Allocator, root: i32, destination: []const u8) fault.AllocError!i32 {
    const name = try paths.terminated(arena, destination, .mount, "a mount's destination");
    for (0..2) |_| {
        const opened = path.open(root, name, path.directory_path, 0, path.contained | path.no_symlinks);
        switch (linux.errno(opened)) {
            .SUCCESS => return @intCast(opened),
            .NOENT => _ = linux.close(try paths.ensureDirectory(arena, root, destination, .mount)),
            .LOOP, .NOTDIR => break,
            else => |errno| return fault.fail(.mount, errno, "open {s}", .{destination}),
        }
    }
    return fault.fail(.mount, .INVAL, "mount {s}: the image has a link or a file there, it must be an ordinary directory", .{destination});
}
