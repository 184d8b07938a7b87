//! A tree that a verb works in: a container's root as the container sees it, or a directory of the host. It may be changed by
//! others all the while, so it is known by descriptors alone: what is opened is beneath this root, through openat2(2), or one
//! component of a directory that is held open.
//!
//!   pid=N start=T          that of a running process, in its own mounts
//!   tree=DIR               a directory
//!   lower=DIR…             layers of overlay, topmost first; with upper=DIR work=DIR it can be written to, unless the file
//!                          attended=FILE is locked: then its container has it
//!   uids=… gids=…          owners.zig: it is a container's with a user namespace of its own. Whoever looks into it joins one like
//!                          that, and sees the container's numbers. mapped=1: the image's layers have those on disk, own=DIR, a
//!                          layer above them, and the upper directory the host's; mapped-volume=PATH: such a volume
//!   volume=PATH from=DIR subpath=PATH…  mounted into one that does not run, in our own mount namespace; readonly=PATH of those.
//!                          A subpath is within DIR and never leads out of it; "" is all
//!   mount=PATH…            of one that runs: the mounts that belong to the tree. What else is mounted in it does not
const std = @import("std");
const linux = std.os.linux;
const Bench = @import("overlay.zig").Bench;
const Owners = owners.Owners;
const Request = @import("request.zig").Request;
const confine = @import("confine.zig");
const mount = @import("../linux/mount.zig");
const overlay = @import("overlay.zig");
const owners = @import("owners.zig");
const paths = @import("../linux/path.zig");
const place = @import("place.zig");
const process = @import("../linux/process.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

const shown = report.shown;
const mounts_max = 1024;

pub const Root = struct {
    fd: i32,
    owners: ?Owners = null,
    /// With those maps, until it is joined.
    namespace: i32 = -1,
    /// The kernel's numbers of the mounts that belong to the tree; the root's own is the first.
    mounts: [mounts_max]u64 = undefined,
    count: usize = 0,

    pub fn open(request: Request) Root {
        var self: Root = .{ .fd = undefined };
        self.find(request);
        return self;
    }

    /// Of a container, for one who will `enter` it.
    pub fn ofContainer(request: Request) Root {
        var self: Root = .{ .fd = undefined, .owners = .of(request) };
        // Before a tmpfs lies on our root: see there.
        if (self.owners) |map| self.namespace = map.namespace();
        self.find(request);
        return self;
    }

    fn find(self: *Root, request: Request) void {
        if (request.get("pid")) |_| self.fd = running(request) else self.build(request);
        self.add(self.fd);
        var listed = request.all(if (request.get("pid") != null) "mount" else "volume");
        while (listed.next()) |path| {
            const found = sys.openContained(self.fd, path.ptr, .{ .PATH = true }, true);
            if (linux.errno(found) != .SUCCESS) continue;
            self.add(@intCast(found));
            _ = linux.close(@intCast(found));
        }
    }

    /// The tree becomes all that there is for us, and where it is a container's with a user namespace, nothing but what is the
    /// container's is ours: whatever it does to the tree, we could not do more than its own root.
    pub fn enter(self: *const Root, kept: []const u5) void {
        if (self.owners) |map| map.join(self.namespace);
        confine.enter(self.fd, kept);
    }

    fn add(self: *Root, fd: i32) void {
        if (self.count == mounts_max) report.fail(.limit, "more than {d} mounts", .{mounts_max});
        self.mounts[self.count] = sys.statFd(fd).mnt_id;
        self.count += 1;
    }

    pub fn has(self: *const Root, s: linux.Statx) bool {
        return std.mem.indexOfScalar(u64, self.mounts[0..self.count], s.mnt_id) != null;
    }

    /// Of the root itself, and not of a volume.
    pub fn isOwn(self: *const Root, s: linux.Statx) bool {
        return s.mnt_id == self.mounts[0];
    }

    /// Of a tree that does not run, in a namespace whose mounts go with us.
    fn build(self: *Root, request: Request) void {
        const tree = request.get("tree");
        if (tree != null and request.get("volume") == null) {
            self.fd = place.openPath(tree.?);
            return;
        }
        overlay.privateNamespace();
        const bench = Bench.make();
        if (tree) |path| {
            const cloned = mount.clone(linux.AT.FDCWD, path.ptr, false);
            check(cloned, "open", path);
            self.fd = attached(bench, @intCast(cloned));
        } else self.fd = self.layered(bench, request);
        var sources = request.all("from");
        var subpaths = request.all("subpath");
        var volumes = request.all("volume");
        while (volumes.next()) |path| {
            const source = sources.next() orelse report.fail(.request, "a volume without from=", .{});
            self.attachVolume(source, subpaths.next() orelse "", path, .{
                .readonly = isAmong(request, "readonly", path),
                .mapped = isAmong(request, "mapped-volume", path),
            });
        }
    }

    const How = struct { readonly: bool, mapped: bool };

    fn attachVolume(self: *Root, source: [:0]const u8, subpath: [:0]const u8, path: [:0]const u8, how: How) void {
        const target = sys.openContained(self.fd, path.ptr, .{ .PATH = true }, true);
        // It has never run: there is no place for it yet, and nothing in it that the container knows of.
        if (linux.errno(target) != .SUCCESS) return;
        defer _ = linux.close(@intCast(target));
        const cloned = clonePart(source, subpath);
        // The host's directory is gone, or no such part can be had any more.
        if (linux.errno(cloned) == .NOENT or linux.errno(cloned) == .XDEV) return;
        check(cloned, "open", source);
        const tree: i32 = @intCast(cloned);
        defer _ = linux.close(tree);
        // As in the container: between our look and our opening another one may put a device in a file's place.
        const attributes = mount.attribute_nodev | if (how.readonly) @as(u64, mount.attribute_readonly) else 0;
        check(mount.setAttributes(tree, .{ .set = attributes }, true), "set the attributes of", source);
        if (how.mapped) self.shift(tree, source);
        check(mount.attach(tree, @intCast(target)), "mount", path);
    }

    fn layered(self: *const Root, bench: Bench, request: Request) i32 {
        var count: usize = 0;
        if (request.get("own")) |path| {
            bench.layer(count, path.ptr);
            count += 1;
        }
        var lowers = request.all("lower");
        while (lowers.next()) |path| : (count += 1) self.layer(bench, count, path, request.get("mapped") != null);
        const upper = request.get("upper") orelse {
            if (count > 1) return settled(bench, bench.mount(count, null));
            // Overlay wants two at least; one alone is what it would show.
            const only = request.get("own") orelse request.need("lower");
            const cloned = mount.clone(linux.AT.FDCWD, only.ptr, false);
            check(cloned, "open", only);
            return attached(bench, @intCast(cloned));
        };
        // One at a time: of two mounts with one work directory each takes away what is the other's. Held as long as we live.
        place.lock(place.openPath(upper), place.lock_exclusive);
        refuseAttended(request);
        bench.name("upper", upper.ptr);
        bench.name("work", request.need("work").ptr);
        return settled(bench, bench.mount(count, "upper"));
    }

    fn layer(self: *const Root, bench: Bench, index: usize, path: [:0]const u8, mapped: bool) void {
        if (!mapped) return bench.layer(index, path.ptr);
        const cloned = mount.clone(linux.AT.FDCWD, path.ptr, false);
        check(cloned, "open", path);
        const tree: i32 = @intCast(cloned);
        defer _ = linux.close(tree);
        self.shift(tree, path);
        bench.layerMount(index, tree);
    }

    /// What the detached mount shows belongs to the host's numbers of the container's.
    fn shift(self: *const Root, tree: i32, path: [:0]const u8) void {
        const attributes: mount.Attributes = .{ .set = mount.idmapped, .user_namespace = @intCast(self.namespace) };
        check(mount.setAttributes(tree, attributes, true), "map the owners of", path);
    }
};

/// As at the container's start (stage/mounts.zig): containers may put links in it while we look.
fn clonePart(source: [:0]const u8, subpath: [:0]const u8) usize {
    if (subpath.len == 0) return mount.clone(linux.AT.FDCWD, source.ptr, true);
    const whole = linux.open(source.ptr, .{ .PATH = true, .CLOEXEC = true }, 0);
    if (linux.errno(whole) != .SUCCESS) return whole;
    defer _ = linux.close(@intCast(whole));
    const part = paths.open(@intCast(whole), subpath.ptr, paths.file_path, 0, paths.beneath | paths.no_magic_links);
    if (linux.errno(part) != .SUCCESS) return part;
    defer _ = linux.close(@intCast(part));
    return mount.clone(@intCast(part), "", true);
}

fn isAmong(request: Request, key: []const u8, path: []const u8) bool {
    var listed = request.all(key);
    while (listed.next()) |each| if (std.mem.eql(u8, each, path)) return true;
    return false;
}

fn running(request: Request) i32 {
    const pid = request.number("pid", 0);
    var buffer: [32]u8 = undefined;
    const path = std.fmt.bufPrintZ(&buffer, "/proc/{d}", .{pid}) catch unreachable; // fits
    const opened = linux.open(path.ptr, .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    // The directory is that of this very process, whoever has its number later.
    if (linux.errno(opened) != .SUCCESS or process.startTime(@intCast(pid)) != request.number("start", 0)) ended();
    defer _ = linux.close(@intCast(opened));
    const root = linux.openat(@intCast(opened), "root", .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(root) != .SUCCESS) ended();
    return @intCast(root);
}

fn ended() noreturn {
    report.fail(.refused, "the container has ended meanwhile: try again", .{});
}

/// A container that is started locks its state directory first, and then waits for those that hold its upper directory
/// (engine/container/await-writers.ts): so one of us sees the other.
fn refuseAttended(request: Request) void {
    const path = request.get("attended") orelse return;
    const opened = linux.open(path, .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return; // nobody looks after it
    defer _ = linux.close(@intCast(opened));
    if (place.isLocked(@intCast(opened))) report.fail(.refused, "the container is being started: try again", .{});
}

/// A detached mount takes no mounts in it (before Linux 6.15): it gets the place that it would have had in the old way.
fn settled(bench: Bench, root: i32) i32 {
    const detached = overlay.takeDetached() orelse return root;
    _ = linux.close(root);
    return attached(bench, detached);
}

fn attached(bench: Bench, tree: i32) i32 {
    defer _ = linux.close(tree);
    const point = sys.openDirectory(bench.fd, "root");
    check(point, "open", "a mount point");
    check(mount.attach(tree, @intCast(point)), "mount", "a tree");
    _ = linux.close(@intCast(point));
    const root = sys.openDirectory(bench.fd, "root");
    check(root, "open", "a mount");
    return @intCast(root);
}

fn check(rc: usize, comptime what: []const u8, path: []const u8) void {
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot " ++ what ++ " {f}", .{shown(path)});
}
