//! Messages of the domain name system (RFC 1035, 6891), as they come from a container and from name servers. Nothing of them is
//! believed: each length is looked at before it is used, and a name that refers to another part of the message refers to one
//! before it, so that no chain of them has no end.
//!
//!   header 12   id 2, flags 2, how many questions, answers, authorities, additional records: 2 each
//!   question    name, type 2, class 2
//!   record      name, type 2, class 2, time to live 4, length 2, data
//!   name        labels (length 1, bytes) up to an empty one, or up to two bytes 11…… that say where it goes on
const std = @import("std");
const memory = @import("../memory.zig");

pub const header_bytes = 12;
pub const message_bytes_max = 65535;
/// What everybody takes in one datagram.
pub const datagram_bytes = 512;
/// What we take, where the other side asks.
pub const edns_bytes = 1232;

pub const Kind = enum(u16) { a = 1, ptr = 12, aaaa = 28, opt = 41, _ };
pub const class_in = 1;

pub const Code = enum(u4) { ok = 0, malformed = 1, failure = 2, no_name = 3, unknown = 4, refused = 5, _ };

const flag_response = 0x80;
const flag_authority = 0x04;
const flag_truncated = 0x02;
const flag_recursion = 0x01;
const flag_available = 0x80;
const operation_bits = 0x78;

const label_max = 63;
const name_bytes_max = 255;
const fixed_bytes = 10;
const edns_record_bytes = 11;
const edns_dnssec = 0x80;

/// A name as people write it, without the last dot, in small letters.
pub const Text = struct {
    buffer: [name_bytes_max - 2]u8 = undefined,
    length: usize = 0,
    /// A label of it has a dot, a blank, or what is no letter at all: it is nobody's here.
    is_odd: bool = false,

    pub fn slice(self: *const Text) linksection(memory.serving) []const u8 {
        return self.buffer[0..self.length];
    }

    /// "" of one that is odd.
    pub fn plain(self: *const Text) linksection(memory.serving) []const u8 {
        return if (self.is_odd) "" else self.slice();
    }

    fn add(self: *Text, label: []const u8) linksection(memory.serving) error{Malformed}!void {
        const dots: usize = @intFromBool(self.length > 0);
        if (self.length + dots + label.len > self.buffer.len) return error.Malformed;
        if (dots > 0) {
            self.buffer[self.length] = '.';
            self.length += 1;
        }
        for (label, self.buffer[self.length..][0..label.len]) |byte, *to| {
            to.* = std.ascii.toLower(byte);
            if (byte <= ' ' or byte >= 0x7f or byte == '.') self.is_odd = true;
        }
        self.length += label.len;
    }
};

/// What a client asks.
pub const Query = struct {
    name: Text,
    kind: Kind,
    class: u16,
    /// The whole question as it came.
    question: []const u8,
    /// The client speaks EDNS: what it takes in a datagram, and the first byte of its flags.
    edns: ?struct { bytes: u16, flags: u8, version: u8 },
    header: [4]u8,

    /// How long an answer in one datagram may be.
    pub fn limit(self: *const Query) linksection(memory.serving) usize {
        return if (self.edns) |edns| @max(edns.bytes, datagram_bytes) else datagram_bytes;
    }
};

/// `error.Nobody`: no answer is due. `error.Malformed`, `error.Unknown`: what the answer says.
pub fn parse(packet: []const u8) linksection(memory.serving) error{ Nobody, Malformed, Unknown }!Query {
    if (packet.len < header_bytes or packet[2] & flag_response != 0) return error.Nobody;
    if (packet[2] & operation_bits != 0) return error.Unknown;
    if (number(packet, 4) != 1) return error.Malformed;
    var query: Query = undefined;
    query.name = .{};
    query.edns = null;
    query.header = packet[0..4].*;
    const end = try readName(packet, header_bytes, &query.name);
    if (packet.len - end < 4) return error.Malformed;
    query.kind = @enumFromInt(number(packet, end));
    query.class = number(packet, end + 2);
    query.question = packet[header_bytes .. end + 4];
    var records: Records = .{ .packet = packet, .at = end + 4, .left = recordsOf(packet) };
    while (try records.next()) |record| if (record.kind == .opt) {
        query.edns = .{ .bytes = record.class, .flags = @truncate(record.ttl >> 8), .version = @truncate(record.ttl >> 16) };
    };
    return query;
}

