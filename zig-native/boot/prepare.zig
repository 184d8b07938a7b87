//! What programs expect of a running system and the kernel leaves to process 1: its own file systems, the controllers of
//! cgroups, the loopback interface, a decent limit of open files.
//!
//! Only what is missing is made, and what cannot be had is said in one line: a machine without mqueue still boots.
const std = @import("std");
const linux = std.os.linux;
const console = @import("console.zig");
const loopback = @import("../linux/loopback.zig");
const path = @import("../linux/path.zig");
const Place = @import("place.zig").Place;
const rlimit = @import("../linux/rlimit.zig");

const Wanted = struct {
    kind: [*:0]const u8,
    target: [:0]const u8,
    flags: u32,
    options: [:0]const u8 = "",
    present: Present = .mounted,
    /// Kernels are built without it, and few programs use it.
    optional: bool = false,
};

/// When is there nothing to do?
const Present = enum {
    mounted,
    /// A procfs, and of our pid namespace.
    own_proc,
    /// Of a machine: mounted, for a few nodes of an initramfs are not all devices. In a namespace a null device is enough.
    devices,
    /// Of a machine: mounted. In a namespace it is enough that it can be written to.
    writable,
};

const strict = linux.MS.NOSUID | linux.MS.NODEV | linux.MS.NOEXEC;

/// In this order: each on what is before it.
const file_systems = [_]Wanted{
    .{ .kind = "proc", .target = "/proc", .flags = strict, .present = .own_proc },
    .{ .kind = "sysfs", .target = "/sys", .flags = strict },
    .{ .kind = "devtmpfs", .target = "/dev", .flags = linux.MS.NOSUID | linux.MS.NOEXEC, .options = "mode=755", .present = .devices },
    .{ .kind = "devpts", .target = "/dev/pts", .flags = linux.MS.NOSUID | linux.MS.NOEXEC, .options = "gid=5,mode=620,ptmxmode=666" },
    .{ .kind = "tmpfs", .target = "/dev/shm", .flags = linux.MS.NOSUID | linux.MS.NODEV, .options = "mode=1777" },
    .{ .kind = "mqueue", .target = "/dev/mqueue", .flags = strict, .optional = true },
    .{ .kind = "cgroup2", .target = "/sys/fs/cgroup", .flags = strict, .options = "nsdelegate" },
    .{ .kind = "tmpfs", .target = "/run", .flags = linux.MS.NOSUID | linux.MS.NODEV, .options = "mode=755", .present = .writable },
    .{ .kind = "tmpfs", .target = "/tmp", .flags = linux.MS.NOSUID | linux.MS.NODEV, .options = "mode=1777", .present = .writable },
};

const links = [_][2][*:0]const u8{
    .{ "/proc/self/fd", "/dev/fd" },
    .{ "fd/0", "/dev/stdin" },
    .{ "fd/1", "/dev/stdout" },
    .{ "fd/2", "/dev/stderr" },
};

pub fn all(place: Place) void {
    if (place == .guest) return;
    for (file_systems) |wanted| {
        if (!isPresent(wanted, place)) mount(wanted);
    }
    for (links) |link| _ = linux.symlink(link[0], link[1]); // they are there already, or /dev cannot be written to
    const up = loopback.up();
    if (up != .SUCCESS) console.say("bring the loopback interface up: {s}", .{@tagName(up)});
    if (place != .machine) return;
    passControllersOn();
    // The kernel starts with 4096, which every container would have as its most; this is what other inits set.
    _ = rlimit.set(@intFromEnum(linux.rlimit_resource.NOFILE), 1024, 524288);
}

/// Ctrl-alt-del then comes to us as SIGINT, rather than rebooting there and then.
pub fn takeCtrlAltDel() void {
    _ = linux.reboot(.MAGIC1, .MAGIC2, .CAD_OFF, null);
}

fn isPresent(wanted: Wanted, place: Place) bool {
    switch (wanted.present) {
        .mounted => return isMount(wanted.target),
        .own_proc => {
            var buffer: [16]u8 = undefined;
            const length = linux.readlink("/proc/self", &buffer, buffer.len);
            return linux.errno(length) == .SUCCESS and std.mem.eql(u8, buffer[0..length], "1");
        },
        .devices => {
            return if (place == .machine) isMount(wanted.target) else hasNull();
        },
        .writable => {
            if (place == .machine) return isMount(wanted.target);
            return linux.errno(linux.faccessat(linux.AT.FDCWD, wanted.target, linux.W_OK, 0)) == .SUCCESS;
        },
    }
}

fn hasNull() bool {
    const info = statOf("/dev/null") orelse return false;
    return info.isDevice(.character, 1, 3);
}

fn isMount(target: [*:0]const u8) bool {
    const info = statOf(target) orelse return false;
    return info.mount_root;
}

fn statOf(name: [*:0]const u8) ?path.Stat {
    const opened = linux.open(name, .{ .PATH = true, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(opened));
    return path.stat(@intCast(opened));
}

fn mount(wanted: Wanted) void {
    const made = linux.errno(linux.mkdir(wanted.target, 0o755));
    if (made != .SUCCESS and made != .EXIST) {
        if (!wanted.optional) console.say("cannot make {s}: {s}", .{ wanted.target, @tagName(made) });
        return;
    }
    const mounted = linux.errno(linux.mount(wanted.kind, wanted.target, wanted.kind, wanted.flags, @intFromPtr(wanted.options.ptr)));
    if (mounted == .SUCCESS or wanted.optional) return;
    if (wanted.present == .devices and hasNull()) return; // a kernel without devtmpfs, and a root that has made up for it
    console.say("cannot mount {s} on {s}: {s}", .{ wanted.kind, wanted.target, @tagName(mounted) });
}

/// Containers get limits of what the root group lets its children have.
fn passControllersOn() void {
    const opened = linux.open("/sys/fs/cgroup/cgroup.controllers", .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return; // v1, or none
    defer _ = linux.close(@intCast(opened));
    var buffer: [1024]u8 = undefined;
    const length = linux.read(@intCast(opened), &buffer, buffer.len);
    if (linux.errno(length) != .SUCCESS) return;
    var names = std.mem.tokenizeAny(u8, buffer[0..length], " \n");
    while (names.next()) |name| {
        var text: [64]u8 = undefined;
        const enable = std.fmt.bufPrint(&text, "+{s}", .{name}) catch continue;
        const errno = path.writeFile(linux.AT.FDCWD, "/sys/fs/cgroup/cgroup.subtree_control", enable, 0);
        if (errno != .SUCCESS) console.say("cannot enable the cgroup controller {s}: {s}", .{ name, @tagName(errno) });
    }
}
