//! Netlink messages as they are written (linux/netlink.h): a header, a fixed part, attributes, some of which hold others.
//! Everything begins at a multiple of four bytes, and every length counts its own header.
const std = @import("std");

pub const request: u16 = 1;
pub const ack: u16 = 4;
pub const dump: u16 = 0x300;
pub const replace: u16 = 0x100;
pub const exclusive: u16 = 0x200;
pub const create: u16 = 0x400;
pub const append: u16 = 0x800;

pub const header_bytes = 16;
pub const attribute_bytes = 4;
/// Bit of an attribute's type: it holds attributes.
pub const nested = 0x8000;

pub const Error = error{ OutOfMemory, TooLong };

/// Messages one after the other, numbered from 1 by their sequence: what one datagram holds.
pub const Builder = struct {
    arena: std.mem.Allocator,
    bytes: std.ArrayList(u8) = .empty,
    /// How many messages there are: also the sequence of the last.
    count: u32 = 0,
    /// Where the last one begins.
    last: usize = 0,

    /// A message, until `end`. `fixed` is the family's own header.
    pub fn begin(self: *Builder, kind: u16, flags: u16, fixed: anytype) Error!void {
        self.count += 1;
        self.last = self.bytes.items.len;
        try self.value(@as(u32, 0));
        try self.value(kind);
        try self.value(flags | request);
        try self.value(self.count);
        try self.value(@as(u32, 0));
        try self.put(std.mem.asBytes(&fixed));
    }

    pub fn end(self: *Builder) void {
        const length: u32 = @intCast(self.bytes.items.len - self.last);
        std.mem.writeInt(u32, self.bytes.items[self.last..][0..4], length, .native);
    }

    /// The last message is to be answered also when all is well.
    pub fn wantAnswer(self: *Builder) void {
        const flags = self.bytes.items[self.last + 6 ..][0..2];
        std.mem.writeInt(u16, flags, std.mem.readInt(u16, flags, .native) | ack, .native);
    }

    pub fn attribute(self: *Builder, kind: u16, bytes: []const u8) Error!void {
        const length = attribute_bytes + bytes.len;
        if (length > std.math.maxInt(u16)) return error.TooLong;
        try self.value(@as(u16, @intCast(length)));
        try self.value(kind);
        try self.put(bytes);
    }

    /// With its NUL.
    pub fn string(self: *Builder, kind: u16, text: []const u8) Error!void {
        const at = try self.nest(kind);
        try self.bytes.appendSlice(self.arena, text);
        try self.bytes.append(self.arena, 0);
        try self.close(at, kind);
    }

    /// In the machine's order, as rtnetlink has its numbers.
    pub fn number(self: *Builder, kind: u16, integer: anytype) Error!void {
        try self.attribute(kind, std.mem.asBytes(&integer));
    }

    /// In the network's order, as nftables has them.
    pub fn big(self: *Builder, kind: u16, integer: u32) Error!void {
        var bytes: [4]u8 = undefined;
        std.mem.writeInt(u32, &bytes, integer, .big);
        try self.attribute(kind, &bytes);
    }

    /// As `big`.
    pub fn bigger(self: *Builder, kind: u16, integer: u64) Error!void {
        var bytes: [8]u8 = undefined;
        std.mem.writeInt(u64, &bytes, integer, .big);
        try self.attribute(kind, &bytes);
    }

    /// An attribute of attributes, until `unnest`.
    pub fn nest(self: *Builder, kind: u16) Error!usize {
        const at = self.bytes.items.len;
        try self.value(@as(u16, 0));
        try self.value(kind);
        return at;
    }

    pub fn unnest(self: *Builder, at: usize) Error!void {
        const kind = std.mem.readInt(u16, self.bytes.items[at + 2 ..][0..2], .native);
        try self.close(at, kind | nested);
    }

    fn close(self: *Builder, at: usize, kind: u16) Error!void {
        const length = self.bytes.items.len - at;
        if (length > std.math.maxInt(u16)) return error.TooLong;
        std.mem.writeInt(u16, self.bytes.items[at..][0..2], @intCast(length), .native);
        std.mem.writeInt(u16, self.bytes.items[at + 2 ..][0..2], kind, .native);
        try self.pad();
    }

    fn put(self: *Builder, bytes: []const u8) Error!void {
        try self.bytes.appendSlice(self.arena, bytes);
        try self.pad();
    }

    fn value(self: *Builder, integer: anytype) Error!void {
        try self.bytes.appendSlice(self.arena, std.mem.asBytes(&integer));
    }

    fn pad(self: *Builder) Error!void {
        while (self.bytes.items.len % 4 != 0) try self.bytes.append(self.arena, 0);
    }
};

