//! Whether the kernel has ended processes of a control group because memory was short, by v1's memory controller or v2's.
const std = @import("std");
const linux = std.os.linux;
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

/// For a group of v2 that somebody else removes as soon as it is empty, as systemd does: its files tell nothing any more then, so they are
/// read each time that the kernel says something of its memory, and each time that anything else is heard of the program: the kernel
/// counts before it kills, and says so when it has time.
pub const Watch = struct {
    const names = [_][]const u8{ "memory.events", "memory.max", "memory.peak" };

    files: [names.len]i32 = @splat(-1),
    found: Shortage = .{},
    /// It has had no room, and the last word is that nobody was killed for that yet.
    short: bool = false,

    pub fn of(arena: std.mem.Allocator, hierarchies: []const Hierarchy, group: []const u8) error{OutOfMemory}!Watch {
        var watch: Watch = .{};
        if (cgroup_hierarchy.find(hierarchies, "memory") != null) return watch;
        const hierarchy = cgroup_hierarchy.find(hierarchies, "") orelse return watch;
        for (&watch.files, names) |*file, name| {
            const place = try std.fmt.allocPrintSentinel(arena, "{s}/{s}/{s}", .{ hierarchy.mount_point, group, name }, 0);
            const opened = linux.open(place, .{ .CLOEXEC = true }, 0);
            if (linux.errno(opened) == .SUCCESS) file.* = @intCast(opened);
        }
        return watch;
    }

    /// For poll(2): POLLPRI when there is something to `look` at.
    pub fn descriptor(self: *const Watch) i32 {
        return self.files[0];
    }

    pub fn look(self: *Watch) void {
        if (self.files[0] < 0) return;
        var buffer: [256]u8 = undefined;
        const events = readAgain(self.files[0], &buffer) orelse return self.close();
        const kills = field(events, "oom_kill");
        self.short = kills == 0 and field(events, "oom") > 0;
        if (kills == self.found.kills and !self.short) return;
        self.found = .{ .kills = kills };
        const limit = number(readAgain(self.files[1], &buffer) orelse "");
        if (limit < unlimited) self.found.limit = limit;
        self.found.peak = number(readAgain(self.files[2], &buffer) orelse "");
    }

    /// When the program has ended; `killed`: by SIGKILL. Where that was by the kernel the group may have gone before it could be read.
    pub fn conclude(self: *Watch, killed: bool) Shortage {
        if (self.files[0] < 0 and self.short and killed) self.found.kills = 1;
        self.close();
        return if (self.found.kills > 0) self.found else .{};
    }

    fn close(self: *Watch) void {
        for (&self.files) |*file| {
            if (file.* >= 0) _ = linux.close(file.*);
            file.* = -1;
        }
    }
};

/// From its beginning; null when what it tells of has gone.
fn readAgain(fd: i32, buffer: []u8) ?[]const u8 {
    const length = linux.pread(fd, buffer.ptr, buffer.len, 0);
    return if (linux.errno(length) == .SUCCESS) buffer[0..length] else null;
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

test "a group that goes: what was read last, and that it was short of memory, tell of its end" {
    var gone: Watch = .{ .found = .{ .limit = 4096 }, .short = true };
    try std.testing.expectEqual(Shortage{ .kills = 1, .limit = 4096 }, gone.conclude(true));
    gone = .{ .short = true };
    try std.testing.expectEqual(Shortage{}, gone.conclude(false));
    gone = .{ .found = .{ .limit = 4096 } };
    try std.testing.expectEqual(Shortage{}, gone.conclude(true));
    gone = .{ .found = .{ .kills = 2, .peak = 1 } };
    try std.testing.expectEqual(Shortage{ .kills = 2, .peak = 1 }, gone.conclude(false));
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
