//! Other processes: signals that cannot hit a reused pid, and unix sockets with long paths.
const std = @import("std");
const linux = std.os.linux;
const memory = @import("memory.zig");
const answer = @import("answer.zig");
const rights = @import("net/rights.zig");

/// A pidfd of `pid`, after checking that it is still the process that started at `start` (field 22 of /proc/PID/stat).
/// Answers -errno otherwise; a different process is -ESRCH.
pub fn open(pid: i32, start: u64) i32 {
    const pidfd = linux.pidfd_open(pid, 0);
    // The process has gone, and its number is still that of a session or a group of others (Linux before 6.15 says so).
    if (linux.errno(pidfd) == .INVAL and pid > 0) return answer.code(.SRCH);
    if (linux.errno(pidfd) != .SUCCESS) return answer.of(pidfd);
    // The pidfd pins the process: if the start time is right now, it stays right.
    if (startTime(pid) == start) return @intCast(pidfd);
    _ = linux.close(@intCast(pidfd));
    return answer.code(.SRCH);
}

/// Signal the process `pid` that started at `start`. Answers 0 or -errno.
pub fn signal(pid: i32, start: u64, number: i32) i32 {
    const pidfd = open(pid, start);
    if (pidfd < 0) return pidfd;
    defer _ = linux.close(pidfd);
    const sent = linux.pidfd_send_signal(pidfd, @enumFromInt(number), null, 0);
    return answer.of(sent);
}

/// Start time in clock ticks since boot, or null when there is no such process.
pub fn startTime(pid: i32) linksection(memory.starting) ?u64 {
    var path_buffer: [32]u8 = undefined;
    const path = std.fmt.bufPrintZ(&path_buffer, "/proc/{d}/stat", .{pid}) catch return null;
    const fd = linux.openat(linux.AT.FDCWD, path, .{ .CLOEXEC = true }, 0);
    if (linux.errno(fd) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(fd));
    var buffer: [1024]u8 = undefined;
    const length = linux.read(@intCast(fd), &buffer, buffer.len);
    if (linux.errno(length) != .SUCCESS) return null;
    return parseStartTime(buffer[0..length]);
}

/// The name in field 2 may hold spaces and parentheses, so fields are counted from its last `)`.
fn parseStartTime(stat: []const u8) ?u64 {
    const end = std.mem.lastIndexOfScalar(u8, stat, ')') orelse return null;
    var fields = std.mem.tokenizeScalar(u8, stat[end + 1 ..], ' ');
    var index: usize = 3;
    while (fields.next()) |field| : (index += 1) {
        if (index == 22) return std.fmt.parseInt(u64, field, 10) catch null;
    }
    return null;
}

test parseStartTime {
    const stat = "42 (a) b) c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2000";
    try std.testing.expectEqual(@as(?u64, 98765), parseStartTime(stat));
    try std.testing.expectEqual(@as(?u64, null), parseStartTime("42 (x S 1"));
}

/// Connect to the unix socket at `path`. sun_path holds 107 bytes, so a longer path goes through its directory's descriptor.
pub fn connectUnix(path: []const u8) i32 {
    const socket = linux.socket(linux.AF.UNIX, linux.SOCK.STREAM | linux.SOCK.CLOEXEC, 0);
    if (linux.errno(socket) != .SUCCESS) return answer.of(socket);
    const fd: i32 = @intCast(socket);
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    var directory: ?i32 = null;
    defer if (directory) |parent| {
        _ = linux.close(parent);
    };
    const errno = fillAddress(&address, path, &directory);
    const connected = if (errno == .SUCCESS) linux.errno(linux.connect(fd, &address, @sizeOf(linux.sockaddr.un))) else errno;
    if (connected == .SUCCESS) return fd;
    _ = linux.close(fd);
    return answer.code(connected);
}

/// As `connectUnix`, of a socket that takes packets from anybody.
pub fn sendUnix(path: []const u8, bytes: []const u8, descriptors: []const i32) linux.E {
    const socket = linux.socket(linux.AF.UNIX, linux.SOCK.DGRAM | linux.SOCK.CLOEXEC, 0);
    if (linux.errno(socket) != .SUCCESS) return linux.errno(socket);
    defer _ = linux.close(@intCast(socket));
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    var directory: ?i32 = null;
    defer if (directory) |parent| {
        _ = linux.close(parent);
    };
    const errno = fillAddress(&address, path, &directory);
    return if (errno == .SUCCESS) rights.send(@intCast(socket), &address, bytes, descriptors) else errno;
}

/// Put `path` into `address`, if need be as /proc/self/fd/N/name; `directory` then holds N, for the caller to close.
pub fn fillAddress(address: *linux.sockaddr.un, path: []const u8, directory: *?i32) linux.E {
    if (path.len < address.path.len) {
        @memcpy(address.path[0..path.len], path);
        return .SUCCESS;
    }
    const slash = std.mem.lastIndexOfScalar(u8, path, '/') orelse return .NAMETOOLONG;
    var buffer: [4096]u8 = undefined;
    const parent = std.fmt.bufPrintZ(&buffer, "{s}", .{path[0..slash]}) catch return .NAMETOOLONG;
    const fd = linux.openat(linux.AT.FDCWD, parent, .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(fd) != .SUCCESS) return linux.errno(fd);
    directory.* = @intCast(fd);
    _ = std.fmt.bufPrint(&address.path, "/proc/self/fd/{d}/{s}", .{ fd, path[slash + 1 ..] }) catch return .NAMETOOLONG;
    return .SUCCESS;
}
