//! A process that becomes as many as it is let.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");

/// Where there is no room for another one, each tries again, and none of them ends. Not at once: in User-Mode Linux, which has
/// one processor, a second is what two hundred of them need for one try each.
pub fn run(_: input.Args) u8 {
    const pause: linux.timespec = .{ .sec = 1, .nsec = 0 };
    while (true) {
        const forked = linux.fork();
        if (linux.errno(forked) != .SUCCESS) _ = linux.nanosleep(&pause, null);
    }
}
