//! Interfaces that stand on another one, their parent (macvlan, ipvlan, 802.1q), and what may be one where none is given.
const std = @import("std");
const link = @import("link.zig");
const message = @import("message.zig");

const ifla_link = 5;

/// A network of its own on the wire of `parent`. It is up at once.
pub const Vlan = struct { name: []const u8, id: u16, group: u32 };

pub fn addVlan(to: *message.Builder, vlan: Vlan, parent: i32) message.Error!void {
    const ifla_vlan_id = 1;
    try to.begin(link.rtm_newlink, link.new, link.Link{ .flags = link.iff_up, .change = link.iff_up });
    try to.string(link.ifla_ifname, vlan.name);
    try to.number(ifla_link, parent);
    try to.number(link.ifla_group, vlan.group);
    const information = try to.nest(link.ifla_linkinfo);
    try to.string(link.ifla_info_kind, "vlan");
    const data = try to.nest(link.ifla_info_data);
    try to.number(ifla_vlan_id, vlan.id);
    try to.unnest(data);
    try to.unnest(information);
    to.end();
}

/// Nothing is behind it. `kind`: "dummy", or "ifb", which does the same where no packet is redirected to it.
pub const Plain = struct { name: []const u8, kind: []const u8, group: u32 };

/// It is up at once.
pub fn addPlain(to: *message.Builder, plain: Plain) message.Error!void {
    try to.begin(link.rtm_newlink, link.new, link.Link{ .flags = link.iff_up, .change = link.iff_up });
    try to.string(link.ifla_ifname, plain.name);
    try to.number(link.ifla_group, plain.group);
    const information = try to.nest(link.ifla_linkinfo);
    try to.string(link.ifla_info_kind, plain.kind);
    try to.unnest(information);
    to.end();
}

/// `mtu` 0: the parent's.
pub const Macvlan = struct { name: []const u8, mtu: u32, mac: []const u8, mode: u32 };

/// On `parent`, in the network namespace of the descriptor `namespace`, and down.
pub fn addMacvlan(to: *message.Builder, macvlan: Macvlan, parent: i32, namespace: i32) message.Error!void {
    const ifla_macvlan_mode = 1;
    try begin(to, macvlan.name, macvlan.mtu, parent, namespace);
    try to.attribute(link.ifla_address, macvlan.mac);
    const information = try to.nest(link.ifla_linkinfo);
    try to.string(link.ifla_info_kind, "macvlan");
    const data = try to.nest(link.ifla_info_data);
    try to.number(ifla_macvlan_mode, macvlan.mode);
    try to.unnest(data);
    try to.unnest(information);
    to.end();
}

/// `mtu` 0: the parent's. Its MAC is the parent's.
pub const Ipvlan = struct { name: []const u8, mtu: u32, mode: u16, flags: u16 };

/// On `parent`, in the network namespace of the descriptor `namespace`, and down.
pub fn addIpvlan(to: *message.Builder, ipvlan: Ipvlan, parent: i32, namespace: i32) message.Error!void {
    const ifla_ipvlan_mode = 1;
    const ifla_ipvlan_flags = 2;
    try begin(to, ipvlan.name, ipvlan.mtu, parent, namespace);
    const information = try to.nest(link.ifla_linkinfo);
    try to.string(link.ifla_info_kind, "ipvlan");
    const data = try to.nest(link.ifla_info_data);
    try to.number(ifla_ipvlan_mode, ipvlan.mode);
    try to.number(ifla_ipvlan_flags, ipvlan.flags);
    try to.unnest(data);
    try to.unnest(information);
    to.end();
}

fn begin(to: *message.Builder, name: []const u8, mtu: u32, parent: i32, namespace: i32) message.Error!void {
    try to.begin(link.rtm_newlink, link.new, link.Link{});
    try to.string(link.ifla_ifname, name);
    if (mtu != 0) try to.number(link.ifla_mtu, mtu);
    try to.number(ifla_link, parent);
    try to.number(link.ifla_net_ns_fd, namespace);
}

test "interfaces on a parent, born in another namespace" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    try addMacvlan(&builder, .{ .name = "eth0", .mtu = 0, .mac = &.{ 2, 66, 10, 0, 0, 2 }, .mode = 4 }, 7, 5);
    try addIpvlan(&builder, .{ .name = "eth0", .mtu = 1400, .mode = 1, .flags = 2 }, 7, 5);
    try link.expectBytes(&builder,
        \\64000000 1000 0106 01000000 00000000
        \\00 00 0000 00000000 00000000 00000000
        \\0900 0300 6574683000 000000
        \\0800 0500 07000000
        \\0800 1c00 05000000
        \\0a00 0100 02420a000002 0000
        \\1c00 1280
        \\  0c00 0100 6d6163766c616e00
        \\  0c00 0280 0800 0100 04000000
        \\68000000 1000 0106 02000000 00000000
        \\00 00 0000 00000000 00000000 00000000
        \\0900 0300 6574683000 000000
        \\0800 0400 78050000
        \\0800 0500 07000000
        \\0800 1c00 05000000
        \\2400 1280
        \\  0b00 0100 6970766c616e00 00
        \\  1400 0280 0600 0100 0100 0000 0600 0200 0200 0000
    );
}

test "a vlan, and an interface with nothing behind it" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    try addVlan(&builder, .{ .name = "e.20", .id = 20, .group = 6 }, 7);
    try addPlain(&builder, .{ .name = "dm-1", .kind = "dummy", .group = 6 });
    try link.expectBytes(&builder,
        \\58000000 1000 0106 01000000 00000000
        \\00 00 0000 00000000 01000000 01000000
        \\0900 0300 652e323000 000000
        \\0800 0500 07000000
        \\0800 1b00 06000000
        \\1c00 1280
        \\  0900 0100 766c616e00 000000
        \\  0c00 0280 0600 0100 1400 0000
        \\44000000 1000 0106 02000000 00000000
        \\00 00 0000 00000000 01000000 01000000
        \\0900 0300 646d2d3100 000000
        \\0800 1b00 06000000
        \\1000 1280 0a00 0100 64756d6d7900 0000
    );
}
