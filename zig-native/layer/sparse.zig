//! Maps of sparse files: where in the file the stored bytes belong. Four encodings (GNU tar manual, "Storing Sparse
//! Files"), one result.
const std = @import("std");
const tar = @import("tar.zig");
const pax = @import("pax.zig");

pub const Error = error{ BadSparseMap, TooManyRecords };

/// 16 MiB of map at most: a hostile one must not take the memory.
const spans_max = 1 << 20;

pub const Map = struct {
    spans: std.ArrayList(pax.Pair) = .empty,

    pub fn clear(self: *Map) void {
        self.spans.clearRetainingCapacity();
    }

    pub fn add(self: *Map, span: pax.Pair) error{TooManyRecords}!void {
        if (self.spans.items.len == spans_max) return error.TooManyRecords;
        self.spans.append(std.heap.smp_allocator, span) catch return error.TooManyRecords;
    }

    pub fn addOpaque(context: *anyopaque, span: pax.Pair) error{TooManyRecords}!void {
        const self: *Map = @ptrCast(@alignCast(context));
        return self.add(span);
    }

    /// Format 0.1: "offset,length,offset,length".
    pub fn addText(self: *Map, text: []const u8) Error!void {
        var numbers = std.mem.splitScalar(u8, text, ',');
        while (numbers.next()) |offset| {
            const length = numbers.next() orelse return error.BadSparseMap;
            try self.add(.{
                .offset = pax.decimal(offset) catch return error.BadSparseMap,
                .length = pax.decimal(length) catch return error.BadSparseMap,
            });
        }
    }

    /// Old GNU: 24-byte entries in the header or in a continuation block; an empty one ends them.
    pub fn addOldGnu(self: *Map, entries: []const u8) Error!void {
        var rest = entries;
        while (rest.len >= 24) : (rest = rest[24..]) {
            if (rest[0] == 0) return;
            try self.add(.{
                .offset = tar.number(rest[0..12]) catch return error.BadSparseMap,
                .length = tar.number(rest[12..24]) catch return error.BadSparseMap,
            });
        }
    }

    /// In order, without overlap, inside the file, and as long together as what is stored.
    pub fn check(self: *const Map, stored_bytes: u64, real_size: u64) Error!void {
        var end: u64 = 0;
        var sum: u64 = 0;
        for (self.spans.items) |span| {
            if (span.offset < end) return error.BadSparseMap;
            end = std.math.add(u64, span.offset, span.length) catch return error.BadSparseMap;
            sum += span.length; // no overflow: they do not overlap
        }
        if (end > real_size or sum != stored_bytes or real_size > std.math.maxInt(i64)) return error.BadSparseMap;
    }
};

/// Format 1.0: decimal numbers, one a line, at the beginning of the data: count, then offset and length of each.
/// Fed block by block until `done`.
pub const Decimal = struct {
    wanted: ?u64 = null,
    offset: ?u64 = null,
    value: u64 = 0,
    digits: u8 = 0,
    done: bool = false,

    pub fn feed(self: *Decimal, map: *Map, block: []const u8) Error!void {
        for (block) |byte| {
            if (self.done) return;
            if (byte != '\n') {
                if (byte < '0' or byte > '9' or self.digits == 18) return error.BadSparseMap;
                self.value = self.value * 10 + byte - '0';
                self.digits += 1;
                continue;
            }
            if (self.digits == 0) return error.BadSparseMap;
            try self.number(map, self.value);
            self.value = 0;
            self.digits = 0;
        }
    }

    fn number(self: *Decimal, map: *Map, value: u64) Error!void {
        if (self.wanted == null) {
            if (value > spans_max) return error.TooManyRecords;
            self.wanted = value;
        } else if (self.offset) |offset| {
            try map.add(.{ .offset = offset, .length = value });
            self.offset = null;
        } else {
            self.offset = value;
        }
        self.done = self.offset == null and map.spans.items.len == self.wanted.?;
    }
};

test "1.0 across blocks, and bad maps" {
    var map: Map = .{};
    defer map.spans.deinit(std.heap.smp_allocator);
    var decimal: Decimal = .{};
    try decimal.feed(&map, "2\n0\n51");
    try decimal.feed(&map, "2\n1024\n0\n\x00\x00");
    try std.testing.expect(decimal.done);
    try map.check(512, 1024);
    try std.testing.expectError(error.BadSparseMap, map.check(512, 1023));
    try std.testing.expectError(error.BadSparseMap, map.check(511, 2000));
    map.clear();
    try map.addText("10,5,12,3");
    try std.testing.expectError(error.BadSparseMap, map.check(8, 100));
    try std.testing.expectError(error.BadSparseMap, map.addText("1,2,3"));
}
