//! Paths inside a container, resolved by the kernel with openat2(2): a link of the image can point anywhere, `..` and
//! absolute targets included, and still ends beneath the given root. Magic links (/proc/self/fd/N) are never followed.
//! What comes back is a file descriptor; every later operation is on that, so a racer cannot swap a component in between.
const std = @import("std");
const linux = std.os.linux;

const How = extern struct { flags: u64, mode: u64 = 0, resolve: u64 };

pub const no_cross_mount = 0x01;
pub const no_magic_links = 0x02;
pub const no_symlinks = 0x04;
pub const beneath = 0x08;
pub const in_root = 0x10;
/// The rule for everything in a container.
pub const contained = in_root | no_magic_links;

pub const magic_proc = 0x9fa0;
pub const magic_sysfs = 0x62656572;
pub const magic_devpts = 0x1cd1;
pub const magic_nsfs = 0x6e736673;

pub const file_path: linux.O = .{ .PATH = true, .CLOEXEC = true };
pub const directory_path: linux.O = .{ .PATH = true, .CLOEXEC = true, .DIRECTORY = true };

/// openat2(2); the raw result. EAGAIN means that a rename elsewhere raced with `..`: nothing was opened, try again.
pub fn open(root: i32, path: [*:0]const u8, flags: linux.O, mode: u32, resolve: u64) usize {
    const how: How = .{ .flags = @as(u32, @bitCast(flags)), .mode = mode, .resolve = resolve };
    var tries: u32 = 0;
    while (true) : (tries += 1) {
        const result = linux.syscall4(.openat2, fdArgument(root), @intFromPtr(path), @intFromPtr(&how), @sizeOf(How));
        switch (linux.errno(result)) {
            .AGAIN => if (tries == 1000) return result,
            .INTR => {},
            else => return result,
        }
    }
}

pub fn fdArgument(fd: i32) usize {
    return @bitCast(@as(isize, fd));
}

pub const Stat = struct {
    kind: Kind,
    inode: u64,
    major: u32,
    minor: u32,
    size: u64,
    /// The root of a mount (Linux 5.8).
    mount_root: bool,
    /// The kernel's number of the mount that it is on (Linux 5.8): no two mounts of now have the same.
    mount: u64,

    pub const Kind = enum { directory, regular, symlink, character, block, fifo, socket };

    pub fn isDevice(self: Stat, kind: Kind, major: u32, minor: u32) bool {
        return self.kind == kind and self.major == major and self.minor == minor;
    }
};

/// STATX_ATTR_MOUNT_ROOT; the standard library has it at another bit.
pub const attribute_mount_root = 0x2000;
/// STATX_TYPE, STATX_MODE, STATX_INO, STATX_SIZE, STATX_MNT_ID
const stat_mask: linux.STATX = @bitCast(@as(u32, 0x1303));

pub fn stat(fd: i32) ?Stat {
    var buffer: linux.Statx = undefined;
    const result = linux.statx(fd, "", linux.AT.EMPTY_PATH, stat_mask, &buffer);
    if (linux.errno(result) != .SUCCESS) return null;
    const kind: Stat.Kind = switch (buffer.mode & linux.S.IFMT) {
        linux.S.IFDIR => .directory,
        linux.S.IFLNK => .symlink,
        linux.S.IFCHR => .character,
        linux.S.IFBLK => .block,
        linux.S.IFIFO => .fifo,
        linux.S.IFSOCK => .socket,
        else => .regular,
    };
    const attributes: u64 = @bitCast(buffer.attributes);
    return .{
        .kind = kind,
        .inode = buffer.ino,
        .major = buffer.rdev_major,
        .minor = buffer.rdev_minor,
        .size = buffer.size,
        .mount_root = attributes & attribute_mount_root != 0,
        .mount = buffer.mnt_id,
    };
}

/// Of a path of the host's. Nobody far away is asked: of a mount whose server is silent the kernel knows that much.
pub fn isMountRoot(name: [*:0]const u8, yes: *bool) linux.E {
    var buffer: linux.Statx = undefined;
    const flags = linux.AT.SYMLINK_NOFOLLOW | linux.AT.NO_AUTOMOUNT | linux.AT.STATX_DONT_SYNC;
    const result = linux.statx(linux.AT.FDCWD, name, flags, @bitCast(@as(u32, 0)), &buffer);
    const attributes: u64 = @bitCast(buffer.attributes);
    yes.* = linux.errno(result) == .SUCCESS and attributes & attribute_mount_root != 0;
    return linux.errno(result);
}

