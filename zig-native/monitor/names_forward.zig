//! Questions that are not ours to answer, in datagrams: each goes to a server from a socket of its own, whose port nobody can guess,
//! under an id that nobody can guess; the kernel takes nothing there but what that server sends.
//!
//!   container              monitor                     server 1        server 2        server 3
//!     | -- id 7, question -> | -- id random, question --> |
//!     |                      |         its share of 4 s, or SERVFAIL, or REFUSED, or nobody there
//!     |                      | -- id random, question ------------------> |
//!     |  <- id 7, answer --- |  <- answer ------------------------------- |
//!     |  <- SERVFAIL -------- |         after the last
//!
//! What is no answer to the question, and what cannot be read to its end, is as if nothing had come.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");
const dns = @import("../linux/net/dns.zig");
const egress = @import("egress.zig");
const files = @import("names_files.zig");
const memory = @import("../linux/memory.zig");
const sockets_ = @import("names_sockets.zig");

pub const flights_max = 64;
/// All servers together have it: a client asks again, or gives up, after five seconds.
pub const patience_ms = 4000;
pub const servers_max = 3;
/// A name has 255 bytes at most, and what else there is in a question is short.
pub const query_bytes_max = 512;

/// What comes of one server at once: the rest waits for its turn.
const reads_max = 8;

pub const Server = files.Server;

/// A question on its way. One of zeros is free.
const Flight = struct {
    flying: bool,
    socket: i32,
    /// Which server is asked.
    server: u8,
    id: u16,
    due_ms: u64,
    client: linux.sockaddr.in,
    length: u16,
    query: [query_bytes_max]u8,
};

var flights: [flights_max]Flight align(std.heap.page_size_min) = std.mem.zeroes([flights_max]Flight);

