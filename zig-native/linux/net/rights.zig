//! Descriptors that go from one process to another with what is said about them (unix(7), SCM_RIGHTS).
const std = @import("std");
const linux = std.os.linux;

const scm_rights = 1;
/// The kernel's limit.
pub const descriptors_max = 253;
const header_bytes = std.mem.alignForward(usize, @sizeOf(linux.cmsghdr), @sizeOf(usize));
const Control = struct { bytes: [header_bytes + descriptors_max * @sizeOf(i32) + @sizeOf(usize)]u8 align(@alignOf(linux.cmsghdr)) };

/// All in one packet, in a socket that keeps packets apart. `to`: where it goes, of one that is not connected.
pub fn send(socket: i32, to: ?*const linux.sockaddr.un, bytes: []const u8, descriptors: []const i32) linux.E {
    if (descriptors.len > descriptors_max) return .@"2BIG";
    var control: Control = undefined;
    var vector = [_]std.posix.iovec_const{.{ .base = bytes.ptr, .len = bytes.len }};
    const length = header_bytes + descriptors.len * @sizeOf(i32);
    const header: *linux.cmsghdr = @ptrCast(&control.bytes);
    header.* = .{ .len = length, .level = linux.SOL.SOCKET, .type = scm_rights };
    @memcpy(control.bytes[header_bytes..length], std.mem.sliceAsBytes(descriptors));
    const message: linux.msghdr_const = .{
        .name = @ptrCast(to),
        .namelen = if (to == null) 0 else @sizeOf(linux.sockaddr.un),
        .iov = &vector,
        .iovlen = 1,
        .control = if (descriptors.len == 0) null else &control.bytes,
        .controllen = if (descriptors.len == 0) 0 else std.mem.alignForward(usize, length, @sizeOf(usize)),
        .flags = 0,
    };
    while (true) {
        const result = linux.sendmsg(socket, &message, linux.MSG.NOSIGNAL);
        if (linux.errno(result) != .INTR) return linux.errno(result);
    }
}

pub const Received = struct {
    bytes: []u8,
    /// The reader's to close, whatever it thinks of the packet.
    descriptors: []i32,
    /// There was more than there is room for, of the one or the other.
    cut: bool,
};

/// The next packet; one without anything is the end.
pub fn receive(socket: i32, flags: u32, into: []u8, descriptors: *[descriptors_max]i32, out: *Received) linux.E {
    var control: Control = undefined;
    var vector = [_]std.posix.iovec{.{ .base = into.ptr, .len = into.len }};
    var message: linux.msghdr = .{
        .name = null,
        .namelen = 0,
        .iov = &vector,
        .iovlen = 1,
        .control = &control.bytes,
        .controllen = control.bytes.len,
        .flags = 0,
    };
    const result = linux.recvmsg(socket, &message, linux.MSG.CMSG_CLOEXEC | flags);
    if (linux.errno(result) != .SUCCESS) return linux.errno(result);
    out.* = .{
        .bytes = into[0..result],
        .descriptors = descriptors[0..0],
        .cut = message.flags & (linux.MSG.TRUNC | linux.MSG.CTRUNC) != 0,
    };
    if (message.controllen < header_bytes) return .SUCCESS;
    const header: *const linux.cmsghdr = @ptrCast(&control.bytes);
    if (header.level != linux.SOL.SOCKET or header.type != scm_rights) return .SUCCESS;
    const end = @min(header.len, @min(message.controllen, header_bytes + descriptors_max * @sizeOf(i32)));
    if (end <= header_bytes) return .SUCCESS;
    const count = (end - header_bytes) / @sizeOf(i32);
    @memcpy(std.mem.sliceAsBytes(descriptors[0..count]), control.bytes[header_bytes..][0 .. count * @sizeOf(i32)]);
    out.descriptors = descriptors[0..count];
    return .SUCCESS;
}

test "as many as there may be, and bytes; then the end" {
    var pair: [2]i32 = undefined;
    _ = linux.socketpair(linux.AF.UNIX, linux.SOCK.SEQPACKET | linux.SOCK.CLOEXEC, 0, &pair);
    const many: [descriptors_max]i32 = @splat(pair[1]);
    try std.testing.expectEqual(linux.E.SUCCESS, send(pair[0], null, "hello", &many));
    try std.testing.expectEqual(linux.E.SUCCESS, send(pair[0], null, "world", &.{}));
    _ = linux.close(pair[0]);
    var bytes: [8]u8 = undefined;
    var descriptors: [descriptors_max]i32 = undefined;
    var got: Received = undefined;
    try std.testing.expectEqual(linux.E.SUCCESS, receive(pair[1], 0, &bytes, &descriptors, &got));
    try std.testing.expectEqualStrings("hello", got.bytes);
    try std.testing.expectEqual(descriptors_max, got.descriptors.len);
    try std.testing.expect(!got.cut);
    for (got.descriptors) |fd| try std.testing.expectEqual(linux.E.SUCCESS, linux.errno(linux.close(fd)));
    try std.testing.expectEqual(linux.E.SUCCESS, receive(pair[1], 0, bytes[0..4], &descriptors, &got));
    try std.testing.expectEqualStrings("worl", got.bytes);
    try std.testing.expect(got.cut);
    try std.testing.expectEqual(linux.E.SUCCESS, receive(pair[1], 0, &bytes, &descriptors, &got));
    try std.testing.expectEqual(0, got.bytes.len);
    _ = linux.close(pair[1]);
}
