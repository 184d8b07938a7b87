//! Names: 127.0.0.11 inside the container's own network namespace. Our sockets have ports there that nobody else has, as one bound to
//! 127.0.0.11:53 would take questions away from a program that has 0.0.0.0:53; a rule of that namespace leads port 53 to them. Where
//! the kernel cannot do that they are bound to it after all. Whoever takes the rule away, in there, has no names.
//!
//!   program in the container          monitor                                          servers
//!     | -- web? --------------------> |  state/resolver, networks/<id>: read when they    |
//!     |                               |  are others than at the last question             |
//!     | <- 172.18.0.2 --------------- |                                                   |
//!     | -- example.com? ------------> | -- example.com? (names_forward.zig) ------------> |
//!     | <- 192.0.2.7 ---------------- | <- 192.0.2.7 ------------------------------------ |
//!     | == the same over TCP =======> |  (names_streams.zig)                              |
//!
//! What is ours to answer:
//!
//!   A, AAAA    of a name, an alias, a short id, a hostname in a network of the container's, or of one of these and ".network"; all who
//!              have it, in any order; none where nobody who has it has such an address
//!   PTR        of an address there: name.network
//!   others     of such a name: none
//!
//! All else is for the servers. Nothing that comes in is believed, and none of it is waited for: there are so many questions on
//! their way and so many connections, and what is beyond them is refused. While nobody asks nothing is done.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");
const dns = @import("../linux/net/dns.zig");
const egress = @import("egress.zig");
const files_ = @import("names_files.zig");
const forward_ = @import("names_forward.zig");
const memory = @import("../linux/memory.zig");
const sockets_ = @import("names_sockets.zig");
const streams_ = @import("names_streams.zig");

/// A name that is dead must not live on in somebody's cache.
const ttl_s = 1;

/// Datagrams, and things that happen, at one time: then it is somebody else's turn.
const batch = 32;
/// So long after a question what was read for it is let go, unless somebody waits still; also of our own code, which is read again
/// where it is used.
const rest_ms = 250;

const length_bytes = 2;
/// As much as all addresses of IPv6 take.
const answer_bytes_max = 32 * 1024;

/// Tags of what epoll tells: which part, and its number there.
const Part = enum(u32) { questions, visitors, flights, connections };

fn tagOf(part: Part) u64 {
    return @as(u64, @intFromEnum(part)) << 32;
}

var scratch: [dns.message_bytes_max]u8 align(std.heap.page_size_min) = undefined;
var answers: [length_bytes + answer_bytes_max]u8 align(std.heap.page_size_min) = undefined;
var addresses: files_.Addresses align(std.heap.page_size_min) = undefined;

