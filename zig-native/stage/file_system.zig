//! New file systems, detached: what is mounted in a container and is no bind.
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const mount = @import("../linux/mount.zig");
const paths = @import("paths.zig");

/// A detached mount of a file system with these options ("size=64m", "nr_inodes=1k", "ro" flags apart).
pub fn create(
    arena: std.mem.Allocator,
    kind: []const u8,
    source: []const u8,
    options: []const []const u8,
    attributes: u32,
) fault.AllocError!i32 {
    const kind_text = try paths.terminated(arena, kind, .mount, "a mount's type");
    var fs = switch (mount.FileSystem.open(kind_text)) {
        .ok => |fs| fs,
        .failed => |errno| return fault.fail(.mount, errno, "mount {s}", .{kind}),
    };
    defer fs.close();
    if (source.len > 0) _ = fs.set("source", try paths.terminated(arena, source, .mount, "a mount's source"));
    for (options) |option| {
        const equals = std.mem.indexOfScalar(u8, option, '=') orelse option.len;
        const key = try paths.terminated(arena, option[0..equals], .mount, "a mount's option");
        const value: ?[:0]const u8 = if (equals == option.len) null else try paths.terminated(
            arena,
            option[equals + 1 ..],
            .mount,
            "a mount's option",
        );
        const errno = linux.errno(fs.set(key, if (value) |text| text.ptr else null));
        if (errno != .SUCCESS) return fault.fail(.mount, errno, "mount {s}: option {s}{s}", .{ kind, option, fs.why() });
    }
    const tree = fs.mount(attributes);
    if (linux.errno(tree) != .SUCCESS) return fault.fail(.mount, linux.errno(tree), "mount {s}{s}", .{ kind, fs.why() });
    return @intCast(tree);
}
