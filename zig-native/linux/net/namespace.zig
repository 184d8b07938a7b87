//! A netlink socket of another process's network namespace. A socket belongs to the namespace that it was born in, so this
//! thread goes there for as long as that takes; the other threads of the process stay where they are.
const std = @import("std");
const linux = std.os.linux;
const netlink = @import("netlink.zig");
const process = @import("../process.zig");

const own = "/proc/thread-self/ns/net";

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
        const gone = linux.errno(linux.setns(pidfd, linux.CLONE.NEWNET));
        if (gone != .SUCCESS) return gone;
        const errno = self.open();
        // Nothing that this process does would be right from here on.
        if (linux.errno(linux.setns(@intCast(home), linux.CLONE.NEWNET)) != .SUCCESS) @panic("cannot return to the network namespace");
        return errno;
    }

    fn open(self: *Inside) linux.E {
        const there = linux.open(own, .{ .CLOEXEC = true }, 0);
        if (linux.errno(there) != .SUCCESS) return linux.errno(there);
        self.descriptor = @intCast(there);
        const socket = netlink.open(netlink.route);
        if (socket < 0) return @enumFromInt(-socket);
        self.socket = socket;
        return .SUCCESS;
    }

    pub fn close(self: *Inside) void {
        for ([_]i32{ self.socket, self.descriptor }) |fd| if (fd >= 0) {
            _ = linux.close(fd);
        };
    }
};
