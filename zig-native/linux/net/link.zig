//! Interfaces, addresses, routes (rtnetlink(7)).
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../answer.zig");
const message = @import("message.zig");
const netlink = @import("netlink.zig");

pub const rtm_newlink = 16;
const rtm_dellink = 17;
const rtm_getlink = 18;
const rtm_newaddr = 20;
const rtm_newroute = 24;
const rtm_getroute = 26;

pub const ifla_address = 1;
pub const ifla_ifname = 3;
pub const ifla_mtu = 4;
const ifla_master = 10;
pub const ifla_linkinfo = 18;
const ifla_af_spec = 26;
pub const ifla_group = 27;
pub const ifla_net_ns_fd = 28;
pub const ifla_info_kind = 1;
pub const ifla_info_data = 2;
const veth_info_peer = 1;
pub const iff_up = 1;
const siocgifindex = 0x8933;

pub const name_max = 15;

/// struct ifinfomsg
pub const Link = extern struct { family: u8 = 0, pad: u8 = 0, type: u16 = 0, index: i32 = 0, flags: u32 = 0, change: u32 = 0 };
/// struct ifaddrmsg
const Address = extern struct { family: u8, prefix: u8, flags: u8 = 0, scope: u8 = 0, index: i32 };
/// struct rtmsg
pub const Route = extern struct {
    family: u8,
    destination_bits: u8 = 0,
    source_bits: u8 = 0,
    service: u8 = 0,
    table: u8 = 254,
    protocol: u8 = 4,
    scope: u8 = 0,
    type: u8 = 1,
    flags: u32 = 0,
};

pub const new = message.create | message.exclusive;

/// Bytes in the network's order: 4 of IPv4, or 16 of IPv6.
pub const Prefix = struct { address: []const u8, prefix: u8 };

/// Its index is chosen, so that it gets its addresses in the same datagram: nobody ever finds it without.
pub const Bridge = struct { name: []const u8, index: i32, mac: []const u8, mtu: u32, group: u32, addresses: []const Prefix };

/// A frame to the bridges' own addresses (01:80:c2:00:00:0x) comes into the host by its port, past what the firewall says of the
/// bridge: nobody is taken to be behind the port that such a frame names as its sender. Kernels before 5.0 do not know that.
const only_what_passes: [2]u32 = .{ no_link_local_learn, no_link_local_learn };
const no_link_local_learn = 1;
const ifla_bridge_options = 46;

/// It is up at once.
pub fn addBridge(to: *message.Builder, bridge: Bridge) message.Error!void {
    try to.begin(rtm_newlink, new, Link{ .index = bridge.index, .flags = iff_up, .change = iff_up });
    try to.string(ifla_ifname, bridge.name);
    try to.number(ifla_mtu, bridge.mtu);
    try to.attribute(ifla_address, bridge.mac);
    try to.number(ifla_group, bridge.group);
    const information = try to.nest(ifla_linkinfo);
    try to.string(ifla_info_kind, "bridge");
    const data = try to.nest(ifla_info_data);
    try to.attribute(ifla_bridge_options, std.mem.sliceAsBytes(&only_what_passes));
    try to.unnest(data);
    try to.unnest(information);
    to.end();
    for (bridge.addresses) |each| try addAddress(to, bridge.index, each);
}

pub const Veth = struct { name: []const u8, mtu: u32, group: u32, peer: []const u8, peerMac: []const u8 };

const iff_noarp = 0x80;

