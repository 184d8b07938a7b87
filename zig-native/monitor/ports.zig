//! The ports of the host that lead to the container. The client has bound them; we hold its sockets for as long as the program
//! runs, so that nobody else gets them. Where the firewall leads what comes nothing ever comes to a socket; what no firewall can
//! lead (to ::1, or from IPv6 to a container that has none) comes to it, and is handed on (monitor/proxy.zig).
//!
//!   at the start   the client, through a pair of sockets:  hold entries + sockets …, then it closes its end
//!   later          anybody at stateDirectory/ports.sock:   hold | release | repoint, entries + a socket for the answer [+ sockets]
//!                  we, through that socket:                0 or -errno, and it is closed
//!
//! A request is a packet of `PortsHeader` and `PortEntry`s (wire/abi.zig). Who can reach ports.sock is root.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("../wire/abi.zig");
const fault = @import("../wire/fault.zig");
const lock_file = @import("launch.zig").lock_file;
const names = @import("../linux/net/port.zig");
const proxy = @import("proxy.zig");
const rights = @import("../linux/net/rights.zig");

const header_bytes = @sizeOf(abi.PortsHeader);
const entry_bytes = @sizeOf(abi.PortEntry);
const packet_bytes_max = header_bytes + @as(usize, abi.port_entries_max) * entry_bytes;

/// All that there are, of two protocols and two families. Memory is what is used of it.
const held_max = 4 * 65536;
var held: [held_max]i32 = undefined;
var held_count: usize = 0;

var packet: [packet_bytes_max]u8 align(8) = undefined;
var descriptors: [rights.descriptors_max]i32 = undefined;

/// The lock once more, behind all that are held: of a process that ends the kernel closes the lowest first, and who sees that nobody
/// has the lock any more sees no port that is not free.
var lock_behind: i32 = -1;

/// Readable when there is something to do; -1 of a container that is in no network.
pub var descriptor: i32 = -1;
var control: i32 = -1;
/// How the control socket is told from the proxy's.
const control_token = std.math.maxInt(u64);

/// Once nothing that we start inherits descriptors any more: what is said at `ports.sock` in `state` is heard from here on.
pub fn open(state: i32) fault.Error!void {
    descriptor = @intCast(try fault.check(linux.epoll_create1(linux.EPOLL.CLOEXEC), .monitor, "epoll", .{}));
    const kind = linux.SOCK.DGRAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK;
    control = @intCast(try fault.check(linux.socket(linux.AF.UNIX, kind, 0), .monitor, "socket", .{}));
    // One of the container's last start.
    _ = linux.unlinkat(state, "ports.sock", 0);
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    _ = std.fmt.bufPrint(&address.path, "/proc/self/fd/{d}/ports.sock", .{state}) catch unreachable; // it has room
    _ = try fault.check(linux.bind(control, @ptrCast(&address), @sizeOf(linux.sockaddr.un)), .monitor, "bind ports.sock", .{});
    var event: linux.epoll_event = .{ .events = linux.EPOLL.IN, .data = .{ .u64 = control_token } };
    _ = try fault.check(linux.epoll_ctl(descriptor, linux.EPOLL.CTL_ADD, control, &event), .monitor, "epoll", .{});
    proxy.open(descriptor);
}

/// What the client has given us, up to its end of `socket`, which is closed.
pub fn receive(socket: i32) fault.Error!void {
    defer _ = linux.close(socket);
    // The client has them open, too: what it may have, we may.
    var limit: linux.rlimit = undefined;
    if (linux.errno(linux.getrlimit(.NOFILE, &limit)) == .SUCCESS and limit.cur < limit.max) {
        limit.cur = limit.max;
        _ = linux.setrlimit(.NOFILE, &limit);
    }
    while (true) {
        var got: rights.Received = undefined;
        const errno = rights.receive(socket, 0, &packet, &descriptors, &got);
        if (errno == .INTR) continue;
        if (errno != .SUCCESS) return fault.fail(.monitor, errno, "receive ports", .{});
        if (got.bytes.len == 0) return;
        const outcome = if (got.cut) linux.E.MFILE else act(got.bytes, got.descriptors);
        if (outcome != .SUCCESS) return fault.fail(.monitor, outcome, "hold ports", .{});
    }
}

