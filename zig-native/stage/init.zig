//! The stage of a new container. The monitor has cloned it into its namespaces; it builds the container around itself and
//! becomes the program:
//!
//!   go -> out of a chroot -> cgroup, keyring, names -> root and mounts -> devices, terminal, sysctls, masks -> pivot_root -> identity
//!      -> ready -> start -> execve (or the reaper, with --init)
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
const fault = @import("../wire/fault.zig");
const file_system = @import("file_system.zig");
const giveaway = @import("giveaway.zig");
const handshake = @import("handshake.zig");
const inherited = @import("inherited.zig");
const keyring = @import("../linux/keyring.zig");
const loopback = @import("../linux/loopback.zig");
const mask = @import("mask.zig");
const mount = @import("../linux/mount.zig");
const mounts = @import("mounts.zig");
const neighbour = @import("neighbour.zig");
const paths = @import("paths.zig");
const program = @import("program.zig");
const reaper = @import("reaper.zig");
const request = @import("../wire/request.zig");
const rootfs = @import("rootfs.zig");
const sysctl = @import("../linux/sysctl.zig");
const terminal = @import("terminal.zig");
const user = @import("user.zig");

/// What the monitor's clone3 needs: the new namespaces. The stage leaves for a cgroup namespace by itself, once it is in its
/// group.
pub fn cloneFlags(spec: *const request.Spec) u64 {
    var flags: u64 = 0;
    for (spec.namespaces) |namespace| {
        if (namespace.isNew() and namespace.flag != linux.CLONE.NEWCGROUP) flags |= namespace.flag;
    }
    return flags;
}

/// The program is born in the pid namespace of somebody else, as a child of the stage's: see `bear`.
pub fn joinsPids(spec: *const request.Spec) bool {
    for (spec.namespaces) |namespace| if (namespace.flag == linux.CLONE.NEWPID) return !namespace.isNew();
    return false;
}

/// The program is no process 1: its end does not end what it has started.
pub fn sharesPids(spec: *const request.Spec) bool {
    return cloneFlags(spec) & linux.CLONE.NEWPID == 0;
}

