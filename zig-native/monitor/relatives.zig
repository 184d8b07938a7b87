//! The processes of a container that has neither a control group nor a pid namespace of its own, as those of ordinary users with
//! `--pid host` have none: when its program has ended the kernel ends nobody else, and no group tells who there is. They are the ones
//! in its mount namespace, which nobody leaves without CAP_SYS_ADMIN.
const std = @import("std");
const linux = std.os.linux;
const path = @import("../linux/path.zig");

pub const Relatives = struct {
    /// The container's mount namespace, so that its number stays its own.
    mounts: i32 = -1,

    /// Of a program that waits for its start.
    pub fn of(pid: i32) Relatives {
        var name: [32]u8 = undefined;
        const file = std.fmt.bufPrintZ(&name, "/proc/{d}/ns/mnt", .{pid}) catch return .{};
        const opened = linux.open(file, .{ .CLOEXEC = true }, 0);
        return .{ .mounts = if (linux.errno(opened) == .SUCCESS) @intCast(opened) else -1 };
    }

    /// SIGKILL for all of them, until there is none any more: who is killed may have started another one just before.
    pub fn end(self: *Relatives) void {
        if (self.mounts < 0) return;
        defer {
            _ = linux.close(self.mounts);
            self.mounts = -1;
        }
        const mounts = path.stat(self.mounts) orelse return;
        const opened = linux.open("/proc", .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
        if (linux.errno(opened) != .SUCCESS) return;
        const proc: i32 = @intCast(opened);
        defer _ = linux.close(proc);
        for (0..rounds) |_| {
            if (!killAll(proc, mounts.inode)) return;
            const pause: linux.timespec = .{ .sec = 0, .nsec = pause_ns };
            _ = linux.nanosleep(&pause, null);
        }
    }
};

/// Five seconds in all.
const rounds = 2500;
const pause_ns = 2 * std.time.ns_per_ms;

fn killAll(proc: i32, mounts: u64) bool {
    if (linux.errno(linux.lseek(proc, 0, linux.SEEK.SET)) != .SUCCESS) return false;
    var found = false;
    var buffer: [2048]u8 align(@alignOf(linux.dirent64)) = undefined;
    while (true) {
        const count = linux.getdents64(proc, &buffer, buffer.len);
        if (linux.errno(count) != .SUCCESS or count == 0) return found;
        var offset: usize = 0;
        while (offset < count) {
            const entry: *align(1) const linux.dirent64 = @ptrCast(&buffer[offset]);
            const name: [*:0]const u8 = @ptrCast(buffer[offset + @offsetOf(linux.dirent64, "name") ..].ptr);
            offset += entry.reclen;
            const pid = std.fmt.parseInt(i32, std.mem.span(name), 10) catch continue;
            if (isIn(proc, pid, mounts)) found = killOne(proc, pid, mounts) or found;
        }
    }
}

/// A zombie is in no namespace any more.
fn isIn(proc: i32, pid: i32, mounts: u64) bool {
    var name: [32]u8 = undefined;
    const file = std.fmt.bufPrintZ(&name, "{d}/ns/mnt", .{pid}) catch return false;
    const opened = linux.openat(proc, file, .{ .PATH = true, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return false;
    defer _ = linux.close(@intCast(opened));
    const there = path.stat(@intCast(opened)) orelse return false;
    return there.inode == mounts;
}

fn killOne(proc: i32, pid: i32, mounts: u64) bool {
    const pidfd = linux.pidfd_open(pid, 0);
    if (linux.errno(pidfd) != .SUCCESS) return false;
    defer _ = linux.close(@intCast(pidfd));
    // Now that it is held it cannot be another one's number.
    if (!isIn(proc, pid, mounts)) return false;
    _ = linux.pidfd_send_signal(@intCast(pidfd), .KILL, null, 0);
    return true;
}
