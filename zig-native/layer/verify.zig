//! `verify`: a committed tree against one that was made anew from the same layer, to the last byte: a letter, the path and a NUL
//! for each difference on standard output before the answer. A: it is missing, D: nobody put it there, C: it is another.
const std = @import("std");
const linux = std.os.linux;
const Attributes = entries.Attributes;
const Comparer = @import("compare.zig").Comparer;
const Request = @import("request.zig").Request;
const changes = @import("changes.zig");
const confine = @import("confine.zig");
const entries = @import("entries.zig");
const names = @import("names.zig");
const place = @import("place.zig");
const sys = @import("sys.zig");
const whiteout = @import("whiteout.zig");

// Large, and one of each: not on a stack, and nothing in them that the executable would have to hold.
var verifier: Verifier = .{};
var comparer: Comparer(Verifier) = undefined;

pub fn run(request: Request) noreturn {
    confine.outliveReader();
    const found = place.openPath(request.need("found"));
    const wanted = place.openPath(request.need("wanted"));
    // For reading trusted.overlay.opaque.
    confine.enter(wanted, &(confine.looking ++ [_]u5{linux.CAP.SYS_ADMIN}));
    verifier.before.lists = true;
    verifier.now.lists = true;
    comparer.init(&verifier, request);
    comparer.is_verbatim = true;
    comparer.all(changes.reopened(found), changes.reopened(wanted));
    changes.finish();
}

const Verifier = struct {
    before: Attributes = .{},
    now: Attributes = .{},
    left: [128 * 1024]u8 = undefined,
    right: [128 * 1024]u8 = undefined,

    pub fn directory(_: *Verifier, path: []const u8, _: i32, _: linux.Statx, is_new: bool) void {
        changes.write(if (is_new) 'A' else 'C', path);
    }

    pub fn entry(_: *Verifier, path: []const u8, _: i32, _: [*:0]const u8, _: linux.Statx, is_new: bool) void {
        changes.write(if (is_new) 'A' else 'C', path);
    }

    pub fn deleted(_: *Verifier, path: []const u8) void {
        changes.write('D', path);
    }

    pub fn leavesOut(_: *Verifier, _: []const u8, _: []const u8, _: linux.Statx) bool {
        return false;
    }

    pub fn differs(
        self: *Verifier,
        _: []const u8,
        old_parent: i32,
        old: linux.Statx,
        new_parent: i32,
        new: linux.Statx,
        name: [*:0]const u8,
    ) bool {
        if (old.mode & linux.S.IFMT == linux.S.IFLNK) return !self.sameLinks(old_parent, new_parent, name);
        const is_file = old.mode & linux.S.IFMT == linux.S.IFREG;
        if (!is_file and !sys.isDirectory(old)) return false;
        const flags: linux.O = .{ .NOFOLLOW = true, .CLOEXEC = true, .NONBLOCK = true, .NOCTTY = true };
        const before = linux.openat(old_parent, name, flags, 0);
        const now = linux.openat(new_parent, name, flags, 0);
        if (linux.errno(before) != .SUCCESS or linux.errno(now) != .SUCCESS) return true;
        defer _ = linux.close(@intCast(before));
        defer _ = linux.close(@intCast(now));
        if (!entries.sameAttributes(self.before.of(@intCast(before)), self.now.of(@intCast(now)))) return true;
        if (!is_file) return whiteout.isOpaque(@intCast(before)) != whiteout.isOpaque(@intCast(now));
        return !self.sameBytes(@intCast(before), @intCast(now), new.size);
    }

    fn sameLinks(self: *Verifier, old: i32, new: i32, name: [*:0]const u8) bool {
        const before = linux.readlinkat(old, name, &self.left, names.path_bytes_max);
        const now = linux.readlinkat(new, name, &self.right, names.path_bytes_max);
        if (linux.errno(before) != .SUCCESS or linux.errno(now) != .SUCCESS) return false;
        return std.mem.eql(u8, self.left[0..before], self.right[0..now]);
    }

    /// One that cannot be read is not the same.
    fn sameBytes(self: *Verifier, old: i32, new: i32, size: u64) bool {
        var position: u64 = 0;
        while (position < size) {
            const count: usize = @intCast(@min(self.left.len, size - position));
            if (!wholly(old, self.left[0..count], position) or !wholly(new, self.right[0..count], position)) return false;
            if (!std.mem.eql(u8, self.left[0..count], self.right[0..count])) return false;
            position += count;
        }
        return true;
    }
};

fn wholly(fd: i32, into: []u8, start: u64) bool {
    var done: usize = 0;
    while (done < into.len) {
        const got = linux.pread(fd, into[done..].ptr, into.len - done, @intCast(start + done));
        if (linux.errno(got) == .INTR) continue;
        if (linux.errno(got) != .SUCCESS or got == 0) return false;
        done += got;
    }
    return true;
}
