//! What TypeScript asks of a host's network: one call that does a list of operations, decided already, and a few that look.
//!
//!   { "host": [ {"bridge": …} ], "inside": [] }
//!   { "host": [ {"veth": …} ], "inside": [ {"up": …}, {"address": …}, {"gateway": …} ] }
//!
//! `host` is done in the network namespace of this process, then `inside` in the one of the process that the call names. The
//! first that fails ends it: how many were done is told, with the kernel's own words where it has some.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../linux/answer.zig");
const conntrack = @import("../linux/net/conntrack.zig");
const link = @import("../linux/net/link.zig");
const message = @import("../linux/net/message.zig");
const namespace = @import("../linux/net/namespace.zig");
const netlink = @import("../linux/net/netlink.zig");
const nftables = @import("../linux/net/nftables.zig");
const traffic = @import("../linux/net/traffic.zig");
const uplink = @import("../linux/net/uplink.zig");
const vlan = @import("../linux/net/vlan.zig");

const Operation = union(enum) {
    bridge: link.Bridge,
    /// `bridge`: the name of what it becomes a port of.
    veth: struct { bridge: []const u8, link: link.Veth },
    /// The interface `name` becomes one of the bridge again.
    port: struct { name: []const u8, bridge: []const u8 },
    /// A port of a bridge that what it sends may come back to.
    reflect: struct { name: []const u8 },
    /// It gets no address of IPv6 by itself.
    unnumbered: struct { name: []const u8 },
    /// Its neighbours are told of its addresses of IPv4, when it is set up after this.
    announced: struct { name: []const u8 },
    up: struct { name: []const u8 },
    address: struct { name: []const u8, address: link.Prefix },
    /// The default route of its family, in the place of the one that was there.
    gateway: struct { name: []const u8, address: []const u8 },
    /// Of a family, 4 or 6: the interface itself is the default route.
    onlink: struct { name: []const u8, family: u8 },
    remove: struct { name: []const u8 },
    /// All interfaces of a group.
    removeGroup: struct { group: u32 },
    /// Whose it is from now on.
    group: struct { name: []const u8, group: u32 },
    mac: struct { name: []const u8, mac: []const u8 },
    /// What stands on the interface `name`.
    vlan: struct { name: []const u8, link: vlan.Vlan },
    macvlan: struct { name: []const u8, link: vlan.Macvlan },
    ipvlan: struct { name: []const u8, link: vlan.Ipvlan },
    /// One with nothing behind it.
    plain: vlan.Plain,
    /// What leaves by the interface goes no faster.
    shape: struct { name: []const u8, bytes: traffic.Bytes },
    unshape: struct { name: []const u8 },
    /// What arrives at the interface leaves by `to`.
    redirect: struct { name: []const u8, to: []const u8 },
    straighten: struct { name: []const u8 },
    /// Of the machine's own interfaces: what is there already is changed.
    mtu: struct { name: []const u8, mtu: u32 },
    ownAddress: struct { name: []const u8, address: link.Prefix },
    giveUpAddress: struct { name: []const u8, address: link.Prefix },
    route: struct { name: []const u8, route: uplink.Route },
    giveUpRoute: struct { name: []const u8, route: uplink.Route },

    /// Those that come later may need its index, which is known once it is done.
    fn makesLink(self: Operation) bool {
        return switch (self) {
            .bridge, .veth, .vlan, .macvlan, .ipvlan, .plain => true,
            else => false,
        };
    }

    /// Such a one is alone in its datagram.
    fn isSeveral(self: Operation) bool {
        return self == .bridge or self == .redirect;
    }
};

const Request = struct { host: []const Operation, inside: []const Operation };

/// `text` is such a request. 0, or -errno with the number of operations that were done in `done`, and words in `words`.
pub fn apply(pid: i32, start: u64, text: []const u8, done: *u32, words: []u8) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    done.* = 0;
    const request = std.json.parseFromSliceLeaky(Request, arena, text, .{}) catch return answer.code(.BADMSG);
    var refusal: netlink.Refusal = .{};
    run(arena, pid, start, &request, done, &refusal) catch |err| {
        refusal.errno = if (err == error.OutOfMemory) .NOMEM else .MSGSIZE;
    };
    return told(&refusal, words);
}

