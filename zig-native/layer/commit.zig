//! `commit`: what a container changed of its image, as a layer (OCI image-spec, layer.md), to the file at descriptor 3: an
//! entry for each file that is new or changed and the directories around it, `.wh.NAME` for each that is gone. The answer has
//! the SHA-256 of it; without a change it is an empty archive.
//!
//! The container may run, and mean no good: its tree is seen through a mount of our own, on which no device opens, and its
//! volumes are not in it. What no layer can say is left out: sockets, names that mean a deletion, and the device 0:0.
const std = @import("std");
const linux = std.os.linux;
const Attributes = entries.Attributes;
const Comparer = @import("compare.zig").Comparer;
const Entries = entries.Entries;
const Links = @import("links.zig").Links;
const Owners = @import("owners.zig").Owners;
const Request = @import("request.zig").Request;
const Root = @import("root.zig").Root;
const Sha256 = @import("sha256.zig").Sha256;
const Sink = @import("tar_writer.zig").Sink;
const changes = @import("changes.zig");
const confine = @import("confine.zig");
const entries = @import("entries.zig");
const ids = @import("ids.zig");
const mount = @import("../linux/mount.zig");
const names = @import("names.zig");
const overlay = @import("overlay.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const whiteout = @import("whiteout.zig");

const shown = report.shown;

// Large, and one of each: not on a stack, and nothing in them that the executable would have to hold.
var hash: Sha256 = .{};
var sink: Sink = .{ .fd = 3, .hash = &hash, .has_holes = true };
var layer: Layer = .{ .entries = .{ .writer = .{ .sink = &sink } } };
var comparer: Comparer(Layer) = undefined;
var link_comparer: Comparer(Links) = undefined;

pub fn run(request: Request) noreturn {
    sink.total_max = request.number("limit", std.math.maxInt(i64));
    const is_still = request.get("tree") != null;
    const image: ?i32 = if (request.get("lower") != null or is_still) Root.open(request).fd else null;
    if (image == null or is_still) overlay.privateNamespace();
    const new = withoutDevices(request.need("new"));
    // For reading trusted.overlay.opaque.
    confine.enter(new, &(confine.looking ++ [_]u5{linux.CAP.SYS_ADMIN}));
    const old: ?i32 = if (image) |fd| changes.reopened(fd) else null;
    layer.entries.exact = true;
    layer.entries.attributes.lists = true;
    layer.own.lists = true;
    layer.is_upper = request.get("overlay") != null;
    layer.root = new;
    layer.owners = .of(request);
    layer.entries.attributes.owners = layer.owners;
    layer.image = old;
    if (old) |fd| layer.noteRoot(fd, new);
    if (!layer.is_upper) if (old) |fd| {
        link_comparer.init(&layer.links, request);
        link_comparer.all(changes.reopened(fd), changes.reopened(new));
    };
    comparer.init(&layer, request);
    comparer.all(old, changes.reopened(new));
    layer.entries.writer.end();
    report.succeed(
        ",\"bytes\":{d},\"digest\":\"{s}\",\"leftOut\":{d}",
        .{ sink.total, &std.fmt.bytesToHex(hash.final(), .lower), layer.left_out },
    );
}

fn withoutDevices(path: [:0]const u8) i32 {
    const cloned = mount.clone(linux.AT.FDCWD, path.ptr, false);
    if (linux.errno(cloned) != .SUCCESS) report.failErrno(linux.errno(cloned), "cannot open {f}", .{shown(path)});
    const attributes = mount.attribute_nodev | mount.attribute_readonly | mount.attribute_noatime;
    var set = mount.setAttributes(@intCast(cloned), .{ .set = attributes, .clear = mount.attribute_atime_mask }, true);
    // In a user namespace, how the host notes access times cannot be changed.
    if (linux.errno(set) == .PERM)
        set = mount.setAttributes(@intCast(cloned), .{ .set = mount.attribute_nodev | mount.attribute_readonly }, true);
    if (linux.errno(set) != .SUCCESS) report.failErrno(linux.errno(set), "cannot set the attributes of {f}", .{shown(path)});
    return @intCast(cloned);
}

const Layer = struct {
    entries: Entries,
    is_upper: bool = false,
    root: i32 = -1,
    owners: ?Owners = null,
    image: ?i32 = null,
    links: Links = .{},
    root_told: bool = false,
    /// What cannot be said in a layer.
    left_out: u64 = 0,
    own: Attributes = .{},

    /// Its owner, mode and attributes; its time says only that somebody started it.
    fn noteRoot(self: *Layer, old: i32, new: i32) void {
        const before = sys.statFd(old);
        const now = self.seen(new);
        const is_same = before.mode == now.mode and before.uid == now.uid and before.gid == now.gid;
        const attributes = ids.withoutKept(self.own.of(old));
        if (!is_same or !entries.sameAttributes(attributes, ids.withoutKept(self.entries.attributes.of(new)))) self.tellRoot();
    }

    fn tellRoot(self: *Layer) void {
        if (self.root_told) return;
        self.root_told = true;
        self.entries.path_bytes = 0;
        self.entries.push(".");
        // The top of a container begins without the image's note of whose it is.
        self.entries.directory(self.root, ids.readBack(self.image orelse self.root, self.seen(self.root)));
    }

    /// As the container sees what is open there.
    fn seen(self: *const Layer, fd: i32) linux.Statx {
        const s = sys.statFd(fd);
        return if (self.owners) |owners| owners.seen(s) else s;
    }

    /// `path` begins with a slash, which no name in a layer does.
    fn begin(self: *Layer, path: []const u8) void {
        self.tellRoot();
        self.entries.path_bytes = 0;
        self.entries.push(path[1..]);
    }

    pub fn directory(self: *Layer, path: []const u8, fd: i32, s: linux.Statx, _: bool) void {
        self.begin(path);
        if (self.is_upper) refuseReferrals(fd, ids.overlayMark("redirect"), path);
        self.entries.directory(fd, s);
    }

    pub fn entry(self: *Layer, path: []const u8, parent: i32, name: [*:0]const u8, s: linux.Statx, _: bool) void {
        self.begin(path);
        switch (s.mode & linux.S.IFMT) {
            linux.S.IFREG => if (self.entries.openFile(parent, name)) |fd| {
                defer _ = linux.close(fd);
                if (self.is_upper) refuseReferrals(fd, ids.overlayMark("metacopy"), path);
                const now = self.seen(fd);
                self.entries.contents(fd, now, now.size);
            },
            linux.S.IFLNK => self.entries.symbolicLink(parent, name, s),
            else => self.entries.special(s),
        }
    }

    pub fn deleted(self: *Layer, path: []const u8) void {
        const at = names.split(path[1..]);
        if (std.mem.startsWith(u8, at.base, whiteout.prefix)) return;
        self.begin(path);
        self.entries.path_bytes = 0;
        self.entries.push(at.parent);
        var buffer: [whiteout.prefix.len + names.name_bytes_max]u8 = undefined;
        self.entries.push(std.fmt.bufPrint(&buffer, whiteout.prefix ++ "{s}", .{at.base}) catch unreachable); // fits
        self.entries.writer.entry(&.{ .typeflag = '0', .name = self.entries.here(), .mode = 0, .uid = 0, .gid = 0, .seconds = 0 });
    }

    /// What stat does not say: attributes, other names, and of a directory that names came or went. Starting a container
    /// changes the times of / and /etc.
    pub fn differs(
        self: *Layer,
        path: []const u8,
        old_parent: i32,
        old: linux.Statx,
        new_parent: i32,
        new: linux.Statx,
        name: [*:0]const u8,
    ) bool {
        const is_directory = sys.isDirectory(new);
        if (is_directory and !std.mem.eql(u8, path, "/etc")) {
            if (old.mtime.sec != new.mtime.sec or old.mtime.nsec != new.mtime.nsec) return true;
        }
        if (!is_directory and (new.mode & linux.S.IFMT != linux.S.IFREG)) return false;
        if (!is_directory and (old.nlink != new.nlink or self.links.isTorn(new))) return true;
        const flags: linux.O = .{ .NOFOLLOW = true, .CLOEXEC = true, .NONBLOCK = true, .NOCTTY = true };
        const before = linux.openat(old_parent, name, flags, 0);
        if (linux.errno(before) != .SUCCESS) return true;
        defer _ = linux.close(@intCast(before));
        const now = linux.openat(new_parent, name, flags, 0);
        if (linux.errno(now) != .SUCCESS) return true;
        defer _ = linux.close(@intCast(now));
        return !self.sameAttributes(@intCast(before), @intCast(now));
    }

    fn sameAttributes(self: *Layer, old: i32, new: i32) bool {
        return entries.sameAttributes(self.own.of(old), self.entries.attributes.of(new));
    }

    pub fn leavesOut(self: *Layer, _: []const u8, name: []const u8, s: linux.Statx) bool {
        if (s.mode & linux.S.IFMT == linux.S.IFSOCK) return true; // nobody listens on a copy
        const is_mark = std.mem.startsWith(u8, name, whiteout.prefix) or sys.isWhiteout(s);
        if (is_mark) self.left_out += 1;
        return is_mark;
    }
};

/// Where overlay keeps only a part of what changed, and says where the rest is.
fn refuseReferrals(fd: i32, attribute: [*:0]const u8, path: []const u8) void {
    var none: [1]u8 = undefined;
    if (linux.errno(linux.fgetxattr(fd, attribute, &none, 0)) == .SUCCESS)
        report.fail(.refused, "{f} has {s}: this host's overlay keeps changes in a form that no layer has", .{ shown(path), attribute });
}
