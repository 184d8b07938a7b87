//! Netlink sockets (netlink(7)). Several messages go in one datagram; the kernel does them one by one and has answered when the
//! datagram is sent:
//!
//!   an error for each message that failed, in whatever order    ok for the last one, the only one that asks for it
//!
//! so what is read ends with the answer to the last. After a failure the rest is done all the same (but for nftables, where a
//! batch is done as a whole): whoever asks looks for the first failure.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../answer.zig");
const message = @import("message.zig");
const namespace = @import("namespace.zig");

pub const route: u32 = 0;
pub const netfilter: u32 = 12;

const sol_netlink = 270;
const cap_ack = 10;
const ext_ack = 11;
const so_sndbufforce = 32;
/// What a socket takes in one datagram unless it is told otherwise.
const send_buffer = 200 * 1024;

const nlmsg_error = 2;
const nlmsg_done = 3;
const flag_capped = 0x100;
const flag_texts = 0x200;
const nlmsgerr_attr_msg = 1;

/// Which message failed, and the kernel's own words about it; empty where it has none.
pub const Refusal = struct {
    /// From 1; 0 where it was none of them: the socket itself.
    message: u32 = 0,
    errno: linux.E = .SUCCESS,
    buffer: [256]u8 = undefined,
    length: usize = 0,

    pub fn text(self: *const Refusal) []const u8 {
        return self.buffer[0..self.length];
    }

    fn say(self: *Refusal, words: []const u8) void {
        self.length = @min(words.len, self.buffer.len);
        @memcpy(self.buffer[0..self.length], words[0..self.length]);
    }
};

/// The network namespace in which an ordinary user's networks are, in the place of the host's: a descriptor, or -1. Of one thread.
pub var world: i32 = -1;
/// Of this process, where there is such a one.
pub var home: i32 = -1;

/// A socket of the host's network namespace, or of what stands for that; or -errno.
pub fn open(protocol: u32) i32 {
    if (world < 0) return openHere(protocol);
    var birth: Birth = .{ .protocol = protocol };
    const errno = namespace.within(home, world, &birth, Birth.give);
    return if (errno == .SUCCESS) birth.socket else -@as(i32, @intFromEnum(errno));
}

const Birth = struct {
    protocol: u32,
    socket: i32 = -1,

    fn give(self: *Birth) void {
        self.socket = openHere(self.protocol);
    }
};

/// A socket of this thread's network namespace, or -errno.
pub fn openHere(protocol: u32) i32 {
    const socket = linux.socket(linux.AF.NETLINK, linux.SOCK.RAW | linux.SOCK.CLOEXEC, protocol);
    if (linux.errno(socket) != .SUCCESS) return answer.of(socket);
    const fd: i32 = @intCast(socket);
    const on = std.mem.asBytes(&@as(i32, 1));
    // Where the kernel does not know one of them, answers are longer, or without words.
    _ = linux.setsockopt(fd, sol_netlink, cap_ack, on, on.len);
    _ = linux.setsockopt(fd, sol_netlink, ext_ack, on, on.len);
    return fd;
}

/// Close a socket of netfilter without waiting. close(2) of one waits until the kernel has freed what anybody has had deleted in
/// nftables: a grace period of RCU, 2 to 70 ms. So the socket is put on its way from one unix socket to another that is on the
/// same way: nobody can ever take it out, and the kernel's collector of such sockets closes it, in a thread of its own.
pub fn closeLater(socket: i32) void {
    // Our own descriptors go in this order: the socket's must not be the last.
    var pair: [2]i32 = .{ -1, -1 };
    const made = linux.socketpair(linux.AF.UNIX, linux.SOCK.STREAM | linux.SOCK.CLOEXEC, 0, &pair);
    defer for ([_]i32{ socket, pair[0], pair[1] }) |each| {
        if (each >= 0) _ = linux.close(each);
    };
    if (linux.errno(made) == .SUCCESS) {
        const Rights = extern struct { length: usize, level: i32, kind: i32, descriptors: [2]i32 };
        const scm_rights = 1;
        var rights: Rights = .{
            .length = @sizeOf(Rights),
            .level = linux.SOL.SOCKET,
            .kind = scm_rights,
            .descriptors = .{ socket, pair[1] },
        };
        const byte: std.posix.iovec_const = .{ .base = "x", .len = 1 };
        const header: linux.msghdr_const = .{
            .name = null,
            .namelen = 0,
            .iov = @ptrCast(&byte),
            .iovlen = 1,
            .control = &rights,
            .controllen = @sizeOf(Rights),
            .flags = 0,
        };
        // Where that is refused, close waits.
        _ = linux.sendmsg(pair[0], &header, linux.MSG.NOSIGNAL);
    }
}

/// Send what was built, and read the answers. What failed first is told.
pub fn transact(socket: i32, built: *message.Builder) Refusal {
    var refusal: Refusal = .{};
    if (built.count == 0) return refusal;
    built.wantAnswer();
    send(socket, built, &refusal);
    if (refusal.errno == .SUCCESS) readAnswers(socket, built.count, &refusal);
    return refusal;
}

