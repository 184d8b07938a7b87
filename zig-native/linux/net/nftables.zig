//! nftables (linux/netfilter/nf_tables.h): a table of ours, put in the place of the one of that name as a whole. It goes in one
//! batch, which the kernel does altogether or not at all, so that no packet ever meets a half of it:
//!
//!   BATCH_BEGIN  NEWTABLE  DELTABLE  NEWTABLE  NEWSET … NEWSETELEM …  NEWCHAIN …  NEWRULE …  BATCH_END
//!
//! The first NEWTABLE is there so that DELTABLE finds one. What comes and goes while the table stays are elements of its sets
//! and maps (`change`). Numbers are big-endian, but for what rules compare: that is as the packet or the kernel has it, and
//! whoever made the rules knows how.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../answer.zig");
const expression = @import("expression.zig");
const message = @import("message.zig");
const netlink = @import("netlink.zig");

const batch_begin = 16;
const batch_end = 17;
const subsystem = 10;
const newtable = subsystem << 8 | 0;
const gettable = subsystem << 8 | 1;
const deltable = subsystem << 8 | 2;
const newchain = subsystem << 8 | 3;
const getchain = subsystem << 8 | 4;
const newrule = subsystem << 8 | 6;
const newset = subsystem << 8 | 9;
const newsetelem = subsystem << 8 | 12;
const getsetelem = subsystem << 8 | 13;
const delsetelem = subsystem << 8 | 14;
/// Since Linux 6.3: nobody minds when it is not there.
const destroysetelem = subsystem << 8 | 30;

/// NFTA_LIST_ELEM
const list_elem = 1;
const table_userdata = 6;
/// An attribute is shorter than 64 KiB, and an element than 4.
const elements_bytes_max = 60 * 1024;

/// struct nfgenmsg
const Family = extern struct { family: u8, version: u8 = 0, resource: [2]u8 = .{ 0, 0 } };

/// One without chains is only taken away. The kernel's numbers and names.
pub const Table = struct {
    family: u8,
    name: []const u8,
    /// A line that `nft list` shows, and that tells the next of us whether this is still what he would make.
    comment: []const u8,
    sets: []const Set,
    chains: []const Chain,
};

/// All keys have the length `bytes`, every part of one that is concatenated filled up to a multiple of four. `type` and `order`
/// (1: the machine's) are for `nft list`, which shows them by these.
pub const Set = struct {
    name: []const u8,
    type: u32,
    bytes: u32,
    order: u8,
    /// A map, and what it leads to.
    data: ?Data = null,
    /// Elements are from a key to another, in each of its parts; it has to have two at least.
    isInterval: bool = false,
    /// With `isInterval`: the lengths that the parts have by themselves.
    fields: []const u32 = &.{},
    /// Elements may go by themselves. Those that do not say when go after so long, or never where this is 0.
    timeout_ms: ?u64 = null,
    /// Rules add to it, at most `size_max`.
    isDynamic: bool = false,
    size_max: u32 = 0,
    elements: []const Element = &.{},

    pub const Data = struct { type: u32, bytes: u32, order: u8 };
};

pub const Element = struct {
    key: []const u8,
    /// The last key of an interval.
    end: []const u8 = "",
    /// What a map has there.
    data: []const u8 = "",
    /// It goes by itself after so long; 0: as the set says.
    timeout_ms: u64 = 0,
};

/// Without a hook it is one that others jump to.
pub const Chain = struct {
    name: []const u8,
    type: []const u8 = "filter",
    hook: ?u32 = null,
    priority: i32 = 0,
    rules: []const []const expression.Expression,
};

/// Elements that come, or that go.
pub const Change = struct { isAdded: bool, family: u8, table: []const u8, set: []const u8, elements: []const Element };

/// Answers as `netlink.transact`.
pub fn replace(arena: std.mem.Allocator, table: *const Table) message.Error!netlink.Refusal {
    var batch: message.Builder = .{ .arena = arena };
    try begin(&batch, batch_begin, 0, linux.AF.UNSPEC);
    batch.end();
    try write(&batch, table);
    return send(&batch);
}

