//! The restart policy: whether a program that has ended is started again, and when. We wait, with the container's lock held and
//! `restarting` in the state directory, and then become rt, which starts it in the way that `rt start` does.
//!
//!   delays   100 ms, then double the last up to a minute; anew after 10 s of running
//!   ends     by the file `stopped`, which whoever wants it to stay down writes before his signal; by SIGTERM while we wait
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");
const request = @import("../wire/request.zig");

pub const delay_ms_min = 100;
const delay_ms_max = 60_000;
const steady_ms = 10_000;

/// After how many milliseconds it is started again; null: it is not.
pub fn delayOf(policy: request.Restart, status: u32, ran_ms: u64) ?u32 {
    if (!policy.always) {
        if (status == 0) return null;
        if (policy.retries != 0 and policy.count >= policy.retries) return null;
    }
    if (ran_ms >= steady_ms or policy.delay < delay_ms_min) return delay_ms_min;
    return @min(policy.delay *| 2, delay_ms_max);
}

/// The policy as it is now: the file `policy` has what it was changed to since the start, "no", or "always 0", "on-failure 3".
pub fn current(state: i32, at_start: ?request.Restart) ?request.Restart {
    const known = if (at_start) |policy| (if (policy.never) null else policy) else null;
    const opened = linux.openat(state, "policy", .{ .CLOEXEC = true, .NOFOLLOW = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return known;
    defer _ = linux.close(@intCast(opened));
    var buffer: [64]u8 = undefined;
    const length = linux.read(@intCast(opened), &buffer, buffer.len);
    const text = if (linux.errno(length) == .SUCCESS) buffer[0..length] else "";
    return if (text.len == 0) known else changed(text, at_start);
}

fn changed(text: []const u8, at_start: ?request.Restart) ?request.Restart {
    var words = std.mem.tokenizeAny(u8, text, " \n");
    const name = words.next() orelse return at_start;
    if (std.mem.eql(u8, name, "no")) return null;
    var policy = at_start orelse request.Restart{ .never = false, .always = false, .retries = 0, .count = 0, .delay = 0 };
    policy.never = false;
    policy.always = !std.mem.eql(u8, name, "on-failure");
    policy.retries = std.fmt.parseInt(u32, words.next() orelse "0", 10) catch 0;
    return policy;
}

test changed {
    const first: request.Restart = .{ .never = false, .always = true, .retries = 0, .count = 4, .delay = 800 };
    try std.testing.expectEqual(first, changed("", first));
    try std.testing.expectEqual(null, changed("no\n", first));
    try std.testing.expectEqual(null, changed("", null));
    const limited: request.Restart = .{ .never = false, .always = false, .retries = 5, .count = 4, .delay = 800 };
    try std.testing.expectEqual(limited, changed("on-failure 5\n", first));
    try std.testing.expectEqual(true, changed("always 0\n", null).?.always);
    try std.testing.expectEqual(0, changed("on-failure x\n", null).?.retries);
}

pub fn isStopped(state: i32) bool {
    return linux.errno(linux.faccessat(state, "stopped", 0, 0)) == .SUCCESS;
}

/// False when it is not to be started after all. `signals` is readable once somebody has sent us SIGTERM.
pub fn wait(state: i32, signals: i32, delay_ms: u32) bool {
    const due = clock.monotonic_ms() + delay_ms;
    while (true) {
        const now = clock.monotonic_ms();
        if (now >= due) return !isStopped(state);
        var set = [_]linux.pollfd{.{ .fd = signals, .events = linux.POLL.IN, .revents = 0 }};
        const ready = linux.poll(&set, 1, @intCast(due - now));
        if (linux.errno(ready) == .INTR) continue;
        if (linux.errno(ready) != .SUCCESS or set[0].revents != 0) return false;
    }
}

test delayOf {
    const first: request.Restart = .{ .never = false, .always = true, .retries = 0, .count = 0, .delay = 0 };
    try std.testing.expectEqual(100, delayOf(first, 0, 5));
    var policy = first;
    for ([_]u32{ 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000 }) |wanted| {
        policy.delay = delayOf(policy, 1, 5).?;
        try std.testing.expectEqual(wanted, policy.delay);
    }
    try std.testing.expectEqual(100, delayOf(policy, 1, steady_ms));
    policy.delay = std.math.maxInt(u32);
    try std.testing.expectEqual(delay_ms_max, delayOf(policy, 1, 5));
}

test "on-failure has an end" {
    const policy: request.Restart = .{ .never = false, .always = false, .retries = 2, .count = 1, .delay = 100 };
    try std.testing.expectEqual(200, delayOf(policy, 1, 0));
    try std.testing.expectEqual(null, delayOf(policy, 0, 0));
    var last = policy;
    last.count = 2;
    try std.testing.expectEqual(null, delayOf(last, 137, 0));
    last.retries = 0;
    try std.testing.expectEqual(200, delayOf(last, 137, 0));
}