/// A port of the interface `master`, up, which answers nobody itself and knows no neighbours (those whom a frame that comes past
/// the bridge would name: `only_what_passes`), whose other end is in the network namespace of the descriptor `namespace`, and down.
pub fn addVeth(to: *message.Builder, veth: Veth, master: i32, namespace: i32) message.Error!void {
    const flags = iff_up | iff_noarp;
    try to.begin(rtm_newlink, new, Link{ .flags = flags, .change = flags });
    try to.string(ifla_ifname, veth.name);
    try to.number(ifla_mtu, veth.mtu);
    try to.number(ifla_master, master);
    try to.number(ifla_group, veth.group);
    const information = try to.nest(ifla_linkinfo);
    try to.string(ifla_info_kind, "veth");
    const data = try to.nest(ifla_info_data);
    const peer = try to.nest(veth_info_peer);
    try to.bytes.appendSlice(to.arena, std.mem.asBytes(&Link{}));
    try to.attribute(ifla_address, veth.peerMac);
    try to.string(ifla_ifname, veth.peer);
    try to.number(ifla_mtu, veth.mtu);
    try to.number(ifla_net_ns_fd, namespace);
    try to.unnest(peer);
    try to.unnest(data);
    try to.unnest(information);
    to.end();
}

/// A port of the interface `master`, and up.
pub fn addPort(to: *message.Builder, index: i32, master: i32) message.Error!void {
    try to.begin(rtm_newlink, 0, Link{ .index = index, .flags = iff_up, .change = iff_up });
    try to.number(ifla_master, master);
    to.end();
}

/// What the port of a bridge sends may come back to it.
pub fn reflect(to: *message.Builder, index: i32) message.Error!void {
    const slave_kind = 4;
    const slave_data = 5;
    const hairpin = 4;
    try to.begin(rtm_newlink, 0, Link{ .index = index });
    const information = try to.nest(ifla_linkinfo);
    try to.string(slave_kind, "bridge");
    const data = try to.nest(slave_data);
    try to.number(hairpin, @as(u8, 1));
    try to.unnest(data);
    try to.unnest(information);
    to.end();
}

/// The kernel makes no address of IPv6 for it, when it is set up after this.
pub fn leaveUnnumbered(to: *message.Builder, index: i32) message.Error!void {
    const ifla_inet6_addr_gen_mode = 8;
    const in6_addr_gen_mode_none: u8 = 1;
    try to.begin(rtm_newlink, 0, Link{ .index = index });
    const families = try to.nest(ifla_af_spec);
    const inet6 = try to.nest(linux.AF.INET6);
    try to.number(ifla_inet6_addr_gen_mode, in6_addr_gen_mode_none);
    try to.unnest(inet6);
    try to.unnest(families);
    to.end();
}

/// When it is set up after this its neighbours are told of the addresses of IPv4 that it has then.
pub fn announce(to: *message.Builder, index: i32) message.Error!void {
    const ifla_inet_conf = 1;
    const ipv4_devconf_arp_notify = 22;
    try to.begin(rtm_newlink, 0, Link{ .index = index });
    const families = try to.nest(ifla_af_spec);
    const inet = try to.nest(linux.AF.INET);
    const settings = try to.nest(ifla_inet_conf);
    try to.number(ipv4_devconf_arp_notify, @as(u32, 1));
    try to.unnest(settings);
    try to.unnest(inet);
    try to.unnest(families);
    to.end();
}

pub fn setUp(to: *message.Builder, index: i32) message.Error!void {
    try to.begin(rtm_newlink, 0, Link{ .index = index, .flags = iff_up, .change = iff_up });
    to.end();
}

pub fn remove(to: *message.Builder, index: i32) message.Error!void {
    try to.begin(rtm_dellink, 0, Link{ .index = index });
    to.end();
}

/// All that are in it. Without any this fails (ENODEV).
pub fn removeGroup(to: *message.Builder, group: u32) message.Error!void {
    try to.begin(rtm_dellink, 0, Link{});
    try to.number(ifla_group, group);
    to.end();
}

pub fn familyOf(address: []const u8) u8 {
    return if (address.len == 4) linux.AF.INET else linux.AF.INET6;
}

/// It is there at once, also one of IPv6: that nobody else has it is our business, and not to be asked of the neighbours.
pub fn addAddress(to: *message.Builder, index: i32, wanted: Prefix) message.Error!void {
    try writeAddress(to, rtm_newaddr, new, index, wanted);
}

