//! The seam between the monitor and the stage that becomes the user's program (init.zig for a new container, join.zig for
//! an exec): how a failure is reported, and how the two stay in step.
//!
//!   monitor --clone3--> stage
//!      |   --- sync 'G' ------> |   go: the monitor is set up
//!      |   <-- sync 'T' + fd -- |   the pty's master, when a terminal was asked for (SCM_RIGHTS)
//!      |   <-- sync 'P' pid --- |   an exec: the stage made the program's process as the monitor's child (CLONE_PARENT),
//!      |                        |   pid i32 big-endian in the monitor's namespace; the stage itself then exits with 0
//!      |   <-- sync 'H' ------- |   where hooks are to run before the root is changed: it waits for
//!      |   --- sync 'H' ------> |   the same, once they have
//!      |   <-- sync 'R' ------- |   everything is built; it waits (an exec's may come before 'P')
//!      |   --- sync 'S' ------> |   start: execute the program
//!      |   <-- sync 'W' text -- |   a warning (any time before 'R'); the monitor hands it on to the client
//!      |   <-- sync 'E' ...  -- |   failed at a stage: stage u32, errno u32, message (big-endian); errno 0: the message says all
//!      |   <-- end of file ---- |   execve succeeded (the socket is close-on-exec)
//!
//! `sync` is one SOCK_SEQPACKET pair: a message is a packet. The monitor believes none of it (monitor/sync.zig).
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");

/// The longest packet: a failure, or a warning.
pub const packet_bytes_max = 1024;

/// What the stage process starts with. It was cloned by the monitor, so all of the monitor's memory is here too.
pub const Handles = struct {
    sync: i32,
    /// 0-2 of the program, or -1 with a terminal (the stage makes the pty and sends the master).
    stdin: i32 = -1,
    stdout: i32 = -1,
    stderr: i32 = -1,
    /// The stage was born in the container's group of the v2 hierarchy.
    in_group: bool = false,
    /// Pidfds of the inits whose namespaces are joined, opened by the monitor: in its own pid namespace the stage could not.
    neighbours: [neighbours_max]Neighbour = @splat(.{}),
};

pub const Neighbour = struct { pid: i32 = 0, pidfd: i32 = -1 };
/// One for each kind of namespace that can be joined.
pub const neighbours_max = 6;

var fault_sync: i32 = -1;

/// From here on a fault of ours (wire/fault.zig) is a failure of this stage, told through `sync`.
pub fn tellFaults(sync: i32) void {
    fault_sync = sync;
    fault.tell = &tellFault;
}

fn tellFault(line: []const u8) void {
    fault.failure.set(.monitor, .SUCCESS, "{s}", .{line});
    report(fault_sync);
}

/// A packet to the monitor. False when it is gone, and we shall be soon.
pub fn send(sync: i32, packet: []const u8) bool {
    std.debug.assert(packet.len > 0 and packet.len <= packet_bytes_max); // an empty one is the end of file
    return linux.errno(linux.sendto(sync, packet.ptr, packet.len, linux.MSG.NOSIGNAL, null, 0)) == .SUCCESS;
}

/// Wait for a packet. Anything else, end of file above all, means that the monitor is gone: nothing is left to do.
pub fn expect(sync: i32, wanted: u8) void {
    var buffer: [16]u8 = undefined;
    for (0..interruptions_max) |_| {
        const count = linux.recvfrom(sync, &buffer, buffer.len, 0, null, null);
        switch (linux.errno(count)) {
            .INTR => continue,
            .SUCCESS => if (count == 1 and buffer[0] == wanted) return,
            else => {},
        }
        break;
    }
    end();
}

/// No signal has a handler here that could come often: it is the filter of system calls that says so, and will say it for ever.
const interruptions_max = 1000;

/// Something that was asked for could not be had, and the container runs without it.
pub fn warn(sync: i32, comptime format: []const u8, arguments: anytype) void {
    var buffer: [512]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    writer.print("W" ++ format, arguments) catch {}; // cut when too long
    _ = send(sync, writer.buffered());
}

/// Tell the monitor of `fault.failure`: the last thing that a stage does.
pub fn report(sync: i32) void {
    var buffer: [9 + fault.failure.buffer.len]u8 = undefined;
    buffer[0] = 'E';
    std.mem.writeInt(u32, buffer[1..5], @intFromEnum(fault.failure.stage), .big);
    std.mem.writeInt(u32, buffer[5..9], @intFromEnum(fault.failure.errno), .big);
    const message = fault.failure.message();
    @memcpy(buffer[9..][0..message.len], message);
    const packet = buffer[0 .. 9 + message.len];
    // A profile of system calls may let us do the one and not the other.
    if (!send(sync, packet)) _ = linux.write(sync, packet.ptr, packet.len);
}

/// The end of a process that has failed, whatever its filter of system calls lets it do.
pub fn end() noreturn {
    _ = linux.syscall1(.exit_group, 1);
    _ = linux.syscall1(.exit, 1);
    while (true) @trap();
}

const Control = extern struct { header: linux.cmsghdr, descriptor: i32, padding: i32 = 0 };

/// `fd` with a packet of one byte (SCM_RIGHTS).
pub fn sendDescriptor(sync: i32, kind: u8, fd: i32) fault.Error!void {
    std.debug.assert(fd >= 0);
    const vector = [_]std.posix.iovec_const{.{ .base = @ptrCast(&kind), .len = 1 }};
    const control: Control = .{
        .header = .{ .len = @sizeOf(linux.cmsghdr) + @sizeOf(i32), .level = linux.SOL.SOCKET, .type = 1 },
        .descriptor = fd,
    };
    const message: linux.msghdr_const = .{
        .name = null,
        .namelen = 0,
        .iov = &vector,
        .iovlen = 1,
        .control = &control,
        .controllen = @sizeOf(Control),
        .flags = 0,
    };
    _ = try fault.check(linux.sendmsg(sync, &message, linux.MSG.NOSIGNAL), .monitor, "send the terminal", .{});
}