/// All of the changes, in their order and in one batch. What goes may be gone already, with its table, too; what is there
/// already with the same data stays. Answers as `replace`.
pub fn change(arena: std.mem.Allocator, changes: []const Change) message.Error!netlink.Refusal {
    const refusal = try changeBy(arena, changes, destroysetelem);
    const isOlder = refusal.errno == .INVAL or refusal.errno == .NOENT or refusal.errno == .OPNOTSUPP;
    for (changes) |each| {
        if (isOlder and !each.isAdded) return changeSingly(arena, changes);
    }
    return refusal;
}

/// One element after the other, so that one that is gone does not keep the others.
fn changeSingly(arena: std.mem.Allocator, changes: []const Change) message.Error!netlink.Refusal {
    for (changes, 0..) |each, position| {
        const isSingle = !each.isAdded;
        for (0..if (isSingle) each.elements.len else 1) |index| {
            var one = each;
            if (isSingle) one.elements = each.elements[index..][0..1];
            var refusal = try changeBy(arena, &.{one}, delsetelem);
            if (isSingle and refusal.errno == .NOENT) continue;
            // Which of the changes it was is not said: it is one batch for whoever asks.
            refusal.message = @intCast(position + 1);
            if (refusal.errno != .SUCCESS) return refusal;
        }
    }
    return .{};
}

fn changeBy(arena: std.mem.Allocator, changes: []const Change, deletion: u16) message.Error!netlink.Refusal {
    var batch: message.Builder = .{ .arena = arena };
    try begin(&batch, batch_begin, 0, linux.AF.UNSPEC);
    batch.end();
    for (changes) |*each| try writeElements(&batch, if (each.isAdded) newsetelem else deletion, each);
    return send(&batch);
}

/// With the end of the batch behind it.
fn send(batch: *message.Builder) message.Error!netlink.Refusal {
    batch.wantAnswer();
    const last = batch.count;
    try begin(batch, batch_end, 0, linux.AF.UNSPEC);
    batch.end();
    const socket = netlink.open(netlink.netfilter);
    if (socket < 0) return .{ .errno = @enumFromInt(-socket) };
    defer netlink.closeLater(socket);
    var refusal: netlink.Refusal = .{};
    netlink.send(socket, batch, &refusal);
    if (refusal.errno == .SUCCESS) netlink.readAnswers(socket, last, &refusal);
    return refusal;
}

