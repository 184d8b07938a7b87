//! The mount API on file descriptors (fsopen, fsmount, open_tree, move_mount, mount_setattr; Linux 5.2 to 5.12). A mount is
//! built detached, gets its attributes, and is attached to a directory that we already hold, never to a path.
const std = @import("std");
const linux = std.os.linux;
const path = @import("path.zig");

// linux/mount.h
pub const attribute_readonly = 0x01;
pub const attribute_nosuid = 0x02;
pub const attribute_nodev = 0x04;
pub const attribute_noexec = 0x08;
pub const attribute_atime_mask = 0x70;
pub const attribute_noatime = 0x10;
pub const attribute_strictatime = 0x20;
pub const attribute_nodiratime = 0x80;
pub const attribute_nosymfollow = 0x200000;
/// With `Attributes.user_namespace`.
pub const idmapped = 0x100000;

pub const private = linux.MS.PRIVATE;
pub const slave = linux.MS.SLAVE;
pub const shared = linux.MS.SHARED;

const open_tree_clone = 1;
const cloexec: u32 = @bitCast(linux.O{ .CLOEXEC = true });
const move_from_empty = 0x04;
const move_to_empty = 0x40;

const config_set_flag = 0;
const config_set_string = 1;
const config_set_descriptor = 5;
const config_create = 6;

/// mount_setattr's argument.
pub const Attributes = extern struct { set: u64 = 0, clear: u64 = 0, propagation: u64 = 0, user_namespace: u64 = 0 };

/// A detached copy of what is mounted at `source` (below `directory`, or the descriptor itself when `source` is empty).
/// The raw result.
pub fn clone(directory: i32, source: [*:0]const u8, recursive: bool) usize {
    const flags: u32 = open_tree_clone | cloexec | linux.AT.EMPTY_PATH |
        if (recursive) @as(u32, linux.AT.RECURSIVE) else 0;
    return linux.syscall3(.open_tree, path.fdArgument(directory), @intFromPtr(source), flags);
}

/// Attach a detached mount on the directory or file that `target` is. The raw result.
pub fn attach(tree: i32, target: i32) usize {
    return linux.syscall5(
        .move_mount,
        path.fdArgument(tree),
        @intFromPtr(""),
        path.fdArgument(target),
        @intFromPtr(""),
        move_from_empty | move_to_empty,
    );
}

pub fn setAttributes(tree: i32, attributes: Attributes, recursive: bool) usize {
    const flags: u32 = linux.AT.EMPTY_PATH | if (recursive) @as(u32, linux.AT.RECURSIVE) else 0;
    return linux.syscall5(.mount_setattr, path.fdArgument(tree), @intFromPtr(""), flags, @intFromPtr(&attributes), @sizeOf(Attributes));
}

/// A file system being configured: `open`, `set`…, `mount`. The kernel's own explanation of a failure is in `why`.
pub const FileSystem = struct {
    fd: i32,
    log: [200]u8 = undefined,

    pub fn open(kind: [*:0]const u8) union(enum) { ok: FileSystem, failed: linux.E } {
        const result = linux.syscall2(.fsopen, @intFromPtr(kind), 1);
        return switch (linux.errno(result)) {
            .SUCCESS => .{ .ok = .{ .fd = @intCast(result) } },
            else => |errno| .{ .failed = errno },
        };
    }

    /// A string option, or a flag when `value` is null. The raw result.
    pub fn set(self: *FileSystem, key: [*:0]const u8, value: ?[*:0]const u8) usize {
        const command: usize = if (value == null) config_set_flag else config_set_string;
        return linux.syscall5(.fsconfig, path.fdArgument(self.fd), command, @intFromPtr(key), @intFromPtr(value), 0);
    }

    /// An option that is what `fd` has open. The raw result.
    pub fn setDescriptor(self: *FileSystem, key: [*:0]const u8, fd: i32) usize {
        return linux.syscall5(
            .fsconfig,
            path.fdArgument(self.fd),
            config_set_descriptor,
            @intFromPtr(key),
            0,
            path.fdArgument(fd),
        );
    }

    /// Make the superblock and a detached mount of it. The raw result: a descriptor of its root.
    pub fn mount(self: *FileSystem, attributes: u32) usize {
        const created = linux.syscall5(.fsconfig, path.fdArgument(self.fd), config_create, 0, 0, 0);
        if (linux.errno(created) != .SUCCESS) return created;
        return linux.syscall3(.fsmount, path.fdArgument(self.fd), 1, attributes);
    }

    /// What the kernel said about the last failure, in brackets; empty when it said nothing.
    pub fn why(self: *FileSystem) []const u8 {
        const prefix = " (";
        @memcpy(self.log[0..prefix.len], prefix);
        const count = linux.read(self.fd, self.log[prefix.len..].ptr, self.log.len - prefix.len - 1);
        if (linux.errno(count) != .SUCCESS or count < 2) return "";
        // "e overlay: text": the first two bytes are the severity.
        var text = self.log[prefix.len..][0..count];
        std.mem.copyForwards(u8, text, text[2..]);
        text = text[0 .. text.len - 2];
        const trimmed = std.mem.trimEnd(u8, text, "\n");
        self.log[prefix.len + trimmed.len] = ')';
        return self.log[0 .. prefix.len + trimmed.len + 1];
    }

    pub fn close(self: *FileSystem) void {
        _ = linux.close(self.fd);
    }
};
