//! What a process of ours takes over of another container: namespaces, and what is mounted there at some places.
//!
//! The other one is named by the pid and the start time of its init, which a descriptor pins before anything is done with it:
//! a number that is somebody else's by now is refused. Nothing of its is named by a path of the host's. For its mounts we are in
//! its mount namespace for three system calls; its processes cannot name us, as we are in none of its pid namespaces, and what we
//! look for is resolved beneath its root by the kernel.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const handshake = @import("handshake.zig");
const mount = @import("../linux/mount.zig");
const namespaces = @import("../linux/namespace.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const process = @import("../linux/process.zig");
const request = @import("../wire/request.zig");

/// A pidfd of the container's init, once we know that it is still that process.
pub fn hold(name: request.ProcessName) fault.Error!i32 {
    const start_time = std.fmt.parseInt(u64, name.startTime, 10) catch
        return fault.fail(.request, .INVAL, "start time {s}", .{name.startTime});
    const pidfd = process.open(name.pid, start_time);
    if (pidfd < 0) return fault.fail(.namespace, @enumFromInt(-pidfd), "find the container's process {d}", .{name.pid});
    return pidfd;
}

const Neighbours = *const [handshake.neighbours_max]handshake.Neighbour;

/// By the monitor, for the stage that it is about to clone.
pub fn holdAll(spec: *const request.Spec, neighbours: *[handshake.neighbours_max]handshake.Neighbour) fault.Error!void {
    for (spec.namespaces) |namespace| if (namespace.process) |name| try holdOne(name, neighbours);
    for (spec.mounts) |each| if (each.process) |name| try holdOne(name, neighbours);
}

fn holdOne(name: request.ProcessName, neighbours: *[handshake.neighbours_max]handshake.Neighbour) fault.Error!void {
    for (neighbours) |*each| {
        if (each.pidfd >= 0 and each.pid == name.pid) return;
        if (each.pidfd >= 0) continue;
        each.* = .{ .pid = name.pid, .pidfd = try hold(name) };
        return;
    }
    return fault.fail(.request, .INVAL, "more than {d} containers to join", .{neighbours.len});
}

fn held(neighbours: Neighbours, name: request.ProcessName) fault.Error!i32 {
    for (neighbours) |each| if (each.pid == name.pid and each.pidfd >= 0) return each.pidfd;
    return fault.fail(.namespace, .SRCH, "find the container's process {d}", .{name.pid});
}

/// A pid namespace takes effect for our children only.
const joinable = linux.CLONE.NEWPID | linux.CLONE.NEWNET | linux.CLONE.NEWIPC | linux.CLONE.NEWUTS | linux.CLONE.NEWCGROUP;

/// Into a namespace that is not new.
pub fn join(arena: std.mem.Allocator, namespace: request.Namespace, neighbours: Neighbours) fault.AllocError!void {
    const kind = namespaces.nameOf(namespace.flag);
    if (namespace.flag & joinable != namespace.flag) return fault.fail(.namespace, .INVAL, "a {s} namespace cannot be joined", .{kind});
    if (namespace.process) |name| {
        const joined = linux.setns(try held(neighbours, name), namespace.flag);
        _ = try fault.check(joined, .namespace, "join the {s} namespace of process {d}", .{ kind, name.pid });
        return;
    }
    const fd = try openNamespace(arena, namespace, kind);
    defer _ = linux.close(fd);
    _ = try fault.check(linux.setns(fd, namespace.flag), .namespace, "join the {s} namespace {s}", .{ kind, namespace.path });
}

/// A descriptor of a namespace that is not new.
pub fn open(arena: std.mem.Allocator, namespace: request.Namespace, neighbours: Neighbours) fault.AllocError!i32 {
    const kind = namespaces.nameOf(namespace.flag);
    const name = namespace.process orelse return openNamespace(arena, namespace, kind);
    const pidfd = try held(neighbours, name);
    const file = try std.fmt.allocPrintSentinel(arena, "/proc/{d}/ns/{s}", .{ name.pid, kind }, 0);
    const opened = linux.open(file, .{ .CLOEXEC = true }, 0);
    const fd: i32 = @intCast(try fault.check(opened, .namespace, "open the {s} namespace of process {d}", .{ kind, name.pid }));
    // As long as it lives nobody else has its number.
    const alive = linux.syscall4(.pidfd_send_signal, path.fdArgument(pidfd), 0, 0, 0);
    _ = try fault.check(alive, .namespace, "find the container's process {d}", .{name.pid});
    return fd;
}

/// Children are born in our own pid namespace again.
pub fn leavePids() fault.Error!void {
    const opened = linux.open("/proc/self/ns/pid", .{ .CLOEXEC = true }, 0);
    const own: i32 = @intCast(try fault.check(opened, .namespace, "open our pid namespace", .{}));
    defer _ = linux.close(own);
    _ = try fault.check(linux.setns(own, linux.CLONE.NEWPID), .namespace, "leave the joined pid namespace", .{});
}

/// A file of the host's that the user names, which may be anything: opened so that nothing waits.
fn openNamespace(arena: std.mem.Allocator, namespace: request.Namespace, kind: []const u8) fault.AllocError!i32 {
    const name = try paths.terminated(arena, namespace.path, .namespace, "a namespace's path");
    const opened = linux.open(name, .{ .CLOEXEC = true, .NONBLOCK = true, .NOCTTY = true }, 0);
    const fd: i32 = @intCast(try fault.check(opened, .namespace, "open the namespace {s}", .{namespace.path}));
    const get_type = 0xb703; // NS_GET_NSTYPE, ioctl_nsfs(2)
    if (path.fileSystem(fd) == path.magic_nsfs and linux.ioctl(fd, get_type, 0) == namespace.flag) return fd;
    _ = linux.close(fd);
    return fault.fail(.namespace, .SUCCESS, "{s} is not a {s} namespace", .{ namespace.path, kind });
}

/// A detached copy of what the container has mounted at the destination, and of nothing that lies below. There must be a mount:
/// what its program can put there by itself is none of ours.
pub fn mounted(arena: std.mem.Allocator, wanted: *const request.Mount, neighbours: Neighbours) fault.AllocError!i32 {
    const place = try paths.terminated(arena, wanted.destination, .mount, "a mount's destination");
    const opened = linux.open("/proc/self/ns/mnt", .{ .CLOEXEC = true }, 0);
    const home: i32 = @intCast(try fault.check(opened, .namespace, "open our mount namespace", .{}));
    defer _ = linux.close(home);
    const left = linux.setns(try held(neighbours, wanted.process.?), linux.CLONE.NEWNS);
    _ = try fault.check(left, .namespace, "join the mount namespace of process {d}", .{wanted.process.?.pid});
    const found = copyMount(place, wanted.bind);
    // A failure ends us, wherever we are.
    _ = try fault.check(linux.setns(home, linux.CLONE.NEWNS), .namespace, "join our mount namespace again", .{});
    return found;
}

fn copyMount(place: [:0]const u8, file: bool) fault.Error!i32 {
    const slash = linux.open("/", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    const root: i32 = @intCast(try fault.check(slash, .mount, "open the other container's root", .{}));
    defer _ = linux.close(root);
    const opened = path.open(root, place, if (file) path.file_path else path.directory_path, 0, path.contained);
    const there: i32 = @intCast(try fault.check(opened, .mount, "open {s} of the other container", .{place}));
    defer _ = linux.close(there);
    const info = path.stat(there) orelse return fault.fail(.mount, .IO, "stat {s} of the other container", .{place});
    if (!info.mount_root or info.kind != @as(path.Stat.Kind, if (file) .regular else .directory))
        return fault.fail(.mount, .SUCCESS, "the other container has nothing mounted at {s}", .{place});
    return @intCast(try fault.check(mount.clone(there, "", false), .mount, "open {s} of the other container to bind it", .{place}));
}

/// A child of the monitor's beside us, in the pid namespace that we have joined. Answers its pid, and 0 in it. The monitor is
/// told; a queue that somebody inside has filled must not keep us.
pub fn divide(sync: i32) fault.Error!i32 {
    return born(sync, 0, "enter the container's pid namespace");
}

/// The same in these new namespaces.
pub fn born(sync: i32, flags: u32, comptime what: []const u8) fault.Error!i32 {
    // Not clone3, which the filter of system calls does not know.
    const cloned = linux.syscall5(.clone, linux.CLONE.PARENT | flags, 0, 0, 0, 0);
    const pid: i32 = @intCast(try fault.check(cloned, .namespace, what, .{}));
    if (pid == 0) return 0;
    var packet = [_]u8{'P'} ++ [_]u8{0} ** 4;
    std.mem.writeInt(i32, packet[1..5], pid, .big);
    _ = linux.sendto(sync, &packet, packet.len, linux.MSG.NOSIGNAL | linux.MSG.DONTWAIT, null, 0);
    return pid;
}
