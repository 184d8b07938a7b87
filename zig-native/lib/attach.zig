//! The client's end of an attach socket: moves bytes between the caller's stdio and the monitor until the program ends. The protocol
//! is drawn in monitor.zig.
//!
//! One thread, one poll. Neither direction waits for the other: a reader of our stdout who stops does not keep stdin from
//! flowing, just as with a plain pipe. Signals that we get become frames; the terminal is raw while we run and is restored
//! on every way out.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../linux/answer.zig");
const abi = @import("../wire/abi.zig");
const frame = @import("../wire/frame.zig");
const signals = @import("signals.zig");
const tty = @import("../linux/tty.zig");

const header_bytes = abi.frame_header_bytes;
const small_max = 1024;
pub const keys_max = 64;

const Client = struct {
    socket: i32,
    /// The caller's standard input, output and error.
    stdio: [3]i32,
    flags: u32,
    /// The program, for signals: they go to it directly, so that they cannot queue behind stdin that it does not read.
    pidfd: i32,
    result: *abi.AttachResult,
    message: []u8,

    /// One outgoing frame; the next is made when it is gone.
    outgoing: [header_bytes + abi.frame_payload_max]u8 = undefined,
    outgoing_sent: usize = 0,
    outgoing_end: usize = 0,
    stdin_open: bool,
    /// The program has been executed; before that the process is still the engine's.
    begun: bool,
    /// Signals before that which ask for an end.
    pressed: u32 = 0,
    /// The monitor has taken our last stdin frame: the next may go.
    credit: bool = true,
    eof_pending: bool = false,
    resize_pending: bool = false,
    /// A program that runs already is told another size first: a shell draws its prompt anew when the size changes.
    redraw_pending: bool = false,
    closed_pending: [2]bool = .{ false, false },
    /// Keys that detach; none when empty. At most `keys_max`.
    keys: []const u8,
    keys_matched: usize = 0,
    detaching: bool = false,

    incoming: [abi.frame_payload_max]u8 = undefined,
    incoming_start: usize = 0,
    incoming_end: usize = 0,
    header: [header_bytes]u8 = undefined,
    header_have: usize = 0,
    payload_left: usize = 0,
    small: [small_max]u8 = undefined,
    small_have: usize = 0,
    /// False once the reader of our stdout, stderr is gone: what comes for it is dropped.
    output_open: [2]bool = .{ true, true },
    /// Which output refused bytes for now: wait until poll says it takes some.
    blocked: ?usize = null,
};

/// Run until the program ends or the connection does. Answers 0, or -errno when attaching itself failed.
pub fn attach(socket: i32, stdio: [3]i32, flags: u32, pidfd: i32, keys: []const u8, message: []u8, result: *abi.AttachResult) i32 {
    if (keys.len > keys_max) return answer.code(.INVAL);
    result.* = .{ .status = 0, .ended = .lost, .stage = 0, .errno = 0, .message_bytes = 0 };
    var client: Client = .{
        .socket = socket,
        .stdio = stdio,
        .flags = flags,
        .pidfd = pidfd,
        .keys = keys,
        .result = result,
        .message = message,
        .stdin_open = flags & abi.attach_stdin != 0,
        .begun = flags & abi.attach_start == 0,
    };
    var before: linux.termios = undefined;
    // Only keys that go to the program are not for our own terminal; and a job in the background may not touch it.
    const raw = flags & abi.attach_tty != 0 and client.stdin_open and linux.errno(linux.tcgetattr(stdio[0], &before)) == .SUCCESS;
    client.resize_pending = flags & abi.attach_tty != 0;
    client.redraw_pending = client.resize_pending and client.begun;
    // Handlers first: a signal between the two would leave the terminal raw.
    const wakeup = if (flags & (abi.attach_signals | abi.attach_tty) != 0) signals.install(flags & abi.attach_signals != 0) else -1;
    defer signals.uninstall();
    if (wakeup < -1) return wakeup;
    if (raw) {
        var mode = before;
        makeRaw(&mode);
        _ = linux.tcsetattr(stdio[0], .DRAIN, &mode);
    }
    defer if (raw) {
        _ = linux.tcsetattr(stdio[0], .DRAIN, &before);
    };
    if (flags & abi.attach_start != 0) _ = frame.send(socket, .start, ""); // a monitor that is gone shows in the loop
    while (!step(&client, wakeup)) {}
    return 0;
}

