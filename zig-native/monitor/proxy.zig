//! Hands what comes to a port of the host on to the container, where no firewall can: a connection to another one, a datagram to a
//! socket of its sender's own. All of it is bounded, and nothing of it is kept here: bytes stay in the one socket until the other
//! has taken them (they are looked at, sent, and only then taken away), so that a slow reader slows the writer.
//!
//!   client == the port's socket, its connections == here == one socket for each of them == the container
//!
//! The container sees the address of the gateway. What goes wrong costs the one connection.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("../wire/abi.zig");
const accept = @import("accept.zig");
const clock = @import("clock.zig");
const names = @import("../linux/net/port.zig");
const namespace = @import("../linux/net/namespace.zig");

const doors_max = 2 * 65536;
const streams_max = 512;
const flows_max = 256;
/// Of all that is done for one event, before others have their turn.
const rounds_max = 16;
/// A flow of datagrams that nothing was heard of for so long is over.
const flow_idle_ms = 60_000;

/// A socket that somebody may come to, and where that leads.
const Door = struct { socket: i32, datagrams: bool, six: bool, port: u16, target: [16]u8 };
/// Of a connection both ends; -1: there is none.
const Stream = struct { ends: [2]i32, over: [2]bool };
const Flow = struct {
    /// -1: there is none.
    socket: i32,
    door: u32,
    heard_ms: u64,
    client: linux.sockaddr.in6,
    /// Where the client has sent it to: what answers comes from there.
    local: Local,
};
const Local = extern struct { address: [16]u8, interface: u32 };

/// What is not used of them takes no memory.
var doors: [doors_max]Door = undefined;
var doors_count: u32 = 0;
/// Of those.
var doors_empty: u32 = 0;
var streams: [streams_max]Stream = undefined;
var streams_count: usize = 0;
var flows: [flows_max]Flow = undefined;
var flows_count: usize = 0;
var buffer: [32 * 1024]u8 = undefined;
var set: i32 = -1;

const Kind = enum(u8) { door, stream, flow };

fn token(kind: Kind, index: usize) u64 {
    return @as(u64, @intFromEnum(kind)) << 32 | index;
}

/// `epoll`: where sockets are looked after.
pub fn open(epoll: i32) void {
    set = epoll;
}

fn watch(socket: i32, events: u32, what: u64) linux.E {
    var event: linux.epoll_event = .{ .events = events, .data = .{ .u64 = what } };
    return linux.errno(linux.epoll_ctl(set, linux.EPOLL.CTL_ADD, socket, &event));
}

/// The socket stays its giver's.
pub fn add(entry: *const abi.PortEntry, socket: i32) linux.E {
    const port = std.math.cast(u16, entry.target_port) orelse return .INVAL;
    const index = freeDoor() orelse return .NFILE;
    const datagrams = entry.protocol == linux.IPPROTO.UDP;
    if (datagrams) {
        const on: i32 = 1;
        // What comes to any address has to be answered from that one.
        const result = linux.setsockopt(socket, linux.IPPROTO.IPV6, ipv6_recvpktinfo, std.mem.asBytes(&on), @sizeOf(i32));
        if (entry.family == 6 and linux.errno(result) != .SUCCESS) return linux.errno(result);
    }
    const errno = watch(socket, linux.EPOLL.IN, token(.door, index));
    if (errno != .SUCCESS) return errno;
    doors[index] = .{
        .socket = socket,
        .datagrams = datagrams,
        .six = entry.target_family == 6,
        .port = port,
        .target = entry.target,
    };
    if (index == doors_count) doors_count += 1 else doors_empty -= 1;
    return .SUCCESS;
}

fn freeDoor() ?u32 {
    if (doors_empty > 0) for (doors[0..doors_count], 0..) |*door, index| if (door.socket < 0) return @intCast(index);
    return if (doors_count < doors_max) doors_count else null;
}

/// What comes to the socket goes to another target, or to none. Connections stay where they are.
pub fn repoint(entry: *const abi.PortEntry, socket: i32) linux.E {
    const index = for (doors[0..doors_count], 0..) |*door, index| {
        if (door.socket == socket) break index;
    } else null;
    if (entry.target_family == 0) {
        if (index != null) remove(socket);
        return .SUCCESS;
    }
    if (index) |known| {
        const door = &doors[known];
        door.port = std.math.cast(u16, entry.target_port) orelse return .INVAL;
        door.six = entry.target_family == 6;
        door.target = entry.target;
        endFlows(known);
        return .SUCCESS;
    }
    // Until now nothing came in there.
    const errno = names.open(socket);
    return if (errno == .SUCCESS) add(entry, socket) else errno;
}

