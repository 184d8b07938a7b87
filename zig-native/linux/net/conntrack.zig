//! Connection tracking (linux/netfilter/nfnetlink_conntrack.h): flows that the kernel remembers. One that it has seen before a
//! port was led somewhere goes on as before; of TCP that is right, and of UDP nobody would ever see the new place. One of an address
//! that is somebody else's now would be let through for that one, too.
const std = @import("std");
const linux = std.os.linux;
const message = @import("message.zig");
const netlink = @import("netlink.zig");

const subsystem = 1;
const delete = subsystem << 8 | 2;

/// CTA_TUPLE_ORIG { CTA_TUPLE_PROTO { CTA_PROTO_NUM, CTA_PROTO_DST_PORT } }, CTA_FILTER { CTA_FILTER_ORIG_FLAGS }
const tuple_orig = 1;
const tuple_proto = 2;
const proto_num = 1;
const proto_dst_port = 3;
const filter = 25;
const filter_orig_flags = 1;
/// CTA_FILTER_F_CTA_PROTO_NUM, CTA_FILTER_F_CTA_PROTO_DST_PORT
const by_protocol_and_port = 1 << 3 | 1 << 5;

/// CTA_TUPLE_REPLY { CTA_TUPLE_IP { CTA_IP_V4_SRC, or CTA_IP_V6_SRC } }, CTA_FILTER { CTA_FILTER_REPLY_FLAGS }
const tuple_reply = 2;
const tuple_ip = 1;
const ip_v4_source = 1;
const ip_v6_source = 3;
const filter_reply_flags = 2;
/// CTA_FILTER_F_CTA_IP_SRC
const by_source = 1;

/// struct nfgenmsg
const Family = extern struct { family: u8, version: u8 = 0, resource: [2]u8 = .{ 0, 0 } };

/// All flows of a protocol to these ports are forgotten. NOENT: there were none to the last of them.
pub fn forget(arena: std.mem.Allocator, protocol: u8, ports: []const u32) message.Error!linux.E {
    const socket = netlink.open(netlink.netfilter);
    if (socket < 0) return @enumFromInt(-socket);
    defer _ = linux.close(socket);
    var built: message.Builder = .{ .arena = arena };
    // The kernel wants one family at a time.
    for (ports) |port| for ([_]u8{ linux.AF.INET, linux.AF.INET6 }) |family| {
        try built.begin(delete, 0, Family{ .family = family });
        const tuple = try built.nest(tuple_orig);
        const proto = try built.nest(tuple_proto);
        try built.attribute(proto_num, &.{protocol});
        try built.attribute(proto_dst_port, &.{ @intCast(port >> 8 & 0xff), @intCast(port & 0xff) });
        try built.unnest(proto);
        try built.unnest(tuple);
        const flags = try built.nest(filter);
        try built.number(filter_orig_flags, @as(u32, by_protocol_and_port));
        try built.unnest(flags);
        built.end();
    };
    return netlink.transact(socket, &built).errno;
}

/// All flows that began at this address, and those that led to it. NOENT: there were none.
pub fn forgetAddress(arena: std.mem.Allocator, address: []const u8) message.Error!linux.E {
    const socket = netlink.open(netlink.netfilter);
    if (socket < 0) return @enumFromInt(-socket);
    defer _ = linux.close(socket);
    const six = address.len == 16;
    var built: message.Builder = .{ .arena = arena };
    for ([_]u16{ tuple_orig, tuple_reply }, [_]u16{ filter_orig_flags, filter_reply_flags }) |which, flags_of| {
        try built.begin(delete, 0, Family{ .family = if (six) linux.AF.INET6 else linux.AF.INET });
        const tuple = try built.nest(which);
        const ip = try built.nest(tuple_ip);
        try built.attribute(if (six) ip_v6_source else ip_v4_source, address);
        try built.unnest(ip);
        try built.unnest(tuple);
        const flags = try built.nest(filter);
        try built.number(flags_of, @as(u32, by_source));
        try built.unnest(flags);
        built.end();
    }
    return netlink.transact(socket, &built).errno;
}
