//! Sockets of another network namespace. A socket belongs to the namespace that it was born in, so somebody goes there for as
//! long as that takes: this thread, while the others of the process stay where they are; or, where it could not come back, as it
//! has no rights in the namespace that it is in (an ordinary user's rt in the host's), a child that has our memory and our
//! descriptors, and for which we wait.
const std = @import("std");
const linux = std.os.linux;
const netlink = @import("netlink.zig");
const process = @import("../process.zig");

const own = "/proc/thread-self/ns/net";
/// What is not used of it takes no memory.
const stack_bytes = 256 * 1024;
/// Also for a child that tells nobody of its end (__WALL).
const wait_all = 0x4000_0000;

/// `act` in the network namespace `there`, and back in `home`, which is ours: descriptors of both.
pub fn within(home: i32, there: i32, context: anytype, comptime act: fn (@TypeOf(context)) void) linux.E {
    if (linux.errno(linux.setns(home, linux.CLONE.NEWNET)) != .SUCCESS) return Visit(@TypeOf(context), act).make(there, context);
    const gone = linux.errno(linux.setns(there, linux.CLONE.NEWNET));
    if (gone != .SUCCESS) return gone;
    act(context);
    // Nothing that this process does would be right from here on.
    if (linux.errno(linux.setns(home, linux.CLONE.NEWNET)) != .SUCCESS) @panic("cannot return to the network namespace");
    return .SUCCESS;
}

fn Visit(Context: type, comptime act: fn (Context) void) type {
    return struct {
        there: i32,
        context: Context,
        errno: linux.E = .SUCCESS,

        fn make(there: i32, context: Context) linux.E {
            // The child borrows our memory: it must not run a signal handler of ours meanwhile.
            var all = linux.sigfillset();
            var before: linux.sigset_t = undefined;
            _ = linux.sigprocmask(linux.SIG.BLOCK, &all, &before);
            defer _ = linux.sigprocmask(linux.SIG.SETMASK, &before, null);
            const mapped = linux.mmap(null, stack_bytes, .{ .READ = true, .WRITE = true }, .{ .TYPE = .PRIVATE, .ANONYMOUS = true }, -1, 0);
            if (linux.errno(mapped) != .SUCCESS) return linux.errno(mapped);
            defer _ = linux.munmap(@ptrFromInt(mapped), stack_bytes);
            var visit: @This() = .{ .there = there, .context = context };
            const flags = linux.CLONE.VM | linux.CLONE.VFORK | linux.CLONE.FILES;
            const pid = linux.clone(run, mapped + stack_bytes, flags, @intFromPtr(&visit), null, 0, null);
            if (linux.errno(pid) != .SUCCESS) return linux.errno(pid);
            var status: u32 = undefined;
            while (linux.errno(linux.waitpid(@intCast(pid), &status, wait_all)) == .INTR) {}
            return visit.errno;
        }

        /// In the child.
        fn run(argument: usize) callconv(.c) u8 {
            const visit: *@This() = @ptrFromInt(argument);
            visit.errno = linux.errno(linux.setns(visit.there, linux.CLONE.NEWNET));
            if (visit.errno == .SUCCESS) act(visit.context);
            return 0;
        }
    };
}

/// A netlink socket there.
pub const Inside = struct {
    socket: i32 = -1,
    /// The namespace itself, to put interfaces into.
    descriptor: i32 = -1,

    /// That of `pid`, if it still is the process that started at `start`.
    pub fn enter(self: *Inside, pid: i32, start: u64) linux.E {
        const pidfd = process.open(pid, start);
        if (pidfd < 0) return @enumFromInt(-pidfd);
        defer _ = linux.close(pidfd);
        const home = linux.open(own, .{ .CLOEXEC = true }, 0);
        if (linux.errno(home) != .SUCCESS) return linux.errno(home);
        defer _ = linux.close(@intCast(home));
        const errno = within(@intCast(home), pidfd, self, open);
        if (errno != .SUCCESS) return errno;
        return if (self.socket < 0) @enumFromInt(-self.socket) else .SUCCESS;
    }

    fn open(self: *Inside) void {
        const there = linux.open(own, .{ .CLOEXEC = true }, 0);
        self.socket = if (linux.errno(there) == .SUCCESS) netlink.openHere(netlink.route) else -@as(i32, @intFromEnum(linux.errno(there)));
        if (linux.errno(there) == .SUCCESS) self.descriptor = @intCast(there);
    }

    pub fn close(self: *Inside) void {
        for ([_]i32{ self.socket, self.descriptor }) |fd| if (fd >= 0) {
            _ = linux.close(fd);
        };
    }
};