/// One datagram. Whoever calls this has said which message asks for its answer, and reads that.
pub fn send(socket: i32, built: *message.Builder, refusal: *Refusal) void {
    const bytes = built.bytes.items;
    if (bytes.len > send_buffer) {
        const wanted: i32 = @intCast(@min(2 * bytes.len, std.math.maxInt(i32)));
        _ = linux.setsockopt(socket, linux.SOL.SOCKET, so_sndbufforce, std.mem.asBytes(&wanted), @sizeOf(i32));
    }
    const kernel: linux.sockaddr.nl = .{ .pid = 0, .groups = 0 };
    const sent = linux.sendto(socket, bytes.ptr, bytes.len, 0, @ptrCast(&kernel), @sizeOf(linux.sockaddr.nl));
    if (linux.errno(sent) != .SUCCESS) {
        refusal.errno = linux.errno(sent);
    } else if (sent != bytes.len) {
        refusal.errno = .MSGSIZE;
    }
}

/// Until the answer to message `last`. An error for the first one counts for all in a batch of nftables, and may be the only one.
pub fn readAnswers(socket: i32, last: u32, refusal: *Refusal) void {
    var buffer: [16 * 1024]u8 align(4) = undefined;
    while (true) {
        var reader: message.Reader = .{ .bytes = receive(socket, &buffer, refusal) orelse return };
        while (reader.next()) |each| {
            if (each.kind != nlmsg_error or each.body.len < 4) continue;
            const code = std.mem.readInt(i32, each.body[0..4], .native);
            if (code != 0) note(refusal, each, code);
            if (each.sequence == last) return;
        }
    }
}

/// A message from the kernel itself: all is answered by the time that the datagram is sent, so nothing is waited for.
fn receive(socket: i32, buffer: []u8, refusal: *Refusal) ?[]const u8 {
    while (true) {
        var sender: linux.sockaddr.nl = .{ .pid = 0, .groups = 0 };
        var size: linux.socklen_t = @sizeOf(linux.sockaddr.nl);
        const flags = linux.MSG.DONTWAIT | linux.MSG.TRUNC;
        const length = linux.recvfrom(socket, buffer.ptr, buffer.len, flags, @ptrCast(&sender), &size);
        switch (linux.errno(length)) {
            .SUCCESS => {},
            .INTR => continue,
            // The first failure tells more than that no answer follows.
            .AGAIN => {
                if (refusal.errno == .SUCCESS) refusal.errno = .PROTO;
                return null;
            },
            else => |errno| {
                if (refusal.errno == .SUCCESS) refusal.errno = errno;
                return null;
            },
        }
        if (sender.pid != 0) continue;
        if (length > buffer.len) {
            refusal.errno = .MSGSIZE;
            return null;
        }
        return buffer[0..length];
    }
}

fn note(refusal: *Refusal, each: message.Received, code: i32) void {
    if (refusal.errno != .SUCCESS and refusal.message <= each.sequence) return;
    refusal.message = each.sequence;
    refusal.errno = if (code < 0 and code > -4096) @enumFromInt(-code) else .PROTO;
    refusal.length = 0;
    if (each.flags & flag_texts == 0 or each.body.len < 20) return;
    const original = std.mem.readInt(u32, each.body[4..8], .native);
    const at: usize = if (each.flags & flag_capped != 0) 20 else 4 + std.mem.alignForward(usize, @min(original, 1 << 20), 4);
    if (at > each.body.len) return;
    const words = message.find(each.body[at..], nlmsgerr_attr_msg) orelse return;
    refusal.say(std.mem.sliceTo(words, 0));
}

/// Ask for a list, and hand each of its messages of `kind` to `take`, which answers false when it has enough.
pub fn list(
    socket: i32,
    built: *message.Builder,
    kind: u16,
    context: anytype,
    take: fn (@TypeOf(context), []const u8) bool,
) linux.E {
    var refusal: Refusal = .{};
    send(socket, built, &refusal);
    var buffer: [32 * 1024]u8 align(4) = undefined;
    while (refusal.errno == .SUCCESS) {
        var reader: message.Reader = .{ .bytes = receive(socket, &buffer, &refusal) orelse break };
        while (reader.next()) |each| switch (each.kind) {
            nlmsg_done => return .SUCCESS,
            nlmsg_error => {
                if (each.body.len < 4) return .PROTO;
                const code = std.mem.readInt(i32, each.body[0..4], .native);
                return if (code < 0 and code > -4096) @enumFromInt(-code) else .SUCCESS;
            },
            else => if (each.kind == kind and !take(context, each.body)) return .SUCCESS,
        };
    }
    return refusal.errno;
}

test "the first failure is the one of the first message, with the kernel's words" {
    const body = [_]u8{ 0xf0, 0xff, 0xff, 0xff } ++ [_]u8{ 32, 0, 0, 0 } ++ @as([12]u8, @splat(0)) ++
        [_]u8{ 9, 0, 1, 0, 'b', 'u', 's', 'y', 0, 0, 0, 0 };
    var refusal: Refusal = .{};
    note(&refusal, .{ .kind = nlmsg_error, .flags = 0x300, .sequence = 3, .body = &body }, -16);
    try std.testing.expectEqual(linux.E.BUSY, refusal.errno);
    try std.testing.expectEqualStrings("busy", refusal.text());
    note(&refusal, .{ .kind = nlmsg_error, .flags = 0x100, .sequence = 4, .body = &body }, -17);
    try std.testing.expectEqual(3, refusal.message);
    note(&refusal, .{ .kind = nlmsg_error, .flags = 0x200, .sequence = 2, .body = &body }, -17);
    try std.testing.expectEqual(linux.E.EXIST, refusal.errno);
    try std.testing.expectEqualStrings("", refusal.text());
    note(&refusal, .{ .kind = nlmsg_error, .flags = 0x300, .sequence = 1, .body = body[0..4] }, std.math.minInt(i32));
    try std.testing.expectEqual(linux.E.PROTO, refusal.errno);
}
