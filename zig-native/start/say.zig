//! One line for people, before there is any library: what, why, what to do.
const std = @import("std");
const linux = std.os.linux;
const place = @import("../boot/place.zig");

/// The engine's own failures end with this, as docker's do.
const engine_failed = 125;

pub fn die(parts: []const []const u8) noreturn {
    var line: [512]u8 = undefined;
    var used: usize = 0;
    for ([_][]const []const u8{ &.{"rt: "}, parts, &.{"\n"} }) |group| {
        for (group) |part| {
            const length = @min(part.len, line.len - used);
            @memcpy(line[used..][0..length], part[0..length]);
            used += length;
        }
    }
    // Where even this line is too much for a limit on files, the exit status still is ours.
    var file_limit = linux.sigemptyset();
    linux.sigaddset(&file_limit, .XFSZ);
    _ = linux.sigprocmask(linux.SIG.BLOCK, &file_limit, null);
    _ = linux.write(2, &line, used);
    // Of a whole machine: our end would be its kernel's panic.
    if (place.isMachine()) _ = linux.reboot(.MAGIC1, .MAGIC2, .POWER_OFF, null);
    linux.exit_group(engine_failed);
}

/// `result` of a system call, or one line with the errno.
pub fn check(result: usize, what: []const u8) usize {
    const errno = linux.errno(result);
    if (errno == .SUCCESS) return result;
    var digits: [8]u8 = undefined;
    die(&.{ "cannot start: ", what, ": ", reason(errno, &digits) });
}

fn reason(errno: linux.E, digits: []u8) []const u8 {
    return switch (errno) {
        .ACCES => "permission denied (EACCES)",
        .PERM => "operation not permitted (EPERM)",
        .NOENT => "no such file or directory (ENOENT)",
        .NOMEM => "out of memory (ENOMEM)",
        .MFILE => "too many open files (EMFILE): raise ulimit -n",
        .NFILE => "too many open files in the system (ENFILE)",
        .NOSPC => "no space left on device (ENOSPC)",
        .ROFS => "read-only file system (EROFS)",
        .NOSYS => "the kernel does not have this system call (ENOSYS)",
        else => blk: {
            @memcpy(digits[0..6], "errno ");
            break :blk digits[0 .. 6 + decimal(digits[6..], @min(99, @intFromEnum(errno)))];
        },
    };
}

/// Bytes written.
pub fn decimal(buffer: []u8, number: usize) usize {
    return std.fmt.printInt(buffer, number, 10, .lower, .{});
}
