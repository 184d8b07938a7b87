//! Places in the container's tree, made where they are missing. Every step is resolved beneath the root by the kernel
//! (linux/path.zig): a link of the image can point anywhere, and what is made still lies in the container.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("../wire/abi.zig");
const fault = @import("../wire/fault.zig");
const path = @import("../linux/path.zig");

/// Longest chain of links whose missing targets we create; the kernel's own limit.
const links_max = 40;

/// A system call's path argument. Refuses NUL, which would cut the path short.
pub fn terminated(arena: std.mem.Allocator, text: []const u8, at: abi.Stage, comptime what: []const u8) fault.AllocError![:0]const u8 {
    if (std.mem.indexOfScalar(u8, text, 0) != null) return fault.fail(at, .INVAL, what ++ " holds a NUL byte", .{});
    return arena.dupeZ(u8, text);
}

/// The directory at `wanted` beneath `root`, made with its parents where missing (mode 0755). An O_PATH descriptor.
pub fn ensureDirectory(arena: std.mem.Allocator, root: i32, wanted: []const u8, at: abi.Stage) fault.AllocError!i32 {
    return ensureDirectoryDepth(arena, root, wanted, at, 0);
}

fn ensureDirectoryDepth(arena: std.mem.Allocator, root: i32, wanted: []const u8, at: abi.Stage, depth: u32) fault.AllocError!i32 {
    if (depth > links_max) return fault.fail(at, .LOOP, "{s}", .{wanted});
    const text = try terminated(arena, wanted, at, "a path");
    const found = path.open(root, text, path.directory_path, 0, path.contained);
    switch (linux.errno(found)) {
        .SUCCESS => return @intCast(found),
        .NOENT => {},
        else => |errno| return fault.fail(at, errno, "open {s}", .{wanted}),
    }
    const split = path.splitLast(wanted);
    if (split.name.len == 0) return fault.fail(at, .NOENT, "open {s}", .{wanted});
    const parent = try ensureDirectoryDepth(arena, root, split.parent, at, depth + 1);
    defer _ = linux.close(parent);
    const name = try arena.dupeZ(u8, split.name);
    if (!path.isDots(name)) {
        const made = linux.mkdirat(parent, name, 0o755);
        switch (linux.errno(made)) {
            .SUCCESS => {},
            // A link whose target is missing: make the target, which is again resolved beneath the root.
            .EXIST => if (try danglingTarget(arena, parent, name, split.parent)) |target|
                return ensureDirectoryDepth(arena, root, target, at, depth + 1),
            else => |errno| return fault.fail(at, errno, "make directory {s}", .{wanted}),
        }
        return @intCast(
            try fault.check(path.open(parent, name, path.directory_path, 0, path.beneath | path.no_symlinks), at, "open {s}", .{wanted}),
        );
    }
    return @intCast(try fault.check(path.open(root, text, path.directory_path, 0, path.contained), at, "open {s}", .{wanted}));
}

/// Something at `wanted` beneath `root` that a file can be mounted on: what is there, or a new empty file. An O_PATH descriptor.
pub fn ensureFile(arena: std.mem.Allocator, root: i32, wanted: []const u8, at: abi.Stage) fault.AllocError!i32 {
    var current = wanted;
    for (0..links_max) |_| {
        const text = try terminated(arena, current, at, "a path");
        const found = path.open(root, text, path.file_path, 0, path.contained);
        switch (linux.errno(found)) {
            .SUCCESS => return @intCast(found),
            .NOENT => {},
            else => |errno| return fault.fail(at, errno, "open {s}", .{wanted}),
        }
        const split = path.splitLast(current);
        if (split.name.len == 0 or path.isDots(split.name)) return fault.fail(at, .NOENT, "open {s}", .{wanted});
        const parent = try ensureDirectory(arena, root, split.parent, at);
        defer _ = linux.close(parent);
        const name = try arena.dupeZ(u8, split.name);
        const create: linux.O = .{ .ACCMODE = .WRONLY, .CREAT = true, .EXCL = true, .CLOEXEC = true, .NOFOLLOW = true };
        const made = path.open(parent, name, create, 0o644, path.beneath | path.no_symlinks);
        switch (linux.errno(made)) {
            .SUCCESS => {
                _ = linux.close(@intCast(made));
                return @intCast(
                    try fault.check(path.open(parent, name, path.file_path, 0, path.beneath | path.no_symlinks), at, "open {s}", .{wanted}),
                );
            },
            .EXIST, .LOOP => current = try danglingTarget(arena, parent, name, split.parent) orelse
                return fault.fail(at, .EXIST, "create {s}", .{wanted}),
            else => |errno| return fault.fail(at, errno, "create {s}", .{wanted}),
        }
    }
    return fault.fail(at, .LOOP, "{s}", .{wanted});
}

/// Where the link `name` in `parent` points, as a path from the root; null when it is no link.
fn danglingTarget(arena: std.mem.Allocator, parent: i32, name: [:0]const u8, parent_path: []const u8) fault.AllocError!?[]const u8 {
    var buffer: [linux.PATH_MAX]u8 = undefined;
    const length = linux.readlinkat(parent, name, &buffer, buffer.len);
    if (linux.errno(length) != .SUCCESS) return null;
    const target = buffer[0..length];
    if (target.len > 0 and target[0] == '/') return try arena.dupe(u8, target);
    return try std.fmt.allocPrint(arena, "{s}/{s}", .{ parent_path, target });
}

/// A fresh directory for a test, and the paths "root" and "canary" in it.
const TestTree = struct {
    name: [:0]const u8,
    root: i32,
    canary: i32,

    fn make(buffer: *[64]u8) !TestTree {
        const name = try std.fmt.bufPrintZ(buffer, "/tmp/rt-path-test-{d}", .{linux.getpid()});
        try std.testing.expectEqual(.SUCCESS, linux.errno(linux.mkdir(name, 0o700)));
        const top: i32 = @intCast(linux.open(name, path.directory_path, 0));
        defer _ = linux.close(top);
        for ([_][:0]const u8{ "root", "canary", "root/real" }) |sub| _ = linux.mkdirat(top, sub, 0o700);
        return .{
            .name = name,
            .root = @intCast(linux.openat(top, "root", path.directory_path, 0)),
            .canary = @intCast(linux.openat(top, "canary", path.directory_path, 0)),
        };
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
            if (!path.isDots(std.mem.span(child))) removeTree(fd, child);
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

    for ([_][:0]const u8{ "a", "a/b", "canary/a", "real/later/a", "c", "deep/er/file" }) |made| try std.testing.expect(
        TestTree.exists(tree.root, made),
    );
    try std.testing.expect(TestTree.exists(tree.root, outside[1..]));
    try std.testing.expect(!TestTree.exists(tree.canary, "a"));
}
