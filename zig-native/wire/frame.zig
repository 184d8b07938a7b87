//! Frames of the attach protocol (monitor.zig draws it): how they are laid out, sent and read, by the monitor and its clients.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("abi.zig");

comptime {
    // Type and length are where `encode` and `decode` have them, and a failure fits what `send` sends.
    std.debug.assert(abi.frame_header_bytes == 8 and @sizeOf(abi.Frame) == 1);
    std.debug.assert(@sizeOf(FailureBuffer) <= small_bytes_max);
}

/// What `send` takes.
const small_bytes_max = 1024;

pub const Header = struct {
    kind: abi.Frame,
    length: u32,

    /// Bytes of the whole frame. The length is the other side's word: only what is wider than it can hold the sum.
    pub fn frameBytes(self: Header) u64 {
        return abi.frame_header_bytes + @as(u64, self.length);
    }
};

pub fn encode(bytes: *[abi.frame_header_bytes]u8, frame: abi.Frame, length: u32) void {
    std.debug.assert(length <= abi.frame_payload_max); // ours: no reader takes a longer one
    bytes.* = .{ @intFromEnum(frame), 0, 0, 0, 0, 0, 0, 0 };
    std.mem.writeInt(u32, bytes[4..8], length, .big);
}

pub fn decode(bytes: *const [abi.frame_header_bytes]u8) Header {
    return .{ .kind = @enumFromInt(bytes[0]), .length = std.mem.readInt(u32, bytes[4..8], .big) };
}

/// Send one whole small frame, waiting as long as it takes. Answers 0 or the errno.
pub fn send(fd: i32, frame: abi.Frame, payload: []const u8) linux.E {
    std.debug.assert(payload.len <= small_bytes_max);
    var bytes: [abi.frame_header_bytes + small_bytes_max]u8 = undefined;
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

/// The header of the next frame; its payload follows.
pub fn receiveHeader(fd: i32, header: *Header) linux.E {
    var bytes: [abi.frame_header_bytes]u8 = undefined;
    const errno = receive(fd, &bytes);
    if (errno == .SUCCESS) header.* = decode(&bytes);
    return errno;
}

/// The payload of `failed`.
pub const Failure = struct { stage: abi.Stage, errno: u32, message: []const u8 };

const message_bytes_max = 512;
pub const FailureBuffer = [abi.failure_header_bytes + message_bytes_max]u8;

/// A message that is too long is cut.
pub fn encodeFailure(buffer: *FailureBuffer, stage: abi.Stage, errno: linux.E, message: []const u8) []const u8 {
    const text = message[0..@min(message.len, message_bytes_max)];
    std.mem.writeInt(u32, buffer[0..4], @intFromEnum(stage), .big);
    std.mem.writeInt(u32, buffer[4..8], @intFromEnum(errno), .big);
    @memcpy(buffer[abi.failure_header_bytes..][0..text.len], text);
    return buffer[0 .. abi.failure_header_bytes + text.len];
}

pub fn decodeFailure(payload: []const u8) ?Failure {
    if (payload.len < abi.failure_header_bytes) return null;
    return .{
        .stage = @enumFromInt(std.mem.readInt(u32, payload[0..4], .big)),
        .errno = std.mem.readInt(u32, payload[4..8], .big),
        .message = payload[abi.failure_header_bytes..],
    };
}

fn wait(fd: i32, events: i16) void {
    var set = [_]linux.pollfd{.{ .fd = fd, .events = events, .revents = 0 }};
    _ = linux.poll(&set, 1, -1);
}

test "a length at its largest does not wrap" {
    const header = decode(&.{ 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff });
    try std.testing.expectEqual(0x1_0000_0007, header.frameBytes());
}

test "a failure comes out as it went in" {
    var buffer: FailureBuffer = undefined;
    const failure = decodeFailure(encodeFailure(&buffer, .mount, .NOENT, "mount /x")).?;
    try std.testing.expectEqual(.mount, failure.stage);
    try std.testing.expectEqual(@intFromEnum(linux.E.NOENT), failure.errno);
    try std.testing.expectEqualStrings("mount /x", failure.message);
    try std.testing.expectEqual(message_bytes_max, decodeFailure(encodeFailure(&buffer, .mount, .NOENT, "x" ** 600)).?.message.len);
    try std.testing.expectEqual(null, decodeFailure("short"));
}
