//! Interfaces and their addresses, asked of the kernel by netlink: /sys may be masked and ioctl knows no IPv6.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");

const rtm_newlink = 16;
const rtm_getlink = 18;
const rtm_newaddr = 20;
const rtm_getaddr = 22;
const nlmsg_done = 3;

var names: [64][16]u8 = undefined;

/// "interface NAME up|down loopback|- MTU" for each, then "address NAME ADDRESS/PREFIX".
pub fn net(_: input.Args) u8 {
    const socket = linux.socket(linux.AF.NETLINK, linux.SOCK.RAW | linux.SOCK.CLOEXEC, 0);
    if (input.failed(socket)) return output.failure(socket, "netlink");
    defer _ = linux.close(@intCast(socket));
    for ([_]u16{ rtm_getlink, rtm_getaddr }) |question| {
        const result = dump(@intCast(socket), question);
        if (input.failed(result)) return output.failure(result, "netlink");
    }
    return 0;
}

fn dump(socket: i32, question: u16) usize {
    // struct nlmsghdr (len u32, type u16, flags u16, seq u32, pid u32) and struct rtgenmsg, padded.
    var request = [_]u8{0} ** 20;
    std.mem.writeInt(u32, request[0..4], request.len, .native);
    std.mem.writeInt(u16, request[4..6], question, .native);
    const request_and_dump = 0x301;
    std.mem.writeInt(u16, request[6..8], request_and_dump, .native);
    const sent = linux.sendto(socket, &request, request.len, 0, null, 0);
    if (input.failed(sent)) return sent;
    while (true) {
        var answer: [32768]u8 align(4) = undefined;
        const length = linux.recvfrom(socket, &answer, answer.len, 0, null, null);
        if (input.failed(length)) return length;
        var at: usize = 0;
        while (at + 16 <= length) {
            const size = std.mem.readInt(u32, answer[at..][0..4], .native);
            if (size < 16 or at + size > length) return 0;
            const message = answer[at + 16 .. at + size];
            switch (std.mem.readInt(u16, answer[at + 4 ..][0..2], .native)) {
                rtm_newlink => link(message),
                rtm_newaddr => address(message),
                nlmsg_done => return 0,
                else => {},
            }
            at += std.mem.alignForward(usize, size, 4);
        }
    }
}

/// The value of attribute `wanted` after a header of `header` bytes; empty when it is not there.
fn attribute(message: []const u8, header: usize, wanted: u16) []const u8 {
    var at = header;
    while (at + 4 <= message.len) {
        const size = std.mem.readInt(u16, message[at..][0..2], .native);
        if (size < 4 or at + size > message.len) break;
        if (std.mem.readInt(u16, message[at + 2 ..][0..2], .native) == wanted) return message[at + 4 .. at + size];
        at += std.mem.alignForward(usize, size, 4);
    }
    return "";
}

/// struct ifinfomsg: family u8, pad u8, type u16, index i32, flags u32, change u32.
fn link(message: []const u8) void {
    const ifla_ifname = 3;
    const ifla_mtu = 4;
    const name = std.mem.sliceTo(attribute(message, 16, ifla_ifname), 0);
    const index = std.mem.readInt(u32, message[4..8], .native);
    const flags = std.mem.readInt(u32, message[8..12], .native);
    if (index < names.len and name.len < 16) {
        names[index] = @splat(0);
        @memcpy(names[index][0..name.len], name);
    }
    const mtu = attribute(message, 16, ifla_mtu);
    output.text("interface ");
    output.text(name);
    output.text(if (flags & 1 != 0) " up" else " down");
    output.text(if (flags & 8 != 0) " loopback " else " - ");
    output.decimal(if (mtu.len == 4) std.mem.readInt(u32, mtu[0..4], .native) else 0);
    output.text("\n");
}

/// struct ifaddrmsg: family u8, prefix length u8, flags u8, scope u8, index u32.
fn address(message: []const u8) void {
    const ifa_address = 1;
    const index = std.mem.readInt(u32, message[4..8], .native);
    const bytes = attribute(message, 8, ifa_address);
    output.text("address ");
    if (index < names.len) output.text(std.mem.sliceTo(&names[index], 0)) else output.decimal(index);
    output.text(" ");
    if (bytes.len == 4) {
        for (bytes, 0..) |byte, position| {
            if (position > 0) output.text(".");
            output.decimal(byte);
        }
    } else for (0..bytes.len / 2) |group| {
        if (group > 0) output.text(":");
        output.number(std.mem.readInt(u16, bytes[group * 2 ..][0..2], .big), 16, 1);
    }
    output.text("/");
    output.decimal(message[1]);
    output.text("\n");
}
