//! Two trees side by side: an image, and what a container made of it. Both are read by descriptors; a directory of both is
//! looked into in both, of what was added everything is told, of what was deleted its top. The newer one may be changing.
//!
//! As the upper directory of overlay, `new` holds only what was touched: a name that it does not have is as it was, unless the
//! directory around it is opaque, and the device 0:0 stands for a deleted one.
//!
//! `new` may be of a container with a user namespace of its own: its owners are told as the container's numbers, as the image
//! has them.
//!
//! A teller hears of it, parents before what is in them, and what is in one directory by the bytes of its names: two trees that
//! are the same are told of in the same way, whichever driver has them.
//!
//!   directory(path, fd, stat, is_new)         changed itself, or something in it did
//!   entry(path, parent, name, stat, is_new)   anything else
//!   deleted(path)
//!   differs(path, old, old_stat, new, new_stat, name)   beyond what stat says of both; of directories too
//!   leavesOut(path, name, stat)               of a name that is not to be told of, whatever is in it
const std = @import("std");
const linux = std.os.linux;
const Request = @import("request.zig").Request;
const SortedNames = @import("sorted_names.zig").SortedNames;
const names = @import("names.zig");
const owners = @import("owners.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");
const whiteout = @import("whiteout.zig");

const shown = report.shown;

const Level = struct {
    old: ?i32,
    new: i32,
    stat: linux.Statx,
    path_bytes: usize,
    told: bool,
    is_new: bool,
    /// What it does not have is gone.
    is_whole: bool,
    /// Of `new`, and where what is missing tells something, of `old` too.
    names: SortedNames = .{},
};

pub fn Comparer(comptime Teller: type) type {
    return struct {
        const Self = @This();

        teller: *Teller,
        is_upper: bool,
        /// The device 0:0 is one as any other.
        is_verbatim: bool,
        /// `given=PATH`: whoever starts a container makes these, and where they are new they are no change.
        request: Request,
        owners: ?owners.Owners,
        path: [64 * 1024]u8,
        path_bytes: usize,
        levels: std.ArrayList(Level),

        pub fn init(self: *Self, teller: *Teller, request: Request) void {
            self.teller = teller;
            self.is_upper = request.get("overlay") != null;
            self.is_verbatim = false;
            self.request = request;
            self.owners = .of(request);
            self.path_bytes = 0;
            self.levels = .empty;
        }

        /// The directories become ours to close.
        pub fn all(self: *Self, old: ?i32, new: i32) void {
            self.enter(.{ .old = old, .new = new, .told = true, .is_new = false, .is_whole = !self.is_upper });
            while (self.levels.items.len > 0) {
                const level = &self.levels.items[self.levels.items.len - 1];
                self.path_bytes = level.path_bytes;
                if (level.names.next()) |name| {
                    self.push(name);
                    self.one(level.*, name);
                } else {
                    if (level.old) |fd| _ = linux.close(fd);
                    _ = linux.close(level.new);
                    level.names.deinit();
                    _ = self.levels.pop();
                }
            }
        }

        /// `told`: that it changed is known already.
        fn enter(self: *Self, entered: struct { old: ?i32, new: i32, told: bool, is_new: bool, is_whole: bool }) void {
            if (self.levels.items.len > names.depth_max) report.fail(.limit, "directories are more than {d} deep", .{names.depth_max});
            const level = self.levels.addOne(std.heap.smp_allocator) catch report.fail(.limit, "out of memory", .{});
            level.* = .{
                .old = entered.old,
                .new = entered.new,
                .stat = self.seen(sys.statFd(entered.new)),
                .path_bytes = self.path_bytes,
                .told = entered.told,
                .is_new = entered.is_new,
                .is_whole = entered.is_whole or whiteout.isOpaque(entered.new),
            };
            level.names.read(entered.new);
            if (level.is_whole) if (level.old) |fd| level.names.read(fd);
            level.names.sort();
        }

        fn push(self: *Self, name: []const u8) void {
            if (self.path_bytes + name.len + 1 > self.path.len) report.fail(.limit, "a path is too long: {f}", .{shown(name)});
            self.path[self.path_bytes] = '/';
            @memcpy(self.path[self.path_bytes + 1 ..][0..name.len], name);
            self.path_bytes += name.len + 1;
        }

        fn here(self: *const Self) []const u8 {
            return self.path[0..self.path_bytes];
        }

        fn one(self: *Self, level: Level, name: [:0]const u8) void {
            const before = if (level.old) |fd| sys.stat(fd, name) else null;
            const old = if (before) |s| (if (self.isMark(s)) null else before) else null;
            const new = self.seen(sys.stat(level.new, name) orelse {
                if (level.is_whole and old != null) self.deleted();
                return;
            });
            if (self.is_upper and self.isMark(new)) {
                if (old != null) self.deleted();
                return;
            }
            if (self.teller.leavesOut(self.here(), name, new)) return;
            if (sys.isDirectory(new)) return self.directory(level, name, old, new);
            if (old == null and self.isGiven()) return;
            const is_same = !self.is_upper and old != null and !differs(old.?, new) and
                !self.teller.differs(self.here(), level.old.?, old.?, level.new, new, name);
            if (is_same) return;
            self.tellAbove();
            self.teller.entry(self.here(), level.new, name, new, old == null);
        }

        fn directory(self: *Self, level: Level, name: [:0]const u8, old: ?linux.Statx, new: linux.Statx) void {
            const opened = sys.openDirectory(level.new, name);
            if (linux.errno(opened) != .SUCCESS) return; // something else by now
            const fd: i32 = @intCast(opened);
            const is_both = old != null and sys.isDirectory(old.?);
            const inner: ?i32 = if (is_both) opened_old: {
                const found = sys.openDirectory(level.old.?, name);
                break :opened_old if (linux.errno(found) == .SUCCESS) @intCast(found) else null;
            } else null;
            const is_changed = if (!is_both) old != null or !self.isGiven() else differs(old.?, new) or
                self.teller.differs(self.here(), level.old.?, old.?, level.new, new, name);
            self.enter(.{
                .old = inner,
                .new = fd,
                .told = false,
                .is_new = is_changed and old == null,
                .is_whole = level.is_whole,
            });
            if (is_changed) self.tellAbove();
        }

        fn seen(self: *const Self, s: linux.Statx) linux.Statx {
            return if (self.owners) |map| map.seen(s) else s;
        }

        fn isMark(self: *const Self, s: linux.Statx) bool {
            return !self.is_verbatim and sys.isWhiteout(s);
        }

        fn isGiven(self: *Self) bool {
            var given = self.request.all("given");
            while (given.next()) |path| if (std.mem.eql(u8, path, self.here())) return true;
            return false;
        }

        fn deleted(self: *Self) void {
            self.tellAbove();
            self.teller.deleted(self.here());
        }

        /// The directories around it have changed then.
        fn tellAbove(self: *Self) void {
            for (self.levels.items) |*level| {
                if (level.told) continue;
                self.teller.directory(self.path[0..level.path_bytes], level.new, level.stat, level.is_new);
                level.told = true;
            }
        }
    };
}

/// Size and time say nothing of a directory.
fn differs(old: linux.Statx, new: linux.Statx) bool {
    if (old.mode != new.mode or old.uid != new.uid or old.gid != new.gid) return true;
    if (old.rdev_major != new.rdev_major or old.rdev_minor != new.rdev_minor) return true;
    // Nobody gave a mark of overlay's its time.
    if (sys.isDirectory(new) or sys.isWhiteout(new)) return false;
    return old.size != new.size or old.mtime.sec != new.mtime.sec or old.mtime.nsec != new.mtime.nsec;
}
