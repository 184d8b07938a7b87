//! A machine's own way to the outside (rtnetlink(7)): what is there already, from the kernel's own configuration or from a lease
//! before, is taken for ours and changed. (What is made for containers is link.zig's, and must not be there before.)
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../answer.zig");
const link = @import("link.zig");
const message = @import("message.zig");
const netlink = @import("netlink.zig");

const rtm_newlink = 16;
const rtm_getlink = 18;
const rtm_newaddr = 20;
const rtm_deladdr = 21;
const rtm_newroute = 24;
const rtm_delroute = 25;
const replace = message.create | message.replace;

/// RTNH_F_ONLINK: the gateway is on the link, whatever the addresses say.
const on_link = 4;
const scope_link = 253;

pub fn setMtu(to: *message.Builder, index: i32, mtu: u32) message.Error!void {
    const ifla_mtu = 4;
    try to.begin(rtm_newlink, 0, link.Link{ .index = index });
    try to.number(ifla_mtu, mtu);
    to.end();
}

/// Also one that is there already.
pub fn setAddress(to: *message.Builder, index: i32, wanted: link.Prefix) message.Error!void {
    try link.writeAddress(to, rtm_newaddr, replace, index, wanted);
}

pub fn removeAddress(to: *message.Builder, index: i32, unwanted: link.Prefix) message.Error!void {
    try link.writeAddress(to, rtm_deladdr, 0, index, unwanted);
}

/// Without a gateway (empty) the destination is on the link. One of no bits is everything else.
pub const Route = struct { destination: link.Prefix, gateway: []const u8 };

pub fn setRoute(to: *message.Builder, index: i32, route: Route) message.Error!void {
    try writeRoute(to, rtm_newroute, replace, index, route);
}

pub fn removeRoute(to: *message.Builder, index: i32, route: Route) message.Error!void {
    try writeRoute(to, rtm_delroute, 0, index, route);
}

fn writeRoute(to: *message.Builder, kind: u16, flags: u16, index: i32, route: Route) message.Error!void {
    const rta_dst = 1;
    const rta_oif = 4;
    const rta_gateway = 5;
    const is_direct = route.gateway.len == 0;
    try to.begin(kind, flags, link.Route{
        .family = link.familyOf(route.destination.address),
        .destination_bits = route.destination.prefix,
        .scope = if (is_direct) scope_link else 0,
        .flags = if (is_direct) 0 else on_link,
    });
    if (route.destination.prefix > 0) try to.attribute(rta_dst, route.destination.address);
    try to.number(rta_oif, index);
    if (!is_direct) try to.attribute(rta_gateway, route.gateway);
    to.end();
}

/// An interface: `kind` is 1 for Ethernet (ARPHRD_*), `flags` are IFF_*. The name ends with a NUL.
pub const Interface = extern struct { index: u32, kind: u32, flags: u32, mtu: u32, name: [16]u8, mac: [8]u8 };

/// All of them. How many there are, of which `into` has the first; or -errno.
pub fn interfaces(arena: std.mem.Allocator, into: []Interface) message.Error!i32 {
    const socket = netlink.open(netlink.route);
    if (socket < 0) return socket;
    defer _ = linux.close(socket);
    var question: message.Builder = .{ .arena = arena };
    try question.begin(rtm_getlink, message.dump, link.Link{});
    question.end();
    var found: Interfaces = .{ .into = into };
    const errno = netlink.list(socket, &question, rtm_newlink, &found, Interfaces.take);
    return if (errno == .SUCCESS) @intCast(found.count) else answer.code(errno);
}

const Interfaces = struct {
    into: []Interface,
    count: usize = 0,

    fn take(self: *Interfaces, body: []const u8) bool {
        const ifla_address = 1;
        const ifla_ifname = 3;
        const ifla_mtu = 4;
        if (body.len < @sizeOf(link.Link)) return true;
        const header = std.mem.bytesToValue(link.Link, body[0..@sizeOf(link.Link)]);
        const attributes = body[@sizeOf(link.Link)..];
        const name = std.mem.sliceTo(message.find(attributes, ifla_ifname) orelse return true, 0);
        if (header.index <= 0 or name.len == 0 or name.len > link.name_max) return true;
        if (self.count < self.into.len) {
            const to = &self.into[self.count];
            to.* = .{
                .index = @intCast(header.index),
                .kind = header.type,
                .flags = header.flags,
                .mtu = 0,
                .name = @splat(0),
                .mac = @splat(0),
            };
            @memcpy(to.name[0..name.len], name);
            if (message.find(attributes, ifla_mtu)) |bytes| if (bytes.len == 4) {
                to.mtu = std.mem.readInt(u32, bytes[0..4], .native);
            };
            if (message.find(attributes, ifla_address)) |bytes| if (bytes.len == 6) @memcpy(to.mac[0..6], bytes);
        }
        self.count += 1;
        return true;
    }
};

test "a default route by a gateway that is taken to be on the link, and one that is the link itself" {
    var memory: [1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var built: message.Builder = .{ .arena = fixed.allocator() };
    try setRoute(&built, 9, .{ .destination = .{ .address = &.{ 0, 0, 0, 0 }, .prefix = 0 }, .gateway = &.{ 10, 0, 2, 2 } });
    try setRoute(&built, 9, .{ .destination = .{ .address = &.{ 10, 9, 0, 0 }, .prefix = 16 }, .gateway = &.{} });
    const first = [_]u8{ 44, 0, 0, 0, 24, 0, 1, 5, 1, 0, 0, 0, 0, 0, 0, 0 } ++ [_]u8{ 2, 0, 0, 0, 254, 4, 0, 1, 4, 0, 0, 0 } ++
        [_]u8{ 8, 0, 4, 0, 9, 0, 0, 0, 8, 0, 5, 0, 10, 0, 2, 2 };
    const second = [_]u8{ 44, 0, 0, 0, 24, 0, 1, 5, 2, 0, 0, 0, 0, 0, 0, 0 } ++ [_]u8{ 2, 16, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0 } ++
        [_]u8{ 8, 0, 1, 0, 10, 9, 0, 0, 8, 0, 4, 0, 9, 0, 0, 0 };
    try std.testing.expectEqualSlices(u8, &(first ++ second), built.bytes.items);
}

test "an interface without a name, or with one that is too long, is left out" {
    var into: [2]Interface = undefined;
    var found: Interfaces = .{ .into = &into };
    const header = [_]u8{ 0, 0, 1, 0, 2, 0, 0, 0, 3, 0, 1, 0, 0, 0, 0, 0 };
    const mac = [_]u8{ 10, 0, 1, 0, 2, 3, 4, 5, 6, 7, 0, 0 };
    _ = found.take(&(header ++ mac));
    _ = found.take(&(header ++ [_]u8{ 20, 0, 3, 0 } ++ [_]u8{'x'} ** 16));
    _ = found.take(header[0..15]);
    try std.testing.expectEqual(0, found.count);
    _ = found.take(&(header ++ mac ++ [_]u8{ 9, 0, 3, 0, 'e', 't', 'h', '0', 0, 0, 0, 0, 8, 0, 4, 0, 220, 5, 0, 0 }));
    try std.testing.expectEqual(1, found.count);
    try std.testing.expectEqualStrings("eth0", std.mem.sliceTo(&into[0].name, 0));
    try std.testing.expectEqual(1500, into[0].mtu);
    try std.testing.expectEqualSlices(u8, &.{ 2, 3, 4, 5, 6, 7, 0, 0 }, &into[0].mac);
}
