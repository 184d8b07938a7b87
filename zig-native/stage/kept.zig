//! What a process that others can look into still needs of the request. The rest of it says where on the host things are, and what
//! hooks are told: it goes, and so does what was made from it.
const std = @import("std");
const memory = @import("../linux/memory.zig");

/// As large as the request's, which it may be nearly all of, and a page more: there is one region of each size.
const Kept = memory.Region(16 * 1024 * 1024 + std.heap.page_size_min);

/// What `copy` has made.
pub fn unmap() void {
    const region: Kept = .{};
    region.unmap();
}

/// A copy of `value`, with all that it points to, in memory of its own.
pub fn copy(value: anytype) error{OutOfMemory}!struct { value: @TypeOf(value), arena: std.mem.Allocator } {
    const arena = (try Kept.map()).allocator();
    return .{ .value = try copied(arena, value), .arena = arena };
}

/// Texts and lists, and what they are in.
fn copied(arena: std.mem.Allocator, value: anytype) error{OutOfMemory}!@TypeOf(value) {
    const T = @TypeOf(value);
    switch (@typeInfo(T)) {
        .pointer => |pointer| {
            comptime std.debug.assert(pointer.size == .slice);
            const list = try arena.alloc(pointer.child, value.len);
            for (list, value) |*to, each| to.* = try copied(arena, each);
            return list;
        },
        .optional => return if (value) |some| try copied(arena, some) else null,
        .@"struct" => |info| {
            var whole = value;
            inline for (info.fields) |field| @field(whole, field.name) = try copied(arena, @field(value, field.name));
            return whole;
        },
        .int, .bool, .@"enum" => return value,
        else => @compileError("not copied: " ++ @typeName(T)),
    }
}

test copy {
    var text = "abc".*;
    const Value = struct { list: []const []const u8, number: u32, maybe: ?struct { flag: bool }, none: ?u8 };
    const value: Value = .{ .list = &.{ &text, "" }, .number = 7, .maybe = .{ .flag = true }, .none = null };
    const kept = try copy(value);
    @memset(&text, 0);
    try std.testing.expectEqualDeep(Value{ .list = &.{ "abc", "" }, .number = 7, .maybe = .{ .flag = true }, .none = null }, kept.value);
}