pub const Names = struct {
    sockets: sockets_.Sockets,
    files: files_.Files,
    forward: forward_.Forward,
    streams: streams_.Streams,
    random: std.Random.Xoshiro256,
    /// There are things to let go then.
    rest_at: ?u64,

    /// In place. `state`, `networks`: directories (names_files.zig); `pid`: a child of ours in its network namespace.
    pub fn begin(self: *Names, state: i32, networks: i32, pid: i32) ?sockets_.Sockets.Refusal {
        self.sockets = .{};
        self.files = .{ .state = state, .networks = networks };
        self.forward = .{ .sockets = &self.sockets, .files = &self.files, .scratch = &scratch, .tag = tagOf(.flights) };
        self.streams = .{
            .sockets = &self.sockets,
            .files = &self.files,
            .tag = tagOf(.connections),
            .context = self,
            .answer = &answerStream,
        };
        self.rest_at = null;
        var seed: [8]u8 = @splat(0);
        _ = linux.getrandom(&seed, seed.len, 0);
        self.random = .init(std.mem.readInt(u64, &seed, .little));
        if (self.sockets.open(pid)) |refusal| {
            self.sockets.close();
            return refusal;
        }
        const watched = self.sockets.watch(self.sockets.udp, linux.EPOLL.IN, tagOf(.questions)) and
            self.sockets.watch(self.sockets.tcp, linux.EPOLL.IN, tagOf(.visitors));
        if (watched) return null;
        self.sockets.close();
        return .{ .what = "epoll_ctl", .errno = .NOMEM };
    }

    /// What poll(2) is to look at; -1: nobody can ask.
    pub fn descriptor(self: *const Names) linksection(memory.serving) i32 {
        return self.sockets.epoll;
    }

    /// Milliseconds until something is due; -1: nothing is.
    pub fn patience(self: *const Names) linksection(memory.serving) i32 {
        var due = self.rest_at;
        for ([_]?u64{ self.forward.due(), self.streams.due() }) |each| if (each) |at| {
            due = @min(due orelse at, at);
        };
        const left = (due orelse return -1) -| clock.monotonic_ms();
        return std.math.cast(i32, left) orelse std.math.maxInt(i32);
    }

    /// `ready`: what poll(2) said of the descriptor.
    pub fn tend(self: *Names, ready: bool) linksection(memory.serving) void {
        if (self.sockets.epoll < 0) return;
        if (ready) self.work();
        if (!ready and self.rest_at == null) return;
        const now_ms = clock.monotonic_ms();
        if (ready and self.rest_at == null) self.rest_at = now_ms + rest_ms;
        self.forward.tend(now_ms);
        self.streams.tend(now_ms);
        if (self.rest_at) |at| if (now_ms >= at) self.rest(now_ms);
    }

    fn work(self: *Names) linksection(memory.serving) void {
        var events: [batch]linux.epoll_event = undefined;
        const count = linux.epoll_wait(self.sockets.epoll, &events, events.len, 0);
        if (linux.errno(count) != .SUCCESS) return;
        for (events[0..count]) |*event| {
            const number: usize = @as(u32, @truncate(event.data.u64));
            switch (@as(Part, @enumFromInt(event.data.u64 >> 32))) {
                .questions => for (0..batch) |_| if (!self.receive()) break,
                .visitors => self.streams.accept(),
                .flights => self.forward.receive(number),
                .connections => self.streams.receive(number),
            }
        }
    }

    /// One question. False: there is none.
    fn receive(self: *Names) linksection(memory.serving) bool {
        var client: linux.sockaddr.in = undefined;
        var size: linux.socklen_t = @sizeOf(linux.sockaddr.in);
        const flags = linux.MSG.DONTWAIT;
        const length = linux.recvfrom(self.sockets.udp, &scratch, scratch.len, flags, @ptrCast(&client), &size);
        if (linux.errno(length) != .SUCCESS) return linux.errno(length) == .INTR;
        if (size != @sizeOf(linux.sockaddr.in)) return true;
        const packet = scratch[0..length];
        const answer = switch (self.decide(packet, false)) {
            .nothing => return true,
            .answer => |answer| answer,
            .servers => if (self.forward.begin(packet, &client)) return true else self.fail(packet) orelse return true,
        };
        const to: *const linux.sockaddr = @ptrCast(&client);
        _ = linux.sendto(self.sockets.udp, answer.ptr, answer.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, to, size);
        return true;
    }

    fn answerStream(context: *anyopaque, packet: []const u8) linksection(memory.serving) streams_.Decision {
        const self: *Names = @ptrCast(@alignCast(context));
        const decision = self.decide(packet, true);
        if (decision != .answer) return decision;
        const length = decision.answer.len;
        std.mem.writeInt(u16, answers[0..length_bytes], @intCast(length), .big);
        return .{ .answer = answers[0 .. length_bytes + length] };
    }

    /// What is said to `packet`, in `answers`, with room for its length before it.
    pub fn decide(self: *Names, packet: []const u8, stream: bool) linksection(memory.serving) streams_.Decision {
        const space = answers[length_bytes..];
        const query = dns.parse(packet) catch |err| {
            if (err == error.Nobody) return .nothing;
            const code: dns.Code = if (err == error.Unknown) .unknown else .malformed;
            return .{ .answer = dns.refuse(space[0..dns.header_bytes], packet, code) };
        };
        const limit = if (stream) space.len else @min(query.limit(), space.len);
        var answer: dns.Answer = .begin(space, &query, limit);
        if (query.edns) |edns| if (edns.version != 0) return .{ .answer = answer.finish() };
        const config = self.files.settings();
        if (query.class == dns.class_in and !query.name.is_odd) {
            if (self.local(config, &query, &answer)) return .{ .answer = answer.finish() };
        }
        const dotless = std.mem.indexOfScalar(u8, query.name.slice(), '.') == null;
        if (dotless and (query.kind == .a or query.kind == .aaaa) and config.keepsDotless())
            return .{ .answer = answer.finish() };
        if (config.isRestrained() and !egress.mayAsk(config.text, query.name.plain())) {
            answer.setCode(.no_name);
            return .{ .answer = answer.finish() };
        }
        if (config.server(0) != null) return .servers;
        answer.setCode(.failure);
        return .{ .answer = answer.finish() };
    }

    /// False: it is not ours.
    fn local(self: *Names, config: files_.Settings, query: *const dns.Query, answer: *dns.Answer) linksection(memory.serving) bool {
        const name = query.name.slice();
        if (query.kind == .ptr) {
            var bytes: [16]u8 = undefined;
            if (dns.reversed(name, &bytes)) |address| return self.reverse(config, address, answer);
        }
        addresses.reset(switch (query.kind) {
            .a => 4,
            .aaaa => 16,
            else => 0,
        });
        if (!self.files.find(config, name, &addresses)) return false;
        const all = addresses.all[0..addresses.count];
        self.random.random().shuffle([16]u8, all);
        for (0..all.len) |number| if (!answer.add(query.kind, ttl_s, addresses.of(number))) break;
        return true;
    }

    fn reverse(self: *Names, config: files_.Settings, address: []const u8, answer: *dns.Answer) linksection(memory.serving) bool {
        var text: [512]u8 = undefined;
        var encoded: [255]u8 = undefined;
        const name = self.files.nameOf(config, address, &text) orelse return false;
        _ = answer.add(.ptr, ttl_s, dns.encode(&encoded, name) orelse return false);
        return true;
    }

    /// Too many are on their way.
    fn fail(_: *Names, packet: []const u8) linksection(memory.serving) ?[]const u8 {
        const query = dns.parse(packet) catch return null;
        var answer: dns.Answer = .begin(answers[length_bytes..], &query, dns.datagram_bytes);
        answer.setCode(.failure);
        return answer.finish();
    }

    fn rest(self: *Names, now_ms: u64) linksection(memory.serving) void {
        const quiet = self.forward.count == 0 and self.streams.count == 0;
        self.rest_at = if (quiet) null else now_ms + rest_ms;
        if (self.forward.count == 0) forward_.Forward.release();
        if (self.streams.count == 0) streams_.Streams.release();
        if (quiet) self.files.forget();
        forget(&scratch);
        forget(&answers);
        forget(egress.Memory.bytes());
        forget(std.mem.asBytes(&addresses));
        memory.releaseStack();
        memory.releaseProgram();
    }

    /// The program has ended.
    pub fn end(self: *Names) void {
        if (self.sockets.epoll < 0) return;
        self.forward.end();
        self.streams.end();
        self.sockets.close();
        self.rest_at = null;
    }
};

fn forget(bytes: []align(std.heap.page_size_min) u8) linksection(memory.serving) void {
    const whole = std.mem.alignBackward(usize, bytes.len, std.heap.page_size_min);
    if (whole > 0) _ = linux.madvise(bytes.ptr, whole, linux.MADV.DONTNEED);
}

test {
    _ = dns;
    _ = egress;
    _ = files_;
}
