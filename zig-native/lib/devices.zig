//! The device rules of a container that runs, where cgroup v2 has them (linux/bpf/cgroup_devices.zig).
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../linux/answer.zig");
const cgroup_devices = @import("../linux/bpf/cgroup_devices.zig");
const device_rule = @import("../linux/device_rule.zig");
const memory = @import("../linux/memory.zig");

/// Words a rule: 1 when it allows; 0, or 1 for block and 2 for character devices; major and minor number, where all bits are any;
/// 1 mknod, 2 read, 4 write.
pub const words_each = 5;
const any = std.math.maxInt(u32);

/// All that hold from now on, in the group that is `directory`. 0 or -errno.
pub fn set(directory: [*:0]const u8, words: []const u32) i32 {
    const opened = linux.open(directory, .{ .DIRECTORY = true, .CLOEXEC = true, .NOFOLLOW = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return answer.of(opened);
    defer _ = linux.close(@intCast(opened));
    const scratch = memory.Scratch.map() catch return answer.code(.NOMEM);
    defer scratch.unmap();
    const rules = rulesOf(scratch.allocator(), words) catch return answer.code(.NOMEM);
    const errno = cgroup_devices.set(scratch.allocator(), @intCast(opened), rules) catch .NOMEM;
    return answer.code(errno);
}

fn rulesOf(arena: std.mem.Allocator, words: []const u32) error{OutOfMemory}![]const device_rule.Rule {
    const rules = try arena.alloc(device_rule.Rule, words.len / words_each);
    for (rules, 0..) |*rule, index| {
        const of = words[index * words_each ..][0..words_each];
        rule.* = .{
            .allow = of[0] != 0,
            .kind = @truncate(of[1]),
            .major = if (of[2] == any) null else of[2],
            .minor = if (of[3] == any) null else of[3],
            .access = @truncate(of[4]),
        };
    }
    return rules;
}