/// The same, or its end: what the kernel is asked for is `kind`, and how is `flags`.
pub fn writeAddress(to: *message.Builder, kind: u16, flags: u16, index: i32, wanted: Prefix) message.Error!void {
    const address, const prefix = .{ wanted.address, wanted.prefix };
    const ifa_address = 1;
    const ifa_local = 2;
    const ifa_broadcast = 4;
    const ifa_flags = 8;
    const ifa_f_nodad: u32 = 2;
    try to.begin(kind, flags, Address{ .family = familyOf(address), .prefix = prefix, .index = index });
    try to.attribute(ifa_local, address);
    try to.attribute(ifa_address, address);
    if (address.len == 4 and prefix < 31) {
        const hosts = @as(u32, std.math.maxInt(u32)) >> @intCast(prefix);
        var broadcast: [4]u8 = undefined;
        std.mem.writeInt(u32, &broadcast, std.mem.readInt(u32, address[0..4], .big) | hosts, .big);
        try to.attribute(ifa_broadcast, &broadcast);
    }
    if (address.len == 16) try to.number(ifa_flags, ifa_f_nodad);
    to.end();
}

const rta_oif = 4;
const rta_gateway = 5;

/// In the place of the one that was there, if any.
pub fn addDefaultRoute(to: *message.Builder, index: i32, gateway: []const u8) message.Error!void {
    try to.begin(rtm_newroute, message.create | message.replace, Route{ .family = familyOf(gateway) });
    try to.number(rta_oif, index);
    try to.attribute(rta_gateway, gateway);
    to.end();
}

/// The same, with everybody behind the interface itself. `family`: 4 or 6.
pub fn addDefaultDevice(to: *message.Builder, index: i32, family: u8) message.Error!void {
    const rt_scope_link = 253;
    const inet = family == 4;
    // The kernel looks at the scope of IPv4's only.
    try to.begin(rtm_newroute, message.create | message.replace, Route{
        .family = if (inet) linux.AF.INET else linux.AF.INET6,
        .scope = if (inet) rt_scope_link else 0,
    });
    try to.number(rta_oif, index);
    to.end();
}

/// Whose it is.
pub fn setGroup(to: *message.Builder, index: i32, group: u32) message.Error!void {
    try to.begin(rtm_newlink, 0, Link{ .index = index });
    try to.number(ifla_group, group);
    to.end();
}

pub fn setMac(to: *message.Builder, index: i32, mac: []const u8) message.Error!void {
    try to.begin(rtm_newlink, 0, Link{ .index = index });
    try to.attribute(ifla_address, mac);
    to.end();
}

/// Of the interface `name` in the network namespace that `socket` was born in, or -errno.
pub fn indexOf(socket: i32, name: []const u8) i32 {
    const Request = extern struct { name: [16]u8 = @splat(0), index: i32 = 0, rest: [20]u8 = @splat(0) };
    var query: Request = .{};
    if (name.len == 0 or name.len > name_max) return answer.code(.NODEV);
    @memcpy(query.name[0..name.len], name);
    const result = linux.ioctl(socket, siocgifindex, @intFromPtr(&query));
    return if (linux.errno(result) == .SUCCESS) query.index else answer.of(result);
}

/// What is asked of an interface: its group, and how far it is (IF_OPER_*: 6 is up).
pub const Facts = struct { group: u32 = 0, operational: u32 = 0 };

/// Of the interface `name`. Since Linux 6.8 it is as far as it will get when this answers.
pub fn factsOf(arena: std.mem.Allocator, name: []const u8, facts: *Facts) message.Error!linux.E {
    const socket = netlink.open(netlink.route);
    if (socket < 0) return @enumFromInt(-socket);
    defer _ = linux.close(socket);
    const index = indexOf(socket, name);
    if (index < 0) return @enumFromInt(-index);
    var question: message.Builder = .{ .arena = arena };
    try question.begin(rtm_getlink, 0, Link{ .index = index });
    question.end();
    return netlink.list(socket, &question, rtm_newlink, facts, takeFacts);
}

