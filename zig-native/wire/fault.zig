//! How a program of ours fails. Two ways, and no third:
//!
//!   the world says no          `return fault.fail(.mount, errno, "mount {s}", .{path})` up to the outermost function, which
//!                              tells of `failure`: where, what it was about, why
//!   a safety check of ours     (an index, an overflow, a null): one line, told where somebody reads it, and an orderly end
//!
//! For the second every program of ours is built with these checks and has, in its root file,
//!
//!   pub const panic = fault.panic;
//!   pub const std_options = fault.options;
//!
//! and may say in `main` where the line goes: `fault.tell = &tellClient;`. The standard library's own handlers would bring
//! a reader of debug information, which is larger than the programs.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("abi.zig");

/// A failure that names what it was about. Set by `fail`, told by the process's outermost function.
pub const Failure = struct {
    stage: abi.Stage = .request,
    errno: linux.E = .SUCCESS,
    buffer: [512]u8 = undefined,
    length: usize = 0,

    pub fn message(self: *const Failure) []const u8 {
        return self.buffer[0..self.length];
    }

    pub fn set(self: *Failure, at: abi.Stage, errno: linux.E, comptime format: []const u8, arguments: anytype) void {
        self.stage = at;
        self.errno = errno;
        var writer: std.Io.Writer = .fixed(&self.buffer);
        writer.print(format, arguments) catch {}; // a full buffer holds the beginning, which is what matters
        self.length = writer.end;
    }
};

pub const Error = error{Failed};

/// Of what also takes memory.
pub const AllocError = Error || std.mem.Allocator.Error;

/// The process's one failure: it ends at its first.
pub var failure: Failure = .{};

/// `return fault.fail(.mount, errno, "mount {s}", .{path})`: records where and what; the message names the object, the
/// errno says why.
pub fn fail(at: abi.Stage, errno: linux.E, comptime format: []const u8, arguments: anytype) Error {
    failure.set(at, errno, format, arguments);
    return error.Failed;
}

/// The errno of a raw system call's result, as an error when it is one.
pub fn check(result: usize, at: abi.Stage, comptime format: []const u8, arguments: anytype) Error!usize {
    const errno = linux.errno(result);
    if (errno != .SUCCESS) return fail(at, errno, format, arguments);
    return result;
}

/// The same for a call that answers nothing but its errno.
pub fn ensure(errno: linux.E, at: abi.Stage, comptime format: []const u8, arguments: anytype) Error!void {
    if (errno != .SUCCESS) return fail(at, errno, format, arguments);
}

/// How the program ends after the line: the engine failed.
pub const status = 125;

/// Gets the line, without a line end. What it returns from is followed by the end of the process; it must not rely on
/// anything that may have been half-changed, nor wait for anybody.
pub var tell: *const fn (line: []const u8) void = &tellStandardError;

/// The program's name at the beginning of the line.
pub var program: []const u8 = "rt";

pub const panic = std.debug.FullPanic(end);

pub const options: std.Options = .{ .enable_segfault_handler = false, .signal_stack_size = null, .allow_stack_tracing = false };

/// The thread that tells of a fault, 0 when none has failed yet.
var failing: std.atomic.Value(i32) = .init(0);

fn end(message: []const u8, address: ?usize) noreturn {
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
