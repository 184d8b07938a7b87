//! A file as another process sees it. Whose root that is may be hostile: what is opened lies in it, whatever its links say.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("answer.zig");
const path = @import("path.zig");
const process = @import("process.zig");

/// For reading and writing, or -errno; -ESRCH unless `pid` still is the process that started at `start`.
pub fn open(pid: i32, start: u64, file: [*:0]const u8) i32 {
    var buffer: [32]u8 = undefined;
    const own = std.fmt.bufPrintZ(&buffer, "/proc/{d}", .{pid}) catch return answer.code(.SRCH);
    const opened = linux.open(own.ptr, path.directory_path, 0);
    if (linux.errno(opened) != .SUCCESS) return answer.code(.SRCH);
    defer _ = linux.close(@intCast(opened));
    // The directory is that of this very process, whoever has its number later.
    if (process.startTime(pid) != start) return answer.code(.SRCH);
    const root = linux.openat(@intCast(opened), "root", path.directory_path, 0);
    if (linux.errno(root) != .SUCCESS) return answer.of(root);
    defer _ = linux.close(@intCast(root));
    // What waits for somebody, or answers to being opened, is no file to us.
    const flags: linux.O = .{ .ACCMODE = .RDWR, .NONBLOCK = true, .NOCTTY = true, .CLOEXEC = true };
    return answer.of(path.open(@intCast(root), file, flags, 0, path.contained));
}
