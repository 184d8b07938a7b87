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
const link = @import("../linux/net/link.zig");
const message = @import("../linux/net/message.zig");
const namespace = @import("../linux/net/namespace.zig");
const netlink = @import("../linux/net/netlink.zig");
const nftables = @import("../linux/net/nftables.zig");

const Operation = union(enum) {
    bridge: link.Bridge,
    /// `bridge`: the name of what it becomes a port of.
    veth: struct { bridge: []const u8, link: link.Veth },
    /// The interface `name` becomes one of the bridge again.
    port: struct { name: []const u8, bridge: []const u8 },
    /// It gets no address of IPv6 by itself.
    unnumbered: struct { name: []const u8 },
    up: struct { name: []const u8 },
    address: struct { name: []const u8, address: link.Prefix },
    /// The default route.
    gateway: struct { name: []const u8, address: []const u8 },
    remove: struct { name: []const u8 },

    /// Those that come later may need its index, which is known once it is done.
    fn makesLink(self: Operation) bool {
        return self == .bridge or self == .veth;
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
        if (errno != .SUCCESS or isLast or operation.makesLink()) {
            refusal.* = netlink.transact(socket, &built);
            // A bridge is several messages, and alone.
            if (refusal.errno != .SUCCESS) done.* += if (operation == .bridge) 0 else refusal.message -| 1;
            if (refusal.errno != .SUCCESS) return;
            done.* += if (operation == .bridge) 1 else built.count;
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
        .veth => |veth| veth.bridge,
        inline else => |each| each.name,
    };
    const index = link.indexOf(socket, name);
    if (index < 0) return @enumFromInt(-index);
    switch (operation) {
        .bridge => unreachable,
        .veth => |veth| try link.addVeth(built, veth.link, index, other),
        .port => |port| {
            const master = link.indexOf(socket, port.bridge);
            if (master < 0) return @enumFromInt(-master);
            try link.addPort(built, index, master);
        },
        .unnumbered => try link.leaveUnnumbered(built, index),
        .up => try link.setUp(built, index),
        .address => |each| {
            try link.addAddress(built, index, each.address);
        },
        .gateway => |each| try link.addDefaultRoute(built, index, each.address),
        .remove => try link.remove(built, index),
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

/// Bytes of it in `into`, or -errno.
pub fn tableComment(family: u8, name: []const u8, into: []u8) i32 {
    var arena_state: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena_state.deinit();
    return nftables.commentOf(arena_state.allocator(), family, name, into) catch |err| failed(err);
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

fn failed(err: message.Error) i32 {
    return answer.code(if (err == error.OutOfMemory) .NOMEM else .MSGSIZE);
}
