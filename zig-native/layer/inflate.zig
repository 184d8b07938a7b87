//! Inflate (RFC 1951) written for throughput, on a blocking source and sink: it runs in a thread of its own, so it needs
//! no state machine to be suspended in the middle of a symbol. When input is short it asks the source and waits; when
//! the output span is full it hands it over and waits for the next.
//!
//! Source: `read(into: []u8) usize`, 0 = the end.
//! Sink:   `reserve() []u8`: the next span to fill. The 32 KiB written before it can be read just below it, and
//!         `slack` bytes behind it may be written or scribbled on; `commit(bytes: []const u8) void`: these are final.
const std = @import("std");
const huffman = @import("huffman.zig");

/// A match may overshoot its span by this much: 258 bytes, three literals, and a vector.
pub const slack = 320;
pub const window_bytes = 32768;

pub const Error = error{ Truncated, BadBlockType, BadStoredLength, BadCodeLengths, MissingEndOfBlock, BadCode, BadDistance };

const literal_bits = 11;
const distance_bits = 8;
const length_code_bits = 7;

/// Zero bytes after the end of the input: decoding may run a little into them before it sees that it did.
const padding = 96;
/// In the loop, one symbol reads at most this far.
const reach = 40;

pub fn Inflate(comptime Source: type, comptime Sink: type) type {
    return struct {
        const Self = @This();

        source: *Source,
        sink: *Sink,
        /// Bits that were taken out of the input and not used yet, from the lowest on; only `count` of them count,
        /// those above are a preview of what follows in the input.
        bits: u64 = 0,
        count: u8 = 0,
        next: usize = 0,
        end: usize = 0,
        ended: bool = false,
        /// Bytes of output since `begin`, as far as distances may reach.
        history: usize = 0,
        literals: [2400]u32 = undefined,
        distances: [512]u32 = undefined,
        fixed_loaded: bool = false,
        input: [256 * 1024 + padding]u8 = undefined,

        pub fn init(self: *Self, source: *Source, sink: *Sink) void {
            self.source = source;
            self.sink = sink;
            self.bits = 0;
            self.count = 0;
            self.next = 0;
            self.end = 0;
            self.ended = false;
            self.history = 0;
            self.fixed_loaded = false;
        }

        /// One whole deflate stream. Distances cannot reach before it.
        pub fn stream(self: *Self) Error!void {
            self.history = 0;
            while (true) {
                try self.demand(3);
                const last = self.take(1) == 1;
                switch (self.take(2)) {
                    0 => try self.stored(),
                    1 => {
                        try self.loadFixed();
                        try self.block();
                    },
                    2 => {
                        try self.loadDynamic();
                        try self.block();
                    },
                    else => return error.BadBlockType,
                }
                if (last) break;
            }
            self.alignToByte();
            if (self.next > self.end) return error.Truncated;
        }

        /// The next byte after a stream (for gzip's header and trailer), null at the end of the input.
        pub fn byte(self: *Self) ?u8 {
            if (self.next >= self.end) self.fillInput();
            if (self.next >= self.end) return null;
            self.next += 1;
            return self.input[self.next - 1];
        }

        // --- input -------------------------------------------------------------------------------------------

        /// At least `reach` bytes ahead, or all that there are, followed by zeros.
        fn ensure(self: *Self) void {
            if (self.next + reach + 8 > self.end and !self.ended) self.fillInput();
        }

        fn fillInput(self: *Self) void {
            if (self.ended) return;
            // Whole bytes that wait in `bits` may be given back yet (alignToByte): they move along.
            const behind = self.count >> 3;
            const start = self.next - behind;
            const left = self.end - start;
            std.mem.copyForwards(u8, self.input[0..left], self.input[start..self.end]);
            self.next = behind;
            self.end = left;
            while (self.end < self.next + reach + 8) {
                const got = self.source.read(self.input[self.end .. self.input.len - padding]);
                if (got == 0) {
                    self.ended = true;
                    @memset(self.input[self.end..][0..padding], 0);
                    return;
                }
                self.end += got;
            }
        }

        inline fn refill(self: *Self) void {
            self.bits |= std.mem.readInt(u64, self.input[self.next..][0..8], .little) << @intCast(self.count);
            self.next += (63 - self.count) >> 3;
            self.count |= 56;
        }

        /// At least `wanted` (at most 56) real bits in `bits`.
        fn demand(self: *Self, wanted: u8) Error!void {
            if (self.count < wanted) {
                self.ensure();
                if (self.next > self.end + padding - reach) return error.Truncated;
                self.refill();
            }
            if (self.pastEnd()) return error.Truncated;
        }

        /// Were bits used that the input does not have?
        fn pastEnd(self: *Self) bool {
            return self.next > self.end and (self.next - self.end) * 8 > self.count;
        }

        fn take(self: *Self, n: u6) u32 {
            const value: u32 = @intCast(self.bits & ((@as(u64, 1) << n) - 1));
            self.drop(n);
            return value;
        }

        inline fn drop(self: *Self, n: u8) void {
            self.bits >>= @intCast(n);
            self.count -= n;
        }

        fn alignToByte(self: *Self) void {
            self.next -= self.count >> 3;
            self.bits = 0;
            self.count = 0;
        }

        // --- blocks ------------------------------------------------------------------------------------------

        fn stored(self: *Self) Error!void {
            self.alignToByte();
            if (self.next > self.end) return error.Truncated;
            var header: [4]u8 = undefined;
            for (&header) |*b| b.* = self.byte() orelse return error.Truncated;
            const length = std.mem.readInt(u16, header[0..2], .little);
            if (length != ~std.mem.readInt(u16, header[2..4], .little)) return error.BadStoredLength;
            var left: usize = length;
            while (left > 0) {
                if (self.next >= self.end) self.fillInput();
                if (self.next >= self.end) return error.Truncated;
                const span = self.sink.reserve();
                const n = @min(left, self.end - self.next, span.len);
                @memcpy(span[0..n], self.input[self.next..][0..n]);
                self.next += n;
                left -= n;
                self.emit(span[0..n]);
            }
        }

        fn emit(self: *Self, bytes: []const u8) void {
            self.history = @min(self.history + bytes.len, window_bytes);
            self.sink.commit(bytes);
        }

        fn loadFixed(self: *Self) Error!void {
            if (self.fixed_loaded) return;
            const lengths = [_]u8{8} ** 144 ++ [_]u8{9} ** 112 ++ [_]u8{7} ** 24 ++ [_]u8{8} ** 8;
            try huffman.build(&self.literals, literal_bits, &lengths, &huffman.literal_meanings);
            try huffman.build(&self.distances, distance_bits, &([_]u8{5} ** 32), &huffman.distance_meanings);
            self.fixed_loaded = true;
        }

        fn loadDynamic(self: *Self) Error!void {
            self.fixed_loaded = false;
            try self.demand(14);
            const literal_count: usize = self.take(5) + 257;
            const distance_count: usize = self.take(5) + 1;
            const length_code_count: usize = self.take(4) + 4;
            if (literal_count > 286 or distance_count > 30) return error.BadCodeLengths;

            const order = [19]u8{ 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
            var code_lengths = [_]u8{0} ** 19;
            for (order[0..length_code_count]) |symbol| {
                try self.demand(3);
                code_lengths[symbol] = @intCast(self.take(3));
            }
            var table: [1 << length_code_bits]u32 = undefined;
            try huffman.build(&table, length_code_bits, &code_lengths, &huffman.length_code_meanings);

            var lengths: [286 + 30]u8 = undefined;
            try self.readLengths(&table, lengths[0 .. literal_count + distance_count]);
            if (lengths[256] == 0) return error.MissingEndOfBlock;
            try huffman.build(&self.literals, literal_bits, lengths[0..literal_count], &huffman.literal_meanings);
            try huffman.build(&self.distances, distance_bits, lengths[literal_count..][0..distance_count], &huffman.distance_meanings);
        }

        fn readLengths(self: *Self, table: *const [1 << length_code_bits]u32, lengths: []u8) Error!void {
            var index: usize = 0;
            while (index < lengths.len) {
                try self.demand(length_code_bits + 7);
                const entry = table[self.bits & (table.len - 1)];
                if (entry & huffman.special != 0) return error.BadCodeLengths;
                self.drop(@truncate(entry));
                const symbol: u8 = @truncate(entry >> 16);
                if (symbol < 16) {
                    lengths[index] = symbol;
                    index += 1;
                    continue;
                }
                if (symbol == 16 and index == 0) return error.BadCodeLengths;
                const value: u8 = if (symbol == 16) lengths[index - 1] else 0;
                const repeat: usize = switch (symbol) {
                    16 => 3 + self.take(2),
                    17 => 3 + self.take(3),
                    else => 11 + self.take(7),
                };
                if (repeat > lengths.len - index) return error.BadCodeLengths;
                @memset(lengths[index..][0..repeat], value);
                index += repeat;
            }
        }

        /// The symbols of one block, until its end.
        fn block(self: *Self) Error!void {
            while (true) {
                self.ensure();
                const span = self.sink.reserve();
                const input_limit = if (self.ended) self.end + padding - reach else self.end - reach;
                var written: usize = 0;
                const done = try self.symbols(span, input_limit, &written);
                if (self.pastEnd()) return error.Truncated;
                // The last match may have gone on into the slack.
                self.emit(span.ptr[0..written]);
                if (done) return;
                if (self.ended and self.next > self.end + padding - reach) return error.Truncated;
            }
        }

        /// The hot loop: while there is room for one more match and input for one more symbol.
        /// True when the block ended.
        fn symbols(self: *Self, span: []u8, input_limit: usize, written: *usize) Error!bool {
            const literals = &self.literals;
            const distances = &self.distances;
            const first = span.ptr;
            const limit = first + span.len;
            const history = self.history;
            var out = first;
            var bits = self.bits;
            var count: u64 = self.count;
            var in: [*]const u8 = self.input[self.next..].ptr;
            const in_limit: [*]const u8 = self.input[0..].ptr + input_limit;
            defer {
                written.* = @intFromPtr(out) - @intFromPtr(first);
                self.bits = bits;
                self.count = @intCast(count);
                self.next = @intFromPtr(in) - @intFromPtr(&self.input);
            }
            if (@intFromPtr(in) > @intFromPtr(in_limit)) return false;
            refillLocal(&bits, &count, &in);
            // Loaded for the next turn as early as its bits are known: the load is what everything waits for.
            var entry = literals[bits & ((1 << literal_bits) - 1)];
            while (@intFromPtr(out) < @intFromPtr(limit) and @intFromPtr(in) <= @intFromPtr(in_limit)) {
                // At most three literals on one refill: 33 bits of 56, and 23 remain for a length (15 + 5).
                inline for (0..3) |_| {
                    if (entry & huffman.literal == 0) break;
                    bits >>= @intCast(entry & 0x3f);
                    count -= entry & 0xff;
                    out[0] = @truncate(entry >> 16);
                    out += 1;
                    entry = literals[bits & ((1 << literal_bits) - 1)];
                }
                if (entry & huffman.literal != 0) {
                    // Its entry stays right: a refill only adds bits above.
                    refillLocal(&bits, &count, &in);
                    continue;
                }
                if (entry & huffman.special != 0) {
                    if (entry & huffman.subtable != 0) {
                        bits >>= literal_bits;
                        count -= literal_bits;
                        entry = literals[(entry >> 16) + (bits & mask(entry >> 8 & 0xf))];
                        if (entry & huffman.literal != 0) {
                            bits >>= @intCast(entry & 0x3f);
                            count -= entry & 0xff;
                            out[0] = @truncate(entry >> 16);
                            out += 1;
                            refillLocal(&bits, &count, &in);
                            entry = literals[bits & ((1 << literal_bits) - 1)];
                            continue;
                        }
                    }
                    if (entry & huffman.special != 0) {
                        if (entry & huffman.end_of_block == 0) return error.BadCode;
                        bits >>= @intCast(entry & 0x3f);
                        count -= entry & 0xff;
                        return true;
                    }
                }
                const length: usize = (entry >> 16) + ((bits & mask(entry & 0x3f)) >> @intCast(entry >> 8 & 0xf));
                bits >>= @intCast(entry & 0x3f);
                count -= entry & 0xff;

                refillLocal(&bits, &count, &in);
                entry = distances[bits & ((1 << distance_bits) - 1)];
                if (entry & huffman.special != 0) {
                    if (entry & huffman.subtable == 0) return error.BadCode;
                    bits >>= distance_bits;
                    count -= distance_bits;
                    entry = distances[(entry >> 16) + (bits & mask(entry >> 8 & 0xf))];
                    if (entry & huffman.special != 0) return error.BadCode;
                }
                const distance: usize = (entry >> 16) + ((bits & mask(entry & 0x3f)) >> @intCast(entry >> 8 & 0xf));
                bits >>= @intCast(entry & 0x3f);
                count -= entry & 0xff;
                if (distance > history + (@intFromPtr(out) - @intFromPtr(first))) return error.BadDistance;
                refillLocal(&bits, &count, &in);
                entry = literals[bits & ((1 << literal_bits) - 1)];
                copyMatch(out, distance, length);
                out += length;
            }
            return false;
        }
    };
}

inline fn refillLocal(bits: *u64, count: *u64, in: *[*]const u8) void {
    bits.* |= std.mem.readInt(u64, in.*[0..8], .little) << @intCast(count.*);
    in.* += (63 - count.*) >> 3;
    count.* |= 56;
}

inline fn mask(n: u32) u64 {
    return (@as(u64, 1) << @intCast(n)) - 1;
}

/// Writes up to 31 bytes more than `length`.
inline fn copyMatch(out: [*]u8, distance: usize, length: usize) void {
    const V = @Vector(16, u8);
    const end = @intFromPtr(out) + length;
    var to = out;
    if (distance >= 16) {
        var from = out - distance;
        while (true) {
            to[0..16].* = @as(V, from[0..16].*);
            to += 16;
            from += 16;
            if (@intFromPtr(to) >= end) return;
        }
    } else if (distance == 1) {
        const pattern: V = @splat((out - 1)[0]);
        while (true) {
            to[0..16].* = pattern;
            to += 16;
            if (@intFromPtr(to) >= end) return;
        }
    } else if (distance >= 8) {
        var from = out - distance;
        while (true) {
            to[0..8].* = from[0..8].*;
            to += 8;
            from += 8;
            if (@intFromPtr(to) >= end) return;
        }
    } else {
        const from = out - distance;
        for (0..length) |index| out[index] = from[index];
    }
}
