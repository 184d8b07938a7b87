//! Overlay mounts in a mount namespace of this process alone: they vanish with it, however it ends.
const std = @import("std");
const linux = std.os.linux;
const ids = @import("ids.zig");
const Place = @import("place.zig").Place;
const mounts = @import("../linux/mount.zig");
const remove = @import("remove.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

/// What we make must be readable as plain layers by any later mount.
const plain_options = [_][*:0]const u8{ "index", "metacopy", "xino" };

/// With marks in attributes of users nothing but this is taken.
fn redirects() [*:0]const u8 {
    return if (ids.extent == .every) "off" else "nofollow";
}

/// Mount the committed `parents` (topmost first) under tmp/<name>/<leaf> as the upper directory; answers the root of the
/// mount. What it needs besides is in tmp/<name>/mount.
pub fn mountMerged(place: Place, name: [*:0]const u8, leaf: []const u8, parents: []const []const u8) i32 {
    const outer = sys.openDirectory(place.tmp, name);
    check(outer, "open a temporary directory");
    check(linux.mkdirat(@intCast(outer), "mount", 0o700), "create a mount's directory");
    const mount = sys.openDirectory(@intCast(outer), "mount");
    check(mount, "open a mount's directory");
    check(linux.fchdir(@intCast(mount)), "enter a mount's directory");
    check(linux.mkdirat(@intCast(mount), "work", 0o700), "create the work directory");
    check(linux.mkdirat(@intCast(mount), "root", 0o700), "create a mount point");
    // Short names: the old way has 4096 bytes for all of them, the new way 256 for each.
    var buffer: [256]u8 = undefined;
    var link: [16]u8 = undefined;
    for (parents, 0..) |hex, index| {
        const target = std.fmt.bufPrintZ(&buffer, "../../../committed/{s}/{s}", .{ hex, leaf }) catch tooLong();
        check(linux.symlinkat(target.ptr, @intCast(mount), numberZ(&link, index).ptr), "name a lower layer");
    }
    const upper = std.fmt.bufPrintZ(&buffer, "../{s}", .{leaf}) catch tooLong();
    const root = mountHere(parents.len, upper);
    _ = linux.close(@intCast(mount));
    _ = linux.close(@intCast(outer));
    return switch (root) {
        .fd => |fd| fd,
        .errno => |e| report.failErrno(e, "cannot mount overlay", .{}),
    };
}

/// Mount layers (topmost first, two at least) read-only; answers the root of the mount. `root` is the driver's directory, an
/// absolute path.
pub fn mountLowers(root: []const u8, leaf: []const u8, layers: []const []const u8) i32 {
    const bench = Bench.make();
    var buffer: [std.posix.PATH_MAX]u8 = undefined;
    for (layers, 0..) |hex, index| {
        const target = std.fmt.bufPrintZ(&buffer, "{s}/committed/{s}/{s}", .{ root, hex, leaf }) catch tooLong();
        bench.layer(index, target.ptr);
    }
    return bench.mount(layers.len, null);
}

/// A tmpfs on top of "/", in our namespace alone, as the working directory: links to what is mounted, and a mount point.
pub const Bench = struct {
    fd: i32,

    pub fn make() Bench {
        check(linux.mount("tmpfs", "/", "tmpfs", 0, @intFromPtr("mode=700")), "mount a tmpfs");
        // "/" is still the host's root; its parent is what lies on top of it.
        const bench = sys.openDirectory(linux.AT.FDCWD, "/..");
        check(bench, "open a tmpfs");
        check(linux.fchdir(@intCast(bench)), "enter a tmpfs");
        check(linux.mkdirat(@intCast(bench), "root", 0o700), "create a mount point");
        return .{ .fd = @intCast(bench) };
    }

    pub fn layer(self: Bench, index: usize, target: [*:0]const u8) void {
        var link: [16]u8 = undefined;
        self.name(numberZ(&link, index).ptr, target);
    }

    /// The same of a detached mount.
    pub fn layerMount(self: Bench, index: usize, tree: i32) void {
        var point: [16]u8 = undefined;
        const text = numberZ(&point, index);
        check(linux.mkdirat(self.fd, text.ptr, 0o700), "create a layer's mount point");
        const opened = sys.openDirectory(self.fd, text.ptr);
        check(opened, "open a layer's mount point");
        defer _ = linux.close(@intCast(opened));
        check(mounts.attach(tree, @intCast(opened)), "mount a layer");
    }

    pub fn name(self: Bench, link: [*:0]const u8, target: [*:0]const u8) void {
        check(linux.symlinkat(target, self.fd, link), "name a layer");
    }

    /// Layers `0` … `count - 1`, and `upper` with `work` beside it.
    pub fn mount(_: Bench, count: usize, upper: ?[*:0]const u8) i32 {
        return switch (mountHere(count, upper)) {
            .fd => |fd| fd,
            .errno => |e| report.failErrno(e, "cannot mount overlay", .{}),
        };
    }
};

/// The mount ends with the last descriptor on it; what it needed must not come along into the committed layer.
pub fn removeMounted(place: Place, name: [*:0]const u8) void {
    const outer = sys.openDirectory(place.tmp, name);
    check(outer, "open a temporary directory");
    const mount = sys.openDirectory(@intCast(outer), "mount");
    check(mount, "open a mount's directory");
    const MNT_DETACH = 2;
    if (held >= 0) _ = linux.close(held);
    check(linux.fchdir(@intCast(mount)), "enter a mount's directory");
    switch (linux.errno(linux.umount2("root", MNT_DETACH))) {
        .SUCCESS, .INVAL => {}, // INVAL: it was mounted without a place
        else => |e| report.failErrno(e, "cannot unmount overlay", .{}),
    }
    check(linux.fchdir(place.tmp), "enter the temporary directory");
    _ = linux.close(@intCast(mount));
    remove.tree(@intCast(outer), "mount");
    _ = linux.close(@intCast(outer));
}

/// Before anything is opened: overlay takes no directories of another namespace's mounts.
pub fn privateNamespace() void {
    if (ownNamespace()) |e| report.failErrno(e, "cannot make a mount namespace", .{});
}

/// A mount namespace from which nothing gets to the host's. Null: it is made.
pub fn ownNamespace() ?linux.E {
    if (failed(linux.unshare(linux.CLONE.NEWNS))) |e| return e;
    const alone = failed(makePrivate()) orelse return null;
    if (alone != .INVAL) return alone;
    // In a chroot "/" is no mount. Joining the namespace that we are in leads to its true root; and then back again.
    const slash = linux.open("/", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (failed(slash)) |e| return e;
    defer _ = linux.close(@intCast(slash));
    const own = linux.open("/proc/self/ns/mnt", .{ .CLOEXEC = true }, 0);
    if (failed(own)) |e| return e;
    defer _ = linux.close(@intCast(own));
    if (failed(linux.setns(@intCast(own), linux.CLONE.NEWNS))) |e| return e;
    return failed(makePrivate()) orelse failed(linux.fchdir(@intCast(slash))) orelse failed(linux.chroot("."));
}

fn makePrivate() usize {
    return linux.mount(null, "/", null, linux.MS.REC | linux.MS.PRIVATE, 0);
}

fn failed(rc: usize) ?linux.E {
    const e = linux.errno(rc);
    return if (e == .SUCCESS) null else e;
}

pub const Mounted = union(enum) { fd: i32, errno: linux.E };

/// In the working directory: layers `0` … `count - 1` (topmost first), `work`, and `root` as a mount point. Without
/// `upper` the mount is read-only.
pub fn mountHere(count: usize, upper: ?[*:0]const u8) Mounted {
    const detached = mountDetached(count, upper);
    return switch (detached) {
        .fd => detached,
        // Kernels before 6.8 have no lowerdir+, and those before 5.2 no fsopen.
        .errno => |e| switch (e) {
            .INVAL, .NOSYS => mountClassic(count, upper),
            else => detached,
        },
    };
}

/// A detached mount is one as long as this descriptor is open. Without it our root would still work, but each reference
/// that is given back then counts as a change of the mounts, and openat2(2) with ".." answers EAGAIN for ever.
var held: i32 = -1;

/// The detached mount, for one who gives it a place; null where it has one.
pub fn takeDetached() ?i32 {
    defer held = -1;
    return if (held < 0) null else held;
}

fn mountDetached(count: usize, upper: ?[*:0]const u8) Mounted {
    const opened = linux.fsopen("overlay", .{ .CLOEXEC = true });
    if (linux.errno(opened) != .SUCCESS) return .{ .errno = linux.errno(opened) };
    const fs: i32 = @intCast(opened);
    defer _ = linux.close(fs);
    var rc = linux.fsconfig(fs, .SET_STRING, "redirect_dir", redirects(), 0);
    if (linux.errno(rc) == .SUCCESS and ids.extent != .every) rc = linux.fsconfig(fs, .SET_FLAG, "userxattr", null, 0);
    if (linux.errno(rc) != .SUCCESS) return .{ .errno = linux.errno(rc) };
    for (plain_options) |option| {
        rc = linux.fsconfig(fs, .SET_STRING, option, "off", 0);
        if (linux.errno(rc) != .SUCCESS) return .{ .errno = linux.errno(rc) };
    }
    var buffer: [16]u8 = undefined;
    for (0..count) |index| {
        rc = linux.fsconfig(fs, .SET_STRING, "lowerdir+", numberZ(&buffer, index).ptr, 0);
        if (linux.errno(rc) != .SUCCESS) return .{ .errno = linux.errno(rc) };
    }
    if (upper) |name| {
        rc = linux.fsconfig(fs, .SET_STRING, "upperdir", name, 0);
        if (linux.errno(rc) != .SUCCESS) return .{ .errno = linux.errno(rc) };
        rc = linux.fsconfig(fs, .SET_STRING, "workdir", "work", 0);
        if (linux.errno(rc) != .SUCCESS) return .{ .errno = linux.errno(rc) };
    }
    rc = linux.fsconfig(fs, .CREATE, null, null, 0);
    if (linux.errno(rc) != .SUCCESS) return .{ .errno = linux.errno(rc) };
    const mount = linux.fsmount(fs, .{ .CLOEXEC = true }, @bitCast(@as(u32, 0)));
    if (linux.errno(mount) != .SUCCESS) return .{ .errno = linux.errno(mount) };
    held = @intCast(mount);
    return rootOf(held, ".");
}

fn mountClassic(count: usize, upper: ?[*:0]const u8) Mounted {
    var data: [4096]u8 = undefined;
    var writer = std.Io.Writer.fixed(&data);
    writeOptions(&writer, count, upper) catch return .{ .errno = .@"2BIG" };
    const rc = linux.mount("overlay", "root", "overlay", 0, @intFromPtr(&data));
    if (linux.errno(rc) != .SUCCESS) return .{ .errno = linux.errno(rc) };
    return rootOf(linux.AT.FDCWD, "root");
}

fn writeOptions(writer: *std.Io.Writer, count: usize, upper: ?[*:0]const u8) std.Io.Writer.Error!void {
    try writer.print("redirect_dir={s},{s}", .{ redirects(), if (ids.extent == .every) "" else "userxattr," });
    for (plain_options) |option| try writer.print("{s}=off,", .{option});
    if (upper) |name| try writer.print("upperdir={s},workdir=work,", .{name});
    try writer.writeAll("lowerdir=");
    for (0..count) |index| try writer.print("{s}{d}", .{ if (index == 0) "" else ":", index });
    try writer.writeByte(0);
}

fn rootOf(directory: i32, path: [*:0]const u8) Mounted {
    const root = sys.openDirectory(directory, path);
    return switch (linux.errno(root)) {
        .SUCCESS => .{ .fd = @intCast(root) },
        else => |e| .{ .errno = e },
    };
}

fn numberZ(buffer: *[16]u8, number: usize) [:0]const u8 {
    return std.fmt.bufPrintZ(buffer, "{d}", .{number}) catch unreachable; // at most 500 layers
}

fn check(rc: usize, comptime what: []const u8) void {
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot " ++ what, .{});
}

fn tooLong() noreturn {
    report.fail(.request, "a name is too long", .{});
}
