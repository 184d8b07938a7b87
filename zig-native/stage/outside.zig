//! A container with a user namespace of its own (C) is made by two processes, for what takes the rights of ours (U) cannot be done
//! in there:
//!
//!   monitor --clone3--> A: in U, in a mount namespace of U's
//!      |                |  cgroup, C made or opened, namespaces of others joined, all of the host's opened: binds, layers with C's
//!      |                |  maps, files of ours and device nodes with C's owners, what shows a namespace that is not C's
//!      |                |  all of that attached to the workbench, which is its working directory; pipes given to C's root
//!      |                |  setns(C): A has no right out here any more, and is C's root
//!      |                | --clone(CLONE_PARENT, and the new namespaces)--> B: in C, and process 1 in there
//!      | <-- 'P' pid -- |                                                  |  what is on the workbench, detached again
//!      |              exits                                                |  goes on as any stage (init.zig)
//!
//! B's mount namespace is a copy of A's that belongs to C: the kernel has locked in it what was mounted in A's, so that no right
//! over C makes a bind writable, or opens it to devices. Where no pid namespace is made there is nobody to be born in it: A leaves for
//! the new namespaces itself, and is B.
//!
//! Neither can be looked into by somebody who has all rights over C: they are not dumpable, and their memory belongs to U until execve.
const std = @import("std");
const linux = std.os.linux;
const Bench = @import("bench.zig");
const cgroup_hierarchy = @import("../linux/cgroup_hierarchy.zig");
const cgroup_mounts = @import("cgroup_mounts.zig");
const Devices = @import("devices.zig");
const fault = @import("../wire/fault.zig");
const giveaway = @import("giveaway.zig");
const Guard = @import("guard.zig");
const handshake = @import("handshake.zig");
const mount = @import("../linux/mount.zig");
const mounts = @import("mounts.zig");
const neighbour = @import("neighbour.zig");
const new_mount = @import("new_mount.zig");
const path = @import("../linux/path.zig");
const program = @import("program.zig");
const request = @import("../wire/request.zig");
const rlimit = @import("../linux/rlimit.zig");
const time_namespace = @import("../linux/time_namespace.zig");
const times = @import("times.zig");
const user = @import("user.zig");
const Users = @import("users.zig");

