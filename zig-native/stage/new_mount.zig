//! File systems that are made for a container, and what stands in for one that the kernel does not let us make: what shows a
//! namespace can be mounted by who has rights over that alone. Of one that is not the container's the host's own is bound then, with
//! all that lies on it, and nothing in it can be written.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const file_system = @import("file_system.zig");
const mount = @import("../linux/mount.zig");
const request = @import("../wire/request.zig");
const user_namespace = @import("../linux/user_namespace.zig");

const Kind = struct { name: []const u8, shows: u32, host: [:0]const u8 };

const kinds = [_]Kind{
    .{ .name = "proc", .shows = linux.CLONE.NEWPID, .host = "/proc" },
    .{ .name = "sysfs", .shows = linux.CLONE.NEWNET, .host = "/sys" },
    .{ .name = "mqueue", .shows = linux.CLONE.NEWIPC, .host = "/dev/mqueue" },
};

/// It shows a namespace that is the host's, or of others: with one of its own the container's root may not mount it.
pub fn isForeign(wanted: *const request.Mount, spec: *const request.Spec) bool {
    return foreign(wanted, spec) != null;
}

fn foreign(wanted: *const request.Mount, spec: *const request.Spec) ?Kind {
    for (kinds) |kind| {
        if (!std.mem.eql(u8, kind.name, wanted.type)) continue;
        for (spec.namespaces) |namespace| if (namespace.flag == kind.shows and namespace.isNew()) return null;
        return kind;
    }
    return null;
}

/// A detached mount, from a process in the namespace that it shall show.
pub fn make(arena: std.mem.Allocator, wanted: *const request.Mount, spec: *const request.Spec) fault.AllocError!i32 {
    const options = if (std.mem.eql(u8, wanted.type, "devpts")) try knownOwners(arena, wanted.data) else wanted.data;
    return file_system.create(arena, wanted.type, wanted.source, options, wanted.attributes()) catch |err| {
        if (err != error.Failed or fault.failure.errno != .PERM) return err;
        const kind = foreign(wanted, spec) orelse return err;
        return bind(kind) catch |failed| if (failed == error.Failed) return err else return failed;
    };
}

/// A default that small kernels are built without, and few programs use.
pub fn canDoWithout(kind: []const u8) bool {
    const errno = fault.failure.errno;
    return std.mem.eql(u8, kind, "mqueue") and (errno == .NODEV or errno == .PERM or errno == .NOENT);
}

fn bind(kind: Kind) fault.Error!i32 {
    const tree: i32 = @intCast(try fault.check(mount.clone(linux.AT.FDCWD, kind.host, true), .mount, "bind {s}", .{kind.host}));
    errdefer _ = linux.close(tree);
    const attributes: mount.Attributes = .{
        .set = mount.attribute_readonly | mount.attribute_nosuid | mount.attribute_nodev | mount.attribute_noexec,
        .propagation = mount.private,
    };
    _ = try fault.check(mount.setAttributes(tree, attributes, true), .mount, "make {s} read-only", .{kind.host});
    return tree;
}

/// A devpts whose group has no number in our user namespace has none.
fn knownOwners(arena: std.mem.Allocator, options: []const []const u8) error{OutOfMemory}![]const []const u8 {
    const kept = try arena.alloc([]const u8, options.len);
    var count: usize = 0;
    for (options) |option| {
        const group = if (std.mem.startsWith(u8, option, "gid=")) std.fmt.parseInt(u32, option[4..], 10) catch null else null;
        if (group) |number| if (!user_namespace.hasGroup(number)) continue;
        kept[count] = option;
        count += 1;
    }
    return kept[0..count];
}
