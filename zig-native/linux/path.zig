//! Paths inside a container, resolved by the kernel with openat2(2): a link of the image can point anywhere, `..` and
//! absolute targets included, and still ends beneath the given root. Magic links (/proc/self/fd/N) are never followed.
//! What comes back is a file descriptor; every later operation is on that, so a racer cannot swap a component in between.
const std = @import("std");
const linux = std.os.linux;
const stage = @import("../stage/sync.zig");
const abi = @import("../wire/abi.zig");

pub const Error = stage.Error || error{OutOfMemory};

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

pub const file_path: linux.O = .{ .PATH = true, .CLOEXEC = true };
pub const directory_path: linux.O = .{ .PATH = true, .CLOEXEC = true, .DIRECTORY = true };

/// Longest chain of links whose missing targets we create; the kernel's own limit.
const links_max = 40;

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

/// A system call's path argument. Refuses NUL, which would cut the path short.
pub fn terminated(arena: std.mem.Allocator, text: []const u8, at: abi.Stage, comptime what: []const u8) Error![:0]const u8 {
    if (std.mem.indexOfScalar(u8, text, 0) != null) return stage.fail(at, .INVAL, what ++ " holds a NUL byte", .{});
    return arena.dupeZ(u8, text);
}

pub const Stat = struct {
    kind: Kind,
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
const attribute_mount_root = 0x2000;
/// STATX_TYPE, STATX_MODE, STATX_SIZE, STATX_MNT_ID
const stat_mask: linux.STATX = @bitCast(@as(u32, 0x1203));

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
        .major = buffer.rdev_major,
        .minor = buffer.rdev_minor,
        .size = buffer.size,
        .mount_root = attributes & attribute_mount_root != 0,
        .mount = buffer.mnt_id,
    };
}

/// The file system's magic number, 0 when it cannot be told.
pub fn fileSystem(fd: i32) u64 {
    var buffer: [32]u64 = @splat(0); // struct statfs is 120 bytes; f_type comes first and is a long
    if (linux.errno(linux.syscall2(.fstatfs, fdArgument(fd), @intFromPtr(&buffer))) != .SUCCESS) return 0;
    return buffer[0];
}

/// The directory at `path` beneath `root`, made with its parents where missing (mode 0755). An O_PATH descriptor.
pub fn ensureDirectory(arena: std.mem.Allocator, root: i32, path: []const u8, at: abi.Stage) Error!i32 {
    return ensureDirectoryDepth(arena, root, path, at, 0);
}

fn ensureDirectoryDepth(arena: std.mem.Allocator, root: i32, path: []const u8, at: abi.Stage, depth: u32) Error!i32 {
    if (depth > links_max) return stage.fail(at, .LOOP, "{s}", .{path});
    const text = try terminated(arena, path, at, "a path");
    const found = open(root, text, directory_path, 0, contained);
    switch (linux.errno(found)) {
        .SUCCESS => return @intCast(found),
        .NOENT => {},
        else => |errno| return stage.fail(at, errno, "open {s}", .{path}),
    }
    const split = splitLast(path);
    if (split.name.len == 0) return stage.fail(at, .NOENT, "open {s}", .{path});
    const parent = try ensureDirectoryDepth(arena, root, split.parent, at, depth + 1);
    defer _ = linux.close(parent);
    const name = try arena.dupeZ(u8, split.name);
    if (!isDots(name)) {
        const made = linux.mkdirat(parent, name, 0o755);
        switch (linux.errno(made)) {
            .SUCCESS => {},
            // A link whose target is missing: make the target, which is again resolved beneath the root.
            .EXIST => if (try danglingTarget(arena, parent, name, split.parent)) |target|
                return ensureDirectoryDepth(arena, root, target, at, depth + 1),
            else => |errno| return stage.fail(at, errno, "make directory {s}", .{path}),
        }
        return @intCast(try stage.check(open(parent, name, directory_path, 0, beneath | no_symlinks), at, "open {s}", .{path}));
    }
    return @intCast(try stage.check(open(root, text, directory_path, 0, contained), at, "open {s}", .{path}));
}

/// Something at `path` beneath `root` that a file can be mounted on: what is there, or a new empty file. An O_PATH descriptor.
pub fn ensureFile(arena: std.mem.Allocator, root: i32, path: []const u8, at: abi.Stage) Error!i32 {
    var current = path;
    for (0..links_max) |_| {
        const text = try terminated(arena, current, at, "a path");
        const found = open(root, text, file_path, 0, contained);
        switch (linux.errno(found)) {
            .SUCCESS => return @intCast(found),
            .NOENT => {},
            else => |errno| return stage.fail(at, errno, "open {s}", .{path}),
        }
        const split = splitLast(current);
        if (split.name.len == 0 or isDots(split.name)) return stage.fail(at, .NOENT, "open {s}", .{path});
        const parent = try ensureDirectory(arena, root, split.parent, at);
        defer _ = linux.close(parent);
        const name = try arena.dupeZ(u8, split.name);
        const create: linux.O = .{ .ACCMODE = .WRONLY, .CREAT = true, .EXCL = true, .CLOEXEC = true, .NOFOLLOW = true };
        const made = open(parent, name, create, 0o644, beneath | no_symlinks);
        switch (linux.errno(made)) {
            .SUCCESS => {
                _ = linux.close(@intCast(made));
                return @intCast(try stage.check(open(parent, name, file_path, 0, beneath | no_symlinks), at, "open {s}", .{path}));
            },
            .EXIST, .LOOP => current = try danglingTarget(arena, parent, name, split.parent) orelse
                return stage.fail(at, .EXIST, "create {s}", .{path}),
            else => |errno| return stage.fail(at, errno, "create {s}", .{path}),
        }
    }
    return stage.fail(at, .LOOP, "{s}", .{path});
}

