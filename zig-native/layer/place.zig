//! Where trees are: the driver's directory, seen through descriptors that were opened before the root was changed.
//!
//!   <root>/tmp/<name>/<leaf>           being made
//!   <root>/committed/<hex>/<leaf>      finished
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const sys = @import("sys.zig");

pub const Place = struct {
    tmp: i32,
    committed: i32,

    pub fn open(root: [:0]const u8) Place {
        const fd = openPath(root);
        return .{ .tmp = sub(fd, "tmp"), .committed = sub(fd, "committed") };
    }

    fn sub(root: i32, name: [*:0]const u8) i32 {
        const fd = sys.openDirectory(root, name);
        if (linux.errno(fd) != .SUCCESS) report.failErrno(linux.errno(fd), "cannot open the snapshots' {s}", .{name});
        return @intCast(fd);
    }

    /// A new tmp/<name>/<leaf>, open. The leaf is the tree's root: 0755 until the layer says otherwise.
    /// tmp/<name> stays locked as long as we live, which tells it from what a dead process left. A shared lock of tmp/ itself
    /// keeps sweepers away (src/snapshot/directory.ts) until that lock is taken.
    pub fn create(self: Place, name: [*:0]const u8, leaf: [*:0]const u8) i32 {
        lock(self.tmp, lock_shared);
        check(linux.mkdirat(self.tmp, name, 0o700), "create a temporary directory");
        const outer = sys.openDirectory(self.tmp, name);
        check(outer, "open a temporary directory");
        lock(@intCast(outer), lock_exclusive);
        lock(self.tmp, unlock);
        check(linux.mkdirat(@intCast(outer), leaf, 0o755), "create a temporary directory");
        const inner = sys.openDirectory(@intCast(outer), leaf);
        check(inner, "open a temporary directory");
        return @intCast(inner);
    }

    /// committed/<hex>/<leaf>, open.
    pub fn layer(self: Place, hex: []const u8, leaf: []const u8) i32 {
        var buffer: [128]u8 = undefined;
        const path = std.fmt.bufPrintZ(&buffer, "{s}/{s}", .{ hex, leaf }) catch report.fail(.request, "invalid parent", .{});
        const fd = sys.openBeneath(self.committed, path.ptr);
        if (linux.errno(fd) != .SUCCESS) report.failErrno(linux.errno(fd), "cannot open the lower layer {s}", .{hex});
        return @intCast(fd);
    }

    /// Make tmp/<name> visible as committed/<hex>. False: somebody else was first.
    pub fn commit(self: Place, name: [*:0]const u8, hex: [*:0]const u8) bool {
        const rc = linux.renameat2(self.tmp, name, self.committed, hex, .{ .NOREPLACE = true });
        return switch (linux.errno(rc)) {
            .SUCCESS => true,
            .EXIST, .NOTEMPTY => false,
            else => |e| report.failErrno(e, "cannot commit the layer", .{}),
        };
    }
};

const lock_shared = 1;
pub const lock_exclusive = 2;
const unlock = 8;

/// Until `unlock`, or until the last descriptor of it is closed: with this process at the latest.
pub fn lock(fd: i32, operation: i32) void {
    while (true) {
        const rc = linux.flock(fd, operation);
        if (linux.errno(rc) != .INTR) return check(rc, "lock a directory");
    }
}

/// By somebody else.
pub fn isLocked(fd: i32) bool {
    const without_waiting = 4;
    return linux.errno(linux.flock(fd, lock_shared | without_waiting)) == .AGAIN;
}

pub fn openPath(path: [:0]const u8) i32 {
    const fd = linux.open(path, .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(fd) != .SUCCESS) report.failErrno(linux.errno(fd), "cannot open {s}", .{path});
    return @intCast(fd);
}

fn check(rc: usize, comptime what: []const u8) void {
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot " ++ what, .{});
}
