//! nftables (linux/netfilter/nf_tables.h): a table of ours, put in the place of the one of that name as a whole. It goes in one
//! batch, which the kernel does altogether or not at all, so that no packet ever meets a half of it:
//!
//!   BATCH_BEGIN  NEWTABLE  DELTABLE  NEWTABLE  NEWSET … NEWSETELEM …  NEWCHAIN …  NEWRULE …  BATCH_END
//!
//! The first NEWTABLE is there so that DELTABLE finds one. Numbers are big-endian, but for what rules compare: that is as the
//! packet or the kernel has it, and whoever made the rules knows how.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../answer.zig");
const message = @import("message.zig");
const netlink = @import("netlink.zig");

const batch_begin = 16;
const batch_end = 17;
const subsystem = 10;
const newtable = subsystem << 8 | 0;
const gettable = subsystem << 8 | 1;
const deltable = subsystem << 8 | 2;
const newchain = subsystem << 8 | 3;
const newrule = subsystem << 8 | 6;
const newset = subsystem << 8 | 9;
const newsetelem = subsystem << 8 | 12;

/// NFTA_LIST_ELEM, NFTA_DATA_VALUE, NFTA_DATA_VERDICT
const list_elem = 1;
const data_value = 1;
const data_verdict = 2;
const table_userdata = 6;
/// An attribute is shorter than 64 KiB: so many elements of at most 64 bytes go into one message.
const elements_max = 500;

/// struct nfgenmsg
const Family = extern struct { family: u8, version: u8 = 0, resource: [2]u8 = .{ 0, 0 } };

/// One without chains is only taken away. The kernel's numbers and names; bytes are what packets are compared with, and so in
/// their order.
pub const Table = struct {
    family: u8,
    name: []const u8,
    /// A line that `nft list` shows, and that tells the next of us whether this is still what he would make.
    comment: []const u8,
    sets: []const Set,
    chains: []const Chain,
};

/// All elements have the length `bytes`. `type` and `order` (1: the machine's) are for `nft list`, which shows them by these.
pub const Set = struct { name: []const u8, type: u32, bytes: u32, order: u8, elements: []const []const u8 };

pub const Chain = struct { name: []const u8, type: []const u8, hook: u32, priority: i32, rules: []const []const Expression };

/// Registers hold 16 bytes each from 1 on, or 4 each from 8 on; 0 is the verdict.
pub const Expression = union(enum) {
    meta: struct { key: u32, register: u32 },
    payload: struct { base: u32, offset: u32, bytes: u32, register: u32 },
    /// `mask` is as long as what it covers.
    mask: struct { register: u32, mask: []const u8 },
    /// `operation` 0: is `value`; 1: is not.
    compare: struct { register: u32, operation: u32, value: []const u8 },
    lookup: struct { register: u32, set: []const u8 },
    track: struct { key: u32, register: u32 },
    verdict: struct { code: i32 },
    masquerade: struct {},
};

/// Answers as `netlink.transact`.
pub fn replace(arena: std.mem.Allocator, table: *const Table) message.Error!netlink.Refusal {
    var batch: message.Builder = .{ .arena = arena };
    try write(&batch, table);
    batch.wantAnswer();
    const last = batch.count;
    try begin(&batch, batch_end, 0, linux.AF.UNSPEC);
    batch.end();
    const socket = netlink.open(netlink.netfilter);
    if (socket < 0) return .{ .errno = @enumFromInt(-socket) };
    defer _ = linux.close(socket);
    var refusal: netlink.Refusal = .{};
    netlink.send(socket, &batch, &refusal);
    if (refusal.errno == .SUCCESS) netlink.readAnswers(socket, last, &refusal);
    return refusal;
}

/// What its comment says of the table, as much as `into` holds: the length, or -errno.
pub fn commentOf(arena: std.mem.Allocator, family: u8, name: []const u8, into: []u8) message.Error!i32 {
    const socket = netlink.open(netlink.netfilter);
    if (socket < 0) return socket;
    defer _ = linux.close(socket);
    var question: message.Builder = .{ .arena = arena };
    try question.begin(gettable, 0, Family{ .family = family });
    try question.string(1, name);
    question.end();
    question.wantAnswer();
    var comment: Comment = .{ .into = into };
    const errno = netlink.list(socket, &question, newtable, &comment, Comment.take);
    return if (errno == .SUCCESS) @intCast(comment.length) else answer.code(errno);
}

const Comment = struct {
    into: []u8,
    length: usize = 0,

    /// Its user data: types of a byte, lengths of a byte, values; 0 is a comment, with a NUL.
    fn take(self: *Comment, body: []const u8) bool {
        if (body.len < @sizeOf(Family)) return false;
        const data = message.find(body[@sizeOf(Family)..], table_userdata) orelse return false;
        if (data.len < 2 or data[0] != 0 or 2 + @as(usize, data[1]) > data.len) return false;
        const text = std.mem.sliceTo(data[2..][0..data[1]], 0);
        self.length = @min(text.len, self.into.len);
        @memcpy(self.into[0..self.length], text[0..self.length]);
        return false;
    }
};

