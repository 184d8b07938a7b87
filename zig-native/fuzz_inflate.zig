//! Inflate, alone and with all safety checks, for test/fuzz/inflate.test.ts: many cases through one process.
//!
//!   in:   u32 bytes, u16 bytes that the source gives at a time, u16 bytes that the sink takes at a time, a deflate stream
//!   out:  u8 (0: good, else 1 + the error's place in `inflate.Error`), u32 bytes of output, u32 CRC-32 of it
const std = @import("std");
const linux = std.os.linux;
const crc32 = @import("layer/crc32.zig");
const inflate = @import("layer/inflate.zig");

const case_bytes_max = 1 << 20;
const output_bytes_max = 8 << 20;

var input: [case_bytes_max]u8 = undefined;
var output: [inflate.window_bytes + output_bytes_max + inflate.slack + 65536]u8 = undefined;
var decoder: inflate.Inflate(Source, Sink) = undefined;

const Source = struct {
    rest: []const u8,
    piece: usize,

    pub fn read(self: *Source, into: []u8) usize {
        const n = @min(self.rest.len, self.piece, into.len);
        @memcpy(into[0..n], self.rest[0..n]);
        self.rest = self.rest[n..];
        return n;
    }
};

/// One long span: what does not fit is a case of its own, which ends the process.
const Sink = struct {
    length: usize = 0,
    piece: usize,

    pub fn reserve(self: *Sink) []u8 {
        if (self.length > output_bytes_max) fatal("a case with too much output");
        return output[inflate.window_bytes + self.length ..][0..self.piece];
    }

    pub fn commit(self: *Sink, bytes: []const u8) void {
        self.length += bytes.len;
    }
};

pub fn main() u8 {
    var header: [8]u8 = undefined;
    while (readAll(&header)) {
        const length = std.mem.readInt(u32, header[0..4], .little);
        if (length > input.len or !readAll(input[0..length])) fatal("a case that is too long, or cut off");
        var source: Source = .{ .rest = input[0..length], .piece = @max(1, std.mem.readInt(u16, header[4..6], .little)) };
        var sink: Sink = .{ .piece = @max(1, std.mem.readInt(u16, header[6..8], .little)) };
        decoder.init(&source, &sink);
        var status: u8 = 0;
        decoder.stream() catch |e| {
            status = 1 + @as(u8, @intCast(@intFromError(e) % 255));
        };
        var answer: [9]u8 = undefined;
        answer[0] = status;
        std.mem.writeInt(u32, answer[1..5], @intCast(sink.length), .little);
        std.mem.writeInt(u32, answer[5..9], crc32.update(0, output[inflate.window_bytes..][0..sink.length]), .little);
        if (linux.write(1, &answer, answer.len) != answer.len) return 1;
    }
    return 0;
}

fn readAll(into: []u8) bool {
    var have: usize = 0;
    while (have < into.len) {
        const got = linux.read(0, into.ptr + have, into.len - have);
        if (linux.errno(got) != .SUCCESS or got == 0) return false;
        have += got;
    }
    return true;
}

fn fatal(message: []const u8) noreturn {
    _ = linux.write(2, message.ptr, message.len);
    linux.exit_group(2);
}
