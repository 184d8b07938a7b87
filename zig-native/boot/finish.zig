//! The end: everything else ends, what was written reaches the disks, and the machine does what it was asked to. In a pid
//! namespace the kernel does all that when we exit, and nothing outside of it is touched.
const std = @import("std");
const linux = std.os.linux;
const console = @import("console.zig");
const mountinfo = @import("../linux/mountinfo.zig");
const Place = @import("place.zig").Place;

pub const Request = enum { power_off, reboot, halt };

const rtmin = 34; // as glibc counts

/// What a signal to process 1 asks for, null for nothing. USR1 and USR2 are busybox's halt and poweroff; TERM ends, as it
/// ends any program; the real-time ones are systemd's.
pub fn requestOf(place: Place, signal: u32) ?Request {
    return switch (signal) {
        @intFromEnum(linux.SIG.TERM), @intFromEnum(linux.SIG.USR2), @intFromEnum(linux.SIG.PWR), rtmin + 4 => .power_off,
        @intFromEnum(linux.SIG.INT), rtmin + 5 => .reboot,
        @intFromEnum(linux.SIG.USR1), rtmin + 3 => .halt,
        // The terminal of a namespace may go; a console does not.
        @intFromEnum(linux.SIG.HUP) => if (place == .machine) null else .power_off,
        else => null,
    };
}

/// How long programs may take to end by themselves after SIGTERM, and the kernel to end them after SIGKILL.
const patience_ms = 3000;

pub fn end(place: Place, request: Request, status: u8) noreturn {
    sweep();
    if (place != .machine) linux.exit_group(status);
    linux.sync();
    unmountAll();
    console.say("status {d}: {s}", .{ status, switch (request) {
        .power_off => "power off",
        .reboot => "reboot",
        .halt => "halt",
    } });
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
fn sweep() void {
    for ([_]linux.SIG{ .TERM, .KILL }) |signal| {
        if (reapAll()) return;
        _ = linux.kill(-1, signal);
        _ = linux.kill(-1, .CONT); // a stopped one could not act on it
        awaitAll();
    }
}

fn awaitAll() void {
    const deadline = now_ms() + patience_ms;
    var child_ended = linux.sigemptyset();
    linux.sigaddset(&child_ended, .CHLD);
    while (!reapAll()) {
        const left = deadline - now_ms();
        if (left <= 0) return;
        const timeout: linux.timespec = .{ .sec = @divTrunc(left, 1000), .nsec = @rem(left, 1000) * std.time.ns_per_ms };
        _ = linux.syscall4(.rt_sigtimedwait, @intFromPtr(&child_ended), 0, @intFromPtr(&timeout), linux.NSIG / 8);
    }
}

/// Reap what has ended. True when we have no child left: then nothing is left, as every orphan becomes ours.
fn reapAll() bool {
    while (true) {
        var status: u32 = 0;
        const pid = linux.waitpid(-1, &status, linux.W.NOHANG);
        switch (linux.errno(pid)) {
            .SUCCESS => if (pid == 0) return false,
            .INTR => {},
            else => return true,
        }
    }
}

fn now_ms() i64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &time);
    return time.sec * 1000 + @divTrunc(time.nsec, std.time.ns_per_ms);
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

test requestOf {
    try std.testing.expectEqual(@as(?Request, .power_off), requestOf(.machine, 15));
    try std.testing.expectEqual(@as(?Request, .power_off), requestOf(.machine, 12));
    try std.testing.expectEqual(@as(?Request, .halt), requestOf(.machine, 10));
    try std.testing.expectEqual(@as(?Request, .reboot), requestOf(.machine, 2));
    try std.testing.expectEqual(@as(?Request, .reboot), requestOf(.machine, 39));
    try std.testing.expectEqual(@as(?Request, null), requestOf(.machine, 1));
    try std.testing.expectEqual(@as(?Request, .power_off), requestOf(.namespace, 1));
    try std.testing.expectEqual(@as(?Request, null), requestOf(.machine, 17));
}
