//! A port of the host that is held: bound and, for TCP, listening, so that nobody else gets it, with a filter that lets nothing
//! in, so that nobody is answered. What comes to the port is led elsewhere before it would be ours.
const std = @import("std");
const linux = std.os.linux;

const attach_filter = 26;
const detach_filter = 27;
const ipv6_only = 26;
/// struct sock_filter, sock_fprog
const Instruction = extern struct { code: u16, on_true: u8, on_false: u8, value: u32 };
const Program = extern struct { length: u16, instructions: [*]const Instruction };

/// BPF_RET | BPF_K: no byte of the packet passes.
const nothing = [_]Instruction{.{ .code = 6, .on_true = 0, .on_false = 0, .value = 0 }};
const backlog = 128;

/// `address`: 4 bytes, or 16, whose port is of that family alone. `is_open`: what comes is ours. A descriptor that does not block, or
/// -errno as a raw result.
pub fn hold(protocol: u32, address: []const u8, port: u16, is_open: bool) usize {
    const six = address.len == 16;
    const datagrams = protocol == linux.IPPROTO.UDP;
    const kind: u32 = if (datagrams) linux.SOCK.DGRAM else linux.SOCK.STREAM;
    const family: u32 = if (six) linux.AF.INET6 else linux.AF.INET;
    const socket = linux.socket(family, kind | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, protocol);
    if (linux.errno(socket) != .SUCCESS) return socket;
    const result = settle(@intCast(socket), address, port, is_open, !datagrams);
    if (linux.errno(result) == .SUCCESS) return socket;
    _ = linux.close(@intCast(socket));
    return result;
}

fn settle(socket: i32, address: []const u8, port: u16, is_open: bool, streams: bool) usize {
    if (address.len == 16) {
        const result = setNumber(socket, linux.IPPROTO.IPV6, ipv6_only, 1);
        if (linux.errno(result) != .SUCCESS) return result;
    }
    // Connections that have just ended are no reason not to have it; who listens there is one all the same. Two sockets for
    // datagrams could share it.
    if (streams) _ = setNumber(socket, linux.SOL.SOCKET, linux.SO.REUSEADDR, 1);
    if (!is_open) {
        const program: Program = .{ .length = nothing.len, .instructions = &nothing };
        const result = linux.setsockopt(socket, linux.SOL.SOCKET, attach_filter, @ptrCast(&program), @sizeOf(Program));
        if (linux.errno(result) != .SUCCESS) return result;
    }
    var name: Name = undefined;
    const result = linux.bind(socket, name.fill(address, port), name.length);
    if (linux.errno(result) != .SUCCESS or !streams) return result;
    return linux.listen(socket, backlog);
}

/// What comes to a socket that is held is its own from here on.
pub fn open(socket: i32) linux.E {
    const result = setNumber(socket, linux.SOL.SOCKET, detach_filter, 0);
    return if (linux.errno(result) == .NOENT) .SUCCESS else linux.errno(result);
}

fn setNumber(socket: i32, level: i32, option: u32, value: i32) usize {
    return linux.setsockopt(socket, level, option, @ptrCast(&value), @sizeOf(i32));
}

/// An address and a port as the kernel has them.
pub const Name = struct {
    storage: extern union { four: linux.sockaddr.in, six: linux.sockaddr.in6 },
    length: linux.socklen_t,

    pub fn fill(self: *Name, address: []const u8, port: u16) *const linux.sockaddr {
        const big = std.mem.nativeToBig(u16, port);
        if (address.len == 16) {
            self.storage = .{ .six = .{ .port = big, .flowinfo = 0, .addr = address[0..16].*, .scope_id = 0 } };
            self.length = @sizeOf(linux.sockaddr.in6);
        } else {
            self.storage = .{ .four = .{ .port = big, .addr = @bitCast(address[0..4].*) } };
            self.length = @sizeOf(linux.sockaddr.in);
        }
        return @ptrCast(&self.storage);
    }

    /// Where a socket is bound.
    pub fn of(self: *Name, socket: i32) bool {
        self.length = @sizeOf(linux.sockaddr.in6);
        return linux.errno(linux.getsockname(socket, @ptrCast(&self.storage), &self.length)) == .SUCCESS;
    }

    pub fn is(self: *const Name, address: []const u8, port: u16) bool {
        const big = std.mem.nativeToBig(u16, port);
        if (address.len == 16) {
            const six = &self.storage.six;
            return six.family == linux.AF.INET6 and six.port == big and std.mem.eql(u8, &six.addr, address);
        }
        const four = &self.storage.four;
        return four.family == linux.AF.INET and four.port == big and std.mem.eql(u8, std.mem.asBytes(&four.addr), address);
    }
};

test "what is held is nobody else's, and a name is where it is bound" {
    const local = [_]u8{ 127, 0, 0, 1 };
    for ([_]u32{ linux.IPPROTO.TCP, linux.IPPROTO.UDP }) |protocol| {
        const first = hold(protocol, &local, 0, false);
        try std.testing.expectEqual(linux.E.SUCCESS, linux.errno(first));
        defer _ = linux.close(@intCast(first));
        var name: Name = undefined;
        try std.testing.expect(name.of(@intCast(first)));
        const port = std.mem.bigToNative(u16, name.storage.four.port);
        try std.testing.expect(name.is(&local, port));
        try std.testing.expect(!name.is(&local, port +% 1));
        try std.testing.expect(!name.is(&(.{0} ** 16), port));
        try std.testing.expectEqual(linux.E.ADDRINUSE, linux.errno(hold(protocol, &local, port, false)));
    }
    try std.testing.expect(linux.errno(hold(250, &local, 0, false)) != .SUCCESS);
}