/// Of a question: there is nothing before it that it could refer to.
fn readName(packet: []const u8, start: usize, into: *Text) linksection(memory.serving) error{Malformed}!usize {
    var at = start;
    while (true) {
        if (at >= packet.len) return error.Malformed;
        const length = packet[at];
        if (length > label_max or packet.len - at - 1 < length) return error.Malformed;
        at += 1;
        if (length == 0) return at;
        try into.add(packet[at..][0..length]);
        at += length;
    }
}

/// Where what follows the name at `start` begins.
fn skipName(packet: []const u8, start: usize) linksection(memory.serving) error{Malformed}!usize {
    var at = start;
    var after: ?usize = null;
    // The part that is read now begins here: whatever it refers to is before it.
    var part = start;
    var total: usize = 0;
    while (true) {
        if (at >= packet.len) return error.Malformed;
        const length: usize = packet[at];
        if (length & 0xc0 == 0xc0) {
            if (packet.len - at < 2) return error.Malformed;
            const to = (length & 0x3f) << 8 | packet[at + 1];
            if (to >= part or to < header_bytes) return error.Malformed;
            after = after orelse at + 2;
            part = to;
            at = to;
            continue;
        }
        if (length > label_max or packet.len - at - 1 < length) return error.Malformed;
        total += length + 1;
        if (total > name_bytes_max) return error.Malformed;
        at += 1 + length;
        if (length == 0) return after orelse at;
    }
}

pub const Record = struct { kind: Kind, class: u16, ttl: u32, data: []const u8 };

pub const Records = struct {
    packet: []const u8,
    at: usize,
    left: usize,

    pub fn next(self: *Records) linksection(memory.serving) error{Malformed}!?Record {
        if (self.left == 0) return null;
        self.left -= 1;
        const fixed = try skipName(self.packet, self.at);
        if (self.packet.len - fixed < fixed_bytes) return error.Malformed;
        const data = fixed + fixed_bytes;
        const length = number(self.packet, fixed + 8);
        if (self.packet.len - data < length) return error.Malformed;
        self.at = data + length;
        return .{
            .kind = @enumFromInt(number(self.packet, fixed)),
            .class = number(self.packet, fixed + 2),
            .ttl = std.mem.readInt(u32, self.packet[fixed + 4 ..][0..4], .big),
            .data = self.packet[data..self.at],
        };
    }
};

/// The records that answer, of a message that `judge` takes for an answer to this question; none where it left that out.
pub fn answersOf(packet: []const u8, question: []const u8) linksection(memory.serving) Records {
    const is_said = number(packet, 4) == 1;
    return .{ .packet = packet, .at = header_bytes + question.len, .left = if (is_said) number(packet, 6) else 0 };
}

fn recordsOf(packet: []const u8) linksection(memory.serving) usize {
    return @as(usize, number(packet, 6)) + number(packet, 8) + number(packet, 10);
}

fn number(packet: []const u8, at: usize) linksection(memory.serving) u16 {
    return std.mem.readInt(u16, packet[at..][0..2], .big);
}

/// What a server has said begins in this way. `packet` may be the front of a longer one.
pub const Verdict = enum { answers, failed, foreign, short };

/// Does `packet` answer this question, that was asked with this id? A server that cannot do anything with it may leave it out.
pub fn judge(packet: []const u8, id: u16, question: []const u8) linksection(memory.serving) Verdict {
    if (packet.len < header_bytes) return .short;
    if (number(packet, 0) != id or packet[2] & (flag_response | operation_bits) != flag_response) return .foreign;
    const code = codeOf(packet);
    const failed = code == .failure or code == .refused;
    const questions = number(packet, 4);
    if (questions == 0 and code != .ok and code != .no_name) return if (failed) .failed else .answers;
    if (questions != 1) return .foreign;
    if (packet.len < header_bytes + question.len) return .short;
    if (!std.ascii.eqlIgnoreCase(packet[header_bytes..][0..question.len], question)) return .foreign;
    return if (failed) .failed else .answers;
}

pub fn codeOf(packet: []const u8) linksection(memory.serving) Code {
    return @enumFromInt(packet[3] & 0xf);
}

/// Can all of it be read?
pub fn isWhole(packet: []const u8) linksection(memory.serving) bool {
    if (packet.len < header_bytes) return false;
    var at: usize = header_bytes;
    for (0..number(packet, 4)) |_| {
        at = skipName(packet, at) catch return false;
        if (packet.len - at < 4) return false;
        at += 4;
    }
    var records: Records = .{ .packet = packet, .at = at, .left = recordsOf(packet) };
    while (records.next() catch return false) |_| {}
    return true;
}

