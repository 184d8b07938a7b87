//! The answer: one JSON line on standard output, written once, and then the process is over.
//!
//! A failure in any thread ends the process at once (nothing is undone here: the caller removes the temporary tree, as
//! it has to after a kill anyway). So there is one clean-up path and not two.
const std = @import("std");
const linux = std.os.linux;

/// What went wrong; src/layer/helper.ts maps it to an RtError code.
pub const Kind = enum {
    /// The archive or its compression is broken or hostile.
    malformed,
    /// The stream's digest is not the promised one.
    digest,
    /// The uncompressed stream or the number of entries is over its limit.
    limit,
    /// This layer cannot be applied without seeing its parents: do it again in merged mode.
    conflict,
    /// A path that is not there.
    missing,
    /// What a path is does not allow what was asked for.
    refused,
    /// An owner that our user namespace has not got, or the container's.
    unmapped,
    /// The operating system refused; `errno` says why.
    os,
    /// The caller went away or asked for something impossible.
    request,
    /// A safety check of ours failed: what was asked for is not done.
    fault,
};

/// Only the first failure is reported, and nobody writes after it.
var answered = std.atomic.Value(bool).init(false);

pub fn fail(kind: Kind, comptime format: []const u8, arguments: anytype) noreturn {
    answerFailure(kind, null, format, arguments);
}

/// `what` failed with `errno`: "cannot create usr/bin/x".
pub fn failErrno(errno: linux.E, comptime format: []const u8, arguments: anytype) noreturn {
    answerFailure(.os, errno, format, arguments);
}

fn answerFailure(kind: Kind, errno: ?linux.E, comptime format: []const u8, arguments: anytype) noreturn {
    claim();
    var message_buffer: [1024]u8 = undefined;
    var message = std.Io.Writer.fixed(&message_buffer);
    // A longer message is cut, which is what we want of it.
    message.print(format, arguments) catch |e| switch (e) {
        error.WriteFailed => {},
    };
    var line_buffer: [8192]u8 = undefined;
    var line = std.Io.Writer.fixed(&line_buffer);
    const name: []const u8 = if (errno) |e| (std.enums.tagName(linux.E, e) orelse "UNKNOWN") else "";
    line.print(
        "{{\"ok\":false,\"kind\":\"{s}\",\"errno\":\"{s}{s}\",\"message\":\"",
        .{ @tagName(kind), if (errno != null) "E" else "", name },
    ) catch unreachable; // fits: fixed text
    writeJsonText(&line, message.buffered()) catch unreachable; // 1024 * 6 < 8192
    line.writeAll("\"}\n") catch unreachable; // as above
    writeAll(line.buffered());
    linux.exit_group(1);
}

/// The last words after a failed safety check (wire/fault.zig). Nothing is waited for: another thread may hold anything.
pub fn tellFault(line: []const u8) void {
    if (answered.swap(true, .acq_rel)) return;
    var buffer: [2048]u8 = undefined;
    var writer = std.Io.Writer.fixed(&buffer);
    writer.writeAll("{\"ok\":false,\"kind\":\"fault\",\"errno\":\"\",\"message\":\"") catch return;
    writeJsonText(&writer, line) catch return;
    writer.writeAll("\"}\n") catch return;
    writeAll(writer.buffered());
}

/// The success line: `format` gives the members of a JSON object, without its braces.
pub fn succeed(comptime format: []const u8, arguments: anytype) noreturn {
    claim();
    say("{{\"ok\":true" ++ format ++ "}}\n", arguments);
    linux.exit_group(0);
}

/// A line before the last: an event.
pub fn say(comptime format: []const u8, arguments: anytype) void {
    var buffer: [4096]u8 = undefined;
    var line = std.Io.Writer.fixed(&buffer);
    line.print(format, arguments) catch unreachable; // callers print a few numbers, and short paths
    writeAll(line.buffered());
}

fn claim() void {
    if (!answered.swap(true, .acq_rel)) return;
    // Another thread is answering and will end the process.
    while (true) _ = linux.pause();
}

fn writeAll(bytes: []const u8) void {
    var rest = bytes;
    while (rest.len > 0) {
        const written = linux.write(1, rest.ptr, rest.len);
        switch (linux.errno(written)) {
            .SUCCESS => rest = rest[written..],
            .INTR => {},
            else => return, // nobody listens; the exit status still tells
        }
    }
}

/// Text in a JSON string. What is not printable ASCII was escaped before (see `Shown`), so this is short.
fn writeJsonText(writer: *std.Io.Writer, text: []const u8) std.Io.Writer.Error!void {
    for (text) |byte| switch (byte) {
        '"', '\\' => try writer.print("\\{c}", .{byte}),
        0...0x1f, 0x7f...0xff => try writer.print("\\u{x:0>4}", .{byte}),
        else => try writer.writeByte(byte),
    };
}

/// A name from an archive as a person may see it: printable ASCII stays, everything else is \xNN, so that neither
/// terminal escapes nor look-alikes come through. Long ones are cut.
pub const Shown = struct {
    name: []const u8,

    pub fn format(self: Shown, writer: *std.Io.Writer) std.Io.Writer.Error!void {
        for (self.name, 0..) |byte, index| {
            if (index == 200) return writer.writeAll("...");
            switch (byte) {
                '\\' => try writer.writeAll("\\\\"),
                0...0x1f, 0x7f...0xff => try writer.print("\\x{x:0>2}", .{byte}),
                else => try writer.writeByte(byte),
            }
        }
    }
};

pub fn shown(name: []const u8) Shown {
    return .{ .name = name };
}

/// The same between the quotes of a JSON string; 200 bytes of a name at most.
pub const Quoted = struct {
    name: []const u8,

    pub fn format(self: Quoted, writer: *std.Io.Writer) std.Io.Writer.Error!void {
        var buffer: [1024]u8 = undefined;
        var text = std.Io.Writer.fixed(&buffer);
        try text.print("{f}", .{shown(self.name)});
        try writeJsonText(writer, text.buffered());
    }
};

pub fn quoted(name: []const u8) Quoted {
    return .{ .name = name };
}