/// The file system's magic number, 0 when it cannot be told.
pub fn fileSystem(fd: i32) u64 {
    var buffer: [32]u64 = @splat(0); // struct statfs is 120 bytes; f_type comes first and is a long
    if (linux.errno(linux.syscall2(.fstatfs, fdArgument(fd), @intFromPtr(&buffer))) != .SUCCESS) return 0;
    return buffer[0];
}

pub fn isDots(name: []const u8) bool {
    return std.mem.eql(u8, name, ".") or std.mem.eql(u8, name, "..");
}

pub const Split = struct { parent: []const u8, name: []const u8 };

/// "/a/b/" is parent "/a", name "b". The root has no name.
pub fn splitLast(path: []const u8) Split {
    const trimmed = std.mem.trimEnd(u8, path, "/");
    const slash = std.mem.lastIndexOfScalar(u8, trimmed, '/') orelse return .{ .parent = "/", .name = trimmed };
    const parent = std.mem.trimEnd(u8, trimmed[0..slash], "/");
    return .{ .parent = if (parent.len == 0) "/" else parent, .name = trimmed[slash + 1 ..] };
}

/// "//a/./b/" is "/a/b". `..` is left alone: only the kernel knows where that leads.
pub fn tidy(arena: std.mem.Allocator, path: []const u8) error{OutOfMemory}![]const u8 {
    var out: std.ArrayList(u8) = .empty;
    var parts = std.mem.tokenizeScalar(u8, path, '/');
    while (parts.next()) |part| {
        if (std.mem.eql(u8, part, ".")) continue;
        try out.append(arena, '/');
        try out.appendSlice(arena, part);
    }
    return if (out.items.len == 0) "/" else out.items;
}

/// The whole of a small file. `bytes_max` bounds what a hostile or special file can make us read.
pub fn readAll(arena: std.mem.Allocator, fd: i32, bytes_max: usize) error{OutOfMemory}!?[]const u8 {
    var out: std.ArrayList(u8) = .empty;
    while (true) {
        try out.ensureUnusedCapacity(arena, 4096);
        const free = out.unusedCapacitySlice();
        const count = linux.read(fd, free.ptr, free.len);
        switch (linux.errno(count)) {
            .SUCCESS => {},
            .INTR => continue,
            else => return null,
        }
        if (count == 0) return out.items;
        out.items.len += count;
        if (out.items.len > bytes_max) return null;
    }
}

/// write(2) of a short text to a kernel file (sysctl, cgroup, oom_score_adj): it takes all in one call or none.
pub fn writeFile(directory: i32, path: [*:0]const u8, text: []const u8, resolve: u64) linux.E {
    const opened = open(directory, path, .{ .ACCMODE = .WRONLY, .CLOEXEC = true, .NOFOLLOW = true }, 0, resolve);
    if (linux.errno(opened) != .SUCCESS) return linux.errno(opened);
    const fd: i32 = @intCast(opened);
    defer _ = linux.close(fd);
    return linux.errno(linux.write(fd, text.ptr, text.len));
}

test "the last component" {
    const cases = [_][3][]const u8{
        .{ "/a/b", "/a", "b" }, .{ "/a//b/", "/a", "b" }, .{ "/a", "/", "a" }, .{ "a", "/", "a" }, .{ "/", "/", "" }, .{ "", "/", "" },
    };
    for (cases) |case| {
        const split = splitLast(case[0]);
        try std.testing.expectEqualStrings(case[1], split.parent);
        try std.testing.expectEqualStrings(case[2], split.name);
    }
}

test "the root of a mount is known as one" {
    const cases = [_]struct { [*:0]const u8, bool }{ .{ "/proc", true }, .{ "/proc/self", false }, .{ "/proc/sys/kernel", false } };
    for (cases) |case| {
        const fd: i32 = @intCast(linux.open(case[0], .{ .PATH = true, .CLOEXEC = true }, 0));
        defer _ = linux.close(fd);
        try std.testing.expectEqual(case[1], stat(fd).?.mount_root);
    }
}

test "tidy keeps .. and drops empty components" {
    var memory: [256]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    try std.testing.expectEqualStrings("/a/../b", try tidy(fixed.allocator(), "//a/.././b/"));
    try std.testing.expectEqualStrings("/", try tidy(fixed.allocator(), "/./"));
}