/// What its comment says of the table, as much as `into` holds: the length, or -errno.
pub fn commentOf(arena: std.mem.Allocator, family: u8, name: []const u8, into: []u8) message.Error!i32 {
    const socket = netlink.open(netlink.netfilter);
    if (socket < 0) return socket;
    defer netlink.closeLater(socket);
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

/// The keys of a set's elements, one behind the other, as much as `into` holds: how many bytes there are, or -errno.
pub fn keysOf(arena: std.mem.Allocator, family: u8, table: []const u8, set: []const u8, into: []u8) message.Error!i32 {
    const socket = netlink.open(netlink.netfilter);
    if (socket < 0) return socket;
    defer netlink.closeLater(socket);
    var question: message.Builder = .{ .arena = arena };
    try question.begin(getsetelem, message.dump, Family{ .family = family });
    try question.string(1, table);
    try question.string(2, set);
    question.end();
    question.wantAnswer();
    var keys: Keys = .{ .into = into };
    const errno = netlink.list(socket, &question, newsetelem, &keys, Keys.take);
    return if (errno == .SUCCESS) @intCast(@min(keys.length, std.math.maxInt(i32))) else answer.code(errno);
}

const Keys = struct {
    into: []u8,
    length: usize = 0,

    fn take(self: *Keys, body: []const u8) bool {
        const list_elements = 3;
        if (body.len < @sizeOf(Family)) return true;
        var rest = message.find(body[@sizeOf(Family)..], list_elements) orelse return true;
        while (message.first(rest)) |item| {
            rest = item.rest;
            const outer = message.find(item.value, 1) orelse continue;
            const key = message.find(outer, 1) orelse continue;
            if (self.length + key.len <= self.into.len) @memcpy(self.into[self.length..][0..key.len], key);
            self.length += key.len;
        }
        return true;
    }
};

/// The first chain that packets of `family` meet on their way through this host, and that drops what none of its rules lets through:
/// "CHAIN of table TABLE", as much as `into` holds. Its length, 0 without such a chain, or -errno.
pub fn closedForward(arena: std.mem.Allocator, family: u8, into: []u8) message.Error!i32 {
    const socket = netlink.open(netlink.netfilter);
    if (socket < 0) return socket;
    defer netlink.closeLater(socket);
    var question: message.Builder = .{ .arena = arena };
    try question.begin(getchain, message.dump, Family{ .family = linux.AF.UNSPEC });
    question.end();
    question.wantAnswer();
    var closed: Closed = .{ .family = family, .into = into };
    const errno = netlink.list(socket, &question, newchain, &closed, Closed.take);
    return if (errno == .SUCCESS) @intCast(closed.length) else answer.code(errno);
}

const Closed = struct {
    family: u8,
    into: []u8,
    length: usize = 0,

    const both_families = 1; // NFPROTO_INET
    const hook_forward = 2;
    const drop = 0;

    fn take(self: *Closed, body: []const u8) bool {
        if (body.len < @sizeOf(Family)) return true;
        if (body[0] != self.family and body[0] != both_families) return true;
        const attributes = body[@sizeOf(Family)..];
        const hook = message.find(attributes, 4) orelse return true;
        if (number(hook, 1) != hook_forward or number(attributes, 5) != drop) return true;
        const table = message.find(attributes, 1) orelse return true;
        const chain = message.find(attributes, 3) orelse return true;
        const words = .{ std.mem.sliceTo(chain, 0), std.mem.sliceTo(table, 0) };
        const text = std.fmt.bufPrint(self.into, "{s} of table {s}", words) catch return true;
        self.length = text.len;
        return false;
    }

    fn number(attributes: []const u8, kind: u16) ?u32 {
        const value = message.find(attributes, kind) orelse return null;
        return if (value.len == 4) std.mem.readInt(u32, value[0..4], .big) else null;
    }
};

fn begin(batch: *message.Builder, kind: u16, flags: u16, family: u8) message.Error!void {
    // The subsystem, big-endian, at both ends of a batch.
    const resource: [2]u8 = if (kind <= batch_end) .{ 0, subsystem } else .{ 0, 0 };
    try batch.begin(kind, flags, Family{ .family = family, .resource = resource });
}

fn write(batch: *message.Builder, table: *const Table) message.Error!void {
    const kinds = [_]u16{ newtable, deltable, newtable };
    for (kinds[0..if (table.chains.len > 0) 3 else 2], 0..) |kind, position| {
        try begin(batch, kind, if (kind == newtable) message.create else 0, table.family);
        try batch.string(1, table.name);
        if (position == 2) try writeComment(batch, table.comment);
        batch.end();
    }
    for (table.sets) |*set| {
        try writeSet(batch, table, set);
        const elements = set.elements;
        try writeElements(batch, newsetelem, &.{
            .isAdded = true,
            .family = table.family,
            .table = table.name,
            .set = set.name,
            .elements = elements,
        });
    }
    // Chains before all rules: they jump from one to the other.
    for (table.chains) |*chain| try writeChain(batch, table, chain);
    for (table.chains) |*chain| {
        for (chain.rules) |rule| try writeRule(batch, table, chain.name, rule);
    }
}

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
    try batch.big(3, flagsOf(set));
    try batch.big(4, set.type);
    try batch.big(5, set.bytes);
    if (set.data) |data| {
        try batch.big(6, data.type);
        try batch.big(7, data.bytes);
    }
    if (set.size_max > 0 or set.fields.len > 0) {
        const description = try batch.nest(9);
        if (set.size_max > 0) try batch.big(1, set.size_max);
        if (set.fields.len > 0) try writeFields(batch, set.fields);
        try batch.unnest(description);
    }
    // The kernel wants an id; the name is what finds it.
    try batch.big(10, batch.count);
    if (set.timeout_ms) |timeout| if (timeout > 0) try batch.bigger(11, timeout);
    const order = set.data orelse Set.Data{ .type = 0, .bytes = 0, .order = 0 };
    const orders = [_]u8{ 0, 4, set.order, 0, 0, 0, 1, 4, order.order, 0, 0, 0 };
    try batch.attribute(13, if (set.data == null) orders[0..6] else &orders);
    batch.end();
}

