//! Text from a stranger, made fit for a person's terminal: on one line, and nothing in it that a terminal obeys.
const std = @import("std");

/// `text` in `buffer`, with "\xNN" for control characters and bytes that are no UTF-8, "\u{NNNN}" for what turns the
/// direction of writing. Cut where the buffer ends, never inside of a character.
pub fn escape(buffer: []u8, text: []const u8) []const u8 {
    var writer: std.Io.Writer = .fixed(buffer);
    var rest = text;
    while (rest.len > 0) {
        const length = characterLength(rest);
        const before = writer.end;
        writeCharacter(&writer, rest[0..@max(length, 1)], length > 0) catch {
            writer.end = before;
            break;
        };
        rest = rest[@max(length, 1)..];
    }
    return writer.buffered();
}

/// Bytes of the character at the beginning of `text`, 0 when it is not well-formed.
fn characterLength(text: []const u8) usize {
    const length = std.unicode.utf8ByteSequenceLength(text[0]) catch return 0;
    if (length > text.len or !std.unicode.utf8ValidateSlice(text[0..length])) return 0;
    return length;
}

fn writeCharacter(writer: *std.Io.Writer, bytes: []const u8, valid: bool) std.Io.Writer.Error!void {
    const point: u21 = if (valid) std.unicode.utf8Decode(bytes) catch bytes[0] else bytes[0];
    if (valid and isPlain(point)) return writer.writeAll(bytes);
    if (point > 0xff) return writer.print("\\u{{{x}}}", .{point});
    return writer.print("\\x{x:0>2}", .{point});
}

fn isPlain(point: u21) bool {
    return switch (point) {
        0...0x1f, 0x7f...0x9f => false, // C0, DEL, C1
        0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069 => false, // directions, separators of lines
        else => true,
    };
}

test escape {
    var buffer: [64]u8 = undefined;
    const cases = [_][2][]const u8{
        .{ "exec: \"é\": no such file", "exec: \"é\": no such file" },
        .{ "\x1b[31mred\n\x00", "\\x1b[31mred\\x0a\\x00" },
        .{ "\xe9\xff\xc3", "\\xe9\\xff\\xc3" },
        .{ "\u{9b}1m\u{202e}", "\\x9b1m\\u{202e}" },
    };
    for (cases) |case| try std.testing.expectEqualStrings(case[1], escape(&buffer, case[0]));
    try std.testing.expectEqualStrings("ab", escape(buffer[0..3], "abé"));
    try std.testing.expectEqualStrings("a", escape(buffer[0..4], "a\n"));
}