pub const Forward = struct {
    sockets: *sockets_.Sockets,
    files: *files.Files,
    /// Where answers are read.
    scratch: []u8,
    count: usize = 0,
    /// Of the tags that epoll tells.
    tag: u64,

    /// False: so many are on their way already. `query` can be parsed.
    pub fn begin(self: *Forward, query: []const u8, client: *const linux.sockaddr.in) linksection(memory.serving) bool {
        if (query.len > query_bytes_max) return false;
        const flight = for (&flights) |*each| {
            if (!each.flying) break each;
        } else return false;
        flight.flying = true;
        flight.socket = -1;
        flight.server = 0;
        flight.client = client.*;
        flight.length = @intCast(query.len);
        @memcpy(flight.query[0..query.len], query);
        self.count += 1;
        self.ask(flight);
        return true;
    }

    /// The server whose turn it is, or the next that can be asked at all.
    fn ask(self: *Forward, flight: *Flight) linksection(memory.serving) void {
        const config = self.files.settings();
        while (flight.server < servers_max) : (flight.server += 1) {
            const server = config.server(flight.server) orelse break;
            flight.id = randomId() orelse break;
            const number = (@intFromPtr(flight) - @intFromPtr(&flights)) / @sizeOf(Flight);
            const fd = self.sockets.connect(sockets_.datagram, server, linux.EPOLL.IN, self.tag | number) orelse continue;
            var packet: [query_bytes_max]u8 = undefined;
            const bytes = packet[0..flight.length];
            @memcpy(bytes, flight.query[0..flight.length]);
            std.mem.writeInt(u16, bytes[0..2], flight.id, .big);
            const sent = linux.sendto(fd, bytes.ptr, bytes.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
            if (linux.errno(sent) != .SUCCESS) {
                _ = linux.close(fd);
                continue;
            }
            flight.socket = fd;
            flight.due_ms = clock.monotonic_ms() + share_ms(config);
            return;
        }
        self.fail(flight);
    }

    fn next(self: *Forward, flight: *Flight) linksection(memory.serving) void {
        hangUp(flight);
        flight.server += 1;
        self.ask(flight);
    }

    /// Something has come for flight `number`.
    pub fn receive(self: *Forward, number: usize) linksection(memory.serving) void {
        if (number >= flights_max) return;
        const flight = &flights[number];
        for (0..reads_max) |_| {
            if (!flight.flying or flight.socket < 0) return;
            const length = linux.recvfrom(flight.socket, self.scratch.ptr, self.scratch.len, linux.MSG.DONTWAIT, null, null);
            switch (linux.errno(length)) {
                .SUCCESS => self.take(flight, self.scratch[0..length]),
                .INTR => {},
                .AGAIN => return,
                else => return self.next(flight), // nobody is there
            }
        }
    }

    fn take(self: *Forward, flight: *Flight, packet: []u8) linksection(memory.serving) void {
        const query = dns.parse(flight.query[0..flight.length]) catch return self.fail(flight);
        switch (dns.judge(packet, flight.id, query.question)) {
            .foreign, .short => return,
            .failed => return self.next(flight),
            .answers => {},
        }
        if (!dns.isWhole(packet)) return;
        // What it leads to is reached before it is known.
        const config = self.files.settings();
        if (config.isRestrained() and !egress.learn(config.text, query.name.plain(), query.question, packet)) return self.fail(flight);
        packet[0..2].* = query.header[0..2].*;
        const length = if (packet.len > query.limit()) dns.cut(packet) else packet.len;
        self.reply(flight, packet[0..length]);
    }

    fn fail(self: *Forward, flight: *Flight) linksection(memory.serving) void {
        const query = dns.parse(flight.query[0..flight.length]) catch unreachable; // it was when it came
        var buffer: [dns.datagram_bytes]u8 = undefined;
        var answer: dns.Answer = .begin(&buffer, &query, buffer.len);
        answer.setCode(.failure);
        self.reply(flight, answer.finish());
    }

    fn reply(self: *Forward, flight: *Flight, bytes: []const u8) linksection(memory.serving) void {
        const to = &flight.client;
        const flags = linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL;
        _ = linux.sendto(self.sockets.udp, bytes.ptr, bytes.len, flags, @ptrCast(to), @sizeOf(linux.sockaddr.in));
        hangUp(flight);
        flight.flying = false;
        self.count -= 1;
    }

    fn hangUp(flight: *Flight) linksection(memory.serving) void {
        if (flight.socket >= 0) _ = linux.close(flight.socket);
        flight.socket = -1;
    }

    /// Those whose server has said nothing for too long.
    pub fn tend(self: *Forward, now_ms: u64) linksection(memory.serving) void {
        if (self.count == 0) return;
        for (&flights) |*flight| if (flight.flying and now_ms >= flight.due_ms) self.next(flight);
    }

    /// When there is something to tend.
    pub fn due(self: *const Forward) linksection(memory.serving) ?u64 {
        if (self.count == 0) return null;
        var least: ?u64 = null;
        for (&flights) |*flight| if (flight.flying) {
            least = @min(least orelse flight.due_ms, flight.due_ms);
        };
        return least;
    }

    pub fn end(self: *Forward) linksection(memory.serving) void {
        if (self.count > 0) for (&flights) |*flight| if (flight.flying) {
            hangUp(flight);
            flight.flying = false;
        };
        self.count = 0;
        release();
    }

    /// While none flies.
    pub fn release() linksection(memory.serving) void {
        const bytes = std.mem.alignBackward(usize, @sizeOf(@TypeOf(flights)), std.heap.page_size_min);
        _ = linux.madvise(@ptrCast(&flights), bytes, linux.MADV.DONTNEED);
    }
};

/// How long one of the servers may say nothing.
pub fn share_ms(config: files.Settings) linksection(memory.serving) u64 {
    var count: u64 = 1;
    while (count < servers_max and config.server(count) != null) count += 1;
    return patience_ms / count;
}

pub fn randomId() linksection(memory.serving) ?u16 {
    var bytes: [2]u8 = undefined;
    if (linux.getrandom(&bytes, bytes.len, 0) != bytes.len) return null;
    return std.mem.readInt(u16, &bytes, .big);
}
