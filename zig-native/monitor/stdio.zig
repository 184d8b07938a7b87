//! The pipes between the monitor and the program. Ours do not block; the program's are as every program expects them.
const linux = @import("std").os.linux;
const fault = @import("../wire/fault.zig");
const handshake = @import("../stage/handshake.zig");
const relays = @import("relay.zig");

/// The program's ends go to `handles`, ours to `relay`. Without `stdin` the program reads its /dev/null (stage/program.zig).
pub fn makePipes(relay: *relays.Relay, stdin: bool, handles: *handshake.Handles) fault.Error!void {
    if (stdin) {
        const pipe = try makePipe();
        handles.stdin = pipe[0];
        relay.stdin = pipe[1];
        nonblocking(pipe[1]);
    }
    inline for (.{ .{ &handles.stdout, &relay.stdout }, .{ &handles.stderr, &relay.stderr } }) |ends| {
        const pipe = try makePipe();
        ends[0].* = pipe[1];
        ends[1].* = pipe[0];
        nonblocking(pipe[0]);
    }
}

fn makePipe() fault.Error![2]i32 {
    var pipe: [2]i32 = undefined;
    _ = try fault.check(linux.pipe2(&pipe, .{ .CLOEXEC = true }), .monitor, "pipe", .{});
    return pipe;
}

pub fn nonblocking(fd: i32) void {
    const flags = linux.fcntl(fd, linux.F.GETFL, 0);
    _ = linux.fcntl(fd, linux.F.SETFL, flags | 0o4000);
}

/// How much may be in a pipe, or in a terminal, of which the kernel keeps less than this; 0 of none.
pub fn capacity(fd: i32) usize {
    if (fd < 0) return 0;
    const result = linux.fcntl(fd, get_pipe_size, 0);
    return if (linux.errno(result) == .SUCCESS) result else terminal_bytes_max;
}

const get_pipe_size = 1032; // F_GETPIPE_SZ
const terminal_bytes_max = 1024 * 1024;
