//! What becomes of a safety check that fails (an index, an overflow, a null): one line, told where somebody reads it, and
//! an orderly end. Every program of ours is built with these checks and has, in its root file,
//!
//!   pub const panic = fault.panic;
//!   pub const std_options = fault.options;
//!
//! and may say in `main` where the line goes: `fault.tell = &tellClient;`. The standard library's own handlers would bring
//! a reader of debug information, which is larger than the programs.
const std = @import("std");
const linux = std.os.linux;

/// How the program ends after the line: the engine failed.
pub const status = 125;

/// Gets the line, without a line end. What it returns from is followed by the end of the process; it must not rely on
/// anything that may have been half-changed, nor wait for anybody.
pub var tell: *const fn (line: []const u8) void = &tellStandardError;

/// The program's name at the beginning of the line.
pub var program: []const u8 = "rt";

pub const panic = std.debug.FullPanic(fail);

pub const options: std.Options = .{ .enable_segfault_handler = false, .signal_stack_size = null, .allow_stack_tracing = false };

/// The thread that tells of a fault, 0 when none has failed yet.
var failing: std.atomic.Value(i32) = .init(0);

fn fail(message: []const u8, address: ?usize) noreturn {
    @branchHint(.cold);
    const self = linux.gettid();
    if (failing.cmpxchgStrong(0, self, .acq_rel, .acquire)) |first| {
        // The telling failed as well.
        if (first == self) linux.exit_group(status);
        // Another thread is telling, and ends us.
        while (true) _ = linux.pause();
    }
    var buffer: [256]u8 = undefined;
    tell(describe(&buffer, message, address));
    linux.exit_group(status);
}

fn describe(buffer: []u8, message: []const u8, address: ?usize) []const u8 {
    var writer: std.Io.Writer = .fixed(buffer);
    // Cut when too long.
    writer.print("{s}: internal fault: {s}", .{ program, message }) catch {};
    if (address) |at| writer.print(" (at 0x{x})", .{at}) catch {};
    return writer.buffered();
}

fn tellStandardError(line: []const u8) void {
    const vector = [_]std.posix.iovec_const{ .{ .base = line.ptr, .len = line.len }, .{ .base = "\n", .len = 1 } };
    _ = linux.syscall3(.writev, 2, @intFromPtr(&vector), vector.len);
}

test describe {
    var buffer: [64]u8 = undefined;
    try std.testing.expectEqualStrings("rt: internal fault: integer overflow (at 0x1f)", describe(&buffer, "integer overflow", 0x1f));
    try std.testing.expectEqualStrings("rt: internal fault: reached unreachable code", describe(&buffer, "reached unreachable code", null));
    try std.testing.expectEqual(64, describe(&buffer, "x" ** 300, 1).len);
}
