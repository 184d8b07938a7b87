//! The stage of a new container. The monitor has cloned it into its namespaces; it builds the container around itself and
//! becomes the program:
//!
//!   go -> out of a chroot -> cgroup, names -> root and mounts -> devices, terminal, sysctls, masks -> hooks -> labels, keyring
//!      -> pivot_root -> identity -> ready -> start -> hooks -> execve (or the reaper, with --init)
//!
//! Paths of the host are used until `pivot_root` and only from the request; paths of the container are resolved beneath
//! its root by the kernel (linux/path.zig).
const std = @import("std");
const linux = std.os.linux;
const Bench = @import("bench.zig");
const cgroup_hierarchy = @import("../linux/cgroup_hierarchy.zig");
const cgroups = @import("cgroups.zig");
const Devices = @import("devices.zig");
const exec = @import("exec.zig");
const device_rule = @import("../linux/device_rule.zig");
const fault = @import("../wire/fault.zig");
const filters = @import("filter.zig");
const giveaway = @import("giveaway.zig");
const handshake = @import("handshake.zig");
const hooks = @import("hooks.zig");
const inherited = @import("inherited.zig");
const keyring = @import("../linux/keyring.zig");
const kept = @import("kept.zig");
const label = @import("label.zig");
const mask = @import("mask.zig");
const memory = @import("../linux/memory.zig");
const mount = @import("../linux/mount.zig");
const mounts = @import("mounts.zig");
const namespaces = @import("namespaces.zig");
const neighbour = @import("neighbour.zig");
const outside = @import("outside.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const program = @import("program.zig");
const reaper = @import("reaper.zig");
const request = @import("../wire/request.zig");
const rootfs = @import("rootfs.zig");
const sysctls = @import("sysctls.zig");
const terminal = @import("terminal.zig");
const user_namespace = @import("../linux/user_namespace.zig");
const times = @import("times.zig");
const user = @import("user.zig");
const Users = @import("users.zig");

/// In the cloned process. Ends in the user's program, or with a failure told to the monitor.
pub fn run(create: *const request.Create, handles: handshake.Handles, arena: std.mem.Allocator) noreturn {
    become(create, handles, arena) catch |err| {
        if (err == error.OutOfMemory) fault.failure.set(.request, .NOMEM, "the request is too large", .{});
        handshake.report(handles.sync);
    };
    handshake.end();
}

/// Returns only with a failure.
fn become(create: *const request.Create, given: handshake.Handles, arena: std.mem.Allocator) fault.AllocError!void {
    const process = &create.spec.process;
    const handles = try program.isolate(given);
    try program.hide();
    handshake.expect(handles.sync, 'G');
    _ = linux.setsid();
    try program.dieWithMonitor(handles.sync);
    inherited.shed(handles.sync, process);

    try rootfs.leaveChroot(arena);
    const filter = try filters.open(arena, create.filter, handles.sync);
    const groups = try enterCgroup(create, handles, arena);
    const users = try Users.open(arena, &create.spec, &handles.neighbours);
    const maps = try mounts.openMaps(arena, create.spec.mounts, users);
    try namespaces.join(&create.spec, handles, arena);
    const built = try buildRoot(create, handles, arena, groups, users, maps);
    const root = built.root;
    if (create.hooks) |*wanted| if (wanted.needRoot()) try runHooks(create, wanted, handles, arena, built);
    _ = linux.close(built.bench);
    if (create.spec.readonly) {
        const set = mount.setAttributes(root, .{ .set = mount.attribute_readonly }, false);
        _ = try fault.check(set, .rootfs, "make the root read-only", .{});
    }
    // From here on what is executed is the container's.
    try label.prepare(arena, process);
    const current = if (create.reaper) try label.openCurrent(process) else -1;
    try fault.ensure(keyring.fresh(), .settings, "make a session keyring", .{});
    try rootfs.pivot(arena, root);
    try giveAway(create, handles, arena, built);
    if (!process.terminal) try program.setStdio(handles);
    if (create.scoped) try label.scope();

    const prepared = try program.takeIdentity(
        arena,
        handles.sync,
        root,
        process,
        .{ .user = create.user, .groups = create.groupAdd, .filter = filter },
    );
    try program.keepOnly(handles.sync, current);
    const rest: Rest = .{
        .process = process.*,
        .prepared = prepared,
        .state = if (create.hooks) |wanted| wanted.state else "",
        .hooks = if (create.hooks) |wanted| wanted.startContainer else &.{},
        .reaper = create.reaper,
        .joins = namespaces.joinsPids(&create.spec),
    };
    // Behind a reaper the program could look into what is in front of it, and take it over; so could what a hook leaves.
    if (!rest.reaper and !rest.joins and rest.hooks.len == 0) return finish(rest, handles.sync, current, arena);
    const copied = try kept.copy(rest);
    const request_memory: request.Memory = .{};
    request_memory.unmap();
    memory.wipeStack();
    var left = copied.value;
    try filters.Pending.loadEarly(&left.prepared.filter, if (rest.reaper) &filters.behind_reaper else &filters.born);
    return finish(left, handles.sync, current, copied.arena);
}

/// What is needed of the request once all is built.
const Rest = struct {
    process: request.Process,
    prepared: program.Prepared,
    state: []const u8,
    hooks: []const request.Hook,
    reaper: bool,
    joins: bool,
};

/// Returns only with a failure.
fn finish(rest: Rest, sync: i32, current: i32, arena: std.mem.Allocator) fault.AllocError!void {
    if (rest.joins) try bear(sync, rest.process.terminal and !rest.reaper);
    const ready = try program.settle(arena, sync, &rest.process, rest.prepared);
    _ = handshake.send(sync, "R");
    handshake.expect(sync, 'S');
    for (rest.hooks) |*hook| {
        try hooks.run(arena, "startContainer", hook, try hooks.stateText(arena, rest.state, .created, linux.getpid()), -1);
    }
    if (rest.reaper) return reaper.run(ready, &rest.process, current);
    return exec.run(ready);
}

/// Go on as a child, in the pid namespace that was joined: who enters one is born there. The stage, which nobody in there
/// could name, ends. The child has nothing to gain for one who takes it over, as that of an exec (join.zig): the program's
/// identity, its stdio and `sync`.
fn bear(sync: i32, controls: bool) fault.Error!void {
    if (try neighbour.divide(sync) != 0) linux.exit_group(0);
    _ = linux.setsid();
    if (controls) try terminal.control();
}

/// The host's hierarchies, as far as they matter, and whether the device rules hold.
const Groups = struct { hierarchies: []const cgroup_hierarchy.Hierarchy, rule_devices: bool };

/// Into the container's cgroup, then into a cgroup namespace, whose root that is.
fn enterCgroup(create: *const request.Create, handles: handshake.Handles, arena: std.mem.Allocator) fault.AllocError!Groups {
    const shown = for (create.spec.mounts) |each| {
        if (std.mem.startsWith(u8, each.type, "cgroup")) break true;
    } else false;
    var hierarchies: []const cgroup_hierarchy.Hierarchy = &.{};
    var rule_devices = false;
    if (shown or create.cgroup != null) hierarchies = try cgroup_hierarchy.discover(arena);
    if (create.cgroup) |*group| {
        if (group.delegated) hierarchies = cgroup_hierarchy.unifiedOnly(hierarchies);
        try cgroups.create(arena, hierarchies, group, handles.sync);
        // Who has a group delegated has no rights over devices: what he cannot open, nothing of his can.
        if (!group.delegated) rule_devices = try cgroups.ruleDevices(arena, hierarchies, group.path, create.spec.deviceRules);
        try cgroups.join(arena, hierarchies, group, handles.in_group);
        if (shown) hierarchies = try cgroup_hierarchy.located(arena, hierarchies);
        if (shown and hasHostsGroups(&create.spec)) hierarchies = try cgroup_hierarchy.whole(arena, hierarchies);
    }
    if (!rule_devices) warnOfDevices(&create.spec, handles.sync);
    for (create.spec.namespaces) |namespace| {
        if (namespace.flag != linux.CLONE.NEWCGROUP or !namespace.isNew() or Users.has(&create.spec)) continue;
        const result = linux.unshare(linux.CLONE.NEWCGROUP);
        if (linux.errno(result) == .INVAL) continue; // a kernel without cgroups has no namespaces of them
        _ = try fault.check(result, .namespace, "create a cgroup namespace", .{});
    }
    return .{ .hierarchies = hierarchies, .rule_devices = rule_devices };
}

/// It is in the host's cgroup namespace.
fn hasHostsGroups(spec: *const request.Spec) bool {
    for (spec.namespaces) |namespace| if (namespace.flag == linux.CLONE.NEWCGROUP) return false;
    return true;
}

fn warnOfDevices(spec: *const request.Spec, sync: i32) void {
    const reason = "this host has no device rules that hold (it takes no eBPF program for cgroup v2): ";
    // Nodes that are made in any other user namespace open nothing: nobody can make one.
    const opens_any = user_namespace.isInitial() and mayMakeNodes(spec);
    if (opens_any) handshake.warn(sync, reason ++ "with CAP_MKNOD the container can open any device", .{});
    if (hasHalfOpen(spec)) handshake.warn(sync, reason ++ "a device that is given for reading or for writing alone is open for both", .{});
}

fn hasHalfOpen(spec: *const request.Spec) bool {
    for (spec.deviceRules) |rule| {
        const reads = rule.access & device_rule.Rule.read != 0;
        const writes = rule.access & device_rule.Rule.write != 0;
        if (rule.allow and reads != writes) return true;
    }
    return false;
}

/// Though it is not privileged.
fn mayMakeNodes(spec: *const request.Spec) bool {
    return !isPrivileged(spec) and spec.process.capabilities.bounding & (1 << linux.CAP.MKNOD) != 0;
}

/// Descriptors: of the root, and of what is to go to the container's user.
const Built = struct { root: i32, given: []const i32, bench: i32 };

/// The whole file tree, up to the moment before pivot_root.
fn buildRoot(
    create: *const request.Create,
    handles: handshake.Handles,
    arena: std.mem.Allocator,
    groups: Groups,
    users: ?Users,
    maps: []const i32,
) fault.AllocError!Built {
    const spec = &create.spec;
    const any_device = isPrivileged(spec);
    const opening: mounts.Opening = if (any_device) .all else if (groups.rule_devices) .asked else .none;
    const prepared = try mounts.prepare(arena, create, handles, maps, opening);
    var root = try rootfs.open(arena, &create.rootfs, if (users) |own| own.fd else -1);
    if (!any_device) {
        // Where no device rules hold, a node that a layer brings must not open; where they do, that is one more door.
        const set = mount.setAttributes(root, .{ .set = mount.attribute_nodev }, false);
        _ = try fault.check(set, .rootfs, "make the root nodev", .{});
    }
    try rootfs.cutOff();
    const nodes_max = spec.devices.len + 2 * spec.mounts.len;
    const place = try benchPlace(arena, create, users);
    var bench: Bench = try .open(arena, place, create.rootfs.label, mounts.ownBytes(prepared), nodes_max);
    var nodes: []const i32 = &.{};
    if (users) |own| {
        bench.uid, bench.gid = .{ own.firstUid(), own.firstGid() };
        var work: outside.Work = .{
            .arena = arena,
            .create = create,
            .handles = handles,
            .users = own,
            .bench = &bench,
            .prepared = prepared,
            .root = root,
        };
        try work.cross(groups.hierarchies, namespaces.new(spec) | namespaces.newCgroups(spec), namespaces.newClocks(spec));
        root, nodes = .{ work.root, work.nodes };
    } else if (namespaces.newClocks(spec)) |offsets| {
        try times.make(offsets);
        try times.enter();
    }
    try namespaces.setUp(spec);
    try rootfs.cover(root);
    const mounted = try mounts.attachAll(arena, root, spec, prepared, &bench, groups.hierarchies);
    var devices: Devices = .{
        .arena = arena,
        .root = root,
        .bench = &bench,
        .guard = &mounted.guard,
        .own_dev = mounted.own_dev,
        .any = any_device,
        .ready = nodes,
    };
    try devices.makeAll(spec.devices);
    if (mounted.own_dev != null) try Devices.makeLinks(arena, root);
    if (spec.process.terminal) try makeConsole(create, handles, arena, root, mounted.devpts);
    try sysctls.set(spec, arena, mounted.procfs);
    _ = linux.close(try paths.ensureDirectory(arena, root, spec.process.cwd, .cwd));
    try mask.protect(arena, root, spec.readonlyPaths);
    try mask.hide(arena, root, spec.maskedPaths);
    return .{ .root = root, .given = mounted.given.items, .bench = bench.root };
}

/// Hooks find the container's files at a place of its own in the state directory. What was mounted before the namespace became a
/// user namespace's cannot be taken away from there: it lies where those files will be, and not above.
fn benchPlace(arena: std.mem.Allocator, create: *const request.Create, users: ?Users) error{OutOfMemory}![]const u8 {
    const hooked = if (create.hooks) |*wanted| wanted.needRoot() else false;
    return if (users != null and hooked) rootPlace(arena, create) else create.stateDirectory;
}

fn rootPlace(arena: std.mem.Allocator, create: *const request.Create) error{OutOfMemory}![:0]const u8 {
    return std.fmt.allocPrintSentinel(arena, "{s}/rootfs", .{create.stateDirectory}, 0);
}

/// Those that see the host's files and the container's: these are at the root's place in the state directory meanwhile, where the
/// specification says that they are, and can still be written.
fn runHooks(
    create: *const request.Create,
    wanted: *const request.Hooks,
    handles: handshake.Handles,
    arena: std.mem.Allocator,
    built: Built,
) fault.AllocError!void {
    const root = built.root;
    const place = try rootPlace(arena, create);
    var target = built.bench;
    if (!Users.has(&create.spec)) {
        try Bench.clearAway(arena, create.stateDirectory);
        const opened = linux.open(place, .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
        target = @intCast(try fault.check(opened, .rootfs, "open {s}", .{place}));
    }
    _ = try fault.check(mount.attach(root, target), .rootfs, "show the root at {s}", .{place});
    if (target != built.bench) _ = linux.close(target);
    // Where layers have long names we are in a directory that nobody sees.
    _ = try fault.check(linux.chdir("/"), .rootfs, "enter /", .{});
    if (wanted.pauses) {
        _ = handshake.send(handles.sync, "H");
        handshake.expect(handles.sync, 'H');
    }
    // What runs with all rights is not born in a pid namespace in which others could name it.
    if (namespaces.joinsPids(&create.spec)) {
        const why = "createContainer hooks cannot be run for a container that has a user namespace and joins a pid namespace";
        if (Users.has(&create.spec) and wanted.createContainer.len > 0) return fault.fail(.hook, .SUCCESS, why, .{});
        if (!Users.has(&create.spec)) try neighbour.leavePids();
    }
    const state = try hooks.stateText(arena, wanted.state, .creating, linux.getpid());
    for (wanted.createContainer) |*hook| try hooks.run(arena, "createContainer", hook, state, -1);
    if (!Users.has(&create.spec)) for (create.spec.namespaces) |namespace| {
        if (namespace.flag == linux.CLONE.NEWPID and !namespace.isNew()) try neighbour.join(arena, namespace, &handles.neighbours);
    };
    try rootfs.cover(root);
}

/// What of the mounts is to belong to the container's user, who has a number only now that his passwd is in sight.
fn giveAway(create: *const request.Create, handles: handshake.Handles, arena: std.mem.Allocator, built: Built) fault.AllocError!void {
    if (built.given.len == 0) return;
    const default = create.spec.process.user;
    const identity = try user.resolve(arena, handles.sync, built.root, create.user, default.uid, default.gid, &.{});
    for (built.given) |top| if (top >= 0) try giveaway.tree(top, identity.uid, identity.gid);
}

fn isPrivileged(spec: *const request.Spec) bool {
    for (spec.deviceRules) |rule| if (rule.allow and rule.isWhole()) return true;
    return false;
}

/// A pty of the container's devpts as 0-2 and as /dev/console.
fn makeConsole(
    create: *const request.Create,
    handles: handshake.Handles,
    arena: std.mem.Allocator,
    root: i32,
    devpts: i32,
) fault.AllocError!void {
    if (devpts < 0) return fault.fail(.device, .INVAL, "a terminal needs a devpts at /dev/pts", .{});
    const pty = try terminal.open(devpts, terminal.sizeOf(&create.spec.process));
    const tree: i32 = @intCast(try fault.check(mount.clone(pty.slave, "", false), .device, "open the terminal to bind it", .{}));
    defer _ = linux.close(tree);
    const target = try paths.ensureFile(arena, root, "/dev/console", .device);
    defer _ = linux.close(target);
    _ = try fault.check(mount.attach(tree, target), .device, "bind /dev/console", .{});
    // With a reaper the program, in its own session, takes control; so does one that is yet to be born.
    try terminal.hand(handles.sync, pty, !create.reaper and !namespaces.joinsPids(&create.spec));
}

test {
    std.testing.refAllDecls(@This());
}
