//! Ports of the host: sockets that hold them, and how they come to the monitor of a container, which keeps them while it runs.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../linux/answer.zig");
const port = @import("../linux/net/port.zig");
const process = @import("../linux/process.zig");
const rights = @import("../linux/net/rights.zig");

/// A monitor that does not answer for so long has been stopped by somebody.
const answer_ms = 10_000;

pub fn hold(protocol: u32, address: []const u8, number: u32, open: bool) i32 {
    if (address.len != 4 and address.len != 16) return answer.code(.INVAL);
    const small = std.math.cast(u16, number) orelse return answer.code(.INVAL);
    return answer.of(port.hold(protocol, address, small, open));
}

/// To a monitor that is being started, through the other end of what it was given.
pub fn send(socket: i32, message: []const u8, descriptors: []const i32) i32 {
    return answer.code(rights.send(socket, null, message, descriptors));
}

/// To one that runs, whose answer is waited for.
pub fn ask(path: []const u8, message: []const u8, descriptors: []const i32) i32 {
    if (descriptors.len >= rights.descriptors_max) return answer.code(.@"2BIG");
    var pair: [2]i32 = undefined;
    const made = linux.socketpair(linux.AF.UNIX, linux.SOCK.SEQPACKET | linux.SOCK.CLOEXEC, 0, &pair);
    if (linux.errno(made) != .SUCCESS) return answer.of(made);
    defer _ = linux.close(pair[0]);
    var all: [rights.descriptors_max]i32 = undefined;
    all[0] = pair[1];
    @memcpy(all[1..][0..descriptors.len], descriptors);
    const errno = process.sendUnix(path, message, all[0 .. descriptors.len + 1]);
    _ = linux.close(pair[1]);
    if (errno != .SUCCESS) return answer.code(errno);
    var set = [_]linux.pollfd{.{ .fd = pair[0], .events = linux.POLL.IN, .revents = 0 }};
    while (true) {
        const ready = linux.poll(&set, 1, answer_ms);
        if (linux.errno(ready) == .INTR) continue;
        if (linux.errno(ready) != .SUCCESS) return answer.of(ready);
        if (ready == 0) return answer.code(.TIMEDOUT);
        break;
    }
    var code: [4]u8 = undefined;
    const length = linux.recvfrom(pair[0], &code, code.len, linux.MSG.DONTWAIT, null, null);
    if (linux.errno(length) != .SUCCESS) return answer.of(length);
    if (length != code.len) return answer.code(.CONNRESET);
    return std.mem.readInt(i32, &code, .native);
}
