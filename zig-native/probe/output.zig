//! What the prober says: one buffer in front of standard output, and the few conversions that its lines need.
//! std.fmt would be larger than all of the prober.
const std = @import("std");
const linux = std.os.linux;

var buffer: [16384]u8 = undefined;
var used: usize = 0;

pub fn text(bytes: []const u8) void {
    if (bytes.len > buffer.len - used) flush();
    if (bytes.len > buffer.len) return writeAll(1, bytes);
    @memcpy(buffer[used..][0..bytes.len], bytes);
    used += bytes.len;
}

/// Each of `parts`, then a newline.
pub fn line(parts: []const []const u8) void {
    for (parts) |part| text(part);
    text("\n");
}

pub fn flush() void {
    const ready = buffer[0..used];
    used = 0;
    writeAll(1, ready);
}

/// Everything, or the end of the prober: a reader that went away wants no more of us.
pub fn writeAll(fd: i32, bytes: []const u8) void {
    var rest = bytes;
    while (rest.len > 0) {
        const result = linux.write(fd, rest.ptr, rest.len);
        switch (linux.errno(result)) {
            .SUCCESS => rest = rest[result..],
            .INTR => {},
            .AGAIN => {
                var polled = [1]linux.pollfd{.{ .fd = fd, .events = linux.POLL.OUT, .revents = 0 }};
                _ = linux.poll(&polled, 1, -1);
            },
            else => linux.exit_group(3),
        }
    }
}

pub fn decimal(value: u64) void {
    number(value, 10, 1);
}

pub fn octal(value: u64) void {
    number(value, 8, 4);
}

pub fn number(value: u64, base: u8, width_min: usize) void {
    var digits: [64]u8 = undefined;
    var at: usize = digits.len;
    var rest = value;
    while (rest != 0 or digits.len - at < width_min) : (rest /= base) {
        at -= 1;
        const digit: u8 = @intCast(rest % base);
        digits[at] = if (digit < 10) '0' + digit else 'a' + digit - 10;
    }
    text(digits[at..]);
}

/// "key value\n"
pub fn pair(key: []const u8, value: u64) void {
    text(key);
    text(" ");
    decimal(value);
    text("\n");
}

pub fn device(major: u64, minor: u64) void {
    decimal(major);
    text(":");
    decimal(minor);
}

pub fn hex(bytes: []const u8) void {
    for (bytes) |byte| number(byte, 16, 2);
}

/// One line stays one line: control bytes and the backslash come out as \xNN.
pub fn escaped(bytes: []const u8) void {
    for (bytes) |*byte| {
        if (byte.* < 0x20 or byte.* == 0x7f or byte.* == '\\') {
            text("\\x");
            number(byte.*, 16, 2);
        } else text(byte[0..1]);
    }
}

/// "error ENOENT what" on standard output, where a test looks for it; the exit status for it.
pub fn failure(result: usize, what: []const u8) u8 {
    text("error ");
    errno(result);
    text(" ");
    escaped(what);
    text("\n");
    return 1;
}

const errno_names = blk: {
    @setEvalBranchQuota(10_000);
    // The numbers are the same on every architecture that rt is built for.
    var names: []const u8 = "";
    for (0..134) |code| {
        const name = if (code == 0) "" else std.enums.tagName(linux.E, @enumFromInt(code)) orelse "";
        names = names ++ name ++ " ";
    }
    break :blk names[0..names.len].*;
};

/// The name of the error in a system call's result: "EPERM", or "ok".
pub fn errno(result: usize) void {
    const code = @intFromEnum(linux.errno(result));
    if (code == 0) return text("ok");
    text("E");
    const name = word(&errno_names, code);
    if (name.len > 0) text(name) else decimal(code);
}

pub const signal_names = "0 HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP " ++
    "TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/// The word at `index` of a space-separated list; empty when there are fewer.
pub fn word(list: []const u8, index: usize) []const u8 {
    var at: usize = 0;
    var start: usize = 0;
    for (list, 0..) |byte, end| {
        if (byte != ' ') continue;
        if (at == index) return list[start..end];
        at += 1;
        start = end + 1;
    }
    return if (at == index) list[start..] else "";
}
