//! The end: everything else ends, what was written reaches the disks, and the machine does what it was asked to. In a pid
//! namespace the kernel does all that when we exit, and nothing outside of it is touched.
//!
//! It always comes: a step that does not end in its time is left behind, and another signal from outside leaves it at once.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");
const console = @import("console.zig");
const mountinfo = @import("../linux/mountinfo.zig");
const signals = @import("signals.zig");
const Place = @import("place.zig").Place;

/// What programs have after SIGTERM to end by themselves, and the kernel after SIGKILL to end them.
const terminated_ms = 1500;
const killed_ms = 1000;
/// A slow disk may have much to write; a dead one takes nothing, ever.
const synced_ms = 30_000;
const unmounted_ms = 5000;

/// `hurried`: somebody has asked twice already.
pub fn end(place: Place, request: signals.Request, status: u8, hurried: bool) noreturn {
    sweep(place, hurried);
    if (place != .machine) linux.exit_group(status);
    within(place, synced_ms, "what was written does not reach the disks", sync);
    within(place, unmounted_ms, "the file systems cannot be unmounted", unmountAll);
    console.release();
    console.say("status {d}: {s}", .{ status, switch (request) {
        .power_off => "power off",
        .reboot => "reboot",
        .halt => "halt",
    } });
    console.drain();
    // A machine that cannot switch its power off is halted by the same call.
    const result = linux.reboot(.MAGIC1, .MAGIC2, switch (request) {
        .power_off => .POWER_OFF,
        .reboot => .RESTART,
        .halt => .HALT,
    }, null);
    console.say("reboot(2): {s}", .{@tagName(linux.errno(result))});
    // Were we to end, the kernel would panic.
    while (true) _ = linux.pause();
}

/// Everything that still runs in our pid namespace.
fn sweep(place: Place, hurried: bool) void {
    for ([_]linux.SIG{ .TERM, .KILL }, [_]i64{ if (hurried) 0 else terminated_ms, killed_ms }) |signal, patience_ms| {
        if (isDone(null)) return;
        _ = linux.kill(-1, signal);
        _ = linux.kill(-1, .CONT); // a stopped one could not act on it
        _ = await(place, patience_ms, null);
    }
}

const Awaited = enum { done, late, hurried };

/// Until the process `pid`, with null every child, has ended, `patience_ms` are over, or somebody asks for the end again.
fn await(place: Place, patience_ms: i64, pid: ?i32) Awaited {
    const deadline = clock.now_ms() + patience_ms;
    while (!isDone(pid)) {
        const left = deadline - clock.now_ms();
        if (left <= 0) return .late;
        const signal = signals.next(left) orelse continue;
        if (signals.requestOf(place, @intFromEnum(signal.signo)) != null) return .hurried;
    }
    return .done;
}

/// Reap what has ended. Was `pid` among it? With null: is nothing left? (Every orphan becomes our child.)
fn isDone(pid: ?i32) bool {
    while (true) {
        var status: u32 = 0;
        const ended = linux.waitpid(-1, &status, linux.W.NOHANG);
        switch (linux.errno(ended)) {
            .SUCCESS => {
                if (ended == 0) return false;
                if (pid != null and ended == @as(usize, @intCast(pid.?))) return true;
            },
            .INTR => {},
            else => return true,
        }
    }
}

/// `step` in a process of its own, which is left behind when it takes too long. Where there is no room for one, what was
/// written counts for more than when we end.
fn within(place: Place, patience_ms: i64, comptime late: []const u8, step: *const fn () void) void {
    const forked = linux.fork();
    if (linux.errno(forked) != .SUCCESS) return step();
    if (forked == 0) {
        step();
        linux.exit_group(0);
    }
    if (await(place, patience_ms, @intCast(forked)) != .done) console.say(late ++ ": left", .{});
}

fn sync() void {
    linux.sync();
}

/// Of these nothing has to be saved, and /proc is still looked at.
const in_memory = [_][]const u8{ "proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "ramfs", "rootfs", "mqueue", "cgroup", "cgroup2" };

var table_buffer: [1 << 20]u8 = undefined;

/// The last mount first, as others may lie on it. What is busy, and the root always is, is made read-only.
fn unmountAll() void {
    const table = mountinfo.read(&table_buffer) orelse return;
    var lines = std.mem.splitBackwardsScalar(u8, table, '\n');
    while (lines.next()) |line| {
        const mount = mountinfo.parse(line) orelse continue;
        if (inMemory(mount.kind)) continue;
        var buffer: [4096]u8 = undefined;
        const point = mountinfo.unescape(mount.point, &buffer) orelse continue;
        if (linux.errno(linux.umount2(point, 0)) == .SUCCESS) continue;
        const errno = linux.errno(linux.mount(null, point, null, linux.MS.REMOUNT | linux.MS.RDONLY, 0));
        if (errno != .SUCCESS) console.say("cannot make {s} read-only: {s}", .{ point, @tagName(errno) });
    }
}

fn inMemory(kind: []const u8) bool {
    for (in_memory) |name| if (std.mem.eql(u8, name, kind)) return true;
    return false;
}
