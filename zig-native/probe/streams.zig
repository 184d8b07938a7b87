//! Standard streams and the terminal.
const std = @import("std");
const linux = std.os.linux;
const files = @import("files.zig");
const input = @import("input.zig");
const output = @import("output.zig");
const Sha256 = @import("sha256.zig").Sha256;
const signals = @import("signals.zig");
const Args = input.Args;

fn windowSize(fd: i32) ?std.posix.winsize {
    var size: std.posix.winsize = undefined;
    return if (input.failed(linux.ioctl(fd, linux.T.IOCGWINSZ, @intFromPtr(&size)))) null else size;
}

fn printSize(key: []const u8) void {
    const size = windowSize(0) orelse return output.line(&.{ key, " none" });
    output.text(key);
    for ([_]u16{ size.row, size.col }) |value| {
        output.text(" ");
        output.decimal(value);
    }
    output.text("\n");
}

/// tty FD yes|no, winsize ROWS COLUMNS, pgrp and foreground (equal in the foreground), name, and whether /dev/tty opens.
pub fn tty(_: Args) u8 {
    for ([_][]const u8{ "0", "1", "2" }, 0..) |digit, fd| {
        var attributes: linux.termios = undefined;
        const is = !input.failed(linux.tcgetattr(@intCast(fd), &attributes));
        output.line(&.{ "tty ", digit, if (is) " yes" else " no" });
    }
    printSize("winsize");
    output.pair("pgrp", linux.getpgid(0));
    var foreground: linux.pid_t = 0;
    const result = linux.tcgetpgrp(0, &foreground);
    output.text("foreground ");
    if (input.failed(result)) output.errno(result) else output.decimal(@intCast(foreground));
    output.line(&.{ "\nname ", input.link(linux.AT.FDCWD, "/proc/self/fd/0") });
    const controlling = linux.open("/dev/tty", .{ .CLOEXEC = true }, 0);
    output.text("controlling ");
    output.errno(controlling);
    output.text("\n");
    return 0;
}

/// winsize-wait [COUNT]: "ready ROWS COLUMNS", then "winsize ROWS COLUMNS" at each of COUNT resizes.
pub fn winsizeWait(args: Args) u8 {
    var wanted = signals.Set{};
    wanted.add(@intFromEnum(linux.SIG.WINCH));
    wanted.block();
    printSize("ready");
    output.flush();
    for (0..input.parse(input.arg(args, 0), 1)) |_| {
        _ = wanted.wait();
        printSize("winsize");
        output.flush();
    }
    return 0;
}

/// stdin to stdout, byte for byte.
pub fn echo(_: Args) u8 {
    const result = files.copy(0, 1);
    return if (input.failed(result)) output.failure(result, "stdin") else 0;
}

pub fn stderr(args: Args) u8 {
    output.writeAll(2, input.arg(args, 0));
    output.writeAll(2, "\n");
    return 0;
}

/// spew BYTES [FD]: byte i is i ^ i>>8 ^ i>>16.
pub fn spew(args: Args) u8 {
    const total = input.parse(input.arg(args, 0), 0);
    const fd: i32 = @intCast(input.parse(input.arg(args, 1), 1));
    var block: [4096]u8 = undefined;
    var at: u64 = 0;
    while (at < total) {
        const length: usize = @intCast(@min(block.len, total - at));
        for (block[0..length], at..) |*byte, index| byte.* = @truncate(index ^ index >> 8 ^ index >> 16);
        output.writeAll(fd, block[0..length]);
        at += length;
    }
    return 0;
}

/// Reads to the end, then "bytes N" and "sha256 HEX".
pub fn stdinSha256(_: Args) u8 {
    var hash = Sha256{};
    var total: u64 = 0;
    var buffer: [65536]u8 = undefined;
    while (true) {
        const count = linux.read(0, &buffer, buffer.len);
        if (linux.errno(count) == .INTR) continue;
        if (input.failed(count)) return output.failure(count, "stdin");
        if (count == 0) break;
        hash.update(buffer[0..count]);
        total += count;
    }
    output.pair("bytes", total);
    output.text("sha256 ");
    output.hex(&hash.final());
    output.text("\n");
    return 0;
}
