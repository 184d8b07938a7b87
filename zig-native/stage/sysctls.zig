//! The sysctls of the specification, before its /proc/sys is made read-only.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const file_system = @import("file_system.zig");
const mount = @import("../linux/mount.zig");
const path = @import("../linux/path.zig");
const request = @import("../wire/request.zig");
const sysctl = @import("../linux/sysctl.zig");
const user_namespace = @import("../linux/user_namespace.zig");

/// `mounted`: the container's own procfs, or -1.
pub fn set(spec: *const request.Spec, arena: std.mem.Allocator, mounted: i32) fault.AllocError!void {
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
        const possible = try possibleValue(arena, key, value);
        var errno = sysctl.set(procfs, name, possible);
        // The host's, bound because no other could be made: by its own name it is not read-only yet.
        if (errno == .ROFS) errno = sysctl.set(try openHosts(), name, possible);
        try fault.ensure(errno, .settings, "sysctl {s}={s}", .{ key, value });
    }
}

fn openHosts() fault.Error!i32 {
    const opened = linux.open("/proc", path.directory_path, 0);
    const fd: i32 = @intCast(try fault.check(opened, .settings, "open /proc", .{}));
    if (path.fileSystem(fd) == path.magic_proc) return fd;
    return fault.fail(.settings, .SUCCESS, "/proc of the host is no procfs: sysctls cannot be set", .{});
}

/// That everybody may ping is a default: in a user namespace everybody are those who have a number there.
fn possibleValue(arena: std.mem.Allocator, key: []const u8, value: []const u8) error{OutOfMemory}![]const u8 {
    if (!std.mem.eql(u8, key, "net.ipv4.ping_group_range") or !std.mem.eql(u8, value, "0 2147483647")) return value;
    const highest = user_namespace.highestGroup() orelse return value;
    return std.fmt.allocPrint(arena, "0 {d}", .{highest});
}
