//! A container that may go to some destinations alone, where some of them are names: what a server says that they lead to is let
//! through before the container hears of it, and for as long as it may remember that. Names that are not among them are nobody's,
//! as questions lead out of the container, too. Which they are stands in its file (names_files.zig):
//!
//!   egress TABLE            the firewall's table, whose sets `hosts` and `services` are ours (src/network/egress.ts)
//!   egress-names            all of its networks are so: no other name is asked for
//!   allow ADDRESS NAME PORT     from this address of the container's to what the name leads to; *.NAME: all below; port 0: any
const std = @import("std");
const dns = @import("../linux/net/dns.zig");
const nftables = @import("../linux/net/nftables.zig");

/// Of one answer.
const elements_max = 128;
const key_bytes_max = 40;
const memory_bytes = 128 * 1024;
const least_s = 60;
/// So much longer than whoever asked may remember it.
const grace_s = 30;
const most_s = 24 * 60 * 60;

const families = [_]struct { number: u8, bytes: usize, kind: dns.Kind }{
    .{ .number = 2, .bytes = 4, .kind = .a },
    .{ .number = 10, .bytes = 16, .kind = .aaaa },
};

/// While an answer is looked at.
var memory: [memory_bytes]u8 align(std.heap.page_size_min) = undefined;

pub const Memory = struct {
    pub fn bytes() []align(std.heap.page_size_min) u8 {
        return &memory;
    }
};

/// May the container's questions about this name leave it?
pub fn mayAsk(text: []const u8, name: []const u8) bool {
    var lines = std.mem.splitScalar(u8, text, '\n');
    var all = true;
    while (lines.next()) |line| {
        if (std.mem.eql(u8, line, "egress-names")) all = false;
        const allowed = Allowed.of(line) orelse continue;
        if (allowed.covers(name)) return true;
    }
    return all;
}

fn tableOf(text: []const u8) ?[]const u8 {
    var lines = std.mem.splitScalar(u8, text, '\n');
    while (lines.next()) |line| if (std.mem.cutPrefix(u8, line, "egress ")) |table| return table;
    return null;
}

const Allowed = struct {
    from: []const u8,
    name: []const u8,
    port: u16,

    fn of(line: []const u8) ?Allowed {
        const rest = std.mem.cutPrefix(u8, line, "allow ") orelse return null;
        var words = std.mem.splitScalar(u8, rest, ' ');
        const allowed: Allowed = .{
            .from = words.next() orelse return null,
            .name = words.next() orelse return null,
            .port = std.fmt.parseInt(u16, words.next() orelse return null, 10) catch return null,
        };
        return if (allowed.name.len > 0) allowed else null;
    }

    fn covers(self: Allowed, name: []const u8) bool {
        const below = std.mem.cutPrefix(u8, self.name, "*") orelse return std.mem.eql(u8, name, self.name);
        return name.len > below.len and std.mem.endsWith(u8, name, below);
    }
};

/// `packet` is an answer about `name`, and can be read to its end. False: it cannot be let through; then whoever asked is not to
/// hear of it.
pub fn learn(text: []const u8, name: []const u8, question: []const u8, packet: []const u8) bool {
    const table = tableOf(text) orelse return true;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    for (families) |family| {
        var found: Found = .{ .arena = fixed.allocator() };
        found.collect(text, name, question, packet, family.bytes, family.kind) catch return false;
        if (!found.tell(table, family.number)) return false;
        fixed.reset();
    }
    return true;
}

const Found = struct {
    arena: std.mem.Allocator,
    hosts: std.ArrayList(nftables.Element) = .empty,
    services: std.ArrayList(nftables.Element) = .empty,

    fn collect(
        self: *Found,
        text: []const u8,
        name: []const u8,
        question: []const u8,
        packet: []const u8,
        bytes: usize,
        kind: dns.Kind,
    ) std.mem.Allocator.Error!void {
        var lines = std.mem.splitScalar(u8, text, '\n');
        while (lines.next()) |line| {
            const allowed = Allowed.of(line) orelse continue;
            if (allowed.from.len != 2 * bytes or !allowed.covers(name)) continue;
            var from: [16]u8 = undefined;
            _ = std.fmt.hexToBytes(&from, allowed.from) catch continue;
            var records = dns.answersOf(packet, question);
            while (records.next() catch null) |record| {
                if (record.kind != kind or record.data.len != bytes or !isElsewhere(record.data)) continue;
                try self.add(from[0..bytes], record.data, allowed.port, record.ttl);
            }
        }
    }

    fn add(self: *Found, from: []const u8, to: []const u8, port: u16, ttl_s: u32) std.mem.Allocator.Error!void {
        const timeout_s: u64 = @min(@max(ttl_s, least_s), most_s) + grace_s;
        const protocols: []const u8 = if (port == 0) &.{0} else &.{ 6, 17 };
        for (protocols) |protocol| {
            const list = if (port == 0) &self.hosts else &self.services;
            if (list.items.len == elements_max) return;
            const key = try self.arena.alloc(u8, from.len + to.len + @as(usize, if (port == 0) 0 else 8));
            @memset(key, 0);
            @memcpy(key[0..from.len], from);
            @memcpy(key[from.len..][0..to.len], to);
            if (port != 0) {
                key[from.len + to.len] = protocol;
                std.mem.writeInt(u16, key[from.len + to.len + 4 ..][0..2], port, .big);
            }
            try list.append(self.arena, .{ .key = key, .timeout_ms = timeout_s * 1000 });
        }
    }

    /// One that is there already begins its time anew: older kernels do not do that by themselves.
    fn tell(self: *Found, table: []const u8, family: u8) bool {
        var changes: [6]nftables.Change = undefined;
        var count: usize = 0;
        const Set = struct { []const u8, []const nftables.Element };
        for ([_]Set{ .{ "hosts", self.hosts.items }, .{ "services", self.services.items } }) |each| {
            const set, const elements = each;
            if (elements.len == 0) continue;
            for ([_]bool{ true, false, true }) |is_added| {
                changes[count] = .{ .isAdded = is_added, .family = family, .table = table, .set = set, .elements = elements };
                count += 1;
            }
        }
        if (count == 0) return true;
        const refusal = nftables.change(self.arena, changes[0..count]) catch return false;
        return refusal.errno == .SUCCESS;
    }
};

