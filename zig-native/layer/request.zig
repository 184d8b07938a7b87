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

    /// Every value of `key`, in order.
    pub fn all(self: Request, key: []const u8) Values {
        return .{ .rest = self.arguments, .key = key };
    }

    pub const Values = struct {
        rest: []const [*:0]const u8,
        key: []const u8,

        pub fn next(self: *Values) ?[:0]const u8 {
            while (self.rest.len > 0) {
                const found = (Request{ .arguments = self.rest[0..1] }).get(self.key);
                self.rest = self.rest[1..];
                if (found) |value| return value;
            }
            return null;
        }
    };

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