/// A message that is too long for whoever gets it: the question, and that there is more. How much of it is left.
pub fn cut(packet: []u8) linksection(memory.serving) usize {
    packet[2] |= flag_truncated;
    @memset(packet[6..header_bytes], 0);
    if (number(packet, 4) == 0) return header_bytes;
    const end = skipName(packet, header_bytes) catch return header_bytes;
    return @min(end + 4, packet.len);
}

/// An answer of ours, in `buffer`, which holds at least `limit` bytes: what does not fit is told to be missing.
pub const Answer = struct {
    buffer: []u8,
    length: usize,
    limit: usize,
    query: *const Query,

    /// `limit`: at least `datagram_bytes`.
    pub fn begin(buffer: []u8, query: *const Query, limit: usize) linksection(memory.serving) Answer {
        const end = header_bytes + query.question.len;
        @memset(buffer[0..header_bytes], 0);
        buffer[0..2].* = query.header[0..2].*;
        buffer[2] = flag_response | flag_authority | (query.header[2] & flag_recursion);
        buffer[3] = flag_available;
        buffer[5] = 1;
        @memcpy(buffer[header_bytes..end], query.question);
        const reserve: usize = if (query.edns != null) edns_record_bytes else 0;
        return .{ .buffer = buffer, .length = end, .limit = @min(limit, buffer.len) - reserve, .query = query };
    }

    pub fn setCode(self: *Answer, code: Code) linksection(memory.serving) void {
        self.buffer[3] = flag_available | @as(u8, @intFromEnum(code));
        if (code != .ok) self.buffer[2] &= ~@as(u8, flag_authority);
    }

    /// A record of the name that was asked for. False: there is no room.
    pub fn add(self: *Answer, kind: Kind, ttl: u32, data: []const u8) linksection(memory.serving) bool {
        const total = 2 + fixed_bytes + data.len;
        if (self.limit - self.length < total) {
            self.buffer[2] |= flag_truncated;
            return false;
        }
        const to = self.buffer[self.length..][0..total];
        to[0..2].* = .{ 0xc0, header_bytes };
        std.mem.writeInt(u16, to[2..4], @intFromEnum(kind), .big);
        std.mem.writeInt(u16, to[4..6], class_in, .big);
        std.mem.writeInt(u32, to[6..10], ttl, .big);
        std.mem.writeInt(u16, to[10..12], @intCast(data.len), .big);
        @memcpy(to[12..], data);
        self.length += total;
        const count = self.buffer[6..8];
        std.mem.writeInt(u16, count, std.mem.readInt(u16, count, .big) + 1, .big);
        return true;
    }

    pub fn finish(self: *Answer) linksection(memory.serving) []u8 {
        if (self.query.edns) |edns| {
            const to = self.buffer[self.length..][0..edns_record_bytes];
            @memset(to, 0);
            to[2] = @intFromEnum(Kind.opt);
            std.mem.writeInt(u16, to[3..5], edns_bytes, .big);
            // A version that is not ours: BADVERS, in the upper bits of the code.
            if (edns.version != 0) to[5] = 1;
            to[7] = edns.flags & edns_dnssec;
            self.buffer[11] = 1;
            self.length += edns_record_bytes;
        }
        return self.buffer[0..self.length];
    }
};

/// What is said of a message that is no question: 12 bytes.
pub fn refuse(buffer: *[header_bytes]u8, packet: []const u8, code: Code) linksection(memory.serving) []const u8 {
    @memset(buffer, 0);
    buffer[0..2].* = packet[0..2].*;
    buffer[2] = flag_response | (packet[2] & (operation_bits | flag_recursion));
    buffer[3] = flag_available | @as(u8, @intFromEnum(code));
    return buffer;
}

/// `name` as a message has it; null where it cannot be one.
pub fn encode(buffer: *[name_bytes_max]u8, name: []const u8) linksection(memory.serving) ?[]const u8 {
    if (name.len == 0 or name.len + 2 > buffer.len) return null;
    var length: usize = 0;
    var labels = std.mem.splitScalar(u8, name, '.');
    while (labels.next()) |label| {
        if (label.len == 0 or label.len > label_max) return null;
        buffer[length] = @intCast(label.len);
        @memcpy(buffer[length + 1 ..][0..label.len], label);
        length += 1 + label.len;
    }
    buffer[length] = 0;
    return buffer[0 .. length + 1];
}

