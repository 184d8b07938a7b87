//! What the caller ignores stays ignored (nohup), but for what is not his: with SIGCHLD ignored the kernel throws exit
//! statuses away, and every program would seem to have ended with 0; SIGPWR is what the runtime stops its threads with.
const linux = @import("std").os.linux;

pub fn heed() void {
    const default: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.DFL }, .mask = linux.sigemptyset(), .flags = 0 };
    for ([_]linux.SIG{ .CHLD, .PWR }) |signal| _ = linux.sigaction(signal, &default, null);
}
