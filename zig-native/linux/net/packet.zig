//! Datagrams for a host that has no address yet (packet(7)): whole packets of IPv4 on one interface, of which only those that a
//! client of DHCP waits for get through to us.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../answer.zig");

const ethernet_ipv4 = 0x0800;
const so_attach_filter = 26;
const client_port = 68;
const server_port = 67;

pub const mac_bytes = 6;

/// struct sock_filter
const Instruction = extern struct { code: u16, yes: u8 = 0, no: u8 = 0, value: u32 };
const Program = extern struct { length: u16, filter: [*]const Instruction };

/// Whose answers are waited for: what a message says at its beginning, and the client's address of Ethernet in it.
pub const Exchange = struct { xid: u32, mac: [mac_bytes]u8 };

const drop = 0xff;

/// Of IPv4: UDP, not a piece, from port 67 to port 68, and of this exchange. Whoever floods us with others floods the kernel.
fn filterOf(exchange: Exchange) [17]Instruction {
    const mac = exchange.mac;
    var filter = [_]Instruction{
        .{ .code = load_byte, .value = 9 }, // protocol
        unless(17),
        .{ .code = load_half, .value = 6 }, // offset of a piece, and whether others follow
        .{ .code = jump_if_bits, .yes = drop, .value = 0x3fff },
        .{ .code = load_header_length, .value = 0 },
        .{ .code = load_half_behind, .value = 0 },
        unless(server_port),
        .{ .code = load_half_behind, .value = 2 },
        unless(client_port),
        .{ .code = load_word_behind, .value = 8 + 4 },
        unless(exchange.xid),
        .{ .code = load_word_behind, .value = 8 + 28 },
        unless(std.mem.readInt(u32, mac[0..4], .big)),
        .{ .code = load_half_behind, .value = 8 + 32 },
        unless(std.mem.readInt(u16, mac[4..6], .big)),
        .{ .code = give, .value = 0xffff },
        .{ .code = give, .value = 0 },
    };
    // The last one is where everything else goes.
    for (&filter, 0..) |*each, at| for ([_]*u8{ &each.yes, &each.no }) |jump| if (jump.* == drop) {
        jump.* = @intCast(filter.len - 2 - at);
    };
    return filter;
}

const load_byte = 0x30;
const load_half = 0x28;
const load_header_length = 0xb1;
const load_half_behind = 0x48;
const load_word_behind = 0x40;
const jump_if_equal = 0x15;
const jump_if_bits = 0x45;
const give = 0x06;

fn unless(value: u32) Instruction {
    return .{ .code = jump_if_equal, .no = drop, .value = value };
}

/// A socket for packets of the interface `index`, or -errno. It never blocks.
pub fn open(index: i32, exchange: Exchange) i32 {
    // Nothing comes before the filter is there: it listens to no protocol yet.
    const opened = linux.socket(linux.AF.PACKET, linux.SOCK.DGRAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0);
    if (linux.errno(opened) != .SUCCESS) return answer.of(opened);
    const fd: i32 = @intCast(opened);
    const filter = filterOf(exchange);
    const program: Program = .{ .length = filter.len, .filter = &filter };
    var result = linux.setsockopt(fd, linux.SOL.SOCKET, so_attach_filter, std.mem.asBytes(&program), @sizeOf(Program));
    if (linux.errno(result) == .SUCCESS) {
        const here = address(index, @splat(0));
        result = linux.bind(fd, @ptrCast(&here), @sizeOf(linux.sockaddr.ll));
    }
    if (linux.errno(result) == .SUCCESS) return fd;
    _ = linux.close(fd);
    return answer.of(result);
}

fn address(index: i32, mac: [8]u8) linux.sockaddr.ll {
    return .{
        .protocol = std.mem.nativeToBig(u16, ethernet_ipv4),
        .ifindex = index,
        .hatype = 0,
        .pkttype = 0,
        .halen = mac_bytes,
        .addr = mac,
    };
}

/// To everybody on the link.
pub fn broadcast(fd: i32, index: i32, packet: []const u8) i32 {
    const everybody = address(index, .{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0 });
    return answer.of(linux.sendto(fd, packet.ptr, packet.len, 0, @ptrCast(&everybody), @sizeOf(linux.sockaddr.ll)));
}

