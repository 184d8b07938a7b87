//! Names from archives: cleaned to a path relative to the root, or refused.
const std = @import("std");

pub const path_bytes_max = 4096;
pub const name_bytes_max = 255;
/// No path has more components. Trees are walked with levels on the heap, each with a descriptor or two.
pub const depth_max = path_bytes_max / 2;

pub const Error = error{ Escapes, TooLong, HasNul };

/// `/a//./b/../c/` -> `a/c`; "" is the root itself. A path that climbs out of the root is refused, as docker does; what
/// symbolic links do to it is the resolver's matter. `into` has path_bytes_max bytes.
pub fn clean(name: []const u8, into: []u8) Error![]u8 {
    return cleanLonger(name, into, 0);
}

/// Of an entry of a layer: ".wh." and a name is longer than a name.
pub fn cleanEntry(name: []const u8, into: []u8) Error![]u8 {
    return cleanLonger(name, into, 4);
}

fn cleanLonger(name: []const u8, into: []u8, mark_bytes: usize) Error![]u8 {
    if (std.mem.indexOfScalar(u8, name, 0) != null) return error.HasNul;
    if (name.len > path_bytes_max) return error.TooLong;
    var length: usize = 0;
    var parts = std.mem.splitScalar(u8, name, '/');
    while (parts.next()) |part| {
        if (part.len == 0 or std.mem.eql(u8, part, ".")) continue;
        if (std.mem.eql(u8, part, "..")) {
            if (length == 0) return error.Escapes;
            length = std.mem.lastIndexOfScalar(u8, into[0..length], '/') orelse 0;
            continue;
        }
        const is_mark = mark_bytes > 0 and std.mem.startsWith(u8, part, ".wh.");
        if (part.len > name_bytes_max + if (is_mark) mark_bytes else 0) return error.TooLong;
        if (length + part.len + 1 >= path_bytes_max) return error.TooLong;
        if (length > 0) {
            into[length] = '/';
            length += 1;
        }
        @memcpy(into[length..][0..part.len], part);
        length += part.len;
    }
    return into[0..length];
}

pub const Split = struct { parent: []const u8, base: []const u8 };

/// Of a clean, non-empty path.
pub fn split(path: []const u8) Split {
    const slash = std.mem.lastIndexOfScalar(u8, path, '/') orelse return .{ .parent = "", .base = path };
    return .{ .parent = path[0..slash], .base = path[slash + 1 ..] };
}

/// directory/name, where the root is "".
pub fn join(directory: []const u8, name: []const u8, into: *[path_bytes_max]u8) error{TooLong}![]u8 {
    const start = if (directory.len == 0) 0 else directory.len + 1;
    if (start + name.len >= path_bytes_max) return error.TooLong;
    if (start > 0) {
        @memcpy(into[0..directory.len], directory);
        into[directory.len] = '/';
    }
    @memcpy(into[start..][0..name.len], name);
    return into[0 .. start + name.len];
}

/// A name for a system call.
pub const NameZ = struct {
    buffer: [name_bytes_max + 1]u8,

    pub fn init(name: []const u8) NameZ {
        std.debug.assert(name.len <= name_bytes_max);
        var self: NameZ = .{ .buffer = undefined };
        @memcpy(self.buffer[0..name.len], name);
        self.buffer[name.len] = 0;
        return self;
    }

    pub fn ptr(self: *const NameZ) [*:0]const u8 {
        return @ptrCast(&self.buffer);
    }
};

test join {
    var buffer: [path_bytes_max]u8 = undefined;
    try std.testing.expectEqualStrings("a/b", try join("a", "b", &buffer));
    try std.testing.expectEqualStrings("b", try join("", "b", &buffer));
    try std.testing.expectEqual(path_bytes_max - 1, (try join("d" ** 4000, "n" ** 94, &buffer)).len);
    try std.testing.expectError(error.TooLong, join("d" ** 4000, "n" ** 95, &buffer));
    try std.testing.expectError(error.TooLong, join("d" ** 5000, "n", &buffer));
}

test clean {
    var buffer: [path_bytes_max]u8 = undefined;
    for ([_][2][]const u8{
        .{ "a/b", "a/b" },
        .{ "/a//./b/../c/", "a/c" },
        .{ "./", "" },
        .{ "", "" },
        .{ "a/..", "" },
        .{ "a/../b", "b" },
        .{ "...", "..." },
    }) |case| try std.testing.expectEqualStrings(case[1], try clean(case[0], &buffer));
    for ([_][]const u8{ "..", "../a", "/..", "a/../../b", "./../x" }) |bad|
        try std.testing.expectError(error.Escapes, clean(bad, &buffer));
    try std.testing.expectError(error.HasNul, clean("a\x00b", &buffer));
    try std.testing.expectError(error.TooLong, clean("x" ** 256, &buffer));
    try std.testing.expectError(error.TooLong, clean("x/" ** 2049, &buffer));
    try std.testing.expectEqual(259, (try cleanEntry(".wh." ++ "x" ** 255, &buffer)).len);
    try std.testing.expectError(error.TooLong, clean(".wh." ++ "x" ** 255, &buffer));
    try std.testing.expectError(error.TooLong, cleanEntry(".wh." ++ "x" ** 256, &buffer));
    try std.testing.expectError(error.TooLong, cleanEntry("x" ** 256, &buffer));
}
