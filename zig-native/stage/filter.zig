//! The filter of system calls, from the host's file to the moment when it holds.
//!
//! To load it a process needs no_new_privs or CAP_SYS_ADMIN; what it does afterwards the filter must allow. So it is loaded as
//! late as can be:
//!
//!   in a pid namespace of its own   right before execve(2), by process 1, which nobody inside can name: there is nobody. Where it
//!                                   needs CAP_SYS_ADMIN for that, it keeps it until then, in the permitted and the effective set
//!                                   alone. execve(2) takes it away: what root has behind it comes from the bounding set, what a
//!                                   user has from the ambient one, and both are the program's by then. The filter has to allow
//!                                   execve, and nothing of ours
//!   where others could name it      before it is born there: an exec's process (join.zig), one in somebody else's pid namespace,
//!                                   the program behind a reaper or a hook of its own. Whoever takes such a process over gets no
//!                                   right and no call that the program would not have. The capability goes with capset(2) right
//!                                   after the load
const std = @import("std");
const linux = std.os.linux;
const capability = @import("../linux/capability.zig");
const fault = @import("../wire/fault.zig");
const handshake = @import("handshake.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const request = @import("../wire/request.zig");
const seccomp = @import("../linux/seccomp.zig");

pub const Filter = seccomp.Filter;

/// From the host's file, before its paths are left behind. Null: there is none, or this kernel has no filters and nobody has
/// asked for one.
pub fn open(arena: std.mem.Allocator, wanted: request.Filter, sync: i32) fault.AllocError!?Filter {
    if (wanted.path.len == 0) return null;
    const name = try paths.terminated(arena, wanted.path, .settings, "the filter's path");
    const opened = linux.open(name, .{ .CLOEXEC = true, .NOFOLLOW = true, .NONBLOCK = true, .NOCTTY = true }, 0);
    @memset(@constCast(name), 0); // see `forget`
    const fd: i32 = @intCast(try fault.check(opened, .settings, "open the filter of system calls {s}", .{wanted.path}));
    defer _ = linux.close(fd);
    const info = path.stat(fd) orelse return fault.fail(.settings, .IO, "stat {s}", .{wanted.path});
    const bytes = if (info.kind == .regular) try path.readAll(arena, fd, seccomp.bytes_max) else null;
    var filter = try Filter.parse(arena, bytes orelse "") orelse
        return fault.fail(.settings, .SUCCESS, "{s} is not a filter of system calls", .{wanted.path});
    const flags = seccomp.known(filter.flags) orelse {
        if (wanted.asked) return fault.fail(.settings, .SUCCESS, "this kernel has no filters of system calls, as a profile needs", .{});
        handshake.warn(sync, "this kernel has no filters of system calls: the container runs without", .{});
        return null;
    };
    if (filter.flags & ~flags & seccomp.flag_log != 0) handshake.warn(sync, "this kernel does not log what a filter denies", .{});
    filter.flags = flags;
    return filter;
}

/// A call that we make under the filter.
pub const Call = struct { number: linux.SYS, name: []const u8, first: u64 = 0 };

/// What it takes until the program runs: of one that is born in somebody else's pid namespace, and of one behind a reaper.
pub const born = [_]Call{
    .{ .number = .clone, .name = "clone", .first = linux.CLONE.PARENT },
    .{ .number = .prctl, .name = "prctl", .first = @intFromEnum(linux.PR.SET_PDEATHSIG) },
    .{ .number = .getcwd, .name = "getcwd" },
    .{ .number = .openat2, .name = "openat2" },
} ++ last;
pub const behind_reaper = born ++ [_]Call{
    .{ .number = .rt_sigtimedwait, .name = "rt_sigtimedwait" },
    .{ .number = .wait4, .name = "wait4" },
};
const last = [_]Call{
    .{ .number = .sendto, .name = "sendto" },
    .{ .number = .recvfrom, .name = "recvfrom" },
    .{ .number = .close_range, .name = "close_range", .first = 3 },
    .{ .number = .execve, .name = "execve" },
};
const drop: Call = .{ .number = .capset, .name = "capset" };

/// Where it was is the host's business: the memory of a process that somebody inside could take over does not say it. The path
/// lies in the request, which is ours.
pub fn forget(wanted: request.Filter) void {
    @memset(@constCast(wanted.path), 0);
}

/// One that is yet to be loaded, and what the process is to have then.
pub const Pending = struct {
    filter: Filter,
    /// Null: it has no more than that now.
    rights: ?capability.Sets,

    /// What the process needs beside its rights until then.
    pub fn needed(no_new_privileges: bool, ours: u64) u64 {
        return if (no_new_privileges) 0 else ours & (1 << linux.CAP.SYS_ADMIN);
    }

    /// In front of execve(2), with these arguments, which sees to the rights.
    pub fn loadLast(self: Pending, arguments: [6]u64) fault.Error!void {
        if (!self.lets(.execve, arguments))
            return fault.fail(.exec, .PERM, "exec: the seccomp profile does not allow execve, so that nothing can start", .{});
        try fault.ensure(self.filter.load(), .identity, "load the filter of system calls", .{});
    }

    /// Ahead of `calls`, which the filter has to allow. Nothing is pending afterwards.
    pub fn loadEarly(pending: *?Pending, calls: []const Call) fault.Error!void {
        const self = pending.* orelse return;
        pending.* = null;
        if (self.rights != null) try self.require(drop);
        for (calls) |call| try self.require(call);
        try fault.ensure(self.filter.load(), .identity, "load the filter of system calls", .{});
        const rights = self.rights orelse return;
        try fault.ensure(capability.set(rights), .identity, "drop CAP_SYS_ADMIN", .{});
    }

    /// Under a filter that does not, we might not be able to say so.
    fn require(self: Pending, call: Call) fault.Error!void {
        if (self.lets(call.number, .{ call.first, 0, 0, 0, 0, 0 })) return;
        const why = "the seccomp profile does not allow {s}, which exec, --init, hooks and a shared pid namespace need to start a program";
        return fault.fail(.settings, .SUCCESS, why, .{call.name});
    }

    fn lets(self: Pending, call: linux.SYS, arguments: [6]u64) bool {
        const answer = self.filter.answer(call, arguments) orelse return false;
        return answer.lets() or answer.traces();
    }
};