/// cfmakeraw(3).
fn makeRaw(mode: *linux.termios) void {
    mode.iflag.IGNBRK = false;
    mode.iflag.BRKINT = false;
    mode.iflag.PARMRK = false;
    mode.iflag.ISTRIP = false;
    mode.iflag.INLCR = false;
    mode.iflag.IGNCR = false;
    mode.iflag.ICRNL = false;
    mode.iflag.IXON = false;
    mode.oflag.OPOST = false;
    mode.lflag.ECHO = false;
    mode.lflag.ECHONL = false;
    mode.lflag.ICANON = false;
    mode.lflag.ISIG = false;
    mode.lflag.IEXTEN = false;
    mode.cflag.PARENB = false;
    mode.cflag.CSIZE = .CS8;
    mode.cc[@intFromEnum(linux.V.MIN)] = 1;
    mode.cc[@intFromEnum(linux.V.TIME)] = 0;
}

/// One turn of the loop; true when it is over.
fn step(client: *Client, wakeup: i32) bool {
    const sending = client.outgoing_sent < client.outgoing_end or controlPending(client);
    const output_waits = client.incoming_start < client.incoming_end;
    var set = [_]linux.pollfd{
        .{
            .fd = client.socket,
            .events = (if (output_waits) @as(i16, 0) else linux.POLL.IN) | (if (sending) linux.POLL.OUT else @as(i16, 0)),
            .revents = 0,
        },
        .{ .fd = if (client.stdin_open and client.credit and !sending) client.stdio[0] else -1, .events = linux.POLL.IN, .revents = 0 },
        .{ .fd = if (client.blocked) |index| client.stdio[index + 1] else -1, .events = linux.POLL.OUT, .revents = 0 },
        .{ .fd = wakeup, .events = linux.POLL.IN, .revents = 0 },
    };
    // A socket whose peer is gone always polls as hung up; with output waiting for its reader that would spin.
    if (set[0].events == 0) set[0].fd = -1;
    const ready = linux.poll(&set, set.len, if (output_waits and client.blocked == null) 0 else -1);
    if (linux.errno(ready) != .SUCCESS and linux.errno(ready) != .INTR) return true;
    if (set[3].revents != 0) forwardSignals(client);
    if (set[1].revents != 0) readStdin(client);
    if (client.detaching) return true;
    if (set[2].revents != 0) client.blocked = null;
    if (flush(client)) return true;
    if (output_waits) return deliver(client, set[2].revents != 0) or client.detaching;
    if (set[0].revents & (linux.POLL.IN | linux.POLL.HUP | linux.POLL.ERR) == 0) return false;
    const count = linux.recvfrom(client.socket, &client.incoming, client.incoming.len, linux.MSG.DONTWAIT, null, null);
    switch (linux.errno(count)) {
        .SUCCESS => if (count == 0) return true,
        .AGAIN, .INTR => return false,
        else => return true,
    }
    client.incoming_start = 0;
    client.incoming_end = count;
    return deliver(client, false) or client.detaching;
}

fn controlPending(client: *const Client) bool {
    return client.resize_pending or (client.eof_pending and client.credit) or client.closed_pending[0] or client.closed_pending[1];
}

fn forwardSignals(client: *Client) void {
    var taken = signals.drain(&client.resize_pending);
    while (taken != 0) : (taken &= taken - 1) {
        const number: u32 = @as(u32, @ctz(taken)) + 1;
        const signal: linux.SIG = @enumFromInt(number);
        _ = linux.pidfd_send_signal(client.pidfd, signal, null, 0); // ESRCH: the exit is on its way to us
        if (!client.begun) insist(client, signal);
    }
}

/// A container may stop or hold the process that joins it, and then that acts on no signal but one: whoever asks twice for an
/// end gets it.
fn insist(client: *Client, signal: linux.SIG) void {
    switch (signal) {
        .HUP, .INT, .QUIT, .TERM => client.pressed += 1,
        else => return,
    }
    if (client.pressed > 1) _ = linux.pidfd_send_signal(client.pidfd, .KILL, null, 0);
}

