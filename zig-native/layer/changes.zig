//! `changes`: what a container changed of its image, on standard output before the answer: a letter, the path and a NUL for
//! each; A, C or D as docker's diff has them. `new` is compared with the image by descriptors: a directory of both is looked
//! into in both, of what was added everything is told, of what was deleted its top.
//!
//! As the upper directory of overlay, `new` holds only what was touched: a name that it does not have is as it was, unless the
//! directory around it is opaque, and the device 0:0 stands for a deleted one.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("remove.zig").Listing;
const Request = @import("request.zig").Request;
const Root = @import("root.zig").Root;
const Sink = @import("tar_writer.zig").Sink;
const confine = @import("confine.zig");
const names = @import("names.zig");
const place = @import("place.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const whiteout = @import("whiteout.zig");

const shown = report.shown;

// Large, and one of each: not on a stack.
var sink: Sink = .{ .fd = 1 };
var comparer: Comparer = undefined;

pub fn run(request: Request) noreturn {
    confine.outliveReader();
    const image: ?i32 = if (request.get("lower") != null or request.get("tree") != null) Root.open(request).fd else null;
    const new = place.openPath(request.need("new"));
    comparer = .{ .is_upper = request.get("overlay") != null, .request = request };
    // For reading trusted.overlay.opaque.
    confine.enter(new, &(confine.looking ++ [_]u5{linux.CAP.SYS_ADMIN}));
    const old: ?i32 = if (image) |fd| reopened(fd) else null;
    comparer.all(old, new);
    sink.flush();
    report.succeed("", .{});
}

fn reopened(fd: i32) i32 {
    const opened = linux.openat(fd, ".", .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) report.failErrno(linux.errno(opened), "cannot open the image", .{});
    return @intCast(opened);
}

const Level = struct { old: ?i32, new: i32, path_bytes: usize, told: bool, stage: enum { new, old }, is_whole: bool, listing: Listing };

const Comparer = struct {
    is_upper: bool,
    request: Request,
    path: [64 * 1024]u8 = undefined,
    path_bytes: usize = 0,
    levels: std.ArrayList(Level) = .empty,

    fn all(self: *Comparer, old: ?i32, new: i32) void {
        self.enter(old, new, true);
        while (self.levels.items.len > 0) {
            const level = &self.levels.items[self.levels.items.len - 1];
            self.path_bytes = level.path_bytes;
            if (level.listing.next()) |name| {
                const name_z = names.NameZ.init(name);
                self.push(name);
                if (level.stage == .new) self.one(level.*, &name_z) else self.gone(level.*, &name_z);
            } else if (level.stage == .new and level.is_whole and level.old != null) {
                level.stage = .old;
                level.listing.open(level.old.?);
            } else {
                if (level.old) |fd| _ = linux.close(fd);
                _ = linux.close(level.new);
                _ = self.levels.pop();
            }
        }
    }

    /// `told`: that it changed is known already.
    fn enter(self: *Comparer, old: ?i32, new: i32, told: bool) void {
        if (self.levels.items.len > names.depth_max) report.fail(.limit, "directories are more than {d} deep", .{names.depth_max});
        const level = self.levels.addOne(std.heap.smp_allocator) catch report.fail(.limit, "out of memory", .{});
        level.* = .{
            .old = old,
            .new = new,
            .path_bytes = self.path_bytes,
            .told = told,
            .stage = .new,
            .is_whole = !self.is_upper or whiteout.isOpaque(new),
            .listing = undefined,
        };
        level.listing.open(new);
    }

    fn push(self: *Comparer, name: []const u8) void {
        if (self.path_bytes + name.len + 1 > self.path.len) report.fail(.limit, "a path is too long: {f}", .{shown(name)});
        self.path[self.path_bytes] = '/';
        @memcpy(self.path[self.path_bytes + 1 ..][0..name.len], name);
        self.path_bytes += name.len + 1;
    }

    fn one(self: *Comparer, level: Level, name: *const names.NameZ) void {
        const new = sys.stat(level.new, name.ptr()) orelse return; // gone since it was listed
        const before = if (level.old) |fd| sys.stat(fd, name.ptr()) else null;
        const old = if (before) |s| (if (sys.isWhiteout(s)) null else before) else null;
        if (self.is_upper and sys.isWhiteout(new)) {
            if (old != null) self.tell('D');
            return;
        }
        const is_both = old != null and sys.isDirectory(old.?) and sys.isDirectory(new);
        const is_given = old == null and self.isGiven();
        const is_changed = !is_given and (old == null or differs(old.?, new) or (self.is_upper and !is_both));
        if (is_changed) self.tell(if (old == null) 'A' else 'C');
        if (!sys.isDirectory(new)) return;
        const opened = sys.openDirectory(level.new, name.ptr());
        if (linux.errno(opened) != .SUCCESS) return; // something else by now
        const inner: ?i32 = if (is_both) opened_old: {
            const fd = sys.openDirectory(level.old.?, name.ptr());
            break :opened_old if (linux.errno(fd) == .SUCCESS) @intCast(fd) else null;
        } else null;
        self.enter(inner, @intCast(opened), is_changed);
    }

    /// Whoever starts a container makes it.
    fn isGiven(self: *Comparer) bool {
        var given = self.request.all("given");
        while (given.next()) |path| if (std.mem.eql(u8, path, self.path[0..self.path_bytes])) return true;
        return false;
    }

    /// `name` of the image, in a directory that shows nothing of it but what it has itself.
    fn gone(self: *Comparer, level: Level, name: *const names.NameZ) void {
        const old = sys.stat(level.old.?, name.ptr()) orelse return;
        if (sys.isWhiteout(old) or sys.stat(level.new, name.ptr()) != null) return;
        self.tell('D');
    }

    /// The directories around it have changed then.
    fn tell(self: *Comparer, kind: u8) void {
        for (self.levels.items, 0..) |*level, index| {
            if (index > 0 and !level.told) write('C', self.path[0..level.path_bytes]);
            level.told = true;
        }
        write(kind, self.path[0..self.path_bytes]);
    }
};

fn write(kind: u8, path: []const u8) void {
    sink.write(&.{kind});
    sink.write(path);
    sink.write("\x00");
}

/// Size and time say nothing of a directory.
fn differs(old: linux.Statx, new: linux.Statx) bool {
    if (old.mode != new.mode or old.uid != new.uid or old.gid != new.gid) return true;
    if (old.rdev_major != new.rdev_major or old.rdev_minor != new.rdev_minor) return true;
    if (sys.isDirectory(new)) return false;
    return old.size != new.size or old.mtime.sec != new.mtime.sec or old.mtime.nsec != new.mtime.nsec;
}