fn begin(batch: *message.Builder, kind: u16, flags: u16, family: u8) message.Error!void {
    // The subsystem, big-endian, at both ends of a batch.
    const resource: [2]u8 = if (kind <= batch_end) .{ 0, subsystem } else .{ 0, 0 };
    try batch.begin(kind, flags, Family{ .family = family, .resource = resource });
}

fn write(batch: *message.Builder, table: *const Table) message.Error!void {
    try begin(batch, batch_begin, 0, linux.AF.UNSPEC);
    batch.end();
    const kinds = [_]u16{ newtable, deltable, newtable };
    for (kinds[0..if (table.chains.len > 0) 3 else 2], 0..) |kind, position| {
        try begin(batch, kind, if (kind == newtable) message.create else 0, table.family);
        try batch.string(1, table.name);
        if (position == 2) try writeComment(batch, table.comment);
        batch.end();
    }
    for (table.sets) |*set| try writeSet(batch, table, set);
    for (table.chains) |*chain| {
        try begin(batch, newchain, message.create, table.family);
        try batch.string(1, table.name);
        try batch.string(3, chain.name);
        const hook = try batch.nest(4);
        try batch.big(1, chain.hook);
        try batch.big(2, @bitCast(chain.priority));
        try batch.unnest(hook);
        try batch.big(5, accept);
        try batch.string(7, chain.type);
        batch.end();
        for (chain.rules) |rule| try writeRule(batch, table, chain.name, rule);
    }
}

const accept = 1;

fn writeComment(batch: *message.Builder, comment: []const u8) message.Error!void {
    if (comment.len > 254) return error.TooLong;
    const data = try batch.arena.alloc(u8, comment.len + 3);
    data[0] = 0;
    data[1] = @intCast(comment.len + 1);
    @memcpy(data[2..][0..comment.len], comment);
    data[data.len - 1] = 0;
    try batch.attribute(table_userdata, data);
}

fn writeSet(batch: *message.Builder, table: *const Table, set: *const Set) message.Error!void {
    try begin(batch, newset, message.create, table.family);
    try batch.string(1, table.name);
    try batch.string(2, set.name);
    try batch.big(3, 0);
    try batch.big(4, set.type);
    try batch.big(5, set.bytes);
    // The kernel wants an id; the name is what finds it.
    try batch.big(10, batch.count);
    try batch.attribute(13, &.{ 0, 4, set.order, 0, 0, 0 });
    batch.end();
    var rest = set.elements;
    while (rest.len > 0) {
        const some = rest[0..@min(rest.len, elements_max)];
        rest = rest[some.len..];
        try begin(batch, newsetelem, message.create, table.family);
        try batch.string(1, table.name);
        try batch.string(2, set.name);
        const elements = try batch.nest(3);
        for (some) |element| {
            const item = try batch.nest(list_elem);
            try writeData(batch, 1, element);
            try batch.unnest(item);
        }
        try batch.unnest(elements);
        batch.end();
    }
}

fn writeData(batch: *message.Builder, kind: u16, bytes: []const u8) message.Error!void {
    const outer = try batch.nest(kind);
    try batch.attribute(data_value, bytes);
    try batch.unnest(outer);
}

fn writeRule(batch: *message.Builder, table: *const Table, chain: []const u8, rule: []const Expression) message.Error!void {
    try begin(batch, newrule, message.create | message.append, table.family);
    try batch.string(1, table.name);
    try batch.string(2, chain);
    const expressions = try batch.nest(4);
    for (rule) |*expression| {
        const item = try batch.nest(list_elem);
        try batch.string(1, nameOf(expression));
        const body = try batch.nest(2);
        try writeExpression(batch, expression);
        try batch.unnest(body);
        try batch.unnest(item);
    }
    try batch.unnest(expressions);
    batch.end();
}

fn nameOf(expression: *const Expression) []const u8 {
    return switch (expression.*) {
        .meta => "meta",
        .payload => "payload",
        .mask => "bitwise",
        .compare => "cmp",
        .lookup => "lookup",
        .track => "ct",
        .verdict => "immediate",
        .masquerade => "masq",
    };
}

fn writeExpression(batch: *message.Builder, expression: *const Expression) message.Error!void {
    switch (expression.*) {
        .meta => |meta| {
            try batch.big(1, meta.register);
            try batch.big(2, meta.key);
        },
        .payload => |payload| {
            try batch.big(1, payload.register);
            try batch.big(2, payload.base);
            try batch.big(3, payload.offset);
            try batch.big(4, payload.bytes);
        },
        .mask => |mask| {
            try batch.big(1, mask.register);
            try batch.big(2, mask.register);
            try batch.big(3, @intCast(mask.mask.len));
            try writeData(batch, 4, mask.mask);
            const zeros = try batch.arena.alloc(u8, mask.mask.len);
            @memset(zeros, 0);
            try writeData(batch, 5, zeros);
        },
        .compare => |compare| {
            try batch.big(1, compare.register);
            try batch.big(2, compare.operation);
            try writeData(batch, 3, compare.value);
        },
        .lookup => |lookup| {
            try batch.string(1, lookup.set);
            try batch.big(2, lookup.register);
        },
        .track => |track| {
            try batch.big(1, track.register);
            try batch.big(2, track.key);
        },
        .verdict => |verdict| {
            try batch.big(1, 0);
            const outer = try batch.nest(2);
            const inner = try batch.nest(data_verdict);
            try batch.big(1, @bitCast(verdict.code));
            try batch.unnest(inner);
            try batch.unnest(outer);
        },
        .masquerade => {},
    }
}