/// In the cloned process. Ends in the user's program, or with a failure told to the monitor.
pub fn run(create: *const request.Create, handles: handshake.Handles, arena: std.mem.Allocator) noreturn {
    become(create, handles, arena) catch |err| {
        if (err == error.OutOfMemory) fault.failure.set(.request, .NOMEM, "the request is too large", .{});
        handshake.report(handles.sync);
    };
    linux.exit_group(1);
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
    const hierarchies = try enterCgroup(create, handles, arena);
    const maps = try mounts.openMaps(arena, create.spec.mounts);
    try enterNamespaces(&create.spec, handles, arena);
    try fault.ensure(keyring.fresh(), .settings, "make a session keyring", .{});
    const built = try buildRoot(create, handles, arena, hierarchies, maps);
    const root = built.root;
    try rootfs.pivot(arena, root);
    try giveAway(create, handles, arena, built);
    if (!process.terminal) try program.setStdio(handles);

    const prepared = try program.takeIdentity(
        arena,
        handles.sync,
        root,
        process,
        .{ .user = create.user, .groups = create.groupAdd, .confined = create.confined },
    );
    try program.keepOnly(handles.sync);
    if (joinsPids(&create.spec)) try bear(handles.sync, process.terminal and !create.reaper);
    const ready = try program.settle(arena, handles.sync, process, prepared);
    _ = handshake.send(handles.sync, "R");
    handshake.expect(handles.sync, 'S');
    if (create.reaper) return reaper.run(ready, process.terminal);
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

/// Into the container's cgroup, then into a cgroup namespace, whose root that is.
fn enterCgroup(
    create: *const request.Create,
    handles: handshake.Handles,
    arena: std.mem.Allocator,
) fault.AllocError![]const cgroup_hierarchy.Hierarchy {
    const shown = for (create.spec.mounts) |each| {
        if (std.mem.startsWith(u8, each.type, "cgroup")) break true;
    } else false;
    var hierarchies: []const cgroup_hierarchy.Hierarchy = &.{};
    if (shown or create.cgroup != null) hierarchies = try cgroup_hierarchy.discover(arena);
    if (create.cgroup) |*group| {
        try cgroups.create(arena, hierarchies, group, create.spec.deviceRules, handles.sync);
        try cgroups.join(arena, hierarchies, group.path, handles.in_group);
        if (cgroup_hierarchy.find(hierarchies, "devices") == null) warnOfDevices(&create.spec, handles.sync);
        if (shown) hierarchies = try cgroup_hierarchy.located(arena, hierarchies);
        if (shown and hasHostsGroups(&create.spec)) hierarchies = try cgroup_hierarchy.whole(arena, hierarchies);
    }
    for (create.spec.namespaces) |namespace| {
        if (namespace.flag != linux.CLONE.NEWCGROUP or !namespace.isNew()) continue;
        const result = linux.unshare(linux.CLONE.NEWCGROUP);
        if (linux.errno(result) == .INVAL) continue; // a kernel without cgroups has no namespaces of them
        _ = try fault.check(result, .namespace, "create a cgroup namespace", .{});
    }
    return hierarchies;
}

/// It is in the host's cgroup namespace.
fn hasHostsGroups(spec: *const request.Spec) bool {
    for (spec.namespaces) |namespace| if (namespace.flag == linux.CLONE.NEWCGROUP) return false;
    return true;
}

fn warnOfDevices(spec: *const request.Spec, sync: i32) void {
    const reason = "this host has no device rules that hold (cgroup v2): ";
    if (mayMakeNodes(spec)) handshake.warn(sync, reason ++ "with CAP_MKNOD the container can open any device", .{});
    if (hasHalfOpen(spec)) handshake.warn(sync, reason ++ "a device that is given for reading or for writing alone is open for both", .{});
}

fn hasHalfOpen(spec: *const request.Spec) bool {
    for (spec.deviceRules) |rule| {
        const reads = rule.access & request.DeviceRule.read != 0;
        const writes = rule.access & request.DeviceRule.write != 0;
        if (rule.allow and reads != writes) return true;
    }
    return false;
}

/// Though it is not privileged.
fn mayMakeNodes(spec: *const request.Spec) bool {
    return !isPrivileged(spec) and spec.process.capabilities.bounding & (1 << linux.CAP.MKNOD) != 0;
}

/// Existing namespaces are joined; new ones are set up.
fn enterNamespaces(spec: *const request.Spec, handles: handshake.Handles, arena: std.mem.Allocator) fault.AllocError!void {
    const flags = cloneFlags(spec);
    if (flags & linux.CLONE.NEWNS == 0) return fault.fail(.namespace, .INVAL, "a container needs a mount namespace of its own", .{});
    for (spec.namespaces) |namespace| if (!namespace.isNew()) try neighbour.join(arena, namespace, &handles.neighbours);
    if (flags & linux.CLONE.NEWNET != 0) try fault.ensure(loopback.up(), .settings, "bring the loopback interface up", .{});
    if (flags & linux.CLONE.NEWUTS != 0) {
        try setName(.sethostname, "hostname", spec.hostname);
        try setName(.setdomainname, "domainname", spec.domainname);
    }
}

fn setName(call: linux.SYS, comptime what: []const u8, name: []const u8) fault.Error!void {
    if (name.len == 0) return;
    if (std.mem.indexOfAny(u8, name, "\x00\n") != null)
        return fault.fail(.settings, .INVAL, "the " ++ what ++ " holds a NUL or a line end", .{});
    _ = try fault.check(linux.syscall2(call, @intFromPtr(name.ptr), name.len), .settings, "set the " ++ what ++ " {s}", .{name});
}

/// Descriptors: of the root, and of what is to go to the container's user.
const Built = struct { root: i32, given: []const i32 };

/// The whole file tree, up to the moment before pivot_root.
fn buildRoot(
    create: *const request.Create,
    handles: handshake.Handles,
    arena: std.mem.Allocator,
    hierarchies: []const cgroup_hierarchy.Hierarchy,
    maps: []const i32,
) fault.AllocError!Built {
    const spec = &create.spec;
    const any_device = isPrivileged(spec);
    const prepared = try mounts.prepare(arena, create, handles, maps, any_device);
    const root = try rootfs.open(arena, &create.rootfs);
    try rootfs.cutOff();
    var bench: Bench = try .open(arena, create.stateDirectory, mounts.ownBytes(prepared), spec.devices.len + spec.mounts.len);
    try rootfs.cover(root);
    const mounted = try mounts.attachAll(arena, root, prepared, &bench, hierarchies);
    var devices: Devices = .{
        .arena = arena,
        .root = root,
        .bench = &bench,
        .guard = &mounted.guard,
        .own_dev = mounted.own_dev,
        .any = any_device,
    };
    for (spec.devices) |each| try devices.make(each);
    if (mounted.own_dev != null) try Devices.makeLinks(arena, root);
    _ = linux.close(bench.root);
    if (spec.process.terminal) try makeConsole(create, handles, arena, root, mounted.devpts);
    try setSysctls(spec, arena, mounted.procfs);
    _ = linux.close(try paths.ensureDirectory(arena, root, spec.process.cwd, .cwd));
    try mask.protect(arena, root, spec.readonlyPaths);
    try mask.hide(arena, root, spec.maskedPaths);
    if (!any_device) {
        // Where no device rules hold (cgroup v2 has them as programs only), a node that a layer brings must not open.
        const set = mount.setAttributes(root, .{ .set = mount.attribute_nodev }, false);
        _ = try fault.check(set, .rootfs, "make the root nodev", .{});
    }
    if (spec.readonly) {
        const set = mount.setAttributes(root, .{ .set = mount.attribute_readonly }, false);
        _ = try fault.check(set, .rootfs, "make the root read-only", .{});
    }
    return .{ .root = root, .given = mounted.given.items };
}

/// What of the mounts is to belong to the container's user, who has a number only now that his passwd is in sight.
fn giveAway(create: *const request.Create, handles: handshake.Handles, arena: std.mem.Allocator, built: Built) fault.AllocError!void {
    if (built.given.len == 0) return;
    const default = create.spec.process.user;
    const identity = try user.resolve(arena, handles.sync, built.root, create.user, default.uid, default.gid, &.{});
    for (built.given) |top| if (top >= 0) try giveaway.tree(top, identity.uid, identity.gid);
}

fn isPrivileged(spec: *const request.Spec) bool {
    for (spec.deviceRules) |rule| if (rule.allow and rule.kind == 0) return true;
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
    try terminal.hand(handles.sync, pty, !create.reaper and !joinsPids(&create.spec));
}

fn setSysctls(spec: *const request.Spec, arena: std.mem.Allocator, mounted: i32) fault.AllocError!void {
    if (spec.sysctl.map.count() == 0) return;
    const flags = mount.attribute_nosuid | mount.attribute_nodev | mount.attribute_noexec;
    const procfs = if (mounted >= 0) mounted else try file_system.create(arena, "proc", "proc", &.{}, flags);
    defer if (procfs != mounted) {
        _ = linux.close(procfs);
    };
    var entries = spec.sysctl.map.iterator();
    while (entries.next()) |entry| {
        const key, const value = .{ entry.key_ptr.*, entry.value_ptr.* };
        const name = try sysctl.fileName(arena, key) orelse return fault.fail(.settings, .INVAL, "sysctl {s}", .{key});
        try fault.ensure(sysctl.set(procfs, name, value), .settings, "sysctl {s}={s}", .{ key, value });
    }
}

test {
    std.testing.refAllDecls(@This());
}