/// From here on `world`, a descriptor of a network namespace, stands for the host's. 0, or -errno.
pub fn enterWorld(world: i32) i32 {
    if (netlink.home < 0) {
        const home = linux.open("/proc/thread-self/ns/net", .{ .CLOEXEC = true }, 0);
        if (linux.errno(home) != .SUCCESS) return answer.of(home);
        netlink.home = @intCast(home);
    }
    netlink.world = world;
    return 0;
}

/// The words end with a NUL.
fn told(refusal: *const netlink.Refusal, words: []u8) i32 {
    if (words.len > 0) {
        const length = @min(refusal.length, words.len - 1);
        @memcpy(words[0..length], refusal.text()[0..length]);
        words[length] = 0;
    }
    return answer.code(refusal.errno);
}

fn run(
    arena: std.mem.Allocator,
    pid: i32,
    start: u64,
    request: *const Request,
    done: *u32,
    refusal: *netlink.Refusal,
) message.Error!void {
    var inside: namespace.Inside = .{};
    defer inside.close();
    if (pid > 0) refusal.errno = inside.enter(pid, start);
    if (refusal.errno != .SUCCESS) return;
    if (request.host.len > 0) {
        const socket = netlink.open(netlink.route);
        if (socket < 0) {
            refusal.errno = @enumFromInt(-socket);
            return;
        }
        defer _ = linux.close(socket);
        try runAll(arena, socket, inside.descriptor, request.host, done, refusal);
    }
    if (refusal.errno == .SUCCESS) try runAll(arena, inside.socket, -1, request.inside, done, refusal);
}

/// As many in one datagram as do not need what one before them makes.
fn runAll(
    arena: std.mem.Allocator,
    socket: i32,
    other: i32,
    operations: []const Operation,
    done: *u32,
    refusal: *netlink.Refusal,
) message.Error!void {
    var built: message.Builder = .{ .arena = arena };
    for (operations, 0..) |operation, position| {
        const errno = try write(&built, socket, other, operation);
        const isLast = position + 1 == operations.len;
        const next = if (isLast) null else operations[position + 1];
        if (errno != .SUCCESS or isLast or operation.makesLink() or operation.isSeveral() or next.?.isSeveral()) {
            refusal.* = netlink.transact(socket, &built);
            if (refusal.errno != .SUCCESS) done.* += if (operation.isSeveral()) 0 else refusal.message -| 1;
            if (refusal.errno != .SUCCESS) return;
            done.* += if (operation.isSeveral()) 1 else built.count;
            built = .{ .arena = arena };
        }
        if (errno != .SUCCESS) {
            refusal.errno = errno;
            return;
        }
    }
}

fn write(built: *message.Builder, socket: i32, other: i32, operation: Operation) message.Error!linux.E {
    const name = switch (operation) {
        .bridge => |bridge| {
            try link.addBridge(built, bridge);
            return .SUCCESS;
        },
        .plain => |plain| {
            try vlan.addPlain(built, plain);
            return .SUCCESS;
        },
        .removeGroup => |each| {
            try link.removeGroup(built, each.group);
            return .SUCCESS;
        },
        .veth => |veth| veth.bridge,
        inline else => |each| each.name,
    };
    const index = link.indexOf(socket, name);
    if (index < 0) return @enumFromInt(-index);
    switch (operation) {
        .bridge, .plain, .removeGroup => unreachable,
        .veth => |veth| try link.addVeth(built, veth.link, index, other),
        .port => |port| {
            const master = link.indexOf(socket, port.bridge);
            if (master < 0) return @enumFromInt(-master);
            try link.addPort(built, index, master);
        },
        .reflect => try link.reflect(built, index),
        .unnumbered => try link.leaveUnnumbered(built, index),
        .announced => try link.announce(built, index),
        .up => try link.setUp(built, index),
        .address => |each| {
            try link.addAddress(built, index, each.address);
        },
        .gateway => |each| try link.addDefaultRoute(built, index, each.address),
        .onlink => |each| try link.addDefaultDevice(built, index, each.family),
        .remove => try link.remove(built, index),
        .mtu => |each| try uplink.setMtu(built, index, each.mtu),
        .ownAddress => |each| try uplink.setAddress(built, index, each.address),
        .giveUpAddress => |each| try uplink.removeAddress(built, index, each.address),
        .route => |each| try uplink.setRoute(built, index, each.route),
        .giveUpRoute => |each| try uplink.removeRoute(built, index, each.route),
        .group => |each| try link.setGroup(built, index, each.group),
        .mac => |each| try link.setMac(built, index, each.mac),
        .vlan => |each| try vlan.addVlan(built, each.link, index),
        .macvlan => |each| try vlan.addMacvlan(built, each.link, index, other),
        .ipvlan => |each| try vlan.addIpvlan(built, each.link, index, other),
        .shape => |each| try traffic.shape(built, index, each.bytes),
        .unshape => try traffic.unshape(built, index),
        .redirect => |each| {
            const way = link.indexOf(socket, each.to);
            if (way < 0) return @enumFromInt(-way);
            try traffic.redirect(built, index, way);
        },
        .straighten => try traffic.straighten(built, index),
    }
    return .SUCCESS;
}