/// The address whose name is asked for by "4.3.2.1.in-addr.arpa", or by 32 digits and "ip6.arpa".
pub fn reversed(name: []const u8, into: *[16]u8) linksection(memory.serving) ?[]const u8 {
    if (std.mem.cutSuffix(u8, name, ".in-addr.arpa")) |front| {
        var parts = std.mem.splitScalar(u8, front, '.');
        for (0..4) |position| {
            const part = parts.next() orelse return null;
            if (part.len == 0 or part.len > 3 or part.len > 1 and part[0] == '0') return null;
            for (part) |digit| if (!std.ascii.isDigit(digit)) return null;
            into[3 - position] = std.fmt.parseInt(u8, part, 10) catch return null;
        }
        return if (parts.next() == null) into[0..4] else null;
    }
    const front = std.mem.cutSuffix(u8, name, ".ip6.arpa") orelse return null;
    if (front.len != 63) return null;
    for (0..32) |position| {
        if (position < 31 and front[2 * position + 1] != '.') return null;
        const digit = std.fmt.charToDigit(front[2 * position], 16) catch return null;
        const byte = &into[15 - position / 2];
        byte.* = if (position % 2 == 0) digit else byte.* | digit << 4;
    }
    return into[0..16];
}

const question_web = "\x03Web\x00\x00\x01\x00\x01";
const header_query = "\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00";
const header_edns = "\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01";

test parse {
    const query = try parse(header_query ++ question_web);
    try std.testing.expectEqualStrings("web", query.name.slice());
    try std.testing.expectEqual(Kind.a, query.kind);
    try std.testing.expectEqual(datagram_bytes, query.limit());
    try std.testing.expect(!query.name.is_odd);
    const edns = try parse(header_edns ++ "\x03a.b\x01C\x00\x00\x1c\x00\x01" ++ "\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00");
    try std.testing.expectEqualStrings("a.b.c", edns.name.slice());
    try std.testing.expect(edns.name.is_odd);
    try std.testing.expectEqual(4096, edns.limit());
    try std.testing.expectEqual(0x80, edns.edns.?.flags);
    const root = try parse(header_query ++ "\x00\x00\x02\x00\x01");
    try std.testing.expectEqualStrings("", root.name.slice());
}

test "what is no question" {
    try std.testing.expectError(error.Nobody, parse(header_query[0..11]));
    try std.testing.expectError(error.Nobody, parse("\xab\xcd\x81" ++ header_query[3..] ++ question_web));
    try std.testing.expectError(error.Unknown, parse("\xab\xcd\x29" ++ header_query[3..] ++ question_web));
    for ([_][]const u8{
        header_query,
        "\xab\xcd\x01\x00\x00\x02" ++ header_query[6..] ++ question_web ++ question_web,
        "\xab\xcd\x01\x00\x00\x00" ++ header_query[6..],
        header_query ++ "\x03We",
        header_query ++ "\x03Web\x00\x00\x01\x00",
        header_query ++ "\xc0\x0c\x00\x01\x00\x01",
        header_query ++ "\x40" ++ "a" ** 64 ++ "\x00\x00\x01\x00\x01",
        header_query ++ ("\x3f" ++ "a" ** 63) ** 4 ++ "\x00\x00\x01\x00\x01",
        header_edns ++ question_web,
        header_edns ++ question_web ++ "\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x01",
    }) |packet| try std.testing.expectError(error.Malformed, parse(packet));
}

test "names that refer to others" {
    const front = "\xab\xcd\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" ++ question_web;
    const rest = "\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0a\x00\x00\x01";
    try std.testing.expect(isWhole(front ++ "\xc0\x0c" ++ rest));
    try std.testing.expect(isWhole(front ++ "\x01x\xc0\x0c" ++ rest));
    // To itself, to what comes after it, into the header, into nothing, in a circle.
    for ([_][]const u8{ "\xc0\x15", "\xc0\x17", "\xc0\x04", "\xff\xff", "\x01x\xc0\x15" }) |name| {
        var packet: [64]u8 = undefined;
        const text = std.fmt.bufPrint(&packet, "{s}{s}{s}", .{ front, name, rest }) catch unreachable;
        try std.testing.expect(!isWhole(text));
    }
    try std.testing.expect(!isWhole(front ++ "\xc0\x0c" ++ rest[0 .. rest.len - 1]));
    try std.testing.expect(!isWhole(front ++ "\xc0"));
}

