//! Frames as they are on the wire: sent whatever they say, and seen whoever they are for.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");
const Args = input.Args;

const all_protocols = std.mem.nativeToBig(u16, 3);
const siocgifindex = 0x8933;
const outgoing = 4;

/// struct sockaddr_ll
const Address = extern struct {
    family: u16 = linux.AF.PACKET,
    protocol: u16 = all_protocols,
    index: i32,
    hardware: u16 = 0,
    kind: u8 = 0,
    length: u8 = 0,
    address: [8]u8 = @splat(0),
};

/// A socket that is bound to the interface; or the failed system call's result.
fn open(name: []const u8) usize {
    const socket = linux.socket(linux.AF.PACKET, linux.SOCK.RAW | linux.SOCK.CLOEXEC, all_protocols);
    if (input.failed(socket)) return socket;
    const Request = extern struct { name: [16]u8 = @splat(0), index: i32 = 0, rest: [20]u8 = @splat(0) };
    var query: Request = .{};
    const length = @min(name.len, 15);
    @memcpy(query.name[0..length], name[0..length]);
    const asked = linux.ioctl(@intCast(socket), siocgifindex, @intFromPtr(&query));
    if (input.failed(asked)) return asked;
    const own: Address = .{ .index = query.index };
    const bound = linux.bind(@intCast(socket), @ptrCast(&own), @sizeOf(Address));
    return if (input.failed(bound)) bound else socket;
}

/// INTERFACE HEX…
pub fn send(args: Args) u8 {
    const socket = open(input.arg(args, 0));
    if (input.failed(socket)) return output.failure(socket, "packet socket");
    for (args[@min(1, args.len)..]) |each| {
        const digits = std.mem.span(each);
        var bytes: [2048]u8 = undefined;
        if (digits.len > 2 * bytes.len) return 2;
        const frame = bytes[0 .. digits.len / 2];
        for (frame, 0..) |*byte, at| byte.* = digit(digits[2 * at]) << 4 | digit(digits[2 * at + 1]);
        const sent = linux.sendto(@intCast(socket), frame.ptr, frame.len, 0, null, 0);
        if (input.failed(sent)) return output.failure(sent, "send");
    }
    return 0;
}

fn digit(character: u8) u8 {
    return (if (character <= '9') character -% '0' else (character | 32) -% 'a' +% 10) & 15;
}

/// INTERFACE [SECONDS]: "capturing", then "frame HEX" for each that comes.
pub fn capture(args: Args) u8 {
    const socket = open(input.arg(args, 0));
    if (input.failed(socket)) return output.failure(socket, "packet socket");
    output.text("capturing\n");
    output.flush();
    var until: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &until);
    until.sec += @intCast(input.parse(input.arg(args, 1), 60));
    while (true) {
        var now: linux.timespec = undefined;
        _ = linux.clock_gettime(.MONOTONIC, &now);
        if (now.sec >= until.sec) return 0;
        var polled = [1]linux.pollfd{.{ .fd = @intCast(socket), .events = linux.POLL.IN, .revents = 0 }};
        const ready = linux.poll(&polled, 1, 1000);
        if (ready == 0 or linux.errno(ready) == .INTR) continue;
        var from: Address = .{ .index = 0 };
        var size: linux.socklen_t = @sizeOf(Address);
        var bytes: [2048]u8 = undefined;
        const length = linux.recvfrom(@intCast(socket), &bytes, bytes.len, 0, @ptrCast(&from), &size);
        if (input.failed(length)) return output.failure(length, "receive");
        if (from.kind == outgoing) continue;
        output.text("frame ");
        for (bytes[0..length]) |byte| output.number(byte, 16, 2);
        output.text("\n");
        output.flush();
    }
}