/// The next packet: its length, which may be more than `into` holds; -EAGAIN: none is there.
pub fn receive(fd: i32, into: []u8) i32 {
    return answer.of(linux.recvfrom(fd, into.ptr, into.len, linux.MSG.TRUNC | linux.MSG.DONTWAIT, null, null));
}

/// Send `data` from port 68 of `from`, an address of this host, to port 67 of `to`: the kernel finds the way.
pub fn unicast(from: [4]u8, to: [4]u8, data: []const u8) i32 {
    const opened = linux.socket(linux.AF.INET, linux.SOCK.DGRAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0);
    if (linux.errno(opened) != .SUCCESS) return answer.of(opened);
    const fd: i32 = @intCast(opened);
    defer _ = linux.close(fd);
    const on: i32 = 1;
    _ = linux.setsockopt(fd, linux.SOL.SOCKET, linux.SO.REUSEADDR, std.mem.asBytes(&on), @sizeOf(i32));
    const here = endpoint(from, client_port);
    const bound = linux.bind(fd, @ptrCast(&here), @sizeOf(linux.sockaddr.in));
    if (linux.errno(bound) != .SUCCESS) return answer.of(bound);
    const there = endpoint(to, server_port);
    return answer.of(linux.sendto(fd, data.ptr, data.len, 0, @ptrCast(&there), @sizeOf(linux.sockaddr.in)));
}

fn endpoint(host: [4]u8, port: u16) linux.sockaddr.in {
    return .{ .port = std.mem.nativeToBig(u16, port), .addr = @bitCast(host) };
}

/// A packet of IPv4 with one word of options: UDP from port 67 to 68, of exchange 0x01020304, for the address 2:0:0:0:0:7.
fn testPacket() [24 + 8 + 240]u8 {
    var packet: [24 + 8 + 240]u8 = @splat(0);
    packet[0] = 0x46;
    packet[9] = 17;
    packet[24 + 1] = 67;
    packet[24 + 3] = 68;
    @memcpy(packet[32 + 4 ..][0..4], &[_]u8{ 1, 2, 3, 4 });
    @memcpy(packet[32 + 28 ..][0..6], &[_]u8{ 2, 0, 0, 0, 0, 7 });
    return packet;
}

/// What the kernel makes of such a filter (Documentation/networking/filter.rst), as far as ours goes.
fn passes(filter: []const Instruction, packet: []const u8) bool {
    var at: usize = 0;
    var value: u32 = 0;
    var behind: usize = 0;
    while (true) : (at += 1) {
        const each = filter[at];
        const k: usize = each.value;
        switch (each.code) {
            load_byte => value = packet[k],
            load_half => value = std.mem.readInt(u16, packet[k..][0..2], .big),
            load_header_length => behind = @as(usize, packet[k] & 15) * 4,
            load_half_behind => value = std.mem.readInt(u16, packet[behind + k ..][0..2], .big),
            load_word_behind => value = std.mem.readInt(u32, packet[behind + k ..][0..4], .big),
            jump_if_equal => at += if (value == each.value) each.yes else each.no,
            jump_if_bits => at += if (value & each.value != 0) each.yes else each.no,
            give => return each.value != 0,
            else => unreachable,
        }
    }
}

test "only answers of this exchange get through" {
    const filter = filterOf(.{ .xid = 0x01020304, .mac = .{ 2, 0, 0, 0, 0, 7 } });
    try std.testing.expect(passes(&filter, &testPacket()));
    // Of another protocol, a piece, one that others follow, from and to other ports, of another exchange, for somebody else.
    for ([_]usize{ 9, 6, 7, 24 + 1, 24 + 3, 32 + 4, 32 + 7, 32 + 28, 32 + 31, 32 + 33 }) |position| {
        var packet = testPacket();
        packet[position] ^= 1;
        try std.testing.expect(!passes(&filter, &packet));
    }
    var last = testPacket();
    last[6] = 0x40; // that it may not be cut into pieces is fine
    try std.testing.expect(passes(&filter, &last));
}
