//! A container that freezes itself: with a user namespace of its own it may mount the groups that it is in, and write to them.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");
const signals = @import("signals.zig");
const Args = input.Args;

const place = "/tmp/frozen";

/// freeze v1|v2 own|nested: a child, in a user namespace of its own, says "ready" once there is nothing left but to write
/// it; then its own group, or one below with a process in it, is frozen. The first process waits for its end.
pub fn freeze(args: Args) u8 {
    const forked = linux.fork();
    if (forked == 0) {
        const status = freezeInChild(input.argIs(args, 0, "v2"), input.argIs(args, 1, "nested"));
        output.flush();
        linux.exit_group(status);
    }
    var state: u32 = 0;
    while (input.failed(linux.waitpid(@intCast(forked), &state, 0))) {}
    return linux.W.EXITSTATUS(state);
}

fn freezeInChild(v2: bool, nested: bool) u8 {
    const entered = enter(v2);
    if (input.failed(entered)) return output.failure(entered, "enter");
    if (nested) {
        for ([_][*:0]const u8{ place ++ "/a", place ++ "/a/b" }) |group| {
            const made = linux.mkdir(group, 0o755);
            if (input.failed(made)) return output.failure(made, std.mem.span(group));
        }
        const moved = write(place ++ "/a/b/cgroup.procs", "0");
        if (input.failed(moved)) return output.failure(moved, "move");
    }
    output.text("ready\n");
    output.flush();
    const group = if (nested) place ++ "/a/" else place ++ "/";
    var buffer: [64]u8 = undefined;
    const file = signals.join(&buffer, &.{ group, if (v2) "cgroup.freeze" else "freezer.state" });
    // As often as it takes: whoever thaws us races with us.
    while (true) {
        if (nested and !v2) _ = write(place ++ "/a/b/freezer.state", "FROZEN");
        const frozen = write(file, if (v2) "1" else "FROZEN");
        if (input.failed(frozen)) return output.failure(frozen, "freeze");
    }
}

fn enter(v2: bool) usize {
    _ = linux.mkdir(place, 0o755);
    const made = linux.unshare(linux.CLONE.NEWUSER | linux.CLONE.NEWNS | linux.CLONE.NEWCGROUP);
    // Who may mount without has no need of one.
    if (!input.failed(made)) {
        _ = write("/proc/self/setgroups", "deny");
        _ = write("/proc/self/uid_map", "0 0 1");
        _ = write("/proc/self/gid_map", "0 0 1");
    }
    return if (v2) linux.mount("x", place, "cgroup2", 0, 0) else linux.mount("x", place, "cgroup", 0, @intFromPtr("freezer"));
}

fn write(path: [*:0]const u8, content: []const u8) usize {
    const opened = linux.open(path, .{ .ACCMODE = .WRONLY, .CLOEXEC = true }, 0);
    if (input.failed(opened)) return opened;
    defer _ = linux.close(@intCast(opened));
    return linux.write(@intCast(opened), content.ptr, content.len);
}