fn takeFacts(facts: *Facts, body: []const u8) bool {
    const ifla_operstate = 16;
    if (body.len < @sizeOf(Link)) return false;
    const attributes = body[@sizeOf(Link)..];
    if (message.find(attributes, ifla_group)) |bytes| if (bytes.len == 4) {
        facts.group = std.mem.readInt(u32, bytes[0..4], .native);
    };
    if (message.find(attributes, ifla_operstate)) |bytes| if (bytes.len == 1) {
        facts.operational = bytes[0];
    };
    return false;
}

/// A destination that some route leads to. An address of IPv4 has twelve zeros behind it.
pub const Destination = extern struct { family: u32, prefix: u32, address: [16]u8 };

/// The destinations of all unicast routes, but for those of everything. How many there are, of which `into` has the first; or
/// -errno.
pub fn destinations(arena: std.mem.Allocator, into: []Destination) message.Error!i32 {
    const socket = netlink.open(netlink.route);
    if (socket < 0) return socket;
    defer _ = linux.close(socket);
    var question: message.Builder = .{ .arena = arena };
    try question.begin(rtm_getroute, message.dump, Route{ .family = linux.AF.UNSPEC, .table = 0, .protocol = 0, .type = 0 });
    question.end();
    var routes: Routes = .{ .into = into };
    const errno = netlink.list(socket, &question, rtm_newroute, &routes, Routes.take);
    return if (errno == .SUCCESS) @intCast(routes.count) else answer.code(errno);
}

const Routes = struct {
    into: []Destination,
    count: usize = 0,

    fn take(self: *Routes, body: []const u8) bool {
        const rta_dst = 1;
        if (body.len < @sizeOf(Route)) return true;
        const header = std.mem.bytesToValue(Route, body[0..@sizeOf(Route)]);
        const address = message.find(body[@sizeOf(Route)..], rta_dst) orelse return true;
        const wanted: usize = if (header.family == linux.AF.INET) 4 else if (header.family == linux.AF.INET6) 16 else return true;
        if (header.type != 1 or header.destination_bits == 0 or address.len != wanted or header.destination_bits > 8 * wanted) return true;
        if (self.count < self.into.len) {
            const to = &self.into[self.count];
            to.* = .{ .family = header.family, .prefix = header.destination_bits, .address = @splat(0) };
            @memcpy(to.address[0..wanted], address);
        }
        self.count += 1;
        return true;
    }
};

/// For tests.
pub fn expectBytes(builder: *const message.Builder, comptime hexadecimal: []const u8) !void {
    @setEvalBranchQuota(100_000);
    const clean = comptime blk: {
        var text: []const u8 = "";
        var words = std.mem.tokenizeAny(u8, hexadecimal, " \n");
        while (words.next()) |word| text = text ++ word;
        break :blk text;
    };
    var expected: [clean.len / 2]u8 = undefined;
    _ = try std.fmt.hexToBytes(&expected, clean);
    try std.testing.expectEqualSlices(u8, &expected, builder.bytes.items);
}

test "a veth whose peer is born in another namespace" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    const veth: Veth = .{ .name = "v0", .mtu = 1500, .group = 6, .peer = "eth0", .peerMac = &.{ 2, 66, 172, 17, 0, 2 } };
    try addVeth(&builder, veth, 7, 5);
    try expectBytes(&builder,
        \\90000000 1000 0106 01000000 00000000
        \\00 00 0000 00000000 81000000 81000000
        \\0700 0300 763000 00
        \\0800 0400 dc050000
        \\0800 0a00 07000000
        \\0800 1b00 06000000
        \\5000 1280
        \\  0900 0100 7665746800 000000
        \\  4000 0280
        \\    3c00 0180
        \\      00 00 0000 00000000 00000000 00000000
        \\      0a00 0100 0242ac110002 0000
        \\      0900 0300 6574683000 000000
        \\      0800 0400 dc050000
        \\      0800 1c00 05000000
    );
}

