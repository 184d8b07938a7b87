//! Whether the kernel has ended processes of a control group because memory was short, by v1's memory controller or v2's.
const std = @import("std");
const cgroup_hierarchy = @import("cgroup_hierarchy.zig");

const Hierarchy = cgroup_hierarchy.Hierarchy;

/// `limit` and `peak` in bytes, 0: none, or unknown.
pub const Shortage = struct { kills: u64 = 0, limit: u64 = 0, peak: u64 = 0 };

/// All zero where no process was killed. On v1 a group below counts for itself, on v2 for those above it too.
pub fn shortageOf(arena: std.mem.Allocator, hierarchies: []const Hierarchy, group: []const u8) error{OutOfMemory}!Shortage {
    const hierarchy = cgroup_hierarchy.find(hierarchies, "memory") orelse cgroup_hierarchy.find(hierarchies, "") orelse return .{};
    const v2 = hierarchy.unified();
    const kills = field(try read(arena, hierarchy, group, if (v2) "memory.events" else "memory.oom_control"), "oom_kill");
    if (kills == 0) return .{};
    const limit = number(try read(arena, hierarchy, group, if (v2) "memory.max" else "memory.limit_in_bytes"));
    return .{
        .kills = kills,
        .limit = if (limit < unlimited) limit else 0,
        .peak = number(try read(arena, hierarchy, group, if (v2) "memory.peak" else "memory.max_usage_in_bytes")),
    };
}

/// v1 writes no limit as the largest number of whole pages, v2 as "max".
const unlimited = 1 << 62;

fn read(arena: std.mem.Allocator, hierarchy: Hierarchy, group: []const u8, file: []const u8) error{OutOfMemory}![]const u8 {
    const name = try std.fmt.allocPrintSentinel(arena, "{s}/{s}/{s}", .{ hierarchy.mount_point, group, file }, 0);
    return try cgroup_hierarchy.readProc(arena, name) orelse "";
}

/// Of lines "name value"; 0 where there is none.
fn field(text: []const u8, name: []const u8) u64 {
    var lines = std.mem.tokenizeScalar(u8, text, '\n');
    while (lines.next()) |line| {
        const space = std.mem.indexOfScalar(u8, line, ' ') orelse continue;
        if (std.mem.eql(u8, line[0..space], name)) return number(line[space + 1 ..]);
    }
    return 0;
}

fn number(text: []const u8) u64 {
    return std.fmt.parseInt(u64, std.mem.trimEnd(u8, text, "\n"), 10) catch 0;
}

test field {
    const v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
    const v2 = "low 0\nhigh 0\nmax 12\noom 4\noom_kill 2\noom_group_kill 1\n";
    try std.testing.expectEqual(3, field(v1, "oom_kill"));
    try std.testing.expectEqual(2, field(v2, "oom_kill"));
    for ([_][]const u8{ "", "oom_kill\n", "oom_kill x\n", "oom_kill -1\n" }) |odd| try std.testing.expectEqual(0, field(odd, "oom_kill"));
    try std.testing.expectEqual(0, number("max\n"));
    try std.testing.expectEqual(4096, number("4096\n"));
}
