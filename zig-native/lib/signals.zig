//! Signals of an attached client. A handler only sets a bit and writes a byte to a pipe that the loop polls: signalfd would
//! need every thread of Bun's to block the signal.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../linux/answer.zig");

/// What is handed on to the program. Not those that the kernel sends for a fault, not SIGCHLD, SIGPIPE and SIGURG, and not the
/// stop signals, which belong to the user's shell.
const forwarded = [_]linux.SIG{ .HUP, .INT, .QUIT, .USR1, .USR2, .ALRM, .TERM, .VTALRM, .IO, .PWR };
const resize: linux.SIG = .WINCH;

var pipe: [2]i32 = .{ -1, -1 };
var set: std.atomic.Value(u64) = .init(0);
var resized: std.atomic.Value(bool) = .init(false);
var previous: [65]?linux.Sigaction = @splat(null);

/// Answers the descriptor to poll, or -errno.
pub fn install(forward: bool) i32 {
    const made = linux.pipe2(&pipe, .{ .CLOEXEC = true, .NONBLOCK = true });
    if (linux.errno(made) != .SUCCESS) return answer.of(made);
    capture(resize);
    if (forward) for (forwarded) |signal| capture(signal);
    return pipe[0];
}

fn capture(signal: linux.SIG) void {
    var old: linux.Sigaction = undefined;
    const action: linux.Sigaction = .{
        .handler = .{ .sigaction = onSignal },
        .mask = linux.sigfillset(),
        .flags = linux.SA.SIGINFO | linux.SA.RESTART,
    };
    if (linux.errno(linux.sigaction(signal, null, &old)) != .SUCCESS) return;
    // Ignored by whoever started us (nohup, a shell's background job): it stays so.
    if (old.handler.handler == linux.SIG.IGN) return;
    previous[@intFromEnum(signal)] = old;
    _ = linux.sigaction(signal, &action, null);
}

pub fn uninstall() void {
    for (&previous, 0..) |*old, number| {
        if (old.*) |*action| _ = linux.sigaction(@enumFromInt(number), action, null);
        old.* = null;
    }
    for (&pipe) |*fd| {
        if (fd.* >= 0) _ = linux.close(fd.*);
        fd.* = -1;
    }
}

const si_tkill = -6;

fn onSignal(signal: linux.SIG, info: *const linux.siginfo_t, context: ?*anyopaque) callconv(.c) void {
    // JavaScriptCore stops its threads for garbage collection by a signal from this very process.
    if (info.code == si_tkill and info.fields.common.first.piduid.pid == linux.getpid()) {
        const old = previous[@intFromEnum(signal)] orelse return;
        if (old.flags & linux.SA.SIGINFO != 0) {
            if (old.handler.sigaction) |handler| handler(signal, info, context);
        } else if (old.handler.handler != linux.SIG.DFL) {
            if (old.handler.handler) |handler| handler(signal);
        }
        return;
    }
    if (signal == resize) resized.store(true, .release) else _ = set.fetchOr(bit(signal), .release);
    _ = linux.write(pipe[1], "x", 1); // full means that a wake-up is on its way already
}

fn bit(signal: linux.SIG) u64 {
    return @as(u64, 1) << @intCast(@intFromEnum(signal) - 1);
}

/// After poll reported the pipe: the set of signals that came, bit n-1 for signal n.
pub fn drain(resize_pending: *bool) u64 {
    var bytes: [64]u8 = undefined;
    while (true) {
        const count = linux.read(pipe[0], &bytes, bytes.len);
        if (linux.errno(count) != .SUCCESS or count < bytes.len) break;
    }
    if (resized.swap(false, .acquire)) resize_pending.* = true;
    return set.swap(0, .acquire);
}