/// Send what waits, control frames first, until the socket takes no more. True when the monitor is gone and nothing can come.
fn flush(client: *Client) bool {
    while (true) {
        if (client.outgoing_sent == client.outgoing_end and !nextControl(client)) return false;
        const rest = client.outgoing[client.outgoing_sent..client.outgoing_end];
        const count = linux.sendto(client.socket, rest.ptr, rest.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
        switch (linux.errno(count)) {
            .SUCCESS => client.outgoing_sent += count,
            .AGAIN => return false,
            .INTR => {},
            // The monitor closed its end; its last words (the exit) may still be in our receive queue.
            else => {
                client.stdin_open = false;
                client.outgoing_sent = client.outgoing_end;
                return false;
            },
        }
    }
}

fn detach(client: *Client) void {
    client.detaching = true;
    client.result.ended = .detached;
}

/// Make the next control frame, if one is due.
fn nextControl(client: *Client) bool {
    var payload: [4]u8 = undefined;
    if (client.resize_pending) {
        client.resize_pending = false;
        const size = windowSize(client) orelse return nextControl(client);
        // The right size comes next; a terminal that has none draws nothing.
        client.resize_pending = client.redraw_pending and size.rows > 0;
        client.redraw_pending = false;
        const extra: u16 = @intFromBool(client.resize_pending);
        std.mem.writeInt(u16, payload[0..2], size.rows +| extra, .big);
        std.mem.writeInt(u16, payload[2..4], size.columns +| extra, .big);
        put(client, .resize, &payload);
    } else if (client.closed_pending[0] or client.closed_pending[1]) {
        const index: usize = if (client.closed_pending[0]) 0 else 1;
        client.closed_pending[index] = false;
        put(client, .output_closed, &.{@intCast(index + 1)});
    } else if (client.eof_pending and client.credit) {
        client.eof_pending = false;
        put(client, .stdin_eof, "");
    } else return false;
    return true;
}

/// Of our stdin's terminal, or of that which the output goes to.
fn windowSize(client: *const Client) ?tty.Size {
    var size: tty.Size = undefined;
    for (client.stdio[0..2]) |fd| if (tty.getSize(fd, &size) == .SUCCESS) return size;
    return null;
}

fn put(client: *Client, kind: abi.Frame, payload: []const u8) void {
    frame.encode(client.outgoing[0..header_bytes], kind, @intCast(payload.len));
    @memcpy(client.outgoing[header_bytes..][0..payload.len], payload);
    client.outgoing_sent = 0;
    client.outgoing_end = header_bytes + payload.len;
}

fn readStdin(client: *Client) void {
    const space = client.outgoing[header_bytes..];
    var typed: [4096]u8 = undefined;
    const direct = client.keys.len == 0;
    const count = if (direct) linux.read(client.stdio[0], space.ptr, space.len) else linux.read(client.stdio[0], &typed, typed.len);
    switch (linux.errno(count)) {
        .SUCCESS => {},
        .AGAIN, .INTR => return,
        // A terminal that went away, or a descriptor that cannot be read: there is no more input.
        else => {
            client.stdin_open = false;
            client.eof_pending = true;
            return;
        },
    }
    if (count == 0) {
        client.stdin_open = false;
        client.eof_pending = true;
        return;
    }
    const length = if (direct) count else withoutDetachKeys(client, typed[0..count], space);
    if (length == 0) return;
    client.credit = false;
    frame.encode(client.outgoing[0..header_bytes], .stdin, @intCast(length));
    client.outgoing_sent = 0;
    client.outgoing_end = header_bytes + length;
}

/// Copies what was typed to `out`, without the detach keys; answers how many bytes that makes. A beginning of the keys is
/// held back until the next byte shows whether it was one.
fn withoutDetachKeys(client: *Client, typed: []const u8, out: []u8) usize {
    var length: usize = 0;
    for (typed) |byte| {
        if (byte != client.keys[client.keys_matched] and client.keys_matched > 0) {
            @memcpy(out[length..][0..client.keys_matched], client.keys[0..client.keys_matched]);
            length += client.keys_matched;
            client.keys_matched = 0;
        }
        if (byte == client.keys[client.keys_matched]) {
            client.keys_matched += 1;
            if (client.keys_matched < client.keys.len) continue;
            detach(client);
            return length;
        }
        out[length] = byte;
        length += 1;
    }
    return length;
}

/// Hand what came from the monitor to our stdout and stderr. True when the program has ended.
fn deliver(client: *Client, can_write: bool) bool {
    var writable = can_write;
    while (client.incoming_start < client.incoming_end) {
        const bytes = client.incoming[client.incoming_start..client.incoming_end];
        if (client.header_have < header_bytes) {
            const count = @min(bytes.len, header_bytes - client.header_have);
            @memcpy(client.header[client.header_have..][0..count], bytes[0..count]);
            client.header_have += count;
            client.incoming_start += count;
            if (client.header_have < header_bytes) return false;
            client.payload_left = frame.decode(&client.header).length;
            client.small_have = 0;
        } else {
            const part = bytes[0..@min(bytes.len, client.payload_left)];
            const taken = switch (frame.decode(&client.header).kind) {
                .stdout => write(client, 0, part, writable),
                .stderr => write(client, 1, part, writable),
                else => collect(client, part),
            };
            if (taken == 0) return false;
            writable = false;
            client.payload_left -= taken;
            client.incoming_start += taken;
        }
        if (client.header_have == header_bytes and client.payload_left == 0) {
            client.header_have = 0;
            if (finished(client, frame.decode(&client.header).kind)) return true;
        }
    }
    return false;
}

fn collect(client: *Client, part: []const u8) usize {
    const room = client.small[client.small_have..];
    const count = @min(room.len, part.len);
    @memcpy(room[0..count], part[0..count]);
    client.small_have += count;
    return part.len;
}

fn finished(client: *Client, kind: abi.Frame) bool {
    const payload = client.small[0..client.small_have];
    switch (kind) {
        .stdin_taken => {
            client.credit = true;
            return false;
        },
        .started => {
            client.begun = true;
            return false;
        },
        .warning => {
            warn(client, payload);
            return false;
        },
        .exit => {
            if (payload.len < 4) return true;
            client.result.ended = .exit;
            client.result.status = std.mem.readInt(u32, payload[0..4], .big);
            return true;
        },
        .failed => {
            const failure = frame.decodeFailure(payload) orelse return true;
            client.result.ended = .failed;
            client.result.stage = @intFromEnum(failure.stage);
            client.result.errno = failure.errno;
            const count = @min(failure.message.len, client.message.len);
            @memcpy(client.message[0..count], failure.message[0..count]);
            client.result.message_bytes = @intCast(count);
            return true;
        },
        else => return false,
    }
}

/// What the monitor has to say of the start, as rt itself says such things; where nobody takes it now it is lost.
fn warn(client: *Client, text: []const u8) void {
    var buffer: [small_max + 32]u8 = undefined;
    const ending = if (client.flags & abi.attach_tty != 0) "\r\n" else "\n";
    const line = std.fmt.bufPrint(&buffer, "rt: warning: {s}{s}", .{ text, ending }) catch return;
    var polled = [_]linux.pollfd{.{ .fd = client.stdio[2], .events = linux.POLL.OUT, .revents = 0 }};
    const ready = linux.poll(&polled, 1, 0);
    if (linux.errno(ready) == .SUCCESS and polled[0].revents & linux.POLL.OUT != 0) _ = write(client, 1, line, true);
}

const rwf_nowait = 8;
/// POLLOUT promises this much room in a pipe.
const pipe_buf = 4096;

/// Write to stdout (0) or stderr (1) without ever blocking. `ready`: poll said that it takes bytes. Answers how many were
/// taken; 0 means wait.
fn write(client: *Client, index: usize, bytes: []const u8, ready: bool) usize {
    if (bytes.len == 0) return 0;
    if (!client.output_open[index]) return bytes.len;
    const fd = client.stdio[index + 1];
    var count: usize = undefined;
    if (ready) {
        count = linux.write(fd, bytes.ptr, @min(bytes.len, pipe_buf));
    } else {
        // Our stdout may be shared with others, so it stays in the mode it is in; RWF_NOWAIT is for this one write.
        const vector = [_]std.posix.iovec_const{.{ .base = bytes.ptr, .len = bytes.len }};
        count = linux.pwritev2(fd, &vector, 1, -1, rwf_nowait);
    }
    const errno = linux.errno(count);
    // What cannot be written without waiting is written once poll has said that it takes something.
    const waits = errno == .AGAIN or (!ready and (errno == .OPNOTSUPP or errno == .INVAL or errno == .SPIPE));
    if (waits) client.blocked = index;
    switch (errno) {
        .SUCCESS => return count,
        .INTR => return 0,
        else => {
            if (waits) return 0;
            // A reader that went is no failure; a disk that is full is one that the user must hear of.
            if (errno != .PIPE and errno != .CONNRESET) client.result.errno = @intFromEnum(errno);
            client.output_open[index] = false;
            client.closed_pending[index] = true;
            // Who came to a program that another has started goes, and leaves it be.
            if (client.flags & abi.attach_start == 0 and client.result.errno == 0) detach(client);
            return bytes.len;
        },
    }
}
