//! Frames of the attach protocol: header and payload helpers shared by the monitor and its clients.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("abi.zig");

pub const Header = struct {
    type: u8,
    length: u32,

    /// Bytes of the whole frame. The length is the other side's word: only what is wider than it can hold the sum.
    pub fn frameBytes(self: Header) u64 {
        return abi.frame_header_bytes + @as(u64, self.length);
    }
};

pub fn encode(bytes: *[abi.frame_header_bytes]u8, frame: abi.Frame, length: u32) void {
    bytes.* = .{ @intFromEnum(frame), 0, 0, 0, 0, 0, 0, 0 };
    std.mem.writeInt(u32, bytes[4..8], length, .big);
}

pub fn decode(bytes: *const [abi.frame_header_bytes]u8) Header {
    return .{ .type = bytes[0], .length = std.mem.readInt(u32, bytes[4..8], .big) };
}

/// Send one whole small frame, waiting as long as it takes. Answers 0 or the errno.
pub fn send(fd: i32, frame: abi.Frame, payload: []const u8) linux.E {
    var bytes: [abi.frame_header_bytes + 1024]u8 = undefined;
    std.debug.assert(payload.len <= bytes.len - abi.frame_header_bytes);
    encode(bytes[0..abi.frame_header_bytes], frame, @intCast(payload.len));
    @memcpy(bytes[abi.frame_header_bytes..][0..payload.len], payload);
    var rest: []const u8 = bytes[0 .. abi.frame_header_bytes + payload.len];
    while (rest.len > 0) {
        const result = linux.sendto(fd, rest.ptr, rest.len, linux.MSG.NOSIGNAL, null, 0);
        switch (linux.errno(result)) {
            .SUCCESS => rest = rest[result..],
            .INTR => {},
            .AGAIN => wait(fd, linux.POLL.OUT),
            else => |errno| return errno,
        }
    }
    return .SUCCESS;
}

/// Fill `buffer` from `fd`, waiting as long as it takes. End of file is CONNRESET.
pub fn receive(fd: i32, buffer: []u8) linux.E {
    var rest = buffer;
    while (rest.len > 0) {
        const result = linux.read(fd, rest.ptr, rest.len);
        switch (linux.errno(result)) {
            .SUCCESS => if (result == 0) return .CONNRESET else {
                rest = rest[result..];
            },
            .INTR => {},
            .AGAIN => wait(fd, linux.POLL.IN),
            else => |errno| return errno,
        }
    }
    return .SUCCESS;
}

fn wait(fd: i32, events: i16) void {
    var set = [_]linux.pollfd{.{ .fd = fd, .events = events, .revents = 0 }};
    _ = linux.poll(&set, 1, -1);
}

test "a length at its largest does not wrap" {
    const header = decode(&.{ 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff });
    try std.testing.expectEqual(0x1_0000_0007, header.frameBytes());
}
