//! Which hard links a layer would tear, in a tree that is whole (not overlay's upper directory): what is told of becomes a new
//! file, so of a file with several names a layer tells all of them or none. A first look at both trees by stat alone, as one
//! name does not say what became of the others:
//!
//!   before a=b, c        after  mv c b         b is new, and a has one name less
//!   before a, b=c        after  ln -f a b      b is another file, with as many names as before
const std = @import("std");
const linux = std.os.linux;
const FileId = entries.FileId;
const entries = @import("entries.zig");
const report = @import("report.zig");
const whiteout = @import("whiteout.zig");

/// Files with several names, each kept twice.
const files_max = 1 << 20;

const File = struct {
    /// What its names led to before.
    old: ?FileId = null,
    is_torn: bool = false,
};

/// To be told by a comparer (compare.zig); then it knows.
pub const Links = struct {
    files: std.AutoHashMapUnmanaged(FileId, File) = .empty,
    /// What the names of an old file lead to now.
    successors: std.AutoHashMapUnmanaged(FileId, FileId) = .empty,

    /// Is a name of it told of, or was it another file's?
    pub fn isTorn(self: *const Links, new: linux.Statx) bool {
        return hasSeveral(new) and if (self.files.get(.of(new))) |file| file.is_torn else false;
    }

    pub fn entry(self: *Links, _: []const u8, _: i32, _: [*:0]const u8, new: linux.Statx, _: bool) void {
        if (hasSeveral(new)) self.at(.of(new)).is_torn = true;
    }

    /// Never; but of a name that looks the same it is noted which file it was.
    pub fn differs(self: *Links, _: []const u8, _: i32, old: linux.Statx, _: i32, new: linux.Statx, _: [*:0]const u8) bool {
        if (hasSeveral(new)) self.note(.of(old), .of(new));
        return false;
    }

    pub fn directory(_: *Links, _: []const u8, _: i32, _: linux.Statx, _: bool) void {}

    pub fn deleted(_: *Links, _: []const u8) void {}

    /// As commit.zig, of what can have several names.
    pub fn leavesOut(_: *Links, _: []const u8, name: []const u8, _: linux.Statx) bool {
        return std.mem.startsWith(u8, name, whiteout.prefix);
    }

    fn note(self: *Links, old: FileId, new: FileId) void {
        const successor = self.successors.getOrPutValue(std.heap.smp_allocator, old, new) catch outOfMemory();
        if (!std.meta.eql(successor.value_ptr.*, new)) {
            self.at(new).is_torn = true;
            self.at(successor.value_ptr.*).is_torn = true;
        }
        const file = self.at(new);
        if (file.old == null) file.old = old;
        if (!std.meta.eql(file.old.?, old)) file.is_torn = true;
    }

    fn at(self: *Links, id: FileId) *File {
        const file = self.files.getOrPutValue(std.heap.smp_allocator, id, .{}) catch outOfMemory();
        if (self.files.count() > files_max) report.fail(.limit, "more than {d} files have hard links", .{files_max});
        return file.value_ptr;
    }
};

fn hasSeveral(s: linux.Statx) bool {
    return s.nlink > 1 and s.mode & linux.S.IFMT == linux.S.IFREG;
}

fn outOfMemory() noreturn {
    report.fail(.limit, "out of memory", .{});
}

fn fileId(inode: u64) FileId {
    return .{ .mount = 1, .device = 1, .inode = inode };
}

fn torn(pairs: []const [2]u64, inode: u64) !bool {
    var links: Links = .{};
    defer links.files.deinit(std.heap.smp_allocator);
    defer links.successors.deinit(std.heap.smp_allocator);
    for (pairs) |pair| links.note(fileId(pair[0]), fileId(pair[1]));
    return links.files.get(fileId(inode)).?.is_torn;
}

test "by the old and the new file of each name" {
    const same = [_][2]u64{ .{ 1, 10 }, .{ 1, 10 }, .{ 2, 11 }, .{ 2, 11 } };
    for ([_]u64{ 10, 11 }) |inode| try std.testing.expect(!try torn(&same, inode));
    const joined = [_][2]u64{ .{ 1, 10 }, .{ 2, 10 }, .{ 3, 11 } };
    try std.testing.expect(try torn(&joined, 10));
    try std.testing.expect(!try torn(&joined, 11));
    const split = [_][2]u64{ .{ 1, 10 }, .{ 1, 11 }, .{ 3, 12 } };
    for ([_]u64{ 10, 11 }) |inode| try std.testing.expect(try torn(&split, inode));
    try std.testing.expect(!try torn(&split, 12));
}