/// There is something to do.
pub fn tend() void {
    var events: [32]linux.epoll_event = undefined;
    const count = linux.epoll_wait(descriptor, &events, events.len, 0);
    if (linux.errno(count) != .SUCCESS) return;
    for (events[0..count]) |*event| {
        if (event.data.u64 == control_token) hear() else proxy.handle(event.data.u64, event.events);
    }
}

fn hear() void {
    var got: rights.Received = undefined;
    if (rights.receive(control, linux.MSG.DONTWAIT, &packet, &descriptors, &got) != .SUCCESS) return;
    if (got.descriptors.len == 0) return;
    const answer = got.descriptors[0];
    const rest = got.descriptors[1..];
    if (got.cut) closeAll(rest);
    const errno = if (got.cut) linux.E.MFILE else act(got.bytes, rest);
    const code: i32 = -@as(i32, @intFromEnum(errno));
    _ = linux.sendto(answer, std.mem.asBytes(&code), @sizeOf(i32), linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
    _ = linux.close(answer);
}

/// Do what is asked. The sockets are ours, or closed.
fn act(bytes: []const u8, sockets: []const i32) linux.E {
    const entries = entriesOf(bytes) orelse {
        closeAll(sockets);
        return .PROTO;
    };
    const header: *const abi.PortsHeader = @ptrCast(@alignCast(bytes.ptr));
    switch (header.request) {
        .hold => {
            if (sockets.len != entries.len or held_count + sockets.len > held_max) {
                closeAll(sockets);
                return .PROTO;
            }
            for (entries, sockets, 0..) |*entry, socket, position| {
                const errno = holdOne(entry, socket);
                if (errno == .SUCCESS) continue;
                closeAll(sockets[position + 1 ..]);
                for (entries[0..position]) |*other| release(other);
                return errno;
            }
            keepLockBehind(sockets);
            return .SUCCESS;
        },
        .release => {
            closeAll(sockets);
            for (entries) |*entry| release(entry);
            return .SUCCESS;
        },
        .repoint => {
            closeAll(sockets);
            for (entries) |*entry| {
                const position = find(entry) orelse continue;
                const errno = proxy.repoint(entry, held[position]);
                if (errno != .SUCCESS) return errno;
            }
            return .SUCCESS;
        },
        _ => {
            closeAll(sockets);
            return .PROTO;
        },
    }
}

/// Null: it is none of ours.
fn entriesOf(bytes: []const u8) ?[]const abi.PortEntry {
    if (bytes.len < header_bytes) return null;
    const header: *const abi.PortsHeader = @ptrCast(@alignCast(bytes.ptr));
    if (header.count > abi.port_entries_max or bytes.len != header_bytes + @as(usize, header.count) * entry_bytes) return null;
    const first: [*]const abi.PortEntry = @ptrCast(@alignCast(bytes[header_bytes..].ptr));
    return first[0..header.count];
}

fn holdOne(entry: *const abi.PortEntry, socket: i32) linux.E {
    const errno = if (entry.target_family == 0) linux.E.SUCCESS else proxy.add(entry, socket);
    if (errno != .SUCCESS) {
        _ = linux.close(socket);
        return errno;
    }
    held[held_count] = socket;
    held_count += 1;
    return .SUCCESS;
}

/// Where no number is left that high the lock goes first, as without this.
fn keepLockBehind(sockets: []const i32) void {
    if (sockets.len == 0) return;
    const highest = std.mem.max(i32, sockets);
    if (lock_behind > highest) return;
    const copy = linux.fcntl(lock_file, linux.F.DUPFD_CLOEXEC, @intCast(highest + 1));
    if (linux.errno(copy) != .SUCCESS) return;
    if (lock_behind >= 0) _ = linux.close(lock_behind);
    lock_behind = @intCast(copy);
}

fn release(entry: *const abi.PortEntry) void {
    const position = find(entry) orelse return;
    proxy.remove(held[position]);
    _ = linux.close(held[position]);
    held_count -= 1;
    held[position] = held[held_count];
}

/// Which of those that are held it is.
fn find(entry: *const abi.PortEntry) ?usize {
    const port = std.math.cast(u16, entry.port) orelse return null;
    const address: []const u8 = if (entry.family == 6) &entry.address else entry.address[0..4];
    for (held[0..held_count], 0..) |socket, position| {
        var name: names.Name = undefined;
        if (name.of(socket) and name.is(address, port) and protocolOf(socket) == entry.protocol) return position;
    }
    return null;
}

fn protocolOf(socket: i32) u32 {
    var protocol: u32 = 0;
    var length: linux.socklen_t = @sizeOf(u32);
    const result = linux.getsockopt(socket, linux.SOL.SOCKET, linux.SO.PROTOCOL, std.mem.asBytes(&protocol), &length);
    return if (linux.errno(result) == .SUCCESS) protocol else 0;
}

fn closeAll(sockets: []const i32) void {
    for (sockets) |socket| _ = linux.close(socket);
}

test "packets that are none of ours" {
    var bytes: [header_bytes + 2 * entry_bytes]u8 align(8) = @splat(0);
    const header: *abi.PortsHeader = @ptrCast(&bytes);
    header.* = .{ .request = .release, .count = 2 };
    try std.testing.expectEqual(2, entriesOf(&bytes).?.len);
    for ([_]u32{ 0, 1, 3, abi.port_entries_max + 1, std.math.maxInt(u32) }) |lie| {
        header.count = lie;
        try std.testing.expectEqual(null, entriesOf(&bytes));
    }
    try std.testing.expectEqual(null, entriesOf(bytes[0 .. header_bytes - 1]));
    header.* = .{ .request = @enumFromInt(9), .count = 2 };
    try std.testing.expectEqual(linux.E.PROTO, act(&bytes, &.{}));
    header.request = .hold;
    try std.testing.expectEqual(linux.E.PROTO, act(&bytes, &.{}));
}

test "what is held is released by its name, whatever else is held" {
    const local = [_]u8{ 127, 0, 0, 1 } ++ [_]u8{0} ** 12;
    var bytes: [header_bytes + 2 * entry_bytes]u8 align(8) = @splat(0);
    const header: *abi.PortsHeader = @ptrCast(&bytes);
    header.* = .{ .request = .hold, .count = 2 };
    var sockets: [2]i32 = undefined;
    const entries: []abi.PortEntry = @constCast(entriesOf(&bytes).?);
    for (entries, &sockets, [_]u32{ linux.IPPROTO.TCP, linux.IPPROTO.UDP }) |*entry, *socket, protocol| {
        socket.* = @intCast(names.hold(protocol, local[0..4], 0, false));
        var name: names.Name = undefined;
        try std.testing.expect(name.of(socket.*));
        entry.* = .{
            .protocol = protocol,
            .family = 4,
            .port = std.mem.bigToNative(u16, name.storage.four.port),
            .target_family = 0,
            .target_port = 0,
            .address = local,
            .target = @splat(0),
        };
    }
    try std.testing.expectEqual(linux.E.SUCCESS, act(&bytes, &sockets));
    try std.testing.expectEqual(2, held_count);
    header.request = .release;
    try std.testing.expectEqual(linux.E.SUCCESS, act(&bytes, &.{}));
    try std.testing.expectEqual(0, held_count);
    try std.testing.expectEqual(linux.E.BADF, linux.errno(linux.close(sockets[0])));
}