/// What A has, and B finds.
pub const Work = struct {
    arena: std.mem.Allocator,
    create: *const request.Create,
    handles: handshake.Handles,
    users: Users,
    bench: *Bench,
    prepared: []mounts.Prepared,
    /// Of the container: detached.
    root: i32,
    /// For each device of the specification, in B: a detached mount of its node.
    nodes: []i32 = &.{},

    /// Returns in B.
    pub fn cross(
        self: *Work,
        hierarchies: []const cgroup_hierarchy.Hierarchy,
        flags: u32,
        clocks: ?[]const time_namespace.Offset,
    ) fault.AllocError!void {
        try self.giveAway();
        try self.stageAll(hierarchies);
        raiseLimits(self.create.spec.process.rlimits);
        self.users.give(self.handles);
        // What B is born into (the root of a message queue's file system) belongs to who it is then; so it is C's root from its birth on.
        const bench = self.bench;
        const given = linux.fchownat(bench.root, "", bench.uid, bench.gid, linux.AT.EMPTY_PATH);
        _ = try fault.check(given, .mount, "give the workbench to the container's root", .{});
        _ = try fault.check(linux.fchdir(bench.root), .mount, "enter the workbench", .{});
        try Users.leaveGroups();
        try self.users.enter();
        if (clocks) |offsets| try times.make(offsets);
        try self.users.becomeFirst();
        try self.leave(flags);
        if (clocks != null) try times.enter();
        const handles = self.handles;
        try program.closeAllBut(&.{ 0, 1, 2, handles.sync, handles.stdin, handles.stdout, handles.stderr });
        try program.dieWithMonitor(handles.sync);
        try self.collect();
    }

    /// What of the host's is to belong to the container's user: in our numbers, or in C's where they are those on disk.
    fn giveAway(self: *Work) fault.AllocError!void {
        const create = self.create;
        const default = create.spec.process.user;
        var found: ?user.Identity = null;
        for (self.prepared) |*entry| {
            if (entry.given < 0) continue;
            const identity = found orelse
                try user.resolve(self.arena, self.handles.sync, self.root, create.user, default.uid, default.gid, &.{});
            found = identity;
            const owner: Users.Owner = if (entry.mount.mapped) .{ .uid = identity.uid, .gid = identity.gid } else .{
                .uid = self.users.uid(identity.uid) orelse return unmapped(entry, identity.uid),
                .gid = self.users.gid(identity.gid) orelse return unmapped(entry, identity.gid),
            };
            try giveaway.tree(entry.given, owner.uid, owner.gid);
            entry.given = -1;
        }
    }

    fn unmapped(entry: *const mounts.Prepared, number: u32) fault.Error {
        return fault.fail(
            .mount,
            .SUCCESS,
            "mount {s} cannot be given to {d}, who is nobody in the container's user namespace",
            .{ entry.mount.destination, number },
        );
    }

    fn stageAll(self: *Work, hierarchies: []const cgroup_hierarchy.Hierarchy) fault.AllocError!void {
        try self.stage("root", self.root, true);
        for (self.prepared, 0..) |*entry, index| {
            const name = try nameOf(self.arena, 'm', index);
            if (mounts.isCgroup(entry.mount.type)) {
                try self.stageCgroups(entry, name, hierarchies);
            } else if (entry.mount.bind) {
                const tree = try mounts.finishBind(self.arena, entry, self.bench);
                try self.stage(name, tree, entry.directory);
            } else if (entry.tree >= 0) {
                try self.stage(name, entry.tree, entry.directory);
            } else if (new_mount.isForeign(&entry.mount, &self.create.spec)) {
                entry.tree = new_mount.make(self.arena, &entry.mount, &self.create.spec) catch |err| {
                    if (err != error.Failed or !new_mount.canDoWithout(entry.mount.type)) return err;
                    entry.gone = true;
                    continue;
                };
                try self.stage(name, entry.tree, true);
            } else continue;
            entry.staged = true;
        }
        for (self.create.spec.devices, 0..) |each, index| try self.stageNode(each, try nameOf(self.arena, 'd', index));
    }

    fn stage(self: *Work, name: [:0]const u8, tree: i32, directory: bool) fault.Error!void {
        const target = try self.bench.spot(name, directory);
        defer _ = linux.close(target);
        _ = try fault.check(mount.attach(tree, target), .mount, "mount {s} at the workbench", .{name});
        _ = linux.close(tree);
    }

    fn stageCgroups(
        self: *Work,
        entry: *mounts.Prepared,
        name: [:0]const u8,
        hierarchies: []const cgroup_hierarchy.Hierarchy,
    ) fault.AllocError!void {
        entry.gone = hierarchies.len == 0;
        const target = try self.bench.spot(name, true);
        defer _ = linux.close(target);
        var guard: Guard = .{};
        try cgroup_mounts.attach(self.arena, target, &entry.mount, hierarchies, &guard);
    }

    /// Made on the workbench, whose file system is U's: on one of C's no node could be opened.
    fn stageNode(self: *Work, each: request.Device, name: [:0]const u8) fault.AllocError!void {
        var node = each.node();
        node.uid = self.users.uid(node.uid) orelse 0;
        node.gid = self.users.gid(node.gid) orelse 0;
        switch (self.bench.makeNode(name, node)) {
            .SUCCESS => {},
            .PERM => try self.stage(name, try Devices.cloneFromHost(self.arena, each), false),
            else => |errno| return fault.fail(.device, errno, "make device {s}", .{each.path}),
        }
    }

    /// Into the new namespaces: as a child, where one is of pids.
    fn leave(self: *Work, flags: u32) fault.Error!void {
        if (flags & linux.CLONE.NEWPID == 0) {
            const left = linux.unshare(flags);
            _ = try fault.check(left, .namespace, "create namespaces", .{});
            return;
        }
        // Who hears of B by what it says itself has to have heard of it from us.
        var known: [2]i32 = undefined;
        _ = try fault.check(linux.pipe2(&known, .{ .CLOEXEC = true }), .namespace, "pipe", .{});
        if (try neighbour.born(self.handles.sync, flags, "create namespaces") != 0) linux.exit_group(0);
        _ = linux.close(known[1]);
        var byte: [1]u8 = undefined;
        while (linux.errno(linux.read(known[0], &byte, 1)) == .INTR) {}
        _ = linux.setsid();
    }

    /// In B.
    fn collect(self: *Work) fault.AllocError!void {
        const opened = linux.open(".", path.directory_path, 0);
        const bench: i32 = @intCast(try fault.check(opened, .mount, "open the workbench", .{}));
        self.bench.root = bench;
        self.root = try take(bench, "root");
        for (self.prepared, 0..) |*entry, index| {
            if (!entry.staged or entry.gone) continue;
            entry.tree = try take(bench, try nameOf(self.arena, 'm', index));
            entry.own = -1;
        }
        self.nodes = try self.arena.alloc(i32, self.create.spec.devices.len);
        for (self.nodes, 0..) |*node, index| node.* = try take(bench, try nameOf(self.arena, 'd', index));
    }
};

fn take(bench: i32, name: [:0]const u8) fault.Error!i32 {
    return @intCast(try fault.check(mount.clone(bench, name, true), .mount, "take {s} from the workbench", .{name}));
}

fn nameOf(arena: std.mem.Allocator, kind: u8, index: usize) error{OutOfMemory}![:0]const u8 {
    return std.fmt.allocPrintSentinel(arena, "{c}{d}", .{ kind, index }, 0);
}

/// What only we may raise; all else about limits is done where they are taken (identity.zig).
pub fn raiseLimits(limits: []const request.Limit) void {
    for (limits) |limit| rlimit.raise(limit.resource, limit.hard);
}