/// NFT_SET_*
fn flagsOf(set: *const Set) u32 {
    var flags: u32 = 0;
    if (set.isInterval) flags |= 4;
    if (set.data != null) flags |= 8;
    if (set.timeout_ms != null) flags |= 0x10;
    if (set.isDynamic) flags |= 0x20;
    if (set.fields.len > 0) flags |= 0x80;
    return flags;
}

fn writeFields(batch: *message.Builder, fields: []const u32) message.Error!void {
    const list = try batch.nest(2);
    for (fields) |bytes| {
        const field = try batch.nest(list_elem);
        try batch.big(1, bytes);
        try batch.unnest(field);
    }
    try batch.unnest(list);
}

/// As many messages as they need.
fn writeElements(batch: *message.Builder, kind: u16, wanted: *const Change) message.Error!void {
    var rest = wanted.elements;
    while (rest.len > 0) {
        try begin(batch, kind, if (wanted.isAdded) message.create else 0, wanted.family);
        try batch.string(1, wanted.table);
        try batch.string(2, wanted.set);
        const elements = try batch.nest(3);
        while (rest.len > 0 and batch.bytes.items.len - elements < elements_bytes_max) : (rest = rest[1..]) {
            try writeElement(batch, &rest[0]);
        }
        try batch.unnest(elements);
        batch.end();
    }
}

fn writeElement(batch: *message.Builder, element: *const Element) message.Error!void {
    const item = try batch.nest(list_elem);
    try expression.writeData(batch, 1, element.key);
    if (element.data.len > 0) try expression.writeData(batch, 2, element.data);
    if (element.timeout_ms > 0) try batch.bigger(4, element.timeout_ms);
    if (element.end.len > 0) try expression.writeData(batch, 10, element.end);
    try batch.unnest(item);
}

fn writeChain(batch: *message.Builder, table: *const Table, chain: *const Chain) message.Error!void {
    const accept = 1;
    try begin(batch, newchain, message.create, table.family);
    try batch.string(1, table.name);
    try batch.string(3, chain.name);
    if (chain.hook) |number| {
        const hook = try batch.nest(4);
        try batch.big(1, number);
        try batch.big(2, @bitCast(chain.priority));
        try batch.unnest(hook);
        try batch.big(5, accept);
        try batch.string(7, chain.type);
    }
    batch.end();
}

fn writeRule(
    batch: *message.Builder,
    table: *const Table,
    chain: []const u8,
    rule: []const expression.Expression,
) message.Error!void {
    try begin(batch, newrule, message.create | message.append, table.family);
    try batch.string(1, table.name);
    try batch.string(2, chain);
    const expressions = try batch.nest(4);
    for (rule) |*each| try expression.write(batch, each);
    try batch.unnest(expressions);
    batch.end();
}

test "a batch of a table, as nft(8) writes it" {
    var memory: [16 * 1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var batch: message.Builder = .{ .arena = fixed.allocator() };
    try begin(&batch, batch_begin, 0, linux.AF.UNSPEC);
    batch.end();
    try write(&batch, &.{
        .family = linux.AF.INET,
        .name = "t",
        .comment = "x",
        .sets = &.{.{ .name = "s", .type = 41, .bytes = 16, .order = 1, .elements = &.{.{ .key = "rt0" ++ "\x00" ** 13 }} }},
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

test "keys of elements, whatever their lengths say" {
    var memory: [1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    try builder.begin(newsetelem, 0, Family{ .family = 2 });
    const elements = try builder.nest(3);
    for ([_][]const u8{ "abcd", "efgh" }) |key| try writeElement(&builder, &.{ .key = key, .timeout_ms = 7 });
    try builder.unnest(elements);
    builder.end();
    const body = builder.bytes.items[message.header_bytes..];
    var into: [6]u8 = @splat(0);
    var keys: Keys = .{ .into = &into };
    try std.testing.expect(keys.take(body));
    try std.testing.expectEqual(8, keys.length);
    try std.testing.expectEqualSlices(u8, "abcd\x00\x00", &into);
    var random: std.Random.DefaultPrng = .init(5);
    for (0..20_000) |_| {
        var bytes: [128]u8 = undefined;
        @memcpy(bytes[0..body.len], body);
        for (0..3) |_| bytes[random.random().uintLessThan(usize, body.len)] = random.random().int(u8);
        keys = .{ .into = &into };
        _ = keys.take(bytes[0..random.random().uintAtMost(usize, body.len)]);
    }
}
