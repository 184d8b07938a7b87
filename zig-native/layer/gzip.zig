//! gzip members (RFC 1952) around inflate: headers, any number of members one after the other, CRC and length of each
//! checked. What follows the last member and is not another is an error: a layer's digest covers those bytes, so
//! whoever put them there wants two readers to see different things.
const std = @import("std");
const inflate = @import("inflate.zig");
const crc32 = @import("crc32.zig");

pub const Error = inflate.Error || error{ BadHeader, BadChecksum, BadLength, TrailingGarbage };

const flag_header_crc = 0x02;
const flag_extra = 0x04;
const flag_name = 0x08;
const flag_comment = 0x10;
const flags_reserved = 0xe0;

/// `Sink` as inflate wants it. All of the source is read.
pub fn Gunzip(comptime Source: type, comptime Sink: type) type {
    return struct {
        const Self = @This();
        const Inner = inflate.Inflate(Source, Checked);

        /// Passes spans through and keeps the member's checksum, while the bytes are still in the cache.
        const Checked = struct {
            sink: *Sink,
            crc: u32 = 0,
            length: u32 = 0,

            pub fn reserve(self: *Checked) []u8 {
                return self.sink.reserve();
            }

            pub fn commit(self: *Checked, bytes: []const u8) void {
                self.crc = crc32.update(self.crc, bytes);
                self.length +%= @truncate(bytes.len);
                self.sink.commit(bytes);
            }
        };

        checked: Checked,
        inner: Inner,
        header_crc: u32,

        pub fn run(self: *Self, source: *Source, sink: *Sink) Error!void {
            self.checked = .{ .sink = sink };
            self.inner.init(source, &self.checked);
            var members: usize = 0;
            while (self.inner.byte()) |first| : (members += 1) {
                const second = self.inner.byte() orelse 0;
                if (first != 0x1f or second != 0x8b) return if (members == 0) error.BadHeader else error.TrailingGarbage;
                try self.header();
                self.checked.crc = 0;
                self.checked.length = 0;
                try self.inner.stream();
                if (try self.word() != self.checked.crc) return error.BadChecksum;
                if (try self.word() != self.checked.length) return error.BadLength;
            }
            if (members == 0) return error.Truncated;
        }

        fn header(self: *Self) Error!void {
            self.header_crc = crc32.update(0, &.{ 0x1f, 0x8b });
            if (try self.headerByte() != 8) return error.BadHeader;
            const flags = try self.headerByte();
            if (flags & flags_reserved != 0) return error.BadHeader;
            for (0..6) |_| _ = try self.headerByte();
            if (flags & flag_extra != 0) {
                const low = try self.headerByte();
                const length = @as(usize, try self.headerByte()) << 8 | low;
                for (0..length) |_| _ = try self.headerByte();
            }
            if (flags & flag_name != 0) while (try self.headerByte() != 0) {};
            if (flags & flag_comment != 0) while (try self.headerByte() != 0) {};
            if (flags & flag_header_crc != 0) {
                const want: u16 = @truncate(self.header_crc);
                const low = try self.headerByte();
                const got = @as(u16, try self.headerByte()) << 8 | low;
                if (got != want) return error.BadHeader;
            }
        }

        fn headerByte(self: *Self) Error!u8 {
            const value = self.inner.byte() orelse return error.Truncated;
            self.header_crc = crc32.update(self.header_crc, &.{value});
            return value;
        }

        fn word(self: *Self) Error!u32 {
            var bytes: [4]u8 = undefined;
            for (&bytes) |*b| b.* = self.inner.byte() orelse return error.Truncated;
            return std.mem.readInt(u32, &bytes, .little);
        }
    };
}

/// For people.
pub fn describe(problem: Error) []const u8 {
    return switch (problem) {
        error.Truncated => "the gzip stream ends early",
        error.BadBlockType => "invalid deflate block type",
        error.BadStoredLength => "invalid length of a stored deflate block",
        error.BadCodeLengths => "invalid deflate code lengths",
        error.MissingEndOfBlock => "a deflate block without an end",
        error.BadCode => "invalid deflate code",
        error.BadDistance => "a deflate match reaches before the beginning",
        error.BadHeader => "not a gzip header",
        error.BadChecksum => "the gzip checksum does not match",
        error.BadLength => "the gzip length does not match",
        error.TrailingGarbage => "something that is not gzip follows the gzip stream",
    };
}
