//! The container's root: described by a snapshot, mounted here, inside the container's own mount namespace, so that the
//! kernel takes it away with the container. It lies on top of "/" until pivot_root: no directory of the host is needed.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const file_system = @import("file_system.zig");
const mount = @import("../linux/mount.zig");
const mountinfo = @import("../linux/mountinfo.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const mapped = @import("mapped.zig");
const request = @import("../wire/request.zig");
const user_namespace = @import("../linux/user_namespace.zig");

/// An fsconfig(2) string, its NUL included, holds this many bytes.
const config_string_max = 256;

/// The root as a detached mount. Paths are the host's. `map`: a user namespace, as whose numbers the owners in layers are seen where
/// that is asked for; or -1.
pub fn open(arena: std.mem.Allocator, rootfs: *const request.Rootfs, map: i32) fault.AllocError!i32 {
    const seen = if (rootfs.mapped) map else -1;
    return switch (rootfs.type) {
        .bind => openBind(arena, rootfs.source, seen),
        .overlay => if (rootfs.upper.len == 0 and rootfs.lower.len == 1)
            openBind(arena, rootfs.lower[0], seen) // overlay wants two layers at least; the root is then read-only by the spec
        else
            openOverlay(arena, rootfs, seen),
    };
}

fn openBind(arena: std.mem.Allocator, source: []const u8, map: i32) fault.AllocError!i32 {
    const name = try paths.terminated(arena, source, .rootfs, "the root's path");
    const tree: i32 = @intCast(try fault.check(mount.clone(linux.AT.FDCWD, name, false), .rootfs, "open the root {s}", .{source}));
    if (map < 0) return tree;
    const result = mount.setAttributes(tree, .{ .set = mount.idmapped, .user_namespace = @intCast(map) }, false);
    try mapped.mapped(result, source);
    return tree;
}

fn openOverlay(arena: std.mem.Allocator, rootfs: *const request.Rootfs, map: i32) fault.AllocError!i32 {
    var layers: ?mapped.Layers = if (map < 0) null else try .open(arena, rootfs.lower, map);
    defer if (layers) |*each| each.close();
    var fs = switch (mount.FileSystem.open("overlay")) {
        .ok => |fs| fs,
        .failed => |errno| return fault.fail(
            .rootfs,
            errno,
            "mount overlay: this kernel has no overlay (--storage-driver copy does without)",
            .{},
        ),
    };
    defer fs.close();
    const context = try paths.terminated(arena, rootfs.label, .rootfs, "the root's label");
    const options: Options = .{ .skip_sync = rootfs.@"volatile", .context = context, .user_xattr = !user_namespace.isInitial() };
    const tree = configure(&fs, options, try shorten(arena, rootfs), if (layers) |each| each.trees else &.{});
    switch (linux.errno(tree)) {
        .SUCCESS => return @intCast(tree),
        // Before Linux 6.8 there is no option for one layer, and before 6.13 none for a descriptor of one: an older kernel says so at
        // one point or another.
        .INVAL => {
            if (layers) |*each| try each.attach(arena);
            return mountOverlay(arena, rootfs, options, layers, fs.why());
        },
        else => |errno| return fault.fail(
            .rootfs,
            errno,
            "mount overlay of {d} layers on {s}{s}",
            .{ rootfs.lower.len, rootfs.upper, fs.why() },
        ),
    }
}

const Options = struct {
    skip_sync: bool,
    context: [:0]const u8,
    /// What overlay notes is in attributes that the root of a user namespace may write.
    user_xattr: bool,
};

/// The mount, or the raw result of the first step that failed. `trees`: what is open of the layers below, in place of their names.
fn configure(fs: *mount.FileSystem, options: Options, names: Names, trees: []const i32) usize {
    _ = fs.set("source", "overlay");
    if (options.context.len > 0) {
        const result = fs.set("context", options.context);
        if (linux.errno(result) != .SUCCESS) return result;
    }
    if (options.user_xattr) {
        const result = fs.set("userxattr", null);
        if (linux.errno(result) != .SUCCESS) return result;
    }
    for (trees) |layer| {
        const result = fs.setDescriptor("lowerdir+", layer);
        if (linux.errno(result) != .SUCCESS) return result;
    }
    if (trees.len == 0) for (names.lower) |layer| {
        const result = fs.set("lowerdir+", layer);
        if (linux.errno(result) != .SUCCESS) return result;
    };
    if (names.upper.len > 0) {
        for ([_][:0]const u8{ "upperdir", "workdir" }, [_][:0]const u8{ names.upper, names.work }) |key, value| {
            const result = fs.set(key, value);
            if (linux.errno(result) != .SUCCESS) return result;
        }
        // Nobody looks at this top after a crash, so it need not be synced.
        if (options.skip_sync) _ = fs.set("volatile", null);
    }
    return fs.mount(0);
}

const Names = struct { lower: []const [:0]const u8, upper: [:0]const u8, work: [:0]const u8 };

/// The layers' paths; where one is more than fsconfig(2) and overlay take as it is, short links to all of them, relative to
/// a new working directory.
fn shorten(arena: std.mem.Allocator, rootfs: *const request.Rootfs) fault.AllocError!Names {
    var plain = isPlain(rootfs.upper) and isPlain(rootfs.work);
    for (rootfs.lower) |layer| plain = plain and isPlain(layer);
    if (!plain) return link(arena, rootfs);
    const lower = try arena.alloc([:0]const u8, rootfs.lower.len);
    for (lower, rootfs.lower) |*name, layer| name.* = try paths.terminated(arena, layer, .rootfs, "a layer's path");
    return .{
        .lower = lower,
        .upper = try paths.terminated(arena, rootfs.upper, .rootfs, "the upper directory's path"),
        .work = try paths.terminated(arena, rootfs.work, .rootfs, "the work directory's path"),
    };
}

/// Overlay takes a backslash as the mark that the next character is meant, and what a colon or a comma mean to it depends
/// on the kernel.
fn isPlain(name: []const u8) bool {
    return name.len < config_string_max and std.mem.indexOfAny(u8, name, "\\:,") == null;
}

/// Links "0", "1", … to the layers, "u" and "w", in a tmpfs that only this process can reach, as the working directory.
fn link(arena: std.mem.Allocator, rootfs: *const request.Rootfs) fault.AllocError!Names {
    const directory = try file_system.create(arena, "tmpfs", "", &.{"mode=700"}, mount.attribute_nosuid | mount.attribute_nodev);
    defer _ = linux.close(directory);
    const lower = try arena.alloc([:0]const u8, rootfs.lower.len);
    for (lower, rootfs.lower, 0..) |*name, layer, index| {
        name.* = try std.fmt.allocPrintSentinel(arena, "{d}", .{index}, 0);
        try linkOne(arena, directory, name.*, layer);
    }
    try linkOne(arena, directory, "u", rootfs.upper);
    try linkOne(arena, directory, "w", rootfs.work);
    _ = try fault.check(linux.fchdir(directory), .rootfs, "enter a temporary directory", .{});
    const writable = rootfs.upper.len > 0;
    return .{ .lower = lower, .upper = if (writable) "u" else "", .work = if (writable) "w" else "" };
}

fn linkOne(arena: std.mem.Allocator, directory: i32, name: [:0]const u8, target: []const u8) fault.AllocError!void {
    if (target.len == 0) return;
    const text = try paths.terminated(arena, target, .rootfs, "a layer's path");
    _ = try fault.check(linux.symlinkat(text, directory, name), .rootfs, "link to {s}", .{target});
}

/// mount(2), for kernels before 6.8: names are short links, so that 128 layers fit the page of options. `why` is what the
/// kernel said to the modern way.
fn mountOverlay(
    arena: std.mem.Allocator,
    rootfs: *const request.Rootfs,
    wanted: Options,
    layers: ?mapped.Layers,
    why: []const u8,
) fault.AllocError!i32 {
    if (layers) |each| {
        try linkOne(arena, each.place, "u", rootfs.upper);
        try linkOne(arena, each.place, "w", rootfs.work);
        _ = try fault.check(linux.fchdir(each.place), .rootfs, "enter a temporary directory", .{});
    } else _ = try link(arena, rootfs);
    var options: std.ArrayList(u8) = .empty;
    try options.appendSlice(arena, "lowerdir=");
    for (0..rootfs.lower.len) |index| try options.print(arena, "{s}{d}", .{ if (index == 0) "" else ":", index });
    if (rootfs.upper.len > 0) try options.appendSlice(arena, ",upperdir=u,workdir=w");
    if (rootfs.label.len > 0) try options.print(arena, ",context=\"{s}\"", .{rootfs.label});
    if (wanted.user_xattr) try options.appendSlice(arena, ",userxattr");
    const plain = options.items.len;
    if (rootfs.@"volatile" and rootfs.upper.len > 0) try options.appendSlice(arena, ",volatile");
    try options.append(arena, 0);
    // mount(2) wants a place; what is put there must not reach the host.
    const alone = linux.mount(null, "/", null, linux.MS.PRIVATE, 0);
    _ = try fault.check(alone, .rootfs, "make / private", .{});
    var result = linux.mount("overlay", "/", "overlay", 0, @intFromPtr(options.items.ptr));
    if (linux.errno(result) == .INVAL) {
        options.items[plain] = 0; // Linux before 5.10 has no `volatile`
        result = linux.mount("overlay", "/", "overlay", 0, @intFromPtr(options.items.ptr));
    }
    _ = try fault.check(result, .rootfs, "mount overlay of {d} layers on {s}{s}", .{ rootfs.lower.len, rootfs.upper, why });
    // "/" is still the host's; its parent is what lies on top of it. Cloned, it is detached like fsmount's.
    const tree = try fault.check(mount.clone(linux.AT.FDCWD, "/..", false), .rootfs, "open the root", .{});
    _ = try fault.check(linux.umount2("/..", linux.MNT.DETACH), .rootfs, "detach the root", .{});
    return @intCast(tree);
}

/// Where rt was started in a chroot, "/" is a directory of some mount, which can be neither made private nor pivoted from.
/// What can be seen of it becomes the namespace's root, and everything outside of it goes: a way up from the container,
/// as a chroot in a chroot gives one, would else lead to the host.
pub fn leaveChroot(arena: std.mem.Allocator) fault.AllocError!void {
    const slash = try fault.check(linux.open("/", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0), .rootfs, "open /", .{});
    defer _ = linux.close(@intCast(slash));
    const info = path.stat(@intCast(slash)) orelse return fault.fail(.rootfs, .IO, "stat /", .{});
    if (info.mount_root) return;
    const tree: i32 = @intCast(try fault.check(mount.clone(@intCast(slash), "", true), .rootfs, "open / of this chroot", .{}));
    defer _ = linux.close(tree);
    // Joining the namespace that we are in leads to its true root.
    const own = try fault.check(linux.open("/proc/self/ns/mnt", .{ .CLOEXEC = true }, 0), .rootfs, "open /proc/self/ns/mnt", .{});
    defer _ = linux.close(@intCast(own));
    _ = try fault.check(linux.setns(@intCast(own), linux.CLONE.NEWNS), .rootfs, "leave the chroot", .{});
    try cutOff();
    try cover(tree);
    try pivot(arena, tree);
}

/// Cut the namespace off from the host's, so that no mount made here shows there.
pub fn cutOff() fault.Error!void {
    const none = linux.mount(null, "/", null, linux.MS.REC | linux.MS.PRIVATE, 0);
    _ = try fault.check(none, .rootfs, "make / private", .{});
}

/// Put `root` on top of "/".
pub fn cover(root: i32) fault.Error!void {
    const slash = try fault.check(linux.open("/", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0), .rootfs, "open /", .{});
    defer _ = linux.close(@intCast(slash));
    _ = try fault.check(mount.attach(root, @intCast(slash)), .rootfs, "attach the root", .{});
}

/// Make the root "/" and drop everything that was there.
pub fn pivot(arena: std.mem.Allocator, root: i32) fault.AllocError!void {
    const old = try fault.check(linux.open("/", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0), .rootfs, "open /", .{});
    defer _ = linux.close(@intCast(old));
    _ = try fault.check(linux.fchdir(root), .rootfs, "enter the root", .{});
    const pivoted = linux.pivot_root(".", ".");
    if (linux.errno(pivoted) == .INVAL and try onInitialRamfs(arena)) {
        // The initial ramfs can be neither moved nor left. Since the root covers "/" of the whole namespace, a chroot to it
        // cannot be left either: every way up ends on the covering mount.
        _ = try fault.check(linux.chroot("."), .rootfs, "chroot", .{});
    } else {
        _ = try fault.check(pivoted, .rootfs, "pivot_root", .{});
        // The old root now lies on the new one.
        _ = try fault.check(linux.fchdir(@intCast(old)), .rootfs, "enter the old root", .{});
        _ = try fault.check(linux.umount2(".", linux.MNT.DETACH), .rootfs, "detach the old root", .{});
    }
    _ = try fault.check(linux.chdir("/"), .rootfs, "enter /", .{});
    // Whatever lies on the root is what an exec would find there, and what "/.." leads to.
    const top: i32 = @intCast(try fault.check(linux.open("/..", path.directory_path, 0), .rootfs, "open /..", .{}));
    defer _ = linux.close(top);
    const found = path.stat(top) orelse return fault.fail(.rootfs, .IO, "stat /..", .{});
    const own = path.stat(root) orelse return fault.fail(.rootfs, .IO, "stat /", .{});
    if (found.mount != own.mount) return fault.fail(.rootfs, .BUSY, "leave the host's root: something is mounted on it", .{});
}

/// Has this system never left its initramfs?
fn onInitialRamfs(arena: std.mem.Allocator) fault.AllocError!bool {
    const table = mountinfo.read(try arena.alloc(u8, 4 << 20)) orelse return false;
    return mountinfo.hasOrphanRoot(table);
}

test {
    _ = mountinfo;
}