test judge {
    const question = question_web;
    const good = "\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00" ++ "\x03wEB\x00\x00\x01\x00\x01";
    try std.testing.expectEqual(Verdict.answers, judge(good, 0x1234, question));
    try std.testing.expectEqual(Verdict.foreign, judge(good, 0x1235, question));
    try std.testing.expectEqual(Verdict.foreign, judge(good, 0x1234, "\x03wex\x00\x00\x01\x00\x01"));
    try std.testing.expectEqual(Verdict.foreign, judge("\x12\x34\x01" ++ good[3..], 0x1234, question));
    try std.testing.expectEqual(Verdict.short, judge(good[0..14], 0x1234, question));
    try std.testing.expectEqual(Verdict.short, judge(good[0..3], 0x1234, question));
    try std.testing.expectEqual(Verdict.failed, judge("\x12\x34\x81\x82" ++ good[4..], 0x1234, question));
    try std.testing.expectEqual(Verdict.failed, judge("\x12\x34\x81\x85\x00\x00\x00\x00\x00\x00\x00\x00", 0x1234, question));
    try std.testing.expectEqual(Verdict.answers, judge("\x12\x34\x81\x83" ++ good[4..], 0x1234, question));
    try std.testing.expectEqual(Verdict.foreign, judge("\x12\x34\x81\x80\x00\x00\x00\x00\x00\x00\x00\x00", 0x1234, question));
}

test Answer {
    const query = try parse(header_edns ++ question_web ++ "\x00\x00\x29\x02\x00\x00\x00\x80\x00\x00\x00");
    var buffer: [1024]u8 = undefined;
    var answer: Answer = .begin(&buffer, &query, query.limit());
    try std.testing.expect(answer.add(.a, 5, &.{ 10, 0, 0, 1 }));
    try std.testing.expectEqualSlices(u8, "\xab\xcd\x85\x80\x00\x01\x00\x01\x00\x00\x00\x01" ++ question_web ++
        "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0a\x00\x00\x01" ++ "\x00\x00\x29\x04\xd0" ++
        "\x00\x00\x80\x00\x00\x00", answer.finish());
    var long: Answer = .begin(&buffer, &query, query.limit());
    var count: usize = 0;
    while (long.add(.a, 5, &.{ 10, 0, 0, 1 })) count += 1;
    const bytes = long.finish();
    try std.testing.expectEqual((datagram_bytes - header_bytes - question_web.len - edns_record_bytes) / 16, count);
    try std.testing.expect(bytes.len <= datagram_bytes and isWhole(bytes));
    try std.testing.expect(bytes[2] & flag_truncated != 0);
    try std.testing.expectEqual(header_bytes + question_web.len, cut(bytes));
    try std.testing.expect(isWhole(bytes[0..cut(bytes)]));
}

test encode {
    var buffer: [name_bytes_max]u8 = undefined;
    try std.testing.expectEqualStrings("\x03web\x03net\x00", encode(&buffer, "web.net").?);
    for ([_][]const u8{ "", ".", "a..b", "a.", "x" ** 64, "x." ** 127 ++ "x" }) |bad|
        try std.testing.expectEqual(null, encode(&buffer, bad));
}

test reversed {
    var bytes: [16]u8 = undefined;
    try std.testing.expectEqualSlices(u8, &.{ 172, 18, 0, 2 }, reversed("2.0.18.172.in-addr.arpa", &bytes).?);
    const six = "2.0.0.0." ++ "0." ** 24 ++ "1.0.d.f" ++ ".ip6.arpa";
    try std.testing.expectEqualSlices(u8, &([_]u8{ 0xfd, 1 } ++ [_]u8{0} ** 12 ++ [_]u8{ 0, 2 }), reversed(six, &bytes).?);
    for ([_][]const u8{
        "0.18.172.in-addr.arpa",    "1.2.0.18.172.in-addr.arpa", "02.0.18.172.in-addr.arpa", "256.0.18.172.in-addr.arpa",
        "+1.0.18.172.in-addr.arpa", ".0.18.172.in-addr.arpa",    "in-addr.arpa",             "x" ++ six[1..],
        six[2..],                   "",
    }) |bad| try std.testing.expectEqual(null, reversed(bad, &bytes));
}

test "anything may be read" {
    var random: std.Random.DefaultPrng = .init(5);
    var bytes: [80]u8 = undefined;
    for (0..50_000) |_| {
        random.fill(&bytes);
        if (random.random().boolean()) @memset(bytes[2..12], 0);
        bytes[5] &= 1;
        bytes[11] &= 3;
        const packet = bytes[0..random.random().uintAtMost(usize, bytes.len)];
        if (parse(packet)) |query| std.mem.doNotOptimizeAway(query.limit()) else |_| {}
        if (isWhole(packet)) _ = cut(packet);
        _ = judge(packet, 7, question_web);
    }
}