/// Neither this host itself, nor the link, nor everybody: no name leads there for a container.
fn isElsewhere(address: []const u8) bool {
    if (address.len == 4)
        return address[0] != 0 and address[0] != 127 and address[0] < 224 and !(address[0] == 169 and address[1] == 254);
    const is_short = std.mem.allEqual(u8, address[0..10], 0);
    const is_link = address[0] == 0xfe and address[1] & 0xc0 == 0x80;
    return !is_short and !is_link and address[0] != 0xff;
}

const example = "network x y\negress rt-egress\nallow 0a000002 example.org 443\nallow 0a000002 *.test 0\nallow zz\nallow 0a000002  0\n";

test mayAsk {
    for ([_]struct { []const u8, bool }{
        .{ "example.org", true },    .{ "a.example.org", false }, .{ "xexample.org", false }, .{ "a.test", true }, .{ "a.b.test", true },
        .{ "test", false },          .{ ".test", false },         .{ "atest", false },        .{ "", false },      .{ "*.test", true },
        .{ "other.example", false },
    }) |case| {
        try std.testing.expectEqual(case[1], mayAsk(example ++ "egress-names\n", case[0]));
        try std.testing.expect(mayAsk(example, case[0]));
    }
    try std.testing.expectEqual(null, tableOf("server host 7f000035 0\n"));
    try std.testing.expectEqualStrings("rt-egress", tableOf(example).?);
}

const asked = "\x01a\x04test\x00\x00\x01\x00\x01";
const answers = "\x12\x34\x81\x80\x00\x01\x00\x04\x00\x00\x00\x00" ++ asked ++
    "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x05\x00\x02\xc0\x0e" ++
    "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\xc0\x00\x02\x07" ++
    "\xc0\x0c\x00\x01\x00\x01\x00\x01\x00\x00\x00\x04\xc0\x00\x02\x08" ++
    "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x7f\x00\x00\x01";

test "what an answer lets through" {
    var arena: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena.deinit();
    var found: Found = .{ .arena = arena.allocator() };
    try std.testing.expect(dns.isWhole(answers));
    try found.collect(example, "a.test", asked, answers, 4, .a);
    try std.testing.expectEqual(2, found.hosts.items.len);
    try std.testing.expectEqual(0, found.services.items.len);
    try std.testing.expectEqualSlices(u8, "\x0a\x00\x00\x02\xc0\x00\x02\x07", found.hosts.items[0].key);
    try std.testing.expectEqual(90_000, found.hosts.items[0].timeout_ms);
    try std.testing.expectEqual(65_566_000, found.hosts.items[1].timeout_ms);
    try found.collect(example, "example.org", asked, answers, 4, .a);
    try std.testing.expectEqual(4, found.services.items.len);
    try std.testing.expectEqualSlices(u8, "\x0a\x00\x00\x02\xc0\x00\x02\x07\x11\x00\x00\x00\x01\xbb\x00\x00", found.services.items[1].key);
    try found.collect(example, "a.test", asked, answers, 16, .aaaa);
    try found.collect(example, "other.example", asked, answers, 4, .a);
    try std.testing.expectEqual(2, found.hosts.items.len);
}

test "any text, any answer" {
    var random: std.Random.DefaultPrng = .init(9);
    var packet: [answers.len]u8 = answers.*;
    for (0..20_000) |_| {
        var arena_bytes: [32 * 1024]u8 = undefined;
        var fixed: std.heap.FixedBufferAllocator = .init(&arena_bytes);
        var found: Found = .{ .arena = fixed.allocator() };
        packet[random.random().uintLessThan(usize, packet.len)] = random.random().int(u8);
        if (random.random().uintLessThan(u8, 8) == 0) packet = answers.*;
        var text: [200]u8 = undefined;
        for (&text) |*byte| byte.* = "allow 0a000002 *.test egress\n\n 443"[random.random().uintLessThan(usize, 34)];
        found.collect(&text, "a.test", asked, &packet, 4, .a) catch {};
        found.collect(example, "a.test", asked, &packet, 4, .a) catch {};
        _ = mayAsk(&text, "a.test");
    }
}

test isElsewhere {
    const zeros = [_]u8{0} ** 16;
    for ([_][]const u8{ &.{ 10, 0, 0, 1 }, &.{ 169, 253, 0, 1 }, &([_]u8{ 0x20, 1 } ++ zeros[2..].*) }) |address|
        try std.testing.expect(isElsewhere(address));
    for ([_][]const u8{ &.{ 127, 0, 0, 1 }, &.{ 0, 0, 0, 0 }, &.{ 169, 254, 169, 254 }, &.{ 255, 255, 255, 255 } }) |address|
        try std.testing.expect(!isElsewhere(address));
    for ([_][16]u8{
        zeros,
        zeros[0..10].* ++ [_]u8{ 0xff, 0xff, 10, 0, 0, 1 },
        [_]u8{ 0xfe, 0x80 } ++ zeros[2..].*,
        [_]u8{ 0xff, 2 } ++ zeros[2..].*,
    }) |address| try std.testing.expect(!isElsewhere(&address));
}
