//! rt-holder: one per ordinary user, for as long as he has containers. All that it does is to be in his user namespace: whatever
//! of rt is started later finds it by this process (start/user.zig), so that ps, exec and logs work from any shell.
//!
//!   rt (src/rootless/holder.ts)     rt-holder enter          rt-holder hold
//!     | --- clone, execve ------------> |                        |
//!     |                                 |  a user namespace, or descriptor 1's
//!     |  <--- 0, or an errno ---------- |                        |
//!     |  writes the maps                |                        |
//!     | --- one byte -----------------> |  is root of it         |
//!     |                                 | -- fork, execve -----> |  in a memory that is the namespace's, so that the
//!     |                                 |  ends                  |  user may look it up, and nobody in a container may
//!     |  <--- its pid -----------------------------------------  |
//!     |  writes the file                                         |
//!     | --- one byte ------------------------------------------> |  lets go of the socket, and stays
//!
//! All of it is said at descriptor 0, in numbers of 4 bytes. Whoever speaks to us no more has failed, and we end.
const std = @import("std");
const linux = std.os.linux;
const signals = @import("linux/signals.zig");

pub const panic = std.debug.no_panic;

const socket = 0;
/// Of a holder that died while others of its namespace live.
const namespace_of_others = 1;

pub fn main(arguments: std.process.Init.Minimal) u8 {
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NAME), @intFromPtr("rt-holder"), 0, 0, 0);
    const words = arguments.args.vector;
    const role = if (words.len > 1) std.mem.span(words[1]) else "";
    if (std.mem.eql(u8, role, "hold")) return hold();
    return if (std.mem.eql(u8, role, "join")) enter(true) else if (std.mem.eql(u8, role, "make")) enter(false) else 2;
}

fn enter(join: bool) u8 {
    const entered = if (join) linux.setns(namespace_of_others, linux.CLONE.NEWUSER) else linux.unshare(linux.CLONE.NEWUSER);
    tell(@intFromEnum(linux.errno(entered)));
    if (linux.errno(entered) != .SUCCESS or !hear()) return 1;
    // Refused where the namespace has one user only, who keeps his groups.
    _ = linux.setgroups(0, &[_]linux.gid_t{});
    if (linux.errno(linux.setresgid(0, 0, 0)) != .SUCCESS or linux.errno(linux.setresuid(0, 0, 0)) != .SUCCESS) return 1;
    const child = linux.fork();
    if (linux.errno(child) != .SUCCESS) return 1;
    if (child != 0) return 0;
    const program = linux.open("/proc/self/exe", .{ .CLOEXEC = true }, 0);
    if (linux.errno(program) != .SUCCESS) return 1;
    const words = [_:null]?[*:0]const u8{ "rt-holder", "hold" };
    const none = [_:null]?[*:0]const u8{};
    _ = linux.execveat(@intCast(program), "", &words, &none, .{ .SYMLINK_NOFOLLOW = false, .EMPTY_PATH = true });
    return 1;
}

fn hold() u8 {
    _ = linux.prctl(@intFromEnum(linux.PR.SET_DUMPABLE), 0, 0, 0, 0);
    // It outlives the shell that it was made from; TERM is how it is ended.
    for ([_]linux.SIG{ .HUP, .INT, .QUIT, .USR1, .USR2, .ALRM, .PIPE }) |signal| signals.act(signal, linux.SIG.IGN);
    tell(@intCast(linux.getpid()));
    if (!hear()) return 1;
    _ = linux.syscall3(.close_range, 0, std.math.maxInt(i32), 0);
    while (true) _ = linux.pause();
}

fn tell(number: u32) void {
    const bytes = std.mem.toBytes(number);
    _ = linux.sendto(socket, &bytes, bytes.len, linux.MSG.NOSIGNAL, null, 0);
}

fn hear() bool {
    var byte: [1]u8 = undefined;
    while (true) {
        const read = linux.read(socket, &byte, 1);
        if (linux.errno(read) != .INTR) return read == 1;
    }
}
