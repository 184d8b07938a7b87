//! A time namespace of our own (time_namespaces(7), Linux 5.6): some clocks are ahead of the host's. Its offsets can be set as
//! long as nobody is in it, so it is made for children, set, and then joined.
const std = @import("std");
const linux = std.os.linux;
const path = @import("path.zig");

/// `clock` is a CLOCK_*: MONOTONIC or BOOTTIME, and those that go with them.
pub const Offset = struct { clock: u32, seconds: i64, nanoseconds: u32 };

pub fn make() linux.E {
    return linux.errno(linux.unshare(linux.CLONE.NEWTIME));
}

/// ERANGE where a clock would be below zero, or too far ahead. /proc is the host's.
pub fn set(offset: Offset) linux.E {
    var buffer: [64]u8 = undefined;
    const format = "{d} {d} {d}\n";
    const text = std.fmt.bufPrint(&buffer, format, .{ offset.clock, offset.seconds, offset.nanoseconds }) catch unreachable; // it has room
    return path.writeFile(linux.AT.FDCWD, "/proc/self/timens_offsets", text, 0);
}

pub fn enter() linux.E {
    const opened = linux.open("/proc/self/ns/time_for_children", .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return linux.errno(opened);
    defer _ = linux.close(@intCast(opened));
    return linux.errno(linux.setns(@intCast(opened), linux.CLONE.NEWTIME));
}
