//! A time namespace for a container: whose clocks are asked to be ahead.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const time_namespace = @import("../linux/time_namespace.zig");

/// For who is born of us, and for us once we `enter` it.
pub fn make(offsets: []const time_namespace.Offset) fault.Error!void {
    switch (time_namespace.make()) {
        .SUCCESS => {},
        .INVAL => return fault.fail(.namespace, .SUCCESS, "--time-offset: this kernel has no time namespaces", .{}),
        else => |errno| return fault.fail(.namespace, errno, "create a time namespace", .{}),
    }
    for (offsets) |offset| {
        const clock = if (offset.clock == @intFromEnum(linux.CLOCK.BOOTTIME)) "boottime" else "monotonic";
        const what = "--time-offset: the {s} clock cannot be put forward by {d} s";
        switch (time_namespace.set(offset)) {
            .SUCCESS => {},
            .RANGE => return fault.fail(
                .settings,
                .SUCCESS,
                what ++ ": it would be below zero, or too far ahead",
                .{ clock, offset.seconds },
            ),
            else => |errno| return fault.fail(.settings, errno, what, .{ clock, offset.seconds }),
        }
    }
}

pub fn enter() fault.Error!void {
    try fault.ensure(time_namespace.enter(), .namespace, "enter the time namespace", .{});
}
