//! The same over TCP (RFC 7766): questions come one after the other with their lengths before them, and so do the answers. What is
//! not ours to answer goes over TCP as well, and what a server says is handed on as it comes, in small pieces: memory does not
//! depend on how long that is. Nobody is waited for: of a client that does not read the connection ends.
const std = @import("std");
const linux = std.os.linux;
const accepting = @import("accept.zig");
const clock = @import("clock.zig");
const dns = @import("../linux/net/dns.zig");
const egress = @import("egress.zig");
const files = @import("names_files.zig");
const forward = @import("names_forward.zig");
const memory = @import("../linux/memory.zig");
const sockets_ = @import("names_sockets.zig");

pub const connections_max = 16;
const length_bytes = 2;
const in_bytes = length_bytes + forward.query_bytes_max;
/// More than a header and the longest question.
const out_bytes = 1024;
/// For a client that says nothing.
const idle_ms = 10_000;
/// Of one connection at once.
const steps_max = 64;

const edges = linux.EPOLL.IN | linux.EPOLL.OUT | linux.EPOLL.RDHUP | linux.EPOLL.ET;

/// One of zeros is free.
const Connection = struct {
    open: bool,
    client: i32,
    /// -1: none is asked.
    server: i32,
    turn: u8,
    id: u16,
    due_ms: u64,
    /// The question, and maybe the beginning of the next.
    in: [in_bytes]u8,
    have: usize,
    /// The server has the question; the client gets the answer.
    asked: bool,
    judged: bool,
    /// For the client.
    out: [out_bytes]u8,
    sent: usize,
    filled: usize,
    /// Bytes of the server's answer that are still to come.
    left: usize,
    /// It has more to do, and others had their turn first.
    again: bool,

    fn question(self: *Connection) linksection(memory.serving) ?[]u8 {
        if (self.have < length_bytes) return null;
        const length = std.mem.readInt(u16, self.in[0..length_bytes], .big);
        return if (self.have - length_bytes < length) null else self.in[length_bytes..][0..length];
    }
};

var connections: [connections_max]Connection align(std.heap.page_size_min) = std.mem.zeroes([connections_max]Connection);

/// What becomes of what a client has sent.
pub const Decision = union(enum) { nothing, answer: []const u8, servers };