/// Nobody comes in there any more. Connections go on; its place stays empty, as others are known by theirs.
pub fn remove(socket: i32) void {
    for (doors[0..doors_count], 0..) |*door, index| if (door.socket == socket) {
        door.socket = -1;
        _ = linux.epoll_ctl(set, linux.EPOLL.CTL_DEL, socket, null);
        endFlows(index);
        doors_empty += 1;
        return;
    };
}

/// Their next datagram finds the way anew: the address that they had may be somebody else's.
fn endFlows(door: usize) void {
    for (flows[0..flows_count]) |*flow| if (flow.socket >= 0 and flow.door == door) closeFlow(flow);
}

pub fn handle(what: u64, events: u32) void {
    const index: usize = @intCast(what & 0xffff_ffff);
    switch (what >> 32) {
        @intFromEnum(Kind.door) => {
            if (index >= doors_count or doors[index].socket < 0) return;
            if (doors[index].datagrams) takeDatagrams(@intCast(index)) else takeConnections(&doors[index]);
        },
        @intFromEnum(Kind.stream) => if (index < streams_count) {
            move(index);
            if (events & linux.EPOLL.ERR != 0) breakLost(&streams[index]);
        },
        @intFromEnum(Kind.flow) => if (index < flows_count) giveBack(&flows[index]),
        else => {},
    }
}

// --- Connections ---

fn takeConnections(door: *const Door) void {
    for (0..rounds_max) |_| {
        const client = accept.take(door.socket, linux.SOCK.NONBLOCK) orelse return;
        const index = freeStream() orelse return refuse(client);
        const container = connectTo(door, linux.SOCK.STREAM);
        if (container < 0) return refuse(client);
        const stream = &streams[index];
        stream.* = .{ .ends = .{ client, container }, .over = .{ false, false } };
        const both = linux.EPOLL.IN | linux.EPOLL.OUT | linux.EPOLL.RDHUP | linux.EPOLL.ET;
        for (stream.ends) |end| {
            const on: i32 = 1;
            _ = linux.setsockopt(end, linux.SOL.SOCKET, linux.SO.KEEPALIVE, std.mem.asBytes(&on), @sizeOf(i32));
            _ = linux.setsockopt(end, linux.IPPROTO.TCP, linux.TCP.NODELAY, std.mem.asBytes(&on), @sizeOf(i32));
            if (watch(end, both, token(.stream, index)) != .SUCCESS) return closeStream(stream);
        }
    }
}

fn freeStream() ?usize {
    for (streams[0..streams_count], 0..) |*stream, index| if (stream.ends[0] < 0) return index;
    if (streams_count == streams_max) return null;
    streams_count += 1;
    streams[streams_count - 1].ends = .{ -1, -1 };
    return streams_count - 1;
}

/// It is told so at once.
fn refuse(socket: i32) void {
    const linger: extern struct { on: i32, seconds: i32 } = .{ .on = 1, .seconds = 0 };
    _ = linux.setsockopt(socket, linux.SOL.SOCKET, linux.SO.LINGER, std.mem.asBytes(&linger), @sizeOf(@TypeOf(linger)));
    _ = linux.close(socket);
}

/// Where the container is in networks that are not the host's (an ordinary user's) its ports are reached from its own namespace:
/// descriptors of ours, and of that.
pub var home: i32 = -1;
pub var inside: i32 = -1;

const Birth = struct {
    family: u32,
    kind: u32,
    result: usize = undefined,

    fn give(self: *Birth) void {
        self.result = linux.socket(self.family, self.kind | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0);
    }
};

/// A socket on its way there, or -1.
fn connectTo(door: *const Door, kind: u32) i32 {
    var birth: Birth = .{ .family = if (door.six) linux.AF.INET6 else linux.AF.INET, .kind = kind };
    if (inside < 0) birth.give() else if (namespace.within(home, inside, &birth, Birth.give) != .SUCCESS) return -1;
    if (linux.errno(birth.result) != .SUCCESS) return -1;
    const socket: i32 = @intCast(birth.result);
    var name: names.Name = undefined;
    const address = name.fill(if (door.six) &door.target else door.target[0..4], door.port);
    switch (linux.errno(linux.connect(socket, address, name.length))) {
        .SUCCESS, .INPROGRESS => return socket,
        else => {
            _ = linux.close(socket);
            return -1;
        },
    }
}