test "a bridge, an address with its broadcast, a default route" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    const addresses = [_]Prefix{.{ .address = &.{ 172, 17, 0, 1 }, .prefix = 16 }};
    const mac = [_]u8{ 2, 66, 1, 2, 3, 4 };
    try addBridge(&builder, .{ .name = "rt0", .index = 9, .mac = &mac, .mtu = 1400, .group = 6, .addresses = &addresses });
    try addDefaultRoute(&builder, 9, &.{ 172, 17, 0, 1 });
    try expectBytes(&builder,
        \\64000000 1000 0106 01000000 00000000
        \\00 00 0000 09000000 01000000 01000000
        \\0800 0300 72743000
        \\0800 0400 78050000
        \\0a00 0100 024201020304 0000
        \\0800 1b00 06000000
        \\2000 1280 0b00 0100 62726964676500 00
        \\1000 0280 0c00 2e00 01000000 01000000
        \\30000000 1400 0106 02000000 00000000
        \\02 10 00 00 09000000
        \\0800 0200 ac110001 0800 0100 ac110001 0800 0400 ac11ffff
        \\2c000000 1800 0105 03000000 00000000
        \\02 00 00 00 fe 04 00 01 00000000
        \\0800 0400 09000000 0800 0500 ac110001
    );
}

test "an address of IPv6 is there at once" {
    var memory: [512]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    try addAddress(&builder, 9, .{ .address = &.{ 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 }, .prefix = 64 });
    try expectBytes(&builder,
        \\48000000 1400 0106 01000000 00000000
        \\0a 40 00 00 09000000
        \\1400 0200 fd000000000000000000000000000002 1400 0100 fd000000000000000000000000000002 0800 0800 02000000
    );
}

test "what is no group and no state of an interface is none" {
    const header = [_]u8{0} ** 16;
    var facts: Facts = .{};
    _ = takeFacts(&facts, &(header ++ [_]u8{ 8, 0, 27, 0, 7, 0, 0, 0, 5, 0, 16, 0, 6, 0, 0, 0 }));
    try std.testing.expectEqual(Facts{ .group = 7, .operational = 6 }, facts);
    facts = .{};
    _ = takeFacts(&facts, &(header ++ [_]u8{ 7, 0, 27, 0, 7, 0, 0, 0, 6, 0, 16, 0, 6, 0, 0, 0 }));
    _ = takeFacts(&facts, header[0..15]);
    try std.testing.expectEqual(Facts{}, facts);
}

test "a route that lies about its length is left out" {
    var into: [2]Destination = undefined;
    var routes: Routes = .{ .into = &into };
    const header = [_]u8{ 2, 24, 0, 0, 254, 2, 253, 1, 0, 0, 0, 0 };
    _ = routes.take(&(header ++ [_]u8{ 8, 0, 1, 0, 10, 1, 2, 0 }));
    try std.testing.expectEqual(1, routes.count);
    try std.testing.expectEqual(24, into[0].prefix);
    try std.testing.expectEqualSlices(u8, &.{ 10, 1, 2, 0 }, into[0].address[0..4]);
    _ = routes.take(&(header ++ [_]u8{ 7, 0, 1, 0, 10, 1, 2, 0 }));
    _ = routes.take(&([_]u8{ 2, 33 } ++ header[2..].* ++ [_]u8{ 8, 0, 1, 0, 10, 1, 2, 0 }));
    _ = routes.take(&([_]u8{ 10, 24 } ++ header[2..].* ++ [_]u8{ 8, 0, 1, 0, 10, 1, 2, 0 }));
    _ = routes.take(header[0..11]);
    try std.testing.expectEqual(1, routes.count);
}
