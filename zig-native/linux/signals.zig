//! An execve keeps ignored signals ignored and blocked ones blocked; what is started by us begins with neither.
const linux = @import("std").os.linux;

/// Every signal as a new program expects it, and none blocked.
pub fn reset() void {
    for (1..linux.NSIG) |number| {
        const signal: linux.SIG = @enumFromInt(number);
        if (signal != .KILL and signal != .STOP) act(signal, linux.SIG.DFL); // these two nobody can ignore
    }
    unblock();
}

pub fn act(signal: linux.SIG, handler: ?linux.Sigaction.handler_fn) void {
    const action: linux.Sigaction = .{ .handler = .{ .handler = handler }, .mask = linux.sigemptyset(), .flags = 0 };
    _ = linux.sigaction(signal, &action, null);
}

pub fn unblock() void {
    const none = linux.sigemptyset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &none, null);
}