/// A message that came. Nothing of it is believed: a length that does not fit ends the reading.
pub const Received = struct {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: []const u8,
};

pub const Reader = struct {
    bytes: []const u8,

    pub fn next(self: *Reader) ?Received {
        if (self.bytes.len < header_bytes) return null;
        const length = std.mem.readInt(u32, self.bytes[0..4], .native);
        if (length < header_bytes or length > self.bytes.len) return null;
        const message: Received = .{
            .kind = std.mem.readInt(u16, self.bytes[4..6], .native),
            .flags = std.mem.readInt(u16, self.bytes[6..8], .native),
            .sequence = std.mem.readInt(u32, self.bytes[8..12], .native),
            .body = self.bytes[header_bytes..length],
        };
        self.bytes = self.bytes[@min(std.mem.alignForward(usize, length, 4), self.bytes.len)..];
        return message;
    }
};

/// The first attribute of a list, and the list behind it; null at its end, or where what stands there is none.
pub fn first(bytes: []const u8) ?struct { value: []const u8, rest: []const u8 } {
    if (bytes.len < attribute_bytes) return null;
    const length = std.mem.readInt(u16, bytes[0..2], .native);
    if (length < attribute_bytes or length > bytes.len) return null;
    const next = @min(std.mem.alignForward(usize, length, 4), bytes.len);
    return .{ .value = bytes[attribute_bytes..length], .rest = bytes[next..] };
}

/// The value of attribute `wanted` among `bytes`; null when it is not there, or what stands before it is no attribute.
pub fn find(bytes: []const u8, wanted: u16) ?[]const u8 {
    var rest = bytes;
    while (rest.len >= attribute_bytes) {
        const length = std.mem.readInt(u16, rest[0..2], .native);
        if (length < attribute_bytes or length > rest.len) return null;
        const kind = std.mem.readInt(u16, rest[2..4], .native) & 0x3fff;
        if (kind == wanted) return rest[attribute_bytes..length];
        rest = rest[@min(std.mem.alignForward(usize, length, 4), rest.len)..];
    }
    return null;
}

test "a message of two attributes, one in the other" {
    var memory: [1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: Builder = .{ .arena = fixed.allocator() };
    try builder.begin(16, create, [4]u8{ 9, 8, 7, 6 });
    const outer = try builder.nest(18);
    try builder.string(1, "veth");
    try builder.unnest(outer);
    builder.end();
    builder.wantAnswer();
    try std.testing.expectEqualSlices(u8, &([_]u8{ 36, 0, 0, 0, 16, 0, 5, 4, 1, 0, 0, 0, 0, 0, 0, 0 } ++
        [_]u8{ 9, 8, 7, 6 } ++ [_]u8{ 16, 0, 18, 0x80 } ++ [_]u8{ 9, 0, 1, 0, 'v', 'e', 't', 'h', 0, 0, 0, 0 }), builder.bytes.items);
    var reader: Reader = .{ .bytes = builder.bytes.items };
    const message = reader.next().?;
    try std.testing.expectEqual(1, message.sequence);
    const inner = find(message.body[4..], 18).?;
    try std.testing.expectEqualStrings("veth\x00", find(inner, 1).?);
    try std.testing.expectEqual(null, find(inner, 2));
    try std.testing.expectEqual(null, reader.next());
}

test "an attribute is never longer than its length says" {
    var memory: [400_000]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: Builder = .{ .arena = fixed.allocator() };
    try builder.begin(16, 0, [0]u8{});
    try std.testing.expectError(error.TooLong, builder.attribute(1, &(@as([65532]u8, @splat(0)))));
    const outer = try builder.nest(2);
    try builder.attribute(1, &(@as([65531]u8, @splat(0))));
    try std.testing.expectError(error.TooLong, builder.unnest(outer));
}

test "lengths that lie end the reading" {
    var message = [_]u8{ 20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4 };
    for ([_]u32{ 0, 15, 21, 0xffff_ffff }) |lie| {
        std.mem.writeInt(u32, message[0..4], lie, .native);
        var reader: Reader = .{ .bytes = &message };
        try std.testing.expectEqual(null, reader.next());
    }
    for ([_]u8{ 0, 3, 9 }) |lie| try std.testing.expectEqual(null, find(&.{ lie, 0, 1, 0, 1, 2, 3, 4 }, 1));
}

test "anything may be read" {
    var random: std.Random.DefaultPrng = .init(7);
    var bytes: [64]u8 = undefined;
    for (0..20_000) |_| {
        random.fill(&bytes);
        bytes[1] = 0;
        @memset(bytes[2..4], 0);
        var reader: Reader = .{ .bytes = &bytes };
        while (reader.next()) |each| _ = find(each.body, 3);
        _ = find(&bytes, 3);
    }
}
