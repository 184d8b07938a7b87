//! The monitor's small files in the state directory. Readers see a whole file or none: each is written under another name
//! and renamed.
const std = @import("std");
const linux = std.os.linux;
const cgroup_memory = @import("../linux/cgroup_memory.zig");
const fault = @import("../wire/fault.zig");
const process = @import("../linux/process.zig");

/// `pid`: what runs, with start times so that a reused pid is not taken for it, and since when (ns since the epoch).
/// What was said of an end before this start is no longer so; in this order nobody takes it for over in between.
pub fn writePid(directory: i32, pid: i32, start_time: u64, restarts: u32) fault.Error!void {
    const self = linux.getpid();
    var buffer: [256]u8 = undefined;
    const text = std.fmt.bufPrint(
        &buffer,
        "init {d} {d}\nmonitor {d} {d}\nstarted {d}\nrestarts {d}\n",
        .{ pid, start_time, self, process.startTime(self) orelse 0, now(), restarts },
    ) catch unreachable; // six numbers of at most 20 digits
    try write(directory, "pid", text);
    if (restarts == 0) return;
    _ = linux.unlinkat(directory, "exit", 0);
    _ = linux.unlinkat(directory, "restarting", 0);
}

/// `restarting`: how often the program will have been started again, and how long after its end (milliseconds).
pub fn writeRestarting(directory: i32, count: u32, delay: u32) fault.Error!void {
    var buffer: [64]u8 = undefined;
    const text = std.fmt.bufPrint(&buffer, "count {d}\ndelay {d}\n", .{ count, delay }) catch unreachable; // two numbers
    try write(directory, "restarting", text);
}

/// `exit`: how it ended, and when (ns since the epoch); the signal, where it was one; and, where the kernel has killed for want
/// of memory, how many of its processes, the limit and the most that was in use (bytes).
pub fn writeExit(directory: i32, status: u32, signal: u8, shortage: cgroup_memory.Shortage) fault.Error!void {
    var buffer: [192]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    writer.print("code {d}\nfinished {d}\nerror \n", .{ status, now() }) catch unreachable; // six numbers at most
    if (signal != 0) writer.print("signal {d}\n", .{signal}) catch unreachable;
    if (shortage.kills > 0) writer.print("oom {d} {d} {d}\n", .{ shortage.kills, shortage.limit, shortage.peak }) catch unreachable;
    try write(directory, "exit", writer.buffered());
}

/// `log-error`: why lines of the log were lost, for the first time.
pub fn writeLogError(directory: i32, errno: linux.E) void {
    var buffer: [64]u8 = undefined;
    const text = std.fmt.bufPrint(&buffer, "errno {d}\nsince {d}\n", .{ @intFromEnum(errno), now() }) catch unreachable; // two numbers
    write(directory, "log-error", text) catch {}; // that disk is full as well
}

/// `<session>.exit`: how a program that was executed in a container ended, and when.
pub fn writeSessionExit(directory: i32, session: *const [64]u8, status: u32) void {
    var buffer: [64]u8 = undefined;
    const text = std.fmt.bufPrint(&buffer, "code {d}\nfinished {d}\n", .{ status, now() }) catch unreachable; // two numbers
    var names: [2][80]u8 = undefined;
    const name = std.fmt.bufPrintZ(&names[0], "{s}.exit", .{session}) catch unreachable; // it has room
    const temporary = std.fmt.bufPrintZ(&names[1], "{s}.exit.new", .{session}) catch unreachable; // it has room
    writeAs(directory, name, temporary, text) catch {}; // the container may be over
}

pub fn write(directory: i32, comptime name: [:0]const u8, text: []const u8) fault.Error!void {
    return writeAs(directory, name, name ++ ".new", text);
}

fn writeAs(directory: i32, name: [:0]const u8, temporary: [:0]const u8, text: []const u8) fault.Error!void {
    const fd: i32 = @intCast(
        try fault.check(
            linux.openat(directory, temporary, .{ .ACCMODE = .WRONLY, .CREAT = true, .TRUNC = true, .CLOEXEC = true }, 0o600),
            .monitor,
            "create {s}",
            .{name},
        ),
    );
    const written = linux.write(fd, text.ptr, text.len);
    _ = linux.close(fd);
    const count = try fault.check(written, .monitor, "write {s}", .{name});
    if (count != text.len) return fault.fail(.monitor, .NOSPC, "write {s}", .{name});
    _ = try fault.check(linux.renameat(directory, temporary, directory, name), .monitor, "rename {s}", .{name});
}

fn now() u64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.REALTIME, &time);
    return @as(u64, @intCast(time.sec)) * std.time.ns_per_s + @as(u64, @intCast(time.nsec));
}
