//! Two ends of a connection, to see who reaches whom, and as whom.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");
const Args = input.Args;

/// sockaddr_in6: an address of IPv4 is the one that is mapped there.
const Address = extern struct { family: u16 = linux.AF.INET6, port: u16, flow: u32 = 0, address: [16]u8 = @splat(0), scope: u32 = 0 };

fn stream(nonblocking: bool) usize {
    return linux.socket(linux.AF.INET6, linux.SOCK.STREAM | linux.SOCK.CLOEXEC | if (nonblocking) linux.SOCK.NONBLOCK else @as(u32, 0), 0);
}

/// A socket at the port that argument `index` names, or the call's result that failed.
pub fn listen(args: Args, index: usize) usize {
    const socket = stream(false);
    if (input.failed(socket)) return socket;
    const fd: i32 = @intCast(socket);
    const on: i32 = 1;
    _ = linux.setsockopt(fd, linux.SOL.SOCKET, linux.SO.REUSEADDR, @ptrCast(&on), @sizeOf(i32));
    var own: Address = .{ .port = port(args, index) };
    const bound = linux.bind(fd, @ptrCast(&own), @sizeOf(Address));
    if (input.failed(bound)) return bound;
    const listening = linux.listen(fd, 16);
    return if (input.failed(listening)) listening else socket;
}

/// A connection to ADDRESS PORT, or the call's result that failed; waits for as long as the kernel does.
pub fn connect(args: Args) usize {
    var there: Address = .{ .port = port(args, 1) };
    if (!parse(input.arg(args, 0), &there.address)) return @bitCast(-@as(isize, @intFromEnum(linux.E.INVAL)));
    const socket = stream(false);
    if (input.failed(socket)) return socket;
    const connected = linux.connect(@intCast(socket), @ptrCast(&there), @sizeOf(Address));
    return if (input.failed(connected)) connected else socket;
}

/// PORT TEXT: "serving", then to whoever connects "TEXT to ADDRESS", with his address as it is seen here.
pub fn serve(args: Args) u8 {
    const socket = listen(args, 0);
    if (input.failed(socket)) return output.failure(socket, "listen");
    const fd: i32 = @intCast(socket);
    output.text("serving\n");
    output.flush();
    while (true) {
        var peer: Address = .{ .port = 0 };
        var size: linux.socklen_t = @sizeOf(Address);
        const accepted = linux.accept4(fd, @ptrCast(&peer), &size, linux.SOCK.CLOEXEC);
        if (input.failed(accepted)) continue;
        var answer: [256]u8 = undefined;
        const text = input.arg(args, 1);
        const length = @min(text.len, answer.len - 80);
        @memcpy(answer[0..length], text[0..length]);
        const end = length + spell(&peer.address, answer[length..]);
        _ = linux.sendto(@intCast(accepted), &answer, end, linux.MSG.NOSIGNAL, null, 0);
        _ = linux.close(@intCast(accepted));
    }
}

/// " to ADDRESS\n": decimal bytes of IPv4, or hexadecimal groups.
fn spell(address: *const [16]u8, into: []u8) usize {
    const digits = "0123456789abcdef";
    var at: usize = 0;
    for (" to ") |byte| {
        into[at] = byte;
        at += 1;
    }
    const mapped = std.mem.eql(u8, address[0..12], &mapped_prefix);
    if (mapped) {
        for (address[12..], 0..) |byte, position| {
            if (position > 0) at = put(into, at, '.');
            if (byte >= 100) at = put(into, at, digits[byte / 100]);
            if (byte >= 10) at = put(into, at, digits[byte / 10 % 10]);
            at = put(into, at, digits[byte % 10]);
        }
    } else for (address, 0..) |byte, position| {
        if (position > 0 and position % 2 == 0) at = put(into, at, ':');
        at = put(into, at, digits[byte >> 4]);
        at = put(into, at, digits[byte & 15]);
    }
    return put(into, at, '\n');
}

fn put(into: []u8, at: usize, byte: u8) usize {
    into[at] = byte;
    return at + 1;
}