pub const Streams = struct {
    sockets: *sockets_.Sockets,
    files: *files.Files,
    count: usize = 0,
    tag: u64,
    /// What names.zig says of a question: an answer has its length before it.
    context: *anyopaque,
    answer: *const fn (context: *anyopaque, packet: []const u8) Decision,

    /// Somebody connects. Where there are too many the one that has waited longest goes.
    pub fn accept(self: *Streams) linksection(memory.serving) void {
        const fd = accepting.take(self.sockets.tcp, linux.SOCK.NONBLOCK) orelse return;
        // An answer of ours is taken at once.
        const room: i32 = 64 * 1024;
        _ = linux.setsockopt(fd, linux.SOL.SOCKET, linux.SO.SNDBUF, std.mem.asBytes(&room), @sizeOf(i32));
        const one = self.free();
        one.open = true;
        one.client = fd;
        one.server = -1;
        one.have = 0;
        one.sent = 0;
        one.filled = 0;
        one.left = 0;
        one.asked = false;
        one.again = false;
        one.due_ms = clock.monotonic_ms() + idle_ms;
        self.count += 1;
        if (!self.sockets.watch(fd, edges, self.tag | numberOf(one))) self.drop(one);
    }

    fn free(self: *Streams) linksection(memory.serving) *Connection {
        var oldest: *Connection = &connections[0];
        for (&connections) |*each| {
            if (!each.open) return each;
            if (each.due_ms < oldest.due_ms) oldest = each;
        }
        self.drop(oldest);
        return oldest;
    }

    fn numberOf(one: *const Connection) linksection(memory.serving) u64 {
        return (@intFromPtr(one) - @intFromPtr(&connections)) / @sizeOf(Connection);
    }

    fn drop(self: *Streams, one: *Connection) linksection(memory.serving) void {
        hangUp(one);
        _ = linux.close(one.client);
        one.open = false;
        self.count -= 1;
    }

    fn hangUp(one: *Connection) linksection(memory.serving) void {
        if (one.server >= 0) _ = linux.close(one.server);
        one.server = -1;
    }

    pub fn receive(self: *Streams, number: usize) linksection(memory.serving) void {
        if (number >= connections_max) return;
        const one = &connections[number];
        if (one.open) self.work(one);
    }

    /// As far as it goes without waiting. What it stops at tells of itself when it goes on.
    fn work(self: *Streams, one: *Connection) linksection(memory.serving) void {
        one.again = false;
        for (0..steps_max) |_| {
            const more = if (one.server >= 0) self.relay(one) else self.listen(one);
            if (!one.open or !more) return;
        }
        one.again = true;
    }

    /// No question is on its way: take the next. False: it is not there yet.
    fn listen(self: *Streams, one: *Connection) linksection(memory.serving) bool {
        if (one.question()) |packet| {
            one.due_ms = clock.monotonic_ms() + idle_ms;
            switch (self.answer(self.context, packet)) {
                .nothing => self.drop(one),
                .answer => |answer| if (sendWhole(one.client, answer)) finish(one) else self.drop(one),
                .servers => {
                    one.turn = 0;
                    self.ask(one);
                },
            }
            return true;
        }
        if (one.have == one.in.len) {
            self.drop(one); // longer than any question
            return false;
        }
        const space = one.in[one.have..];
        const count = linux.recvfrom(one.client, space.ptr, space.len, linux.MSG.DONTWAIT, null, null);
        switch (linux.errno(count)) {
            .SUCCESS => if (count == 0) self.drop(one) else {
                one.have += count;
            },
            .INTR => {},
            .AGAIN => return false,
            else => self.drop(one),
        }
        return true;
    }

    /// It is answered.
    fn finish(one: *Connection) linksection(memory.serving) void {
        const taken = length_bytes + one.question().?.len;
        std.mem.copyForwards(u8, one.in[0 .. one.have - taken], one.in[taken..one.have]);
        one.have -= taken;
    }

    fn ask(self: *Streams, one: *Connection) linksection(memory.serving) void {
        hangUp(one);
        const config = self.files.settings();
        while (one.turn < forward.servers_max) : (one.turn += 1) {
            const server = config.server(one.turn) orelse break;
            one.id = forward.randomId() orelse break;
            one.server = self.sockets.connect(sockets_.stream, server, edges, self.tag | numberOf(one)) orelse continue;
            one.asked = false;
            one.judged = false;
            one.sent = 0;
            one.filled = 0;
            one.left = 0;
            one.due_ms = clock.monotonic_ms() + forward.share_ms(config);
            return;
        }
        self.fail(one);
    }

    fn next(self: *Streams, one: *Connection) linksection(memory.serving) void {
        // A part of an answer that has been handed on cannot be taken back.
        if (one.judged) return self.drop(one);
        one.turn += 1;
        self.ask(one);
    }

    fn fail(self: *Streams, one: *Connection) linksection(memory.serving) void {
        hangUp(one);
        const query = dns.parse(one.question().?) catch return self.drop(one);
        var buffer: [length_bytes + dns.datagram_bytes]u8 = undefined;
        var answer: dns.Answer = .begin(buffer[length_bytes..], &query, dns.datagram_bytes);
        answer.setCode(.failure);
        const length = answer.finish().len;
        std.mem.writeInt(u16, buffer[0..length_bytes], @intCast(length), .big);
        if (!sendWhole(one.client, buffer[0 .. length_bytes + length])) return self.drop(one);
        finish(one);
    }

    /// Between a server and the client. False: nothing moves.
    fn relay(self: *Streams, one: *Connection) linksection(memory.serving) bool {
        if (!one.asked) return self.send(one);
        if (one.judged and one.sent < one.filled) {
            const part = one.out[one.sent..one.filled];
            const count = linux.sendto(one.client, part.ptr, part.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
            switch (linux.errno(count)) {
                .SUCCESS => one.sent += count,
                .INTR => {},
                .AGAIN => return false,
                else => self.drop(one),
            }
            return true;
        }
        if (one.judged) {
            one.sent = 0;
            one.filled = 0;
            if (one.left == 0) {
                hangUp(one);
                finish(one);
                return true;
            }
        }
        return self.read(one);
    }

    /// The question, once the server is there.
    fn send(self: *Streams, one: *Connection) linksection(memory.serving) bool {
        const packet = one.question().?;
        var bytes: [in_bytes]u8 = undefined;
        const whole = bytes[0 .. length_bytes + packet.len];
        @memcpy(whole, one.in[0..whole.len]);
        std.mem.writeInt(u16, whole[length_bytes..][0..2], one.id, .big);
        const count = linux.sendto(one.server, whole.ptr, whole.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
        switch (linux.errno(count)) {
            .SUCCESS => if (count == whole.len) {
                one.asked = true;
            } else self.next(one),
            .INTR => {},
            .AGAIN => return false, // it is not there yet
            else => self.next(one),
        }
        return true;
    }

    fn read(self: *Streams, one: *Connection) linksection(memory.serving) bool {
        const room = one.out[one.filled..];
        const space = if (one.judged) room[0..@min(room.len, one.left)] else room;
        const count = linux.recvfrom(one.server, space.ptr, space.len, linux.MSG.DONTWAIT, null, null);
        switch (linux.errno(count)) {
            .SUCCESS => if (count == 0) self.next(one) else {
                one.filled += count;
                one.due_ms = @max(one.due_ms, if (one.judged) clock.monotonic_ms() + forward.patience_ms else 0);
                if (one.judged) one.left -= count else self.judge(one);
            },
            .INTR => {},
            .AGAIN => return false,
            else => self.next(one),
        }
        return true;
    }

    /// Once the question is there again it is known whether this is the answer to it.
    fn judge(self: *Streams, one: *Connection) linksection(memory.serving) void {
        if (one.filled < length_bytes) return;
        const length = std.mem.readInt(u16, one.out[0..length_bytes], .big);
        const whole = length_bytes + @as(usize, length);
        const packet = one.out[length_bytes..@min(one.filled, whole)];
        const asked = one.question().?;
        const query = dns.parse(asked) catch return self.drop(one);
        switch (dns.judge(packet, one.id, query.question)) {
            .short => if (one.filled >= whole or one.filled == one.out.len) self.next(one),
            .foreign, .failed => self.next(one),
            .answers => {
                if (one.filled >= whole and !dns.isWhole(packet)) return self.next(one);
                const config = self.files.settings();
                if (config.isRestrained()) {
                    // What it leads to is reached before any of it is known; what is longer than that is none.
                    if (one.filled < whole) return if (whole > one.out.len) self.next(one);
                    if (!egress.learn(config.text, query.name.plain(), query.question, packet)) return self.fail(one);
                }
                one.judged = true;
                // What comes after it nobody has asked for.
                one.filled = @min(one.filled, whole);
                one.left = whole - one.filled;
                one.out[length_bytes..][0..2].* = asked[0..2].*;
            },
        }
    }

    pub fn tend(self: *Streams, now_ms: u64) linksection(memory.serving) void {
        if (self.count == 0) return;
        for (&connections) |*one| {
            if (one.open and one.again) self.work(one);
            if (!one.open or now_ms < one.due_ms) continue;
            if (one.server < 0) self.drop(one) else {
                self.next(one);
                if (one.open) self.work(one);
            }
        }
    }

    pub fn due(self: *const Streams) linksection(memory.serving) ?u64 {
        if (self.count == 0) return null;
        var least: ?u64 = null;
        for (&connections) |*one| if (one.open) {
            const at = if (one.again) 0 else one.due_ms;
            least = @min(least orelse at, at);
        };
        return least;
    }

    pub fn end(self: *Streams) linksection(memory.serving) void {
        if (self.count > 0) for (&connections) |*one| if (one.open) self.drop(one);
        release();
    }

    /// While there is none.
    pub fn release() linksection(memory.serving) void {
        const bytes = std.mem.alignBackward(usize, @sizeOf(@TypeOf(connections)), std.heap.page_size_min);
        _ = linux.madvise(@ptrCast(&connections), bytes, linux.MADV.DONTNEED);
    }
};

fn sendWhole(fd: i32, bytes: []const u8) linksection(memory.serving) bool {
    const count = linux.sendto(fd, bytes.ptr, bytes.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
    return linux.errno(count) == .SUCCESS and count == bytes.len;
}