test "a batch of a table, as nft(8) writes it" {
    var memory: [16 * 1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var batch: message.Builder = .{ .arena = fixed.allocator() };
    try write(&batch, &.{
        .family = linux.AF.INET,
        .name = "t",
        .comment = "x",
        .sets = &.{.{ .name = "s", .type = 41, .bytes = 16, .order = 1, .elements = &.{"rt0" ++ "\x00" ** 13} }},
        .chains = &.{.{ .name = "c", .type = "nat", .hook = 4, .priority = 100, .rules = &.{&.{
            .{ .meta = .{ .key = 7, .register = 1 } },
            .{ .lookup = .{ .register = 1, .set = "s" } },
            .{ .verdict = .{ .code = 0 } },
        }} }},
    });
    try std.testing.expectEqual(8, batch.count);
    try expectMessages(&batch, &.{
        "14000000 1000 0100 01000000 00000000 00 00 000a",
        "1c000000 000a 0104 02000000 00000000 02 00 0000 0600 0100 7400 0000",
        "1c000000 020a 0100 03000000 00000000 02 00 0000 0600 0100 7400 0000",
        "24000000 000a 0104 04000000 00000000 02 00 0000 0600 0100 7400 0000 0800 0600 00027800",
        "50000000 090a 0104 05000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0200 7300 0000 " ++
            "0800 0300 00000000 0800 0400 00000029 0800 0500 00000010 0800 0a00 00000005 0a00 0d00 000401000000 0000",
        "44000000 0c0a 0104 06000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0200 7300 0000 " ++
            "2000 0380 1c00 0180 1800 0180 1400 0100 72743000 000000000000000000000000",
        "48000000 030a 0104 07000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0300 6300 0000 " ++
            "1400 0480 0800 0100 00000004 0800 0200 00000064 0800 0500 00000001 0800 0700 6e617400",
        "a0000000 060a 010c 08000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0200 6300 0000 7c00 0480 " ++
            "2400 0180 0900 0100 6d657461 00000000 1400 0280 0800 0100 00000001 0800 0200 00000007 " ++
            "2400 0180 0b00 0100 6c6f6f6b7570 0000 1400 0280 0600 0100 7300 0000 0800 0200 00000001 " ++
            "3000 0180 0e00 0100 696d6d656469617465 000000 " ++
            "1c00 0280 0800 0100 00000000 1000 0280 0c00 0280 0800 0100 00000000",
    });
}

/// One after the other, in hexadecimal digits.
fn expectMessages(batch: *const message.Builder, wanted: []const []const u8) !void {
    var at: usize = 0;
    for (wanted) |text| {
        var digits: [1024]u8 = undefined;
        var expected: [512]u8 = undefined;
        const bytes = try std.fmt.hexToBytes(&expected, digits[0..without(text, &digits)]);
        const end = @min(at + bytes.len, batch.bytes.items.len);
        try std.testing.expectEqualSlices(u8, bytes, batch.bytes.items[at..end]);
        at = end;
    }
    try std.testing.expectEqual(batch.bytes.items.len, at);
}

fn without(text: []const u8, into: []u8) usize {
    var length: usize = 0;
    for (text) |each| if (each != ' ') {
        into[length] = each;
        length += 1;
    };
    return length;
}

test "the comment among user data that somebody else wrote" {
    var into: [8]u8 = undefined;
    for ([_]struct { []const u8, []const u8 }{
        .{ &.{ 0, 3, 'a', 'b', 0 }, "ab" },
        .{ &.{ 0, 4, 'a', 'b', 0 }, "" },
        .{ &.{ 1, 3, 'a', 'b', 0 }, "" },
        .{ &.{0}, "" },
        .{ &.{ 0, 12, '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 0 }, "12345678" },
    }) |case| {
        var memory: [512]u8 = undefined;
        var fixed: std.heap.FixedBufferAllocator = .init(&memory);
        var builder: message.Builder = .{ .arena = fixed.allocator() };
        try builder.begin(newtable, 0, Family{ .family = 2 });
        try builder.attribute(table_userdata, case[0]);
        builder.end();
        var comment: Comment = .{ .into = &into };
        _ = comment.take(builder.bytes.items[message.header_bytes..]);
        try std.testing.expectEqualStrings(case[1], into[0..comment.length]);
    }
}
