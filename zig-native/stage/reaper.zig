//! rt-reaper, for `--init`: PID 1 in front of the program, which starts as its child in a session of its own. It hands every signal on,
//! reaps what is orphaned, and ends as the program ended, which takes the rest of the container with it.
const std = @import("std");
const linux = std.os.linux;
const exec = @import("exec.zig");
const fault = @import("../wire/fault.zig");
const kept = @import("kept.zig");
const label = @import("label.zig");
const request = @import("../wire/request.zig");
const terminals = @import("terminal.zig");
const wait = @import("../linux/wait.zig");

/// With a terminal 0 is the container's, which the program shall control. `current`: of label.zig. Returns only with a failure:
/// of the fork, or, in the child, to become the program.
pub fn run(program: exec.Program, process: *const request.Process, current: i32) fault.Error {
    // Neither our memory nor our file is the container's to look at.
    _ = linux.prctl(@intFromEnum(linux.PR.SET_DUMPABLE), 0, 0, 0, 0);
    // Blocked signals wait for `supervise`, none is lost.
    const all = linux.sigfillset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &all, null);
    const forked = linux.fork();
    if (linux.errno(forked) != .SUCCESS) return fault.fail(.exec, linux.errno(forked), "start the program", .{});
    if (forked == 0) return start(program, process.terminal);
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NAME), @intFromPtr("rt-reaper"), 0, 0, 0);
    // The program gets its profile when it is executed; who waits for it goes over by itself.
    label.goOver(current, process.apparmorProfile);
    // `sync` and the stdio are the program's: their ends must show when it has gone.
    _ = linux.syscall3(.close_range, 0, std.math.maxInt(u32), 0);
    // A container may have the right to read our memory.
    kept.unmap();
    supervise(@intCast(forked), &all);
}

fn start(program: exec.Program, terminal: bool) fault.Error {
    _ = linux.setsid();
    if (terminal) terminals.control() catch |err| return err;
    return exec.run(program);
}

fn supervise(child: i32, signals: *const linux.sigset_t) noreturn {
    while (true) {
        if (reap(child)) |status| linux.exit_group(status);
        const result = linux.syscall4(.rt_sigtimedwait, @intFromPtr(signals), 0, 0, linux.NSIG / 8);
        if (linux.errno(result) != .SUCCESS) continue;
        const signal: linux.SIG = @enumFromInt(result);
        if (signal != .CHLD) _ = linux.kill(child, signal);
    }
}

/// Reap everything that has ended. The program's exit status, as a shell has it, once it is among them.
fn reap(child: i32) ?i32 {
    var ended: ?i32 = null;
    while (true) {
        var status: u32 = 0;
        const pid = linux.waitpid(-1, &status, linux.W.NOHANG);
        if (linux.errno(pid) == .INTR) continue;
        if (linux.errno(pid) != .SUCCESS or pid == 0) return ended;
        if (pid == @as(usize, @intCast(child))) ended = wait.exitStatus(status);
    }
}