/// `text` is a `nftables.Table`. 0, or -errno with words in `words`.
pub fn replaceTable(text: []const u8, words: []u8) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    const table = std.json.parseFromSliceLeaky(nftables.Table, arena, text, .{}) catch return answer.code(.BADMSG);
    const refusal = nftables.replace(arena, &table) catch |err| return failed(err);
    return told(&refusal, words);
}

/// `text` is a list of `nftables.Change`. 0, or -errno with words in `words`.
pub fn changeElements(text: []const u8, words: []u8) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    const changes = std.json.parseFromSliceLeaky([]const nftables.Change, arena, text, .{}) catch return answer.code(.BADMSG);
    const refusal = nftables.change(arena, changes) catch |err| return failed(err);
    return told(&refusal, words);
}

/// 0 also where there are none.
pub fn forgetFlows(protocol: u8, numbers: []const u32) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    const errno = conntrack.forget(arena_state.allocator(), protocol, numbers) catch |err| return failed(err);
    return if (errno == .NOENT) 0 else answer.code(errno);
}

/// 0 also where there are none. `address`: 4 bytes, or 16.
pub fn forgetAddress(address: []const u8) i32 {
    if (address.len != 4 and address.len != 16) return answer.code(.INVAL);
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    const errno = conntrack.forgetAddress(arena_state.allocator(), address) catch |err| return failed(err);
    return if (errno == .NOENT) 0 else answer.code(errno);
}

/// Bytes of all keys, of which `into` has the first, or -errno.
pub fn elementKeys(family: u8, table: []const u8, set: []const u8, into: []u8) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    return nftables.keysOf(arena_state.allocator(), family, table, set, into) catch |err| failed(err);
}

/// Bytes of it in `into`, or -errno.
pub fn tableComment(family: u8, name: []const u8, into: []u8) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    return nftables.commentOf(arena_state.allocator(), family, name, into) catch |err| failed(err);
}

/// Bytes of its words in `into`, 0 without one, or -errno.
pub fn closedForward(family: u8, into: []u8) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    return nftables.closedForward(arena_state.allocator(), family, into) catch |err| failed(err);
}

/// Its group and its state, as `link.Facts` has them. 0, or -errno.
pub fn linkFacts(name: []const u8, into: *[2]u32) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    var facts: link.Facts = .{};
    const errno = link.factsOf(arena_state.allocator(), name, &facts) catch |err| return failed(err);
    into.* = .{ facts.group, facts.operational };
    return answer.code(errno);
}

/// How many there are, or -errno.
pub fn destinations(into: []link.Destination) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    return link.destinations(arena_state.allocator(), into) catch |err| failed(err);
}

/// How many there are, or -errno.
pub fn interfaces(into: []uplink.Interface) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    return uplink.interfaces(arena_state.allocator(), into) catch |err| failed(err);
}

fn failed(err: message.Error) i32 {
    return answer.code(if (err == error.OutOfMemory) .NOMEM else .MSGSIZE);
}