const mapped_prefix = [_]u8{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

fn port(args: Args, index: usize) u16 {
    return std.mem.nativeToBig(u16, @truncate(input.parse(input.arg(args, index), 80)));
}

/// ADDRESS PORT [MILLISECONDS]: what whoever is there says, up to his end.
pub fn fetch(args: Args) u8 {
    var there: Address = .{ .port = port(args, 1) };
    if (!parse(input.arg(args, 0), &there.address)) return 2;
    const patience: i32 = @intCast(@min(input.parse(input.arg(args, 2), 2000), 60_000));
    const socket = stream(true);
    if (input.failed(socket)) return output.failure(socket, "socket");
    const fd: i32 = @intCast(socket);
    const connected = linux.connect(fd, @ptrCast(&there), @sizeOf(Address));
    if (input.failed(connected) and linux.errno(connected) != .INPROGRESS) return output.failure(connected, "connect");
    if (!ready(fd, linux.POLL.OUT, patience)) return output.failure(@bitCast(-@as(isize, @intFromEnum(linux.E.TIMEDOUT))), "connect");
    var errno: i32 = 0;
    var size: linux.socklen_t = @sizeOf(i32);
    _ = linux.getsockopt(fd, linux.SOL.SOCKET, linux.SO.ERROR, @ptrCast(&errno), &size);
    if (errno != 0) return output.failure(@bitCast(-@as(isize, errno)), "connect");
    while (ready(fd, linux.POLL.IN, patience)) {
        var bytes: [4096]u8 = undefined;
        const length = linux.read(fd, &bytes, bytes.len);
        if (input.failed(length)) return output.failure(length, "read");
        if (length == 0) return 0;
        output.text(bytes[0..length]);
    }
    return output.failure(@bitCast(-@as(isize, @intFromEnum(linux.E.TIMEDOUT))), "read");
}

fn datagrams() usize {
    return linux.socket(linux.AF.INET6, linux.SOCK.DGRAM | linux.SOCK.CLOEXEC, 0);
}

/// As `serve`, to whoever sends a datagram.
pub fn serveDatagrams(args: Args) u8 {
    const socket = datagrams();
    if (input.failed(socket)) return output.failure(socket, "socket");
    const fd: i32 = @intCast(socket);
    var own: Address = .{ .port = port(args, 0) };
    const bound = linux.bind(fd, @ptrCast(&own), @sizeOf(Address));
    if (input.failed(bound)) return output.failure(bound, "bind");
    output.text("serving\n");
    output.flush();
    while (true) {
        var peer: Address = .{ .port = 0 };
        var size: linux.socklen_t = @sizeOf(Address);
        var question: [16]u8 = undefined;
        const length = linux.recvfrom(fd, &question, question.len, 0, @ptrCast(&peer), &size);
        if (input.failed(length)) continue;
        var answer: [256]u8 = undefined;
        const text = input.arg(args, 1);
        const front = @min(text.len, answer.len - 80);
        @memcpy(answer[0..front], text[0..front]);
        const end = front + spell(&peer.address, answer[front..]);
        _ = linux.sendto(fd, &answer, end, linux.MSG.NOSIGNAL, @ptrCast(&peer), size);
    }
}

/// ADDRESS PORT [MILLISECONDS [OWN-PORT]]: what comes back for a datagram.
pub fn ask(args: Args) u8 {
    var there: Address = .{ .port = port(args, 1) };
    if (!parse(input.arg(args, 0), &there.address)) return 2;
    const patience: i32 = @intCast(@min(input.parse(input.arg(args, 2), 2000), 60_000));
    const socket = datagrams();
    if (input.failed(socket)) return output.failure(socket, "socket");
    const fd: i32 = @intCast(socket);
    var own: Address = .{ .port = std.mem.nativeToBig(u16, @truncate(input.parse(input.arg(args, 3), 0))) };
    const bound = linux.bind(fd, @ptrCast(&own), @sizeOf(Address));
    if (input.failed(bound)) return output.failure(bound, "bind");
    const connected = linux.connect(fd, @ptrCast(&there), @sizeOf(Address));
    if (input.failed(connected)) return output.failure(connected, "connect");
    const sent = linux.sendto(fd, "?", 1, linux.MSG.NOSIGNAL, null, 0);
    if (input.failed(sent)) return output.failure(sent, "send");
    if (!ready(fd, linux.POLL.IN, patience)) return output.failure(@bitCast(-@as(isize, @intFromEnum(linux.E.TIMEDOUT))), "receive");
    var bytes: [4096]u8 = undefined;
    const length = linux.read(fd, &bytes, bytes.len);
    if (input.failed(length)) return output.failure(length, "receive");
    output.text(bytes[0..length]);
    return 0;
}

fn ready(fd: i32, events: i16, patience: i32) bool {
    var polled = [1]linux.pollfd{.{ .fd = fd, .events = events, .revents = 0 }};
    const result = linux.poll(&polled, 1, patience);
    return !input.failed(result) and result == 1;
}

/// Of IPv4, or eight groups of IPv6 of which "::" leaves zeros out.
fn parse(text: []const u8, into: *[16]u8) bool {
    if (std.mem.indexOfScalar(u8, text, ':') == null) {
        @memcpy(into[0..12], &mapped_prefix);
        var parts = std.mem.splitScalar(u8, text, '.');
        for (into[12..]) |*byte| byte.* = @truncate(input.parse(parts.next() orelse return false, 0));
        return parts.next() == null;
    }
    var at: usize = 0;
    var gap: ?usize = null;
    var group: usize = 0;
    var groups = std.mem.splitScalar(u8, text, ':');
    while (groups.next()) |digits| : (group += 1) {
        if (digits.len == 0) {
            if (group > 0 and gap == null) gap = at;
            continue;
        }
        if (at + 2 > into.len) return false;
        var value: u16 = 0;
        for (digits) |digit| value = value *% 16 +% @as(u16, if (digit <= '9') digit -% '0' else (digit | 32) -% 'a' +% 10);
        std.mem.writeInt(u16, into[at..][0..2], value, .big);
        at += 2;
    }
    const from = gap orelse return at == into.len;
    std.mem.copyBackwards(u8, into[into.len - (at - from) ..], into[from..at]);
    @memset(into[from .. into.len - (at - from)], 0);
    return true;
}