/// Both ways, as far as it goes. An end that has more is looked at again: changing what is waited for brings a new event.
fn move(index: usize) void {
    const stream = &streams[index];
    if (stream.ends[0] < 0) return;
    for ([_]usize{ 0, 1 }) |from| {
        var rounds: usize = 0;
        while (!stream.over[from]) : (rounds += 1) {
            if (rounds == rounds_max) {
                const both = linux.EPOLL.IN | linux.EPOLL.OUT | linux.EPOLL.RDHUP | linux.EPOLL.ET;
                var event: linux.epoll_event = .{ .events = both, .data = .{ .u64 = token(.stream, index) } };
                _ = linux.epoll_ctl(set, linux.EPOLL.CTL_MOD, stream.ends[from], &event);
                break;
            }
            switch (step(stream, from)) {
                .more => {},
                .wait => break,
                .broken => return breakStream(stream),
            }
        }
    }
    if (stream.over[0] and stream.over[1]) closeStream(stream);
}

fn step(stream: *Stream, from: usize) enum { more, wait, broken } {
    const source = stream.ends[from];
    const sink = stream.ends[1 - from];
    const seen = linux.recvfrom(source, &buffer, buffer.len, linux.MSG.PEEK | linux.MSG.DONTWAIT, null, null);
    switch (linux.errno(seen)) {
        .SUCCESS => {},
        .AGAIN => return .wait,
        .INTR => return .more,
        else => return .broken,
    }
    if (seen == 0) {
        // To whom it is on its way only: until it is there nothing can be ended.
        const ended = linux.errno(linux.shutdown(sink, linux.SHUT.WR));
        if (ended == .NOTCONN) return if (isSound(sink)) .wait else .broken;
        stream.over[from] = true;
        return .wait;
    }
    const sent = linux.sendto(sink, &buffer, seen, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
    switch (linux.errno(sent)) {
        .SUCCESS => {},
        .AGAIN => return .wait,
        .INTR => return .more,
        else => return .broken,
    }
    // Taken away without being copied again.
    var left = sent;
    while (left > 0) {
        const taken = linux.recvfrom(source, &buffer, left, linux.MSG.TRUNC | linux.MSG.DONTWAIT, null, null);
        if (linux.errno(taken) == .INTR) continue;
        if (linux.errno(taken) != .SUCCESS or taken == 0) return .broken;
        left -= @min(taken, left);
    }
    return .more;
}

/// Nothing has gone wrong there.
fn isSound(socket: i32) bool {
    var errno: i32 = 0;
    var length: linux.socklen_t = @sizeOf(i32);
    const result = linux.getsockopt(socket, linux.SOL.SOCKET, linux.SO.ERROR, std.mem.asBytes(&errno), &length);
    return linux.errno(result) == .SUCCESS and errno == 0;
}

/// Of an end that has said all nothing is read any more: that it is gone altogether is seen here alone, and the other may stay silent.
fn breakLost(stream: *Stream) void {
    if (stream.ends[0] < 0) return;
    for (stream.ends, stream.over) |end, over| if (over and !isSound(end)) return breakStream(stream);
}

/// Whoever is there learns that it did not end as it should.
fn breakStream(stream: *Stream) void {
    for (stream.ends) |end| refuse(end);
    stream.ends = .{ -1, -1 };
}

fn closeStream(stream: *Stream) void {
    for (stream.ends) |end| _ = linux.close(end);
    stream.ends = .{ -1, -1 };
}

// --- Datagrams ---

const ipv6_recvpktinfo = 49;
const ipv6_pktinfo = 50;
const control_bytes = 64;

fn takeDatagrams(index: u32) void {
    const door = &doors[index];
    for (0..rounds_max) |_| {
        var client: linux.sockaddr.in6 = undefined;
        var local: Local = .{ .address = @splat(0), .interface = 0 };
        const length = receiveFrom(door.socket, &client, &local) orelse return;
        const flow = flowOf(index, &client, &local) orelse continue;
        flow.heard_ms = clock.monotonic_ms();
        _ = linux.sendto(flow.socket, &buffer, length, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
    }
}

fn receiveFrom(socket: i32, client: *linux.sockaddr.in6, local: *Local) ?usize {
    var control: [control_bytes]u8 align(8) = undefined;
    var vector = [_]std.posix.iovec{.{ .base = &buffer, .len = buffer.len }};
    var message: linux.msghdr = .{
        .name = @ptrCast(client),
        .namelen = @sizeOf(linux.sockaddr.in6),
        .iov = &vector,
        .iovlen = 1,
        .control = &control,
        .controllen = control.len,
        .flags = 0,
    };
    while (true) {
        const result = linux.recvmsg(socket, &message, linux.MSG.DONTWAIT);
        if (linux.errno(result) == .INTR) continue;
        if (linux.errno(result) != .SUCCESS) return null;
        const header: *const linux.cmsghdr = @ptrCast(&control);
        const wanted = @sizeOf(linux.cmsghdr) + @sizeOf(Local);
        if (message.controllen >= wanted and header.level == linux.IPPROTO.IPV6 and header.type == ipv6_pktinfo) {
            @memcpy(std.mem.asBytes(local), control[@sizeOf(linux.cmsghdr)..wanted]);
        }
        return result;
    }
}

/// The one of this client, or a new one, in the place of the one that was silent longest where there is no other.
fn flowOf(index: u32, client: *const linux.sockaddr.in6, local: *const Local) ?*Flow {
    const now = clock.monotonic_ms();
    var oldest: ?*Flow = null;
    for (flows[0..flows_count]) |*flow| {
        if (flow.socket >= 0 and now -| flow.heard_ms > flow_idle_ms) closeFlow(flow);
        if (flow.socket < 0) {
            oldest = flow;
        } else {
            if (flow.door == index and isSame(&flow.client, client) and std.mem.eql(u8, &flow.local.address, &local.address)) return flow;
            if (oldest == null or (oldest.?.socket >= 0 and flow.heard_ms < oldest.?.heard_ms)) oldest = flow;
        }
    }
    if (flows_count < flows_max and (oldest == null or oldest.?.socket >= 0)) {
        oldest = &flows[flows_count];
        flows_count += 1;
        oldest.?.socket = -1;
    }
    const flow = oldest orelse return null;
    if (flow.socket >= 0) closeFlow(flow);
    const socket = connectTo(&doors[index], linux.SOCK.DGRAM);
    if (socket < 0) return null;
    flow.* = .{ .socket = socket, .door = index, .heard_ms = now, .client = client.*, .local = local.* };
    const position = (@intFromPtr(flow) - @intFromPtr(&flows)) / @sizeOf(Flow);
    if (watch(socket, linux.EPOLL.IN, token(.flow, position)) == .SUCCESS) return flow;
    closeFlow(flow);
    return null;
}

fn isSame(a: *const linux.sockaddr.in6, b: *const linux.sockaddr.in6) bool {
    return a.port == b.port and std.mem.eql(u8, &a.addr, &b.addr) and a.scope_id == b.scope_id;
}

fn closeFlow(flow: *Flow) void {
    _ = linux.close(flow.socket);
    flow.socket = -1;
}

/// What the container answers.
fn giveBack(flow: *Flow) void {
    if (flow.socket < 0) return;
    const door = &doors[flow.door];
    for (0..rounds_max) |_| {
        const length = linux.recvfrom(flow.socket, &buffer, buffer.len, linux.MSG.DONTWAIT, null, null);
        switch (linux.errno(length)) {
            .SUCCESS => {},
            // Nobody is there: its client would not learn it from us, as from no firewall.
            .CONNREFUSED, .INTR => continue,
            else => return,
        }
        flow.heard_ms = clock.monotonic_ms();
        if (door.socket >= 0) sendBack(door.socket, flow, length);
    }
}

fn sendBack(socket: i32, flow: *const Flow, length: usize) void {
    var control: [control_bytes]u8 align(8) = undefined;
    const used = @sizeOf(linux.cmsghdr) + @sizeOf(Local);
    const header: *linux.cmsghdr = @ptrCast(&control);
    header.* = .{ .len = used, .level = linux.IPPROTO.IPV6, .type = ipv6_pktinfo };
    @memcpy(control[@sizeOf(linux.cmsghdr)..used], std.mem.asBytes(&flow.local));
    var vector = [_]std.posix.iovec_const{.{ .base = &buffer, .len = length }};
    const six = flow.client.family == linux.AF.INET6;
    const message: linux.msghdr_const = .{
        .name = @ptrCast(&flow.client),
        .namelen = if (six) @sizeOf(linux.sockaddr.in6) else @sizeOf(linux.sockaddr.in),
        .iov = &vector,
        .iovlen = 1,
        .control = if (six) &control else null,
        .controllen = if (six) std.mem.alignForward(usize, used, 8) else 0,
        .flags = 0,
    };
    _ = linux.sendmsg(socket, &message, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL);
}
