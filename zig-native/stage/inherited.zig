//! What a process has from whoever started it, though nobody asked for it: a container starts as if from a daemon, as with
//! docker, and not with the niceness, the OOM score or the scheduling of the shell that `rt` was typed in. (CPU affinity
//! stays: `taskset rt run` means it.) The ASLR of a debugger's child is undone where the helper is started (lib/spawn.zig).
const std = @import("std");
const linux = std.os.linux;
const handshake = @import("handshake.zig");
const path = @import("../linux/path.zig");
const request = @import("../wire/request.zig");

const this_process = 0;
const who_process = 0; // PRIO_PROCESS
const ioprio_who_process = 1;
const ioprio_none = 0;
const sched_other = 0;
const timer_slack_ns = 50_000; // the kernel's own default

/// While the host's /proc is still "/proc". What the kernel refuses (better scheduling than the caller's without
/// CAP_SYS_NICE, a lower OOM score without CAP_SYS_RESOURCE) stays as it is: nobody asked.
pub fn shed(sync: i32, process: *const request.Process) void {
    _ = linux.syscall1(.umask, 0);
    setOomScore(sync, process.oomScoreAdj);
    const priority: u32 = 0; // struct sched_param
    _ = linux.syscall3(.sched_setscheduler, this_process, sched_other, @intFromPtr(&priority));
    _ = linux.syscall3(.setpriority, who_process, this_process, 0);
    _ = linux.syscall3(.ioprio_set, ioprio_who_process, this_process, ioprio_none);
    _ = linux.prctl(@intFromEnum(linux.PR.SET_TIMERSLACK), timer_slack_ns, 0, 0, 0);
}

fn setOomScore(sync: i32, asked: ?i32) void {
    const score = asked orelse 0;
    var buffer: [16]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    writer.print("{d}", .{score}) catch unreachable; // 11 characters hold every i32
    const errno = path.writeFile(linux.AT.FDCWD, "/proc/self/oom_score_adj", writer.buffered(), 0);
    if (errno != .SUCCESS and asked != null) handshake.warn(sync, "cannot set oom_score_adj to {d}: {s}", .{ score, @tagName(errno) });
}
