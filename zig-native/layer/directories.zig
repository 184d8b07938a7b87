//! From a path of the archive to an open directory beneath the root. The only place where symbolic links are followed,
//! and they cannot lead out: `..` stops at the root, and an absolute target starts there again.
//!
//! The common case is one openat2(2) that refuses every link; when it fails we walk component by component, each opened
//! without following, so a race or a link gains nothing. Open directories are kept: archives list files by directory.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const names = @import("names.zig");
const Pool = @import("pool.zig").Pool;
const Seen = @import("seen.zig").Seen;
const sys = @import("sys.zig");
const Walker = @import("walker.zig").Walker;

const slots_max = 400;

pub const Directory = struct {
    fd: i32,
    /// The path as asked for, and the one without links.
    key: []u8,
    canonical: []u8,
    /// New entries do not simply get our group and the mode that we ask for.
    inherits: bool,
    /// Its time has been noted, if that must be: see Apply.touch.
    touched: bool = false,
    references: std.atomic.Value(u32) = .init(0),

    pub fn retain(self: *Directory) void {
        _ = self.references.fetchAdd(1, .monotonic);
    }

    pub fn release(self: *Directory) void {
        _ = self.references.fetchSub(1, .release);
    }
};

pub const Need = enum { create, existing };

pub const Directories = struct {
    root: i32,
    pool: *Pool,
    seen: *Seen,
    /// Told of each directory that the archive implies without listing it, and that is not hidden from the layers below.
    on_implied: *const fn (canonical: []const u8) void,
    /// Told before a directory changes for the sake of an implied one.
    on_change: *const fn (fd: i32, canonical: []const u8) void,
    /// A diff, and there are layers below, which are not seen.
    blind: bool,
    /// Some directory of the diff hides what is below.
    has_opaque: bool = false,
    slots: [slots_max]Directory = undefined,
    count: usize = 0,
    clock: usize = 0,
    by_key: std.StringHashMapUnmanaged(usize) = .empty,
    /// A default ACL may be somewhere: ask every directory.
    default_acls: bool = false,

    /// A directory; with `create`, made with its parents (0755) if it is missing. Null: missing, or not a directory.
    /// Valid until the next call, unless retained.
    pub fn get(self: *Directories, path: []const u8, need: Need) ?*Directory {
        if (self.by_key.get(path)) |index| return &self.slots[index];
        if (self.openDirect(path)) |fd| return self.insert(path, path, fd);
        var walker: Walker = .{ .owner = self, .fd = sys.duplicate(self.root) };
        const fd = walker.walk(path, need) orelse return null;
        return self.insert(path, walker.here(), fd);
    }

    /// The directory `name` in `parent`, known to be one.
    pub fn getChild(self: *Directories, parent: *Directory, name: *const names.NameZ, path: []const u8, canonical: []const u8) *Directory {
        if (self.by_key.get(path)) |index| return &self.slots[index];
        const fd = sys.openDirectory(parent.fd, name.ptr());
        if (linux.errno(fd) != .SUCCESS) report.failErrno(linux.errno(fd), "cannot open {f}", .{report.shown(path)});
        return self.insert(path, canonical, @intCast(fd));
    }

    /// A directory or a link went away: what we know of paths may be wrong.
    pub fn forget(self: *Directories) void {
        self.pool.idle();
        for (self.slots[0..self.count]) |*slot| free(slot);
        self.count = 0;
        self.clock = 0;
        self.by_key.clearRetainingCapacity();
    }

    /// A path without links.
    pub fn openDirect(self: *Directories, path: []const u8) ?i32 {
        var buffer: [names.path_bytes_max + 1]u8 = undefined;
        const text = if (path.len == 0) "." else path;
        if (text.len > names.path_bytes_max) return null;
        @memcpy(buffer[0..text.len], text);
        buffer[text.len] = 0;
        const fd = sys.openBeneath(self.root, @ptrCast(&buffer));
        return if (linux.errno(fd) == .SUCCESS) @intCast(fd) else null;
    }

    fn insert(self: *Directories, key: []const u8, canonical: []const u8, fd: i32) *Directory {
        const index = if (self.count < slots_max) blk: {
            self.count += 1;
            break :blk self.count - 1;
        } else self.evict();
        const allocator = std.heap.smp_allocator;
        const owned_key = allocator.dupe(u8, key) catch outOfMemory();
        self.slots[index] = .{
            .fd = fd,
            .key = owned_key,
            .canonical = allocator.dupe(u8, canonical) catch outOfMemory(),
            .inherits = sys.inherits(fd, self.default_acls),
        };
        self.by_key.put(allocator, owned_key, index) catch outOfMemory();
        return &self.slots[index];
    }

    fn evict(self: *Directories) usize {
        for (0..slots_max) |_| {
            self.clock = (self.clock + 1) % slots_max;
            if (self.slots[self.clock].references.load(.acquire) == 0) break;
        } else self.pool.idle();
        _ = self.by_key.remove(self.slots[self.clock].key);
        free(&self.slots[self.clock]);
        return self.clock;
    }

    fn free(slot: *Directory) void {
        _ = linux.close(slot.fd);
        std.heap.smp_allocator.free(slot.key);
        std.heap.smp_allocator.free(slot.canonical);
    }
};

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}