/// Where the link `name` in `parent` points, as a path from the root; null when it is no link.
fn danglingTarget(arena: std.mem.Allocator, parent: i32, name: [:0]const u8, parent_path: []const u8) Error!?[]const u8 {
    var buffer: [linux.PATH_MAX]u8 = undefined;
    const length = linux.readlinkat(parent, name, &buffer, buffer.len);
    if (linux.errno(length) != .SUCCESS) return null;
    const target = buffer[0..length];
    if (target.len > 0 and target[0] == '/') return try arena.dupe(u8, target);
    return try std.fmt.allocPrint(arena, "{s}/{s}", .{ parent_path, target });
}

fn isDots(name: []const u8) bool {
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
pub fn readAll(arena: std.mem.Allocator, fd: i32, bytes_max: usize) Error!?[]const u8 {
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

/// A fresh directory for a test, and the paths "root" and "canary" in it.
const TestTree = struct {
    name: [:0]const u8,
    root: i32,
    canary: i32,

    fn make(buffer: *[64]u8) !TestTree {
        const name = try std.fmt.bufPrintZ(buffer, "/tmp/rt-path-test-{d}", .{linux.getpid()});
        try std.testing.expectEqual(.SUCCESS, linux.errno(linux.mkdir(name, 0o700)));
        const top: i32 = @intCast(linux.open(name, directory_path, 0));
        defer _ = linux.close(top);
        for ([_][:0]const u8{ "root", "canary", "root/real" }) |sub| _ = linux.mkdirat(top, sub, 0o700);
        return .{ .name = name, .root = @intCast(linux.openat(top, "root", directory_path, 0)), .canary = @intCast(linux.openat(top, "canary", directory_path, 0)) };
    }

    fn remove(self: TestTree) void {
        _ = linux.close(self.root);
        _ = linux.close(self.canary);
        removeTree(linux.AT.FDCWD, self.name);
    }

    fn removeTree(parent: i32, name: [*:0]const u8) void {
        if (linux.errno(linux.unlinkat(parent, name, 0)) == .SUCCESS) return;
        const opened = linux.openat(parent, name, .{ .DIRECTORY = true, .NOFOLLOW = true }, 0);
        if (linux.errno(opened) != .SUCCESS) return;
        const fd: i32 = @intCast(opened);
        var buffer: [4096]u8 align(8) = undefined;
        const count = linux.getdents64(fd, &buffer, buffer.len);
        var offset: usize = 0;
        while (offset < count) {
            const entry: *align(1) const linux.dirent64 = @ptrCast(&buffer[offset]);
            const child: [*:0]const u8 = @ptrCast(&buffer[offset + @offsetOf(linux.dirent64, "name")]);
            offset += entry.reclen;
            if (!isDots(std.mem.span(child))) removeTree(fd, child);
        }
        _ = linux.close(fd);
        _ = linux.unlinkat(parent, name, linux.AT.REMOVEDIR);
    }

    fn exists(directory: i32, name: [*:0]const u8) bool {
        return linux.errno(linux.openat(directory, name, .{ .PATH = true, .NOFOLLOW = true }, 0)) == .SUCCESS;
    }
};

test "targets are made beneath the root, wherever the image's links point" {
    var name: [64]u8 = undefined;
    const tree = try TestTree.make(&name);
    defer tree.remove();
    var memory: [64 * 1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const arena = fixed.allocator();
    const outside = try std.fmt.allocPrintSentinel(arena, "{s}/canary", .{tree.name}, 0);
    const links = [_][2][:0]const u8{
        .{ outside, "absolute" },   .{ "../canary", "relative" }, .{ "../../../../../../..", "up" },
        .{ "real/later", "later" }, .{ "loop", "loop" },          .{ outside, "real/file-link" },
    };
    for (links) |link| _ = linux.symlinkat(link[0], tree.root, link[1]);

    for ([_][]const u8{ "/absolute/a", "/relative/a", "/up/a", "/later/a", "/../../a/b", "real/./../c" }) |wanted| {
        _ = linux.close(try ensureDirectory(arena, tree.root, wanted, .mount));
    }
    _ = linux.close(try ensureFile(arena, tree.root, "/real/file-link", .mount));
    _ = linux.close(try ensureFile(arena, tree.root, "/deep/er/file", .mount));
    try std.testing.expectError(error.Failed, ensureDirectory(arena, tree.root, "/loop/x", .mount));
    try std.testing.expectError(error.Failed, ensureDirectory(arena, tree.root, "/a\x00b", .mount));

    for ([_][:0]const u8{ "a", "a/b", "canary/a", "real/later/a", "c", "deep/er/file" }) |made| try std.testing.expect(TestTree.exists(tree.root, made));
    try std.testing.expect(TestTree.exists(tree.root, outside[1..]));
    try std.testing.expect(!TestTree.exists(tree.canary, "a"));
}
