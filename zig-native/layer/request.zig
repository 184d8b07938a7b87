//! The request: `key=value` arguments after the verb.
const std = @import("std");
const report = @import("report.zig");

pub const Request = struct {
    arguments: []const [*:0]const u8,

    pub fn get(self: Request, key: []const u8) ?[:0]const u8 {
        for (self.arguments) |argument| {
            const text = std.mem.span(argument);
            if (text.len > key.len and text[key.len] == '=' and std.mem.startsWith(u8, text, key)) return text[key.len + 1 ..];
        }
        return null;
    }

    pub fn need(self: Request, key: []const u8) [:0]const u8 {
        return self.get(key) orelse report.fail(.request, "the argument {s}= is missing", .{key});
    }

    pub fn number(self: Request, key: []const u8, default: u64) u64 {
        const text = self.get(key) orelse return default;
        return std.fmt.parseInt(u64, text, 10) catch report.fail(.request, "{s}={s} is not a number", .{ key, text });
    }

    pub fn choice(self: Request, comptime T: type, key: []const u8) T {
        const text = self.need(key);
        return std.meta.stringToEnum(T, text) orelse report.fail(.request, "unknown {s}={s}", .{ key, text });
    }
};
