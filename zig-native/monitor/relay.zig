//! Moves bytes between the program's stdio and the attached clients.
//!
//! One frame of output is on its way at a time: it is read from the program into one buffer, and the next is read when every
//! client has all of it. So a slow client slows the program, as a pipe would, and memory stays at two buffers however many
//! clients there are. Without a client output is dropped. Where a log keeps it too, a client that takes nothing for ten seconds
//! goes, and its program goes on.
const std = @import("std");
const linux = std.os.linux;
const memory = @import("../linux/memory.zig");
const abi = @import("../wire/abi.zig");
const clock = @import("clock.zig");
const frame = @import("../wire/frame.zig");
const logs = @import("log.zig");
const tty = @import("../linux/tty.zig");

const header_bytes = abi.frame_header_bytes;
pub const clients_max = 64;
/// How long a client may take nothing of what the log has anyway.
const patience_ms = 10_000;

pub const Client = struct {
    /// -1: nobody.
    socket: i32,
    /// How much of the output frame this client has got.
    sent: usize,
    /// When it last took some, or was first due: of one that is behind.
    moved_ms: u64,
    /// In pages of its own: what is not used of it, and of one that has gone, takes no memory.
    input: *align(page_bytes) [input_bytes]u8,
    input_have: usize,
    /// Part of a stdin frame that the program has taken already.
    input_taken: usize,
    /// What comes while a stdin frame waits in `input`: anything but stdin.
    control: [header_bytes + control_max]u8,
    control_have: usize,
    /// Bytes of a `stdin_taken` frame that are still to be sent.
    owed: usize,
};

const control_max = 64;
const page_bytes = std.heap.page_size_min;
const input_bytes = std.mem.alignForward(usize, header_bytes + abi.frame_payload_max, page_bytes);
/// Of `relay.clients`, in their order.
var inputs: [clients_max][input_bytes]u8 align(page_bytes) = undefined;

pub const Relay = struct {
    /// The program's ends, ours nonblocking. With a terminal all three are the pty's master.
    stdin: i32,
    stdout: i32,
    stderr: i32,
    terminal: bool,
    /// A terminal's other side, held open while the program runs: without it a program that closes its own and opens it
    /// again later would find that we had taken the first EIO for the end.
    peer: i32,

    clients: [clients_max]Client,
    /// Who had the program started, as long as it stays; and whether it is to stay until the end.
    maker: ?*Client,
    attended: bool,
    /// The maker has not heard yet that the program was started, and takes no output before.
    unstarted: bool,
    /// What keeps the program's output.
    log: ?*logs.Log,
    output: [header_bytes + abi.frame_payload_max]u8,
    output_end: usize,
    /// Stdin frames of one or more clients wait for room in the program's pipe.
    stdin_blocked: bool,

    /// In place, field by field: an initial value would put the buffers into the executable, and touch their pages.
    pub fn init(self: *Relay) void {
        self.stdin = -1;
        self.stdout = -1;
        self.stderr = -1;
        self.terminal = false;
        self.peer = -1;
        self.output_end = 0;
        self.stdin_blocked = false;
        self.maker = null;
        self.attended = true;
        self.unstarted = false;
        self.log = null;
        for (&self.clients, &inputs) |*client, *input| {
            client.socket = -1;
            client.input = @alignCast(input);
        }
    }

    /// The first client.
    pub fn addMaker(self: *Relay, socket: i32) void {
        self.add(socket);
        self.maker = &self.clients[0];
    }

    pub fn add(self: *Relay, socket: i32) void {
        for (&self.clients) |*client| if (client.socket < 0) {
            client.socket = socket;
            client.sent = self.output_end;
            client.input_have = 0;
            client.input_taken = 0;
            client.control_have = 0;
            client.owed = 0;
            return;
        };
        var payload: frame.FailureBuffer = undefined;
        _ = frame.send(socket, .failed, frame.encodeFailure(&payload, .monitor, .SUCCESS, full));
        _ = linux.close(socket);
    }

    const full = "attach: sixty-four clients are attached already";

    pub fn drop(self: *Relay, client: *Client) linksection(memory.serving) void {
        _ = linux.close(client.socket);
        client.socket = -1;
        _ = linux.madvise(client.input, input_bytes, linux.MADV.DONTNEED);
        // What it did not get rid of must not hold up the others'.
        self.stdin_blocked = self.anyStdin();
        const made = client == self.maker;
        if (made) self.maker = null;
        // `-i` means one client's stdin: when it goes, the program sees the end. A terminal stays for the next client, and so
        // does the stdin of a program whose maker was never to stay.
        if (!self.terminal and self.count() == 0 and (!made or self.attended)) self.closeStdin();
    }

    pub fn count(self: *const Relay) usize {
        var number: usize = 0;
        for (&self.clients) |*client| number += @intFromBool(client.socket >= 0);
        return number;
    }

    pub fn closeStdin(self: *Relay) void {
        if (self.terminal or self.stdin < 0) return;
        _ = linux.close(self.stdin);
        self.stdin = -1;
        self.stdin_blocked = false;
        for (&self.clients) |*client| if (hasStdin(client)) self.forget(client);
    }

    /// True when every client has the whole output frame, so that the next may be made.
    pub fn idle(self: *const Relay) bool {
        for (&self.clients) |*client| if (isBehind(client, self.output_end)) return false;
        return true;
    }

    /// Output waits for a maker that is to have all of it.
    pub fn holdsBack(self: *const Relay) bool {
        return self.unstarted and self.attended and self.maker != null;
    }

    /// A frame to every client. Only when `idle`.
    pub fn announce(self: *Relay, kind: abi.Frame, payload: []const u8) void {
        std.debug.assert(self.idle() and payload.len <= abi.frame_payload_max);
        @memcpy(self.output[header_bytes..][0..payload.len], payload);
        self.publish(kind, payload.len);
    }

    fn publish(self: *Relay, kind: abi.Frame, length: usize) linksection(memory.serving) void {
        frame.encode(self.output[0..header_bytes], kind, @intCast(length));
        self.output_end = header_bytes + length;
        for (&self.clients) |*client| {
            const unaware = self.unstarted and client == self.maker;
            client.sent = if (unaware) self.output_end else 0;
            if (client.socket < 0 or unaware) continue;
            self.send(client);
            if (isBehind(client, self.output_end)) client.moved_ms = clock.monotonic_ms();
        }
    }

    fn isBehind(client: *const Client, output_end: usize) bool {
        return client.socket >= 0 and client.sent < output_end;
    }

    /// There is room in a client's socket.
    pub fn sendMore(self: *Relay, client: *Client) void {
        const before = client.sent;
        self.send(client);
        if (client.sent != before and isBehind(client, self.output_end)) client.moved_ms = clock.monotonic_ms();
    }

    /// Milliseconds until a client will have taken nothing for too long; -1: that is waited for without end.
    pub fn patience(self: *const Relay) linksection(memory.serving) i32 {
        if (self.log == null) return -1;
        var least: ?u64 = null;
        for (&self.clients) |*client| if (isBehind(client, self.output_end)) {
            least = @min(least orelse client.moved_ms, client.moved_ms);
        };
        const since = least orelse return -1;
        const due = since + patience_ms;
        const now = clock.monotonic_ms();
        return if (due > now) @intCast(due - now) else 0;
    }

    /// Who has taken nothing for too long goes; what he says of it he finds out himself (engine/container/follow.ts).
    pub fn dropStuck(self: *Relay) linksection(memory.serving) void {
        if (self.log == null) return;
        for (&self.clients) |*client| {
            if (isBehind(client, self.output_end) and clock.monotonic_ms() -| client.moved_ms >= patience_ms) self.drop(client);
        }
    }

    /// Give `client` what it has not got, as far as its socket takes it: between two frames of output what we owe it.
    pub fn send(self: *Relay, client: *Client) linksection(memory.serving) void {
        while (true) {
            var taken: [header_bytes]u8 = undefined;
            frame.encode(&taken, .stdin_taken, 0);
            const between = client.sent == 0 or client.sent == self.output_end;
            const owing = client.owed > 0 and between;
            const rest: []const u8 = if (owing) taken[header_bytes - client.owed ..] else self.output[client.sent..self.output_end];
            if (rest.len == 0) return;
            const result = linux.sendto(client.socket, rest.ptr, rest.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
            switch (linux.errno(result)) {
                .SUCCESS => if (owing) {
                    client.owed -= result;
                } else {
                    client.sent += result;
                },
                .INTR => {},
                .AGAIN => return,
                else => return self.drop(client),
            }
        }
    }

    /// Read once from the program's `source` and send it on. False at end of file (the descriptor is closed then) or, with
    /// nothing there, when `draining`.
    pub fn pump(self: *Relay, source: *i32, kind: abi.Frame) linksection(memory.serving) bool {
        const space = self.output[header_bytes..];
        const result = linux.read(source.*, space.ptr, space.len);
        switch (linux.errno(result)) {
            .SUCCESS => if (result > 0) {
                if (self.log) |log| log.write(kind, space[0..result]);
                self.publish(kind, result);
                return true;
            },
            .INTR => return true,
            .AGAIN => return false,
            else => {}, // EIO: the last holder of the terminal's other side has closed it
        }
        if (!self.terminal) _ = linux.close(source.*);
        source.* = -1;
        return false;
    }

    /// Take what a client sent.
    pub fn receive(self: *Relay, client: *Client) void {
        if (hasStdin(client)) return self.receiveControl(client);
        if (!self.fill(client, client.input[0 .. header_bytes + abi.frame_payload_max], &client.input_have)) return;
        if (kindOf(client.input) == .stdin and client.input_have > header_bytes) return self.feed(client);
        self.consume(client, client.input[0..client.input_have]);
        client.input_have = 0;
    }

    fn receiveControl(self: *Relay, client: *Client) void {
        if (!self.fill(client, &client.control, &client.control_have)) return;
        // A second stdin frame before the first was taken is not of ours.
        if (kindOf(&client.control) == .stdin) return self.drop(client);
        self.consume(client, client.control[0..client.control_have]);
        client.control_have = 0;
    }

    /// Receive into `buffer` until it holds one whole frame; true when it does.
    fn fill(self: *Relay, client: *Client, buffer: []u8, have: *usize) bool {
        // Checked as soon as it was known: it is more than we have, and no more than there is room for.
        const want: usize = @intCast(frameBytes(buffer, have.*));
        const result = linux.recvfrom(client.socket, buffer[have.*..].ptr, want - have.*, linux.MSG.DONTWAIT, null, null);
        switch (linux.errno(result)) {
            .SUCCESS => if (result == 0) {
                self.drop(client);
                return false;
            },
            .INTR, .AGAIN => return false,
            else => {
                self.drop(client);
                return false;
            },
        }
        have.* += result;
        if (have.* < header_bytes) return false;
        if (frameBytes(buffer, have.*) > buffer.len) {
            self.drop(client); // not one of ours
            return false;
        }
        return have.* == frameBytes(buffer, have.*);
    }

    /// How long the frame at the start of `buffer` is, as far as `have` bytes of it tell.
    fn frameBytes(buffer: []const u8, have: usize) u64 {
        if (have < header_bytes) return header_bytes;
        return frame.decode(buffer[0..header_bytes]).frameBytes();
    }

    /// Of the whole header at the start of `buffer`.
    fn kindOf(buffer: []const u8) abi.Frame {
        return frame.decode(buffer[0..header_bytes]).kind;
    }

    /// A whole frame of stdin is here and not, or not all of it, with the program yet. (Another client may be in the middle
    /// of sending one.)
    fn hasStdin(client: *const Client) bool {
        return client.socket >= 0 and client.input_have > header_bytes and client.input_have == frameBytes(
            client.input,
            client.input_have,
        ) and kindOf(client.input) == .stdin;
    }

    fn anyStdin(self: *const Relay) bool {
        for (&self.clients) |*client| if (hasStdin(client)) return true;
        return false;
    }

    /// It has been taken, and the client may send the next.
    fn forget(self: *Relay, client: *Client) void {
        client.input_taken = 0;
        client.input_have = 0;
        client.owed = header_bytes;
        self.send(client);
    }

    /// There is room for stdin again: every client that waited has its turn.
    pub fn feedBlocked(self: *Relay) void {
        for (&self.clients) |*client| if (hasStdin(client)) self.feed(client);
        self.stdin_blocked = self.anyStdin();
    }

    /// A frame that is not stdin.
    fn consume(self: *Relay, client: *const Client, bytes: []const u8) linksection(memory.serving) void {
        const payload = bytes[header_bytes..];
        switch (kindOf(bytes)) {
            .stdin_eof => if (payload.len == 0) self.closeStdin(),
            .resize => if (payload.len == 4) self.resize(payload),
            .output_closed => if (payload.len == 1 and self.isOnlyReader(client)) self.closeOutput(payload[0]),
            else => {},
        }
    }

    /// Hand a stdin frame to the program, as far as its pipe takes it; `stdin_blocked` says that some is left.
    fn feed(self: *Relay, client: *Client) linksection(memory.serving) void {
        const payload = client.input[header_bytes..client.input_have];
        while (client.input_taken < payload.len and self.stdin >= 0) {
            const rest = payload[client.input_taken..];
            const result = linux.write(self.stdin, rest.ptr, rest.len);
            switch (linux.errno(result)) {
                .SUCCESS => client.input_taken += result,
                .INTR => {},
                .AGAIN => {
                    self.stdin_blocked = true;
                    return;
                },
                else => self.closeStdin(), // the program does not read any more: the rest is dropped
            }
            if (self.terminal and linux.errno(result) != .SUCCESS and linux.errno(result) != .INTR) break;
        }
        self.forget(client);
        self.stdin_blocked = self.anyStdin();
    }

    fn resize(self: *Relay, payload: []const u8) void {
        if (!self.terminal or self.stdin < 0) return;
        _ = tty.setSize(self.stdin, .{
            .rows = std.mem.readInt(u16, payload[0..2], .big),
            .columns = std.mem.readInt(u16, payload[2..4], .big),
        });
    }

    /// Whoever attaches for a while has not: the program was not started for him.
    fn isOnlyReader(self: *const Relay, client: *const Client) bool {
        return self.attended and client == self.maker and self.count() == 1;
    }

    /// The only reader of our output is gone: so that `rt run IMAGE yes | head` ends, the program is to see a closed pipe.
    fn closeOutput(self: *Relay, which: u8) void {
        if (self.terminal) return;
        const source = if (which == 1) &self.stdout else &self.stderr;
        if (source.* < 0) return;
        _ = linux.close(source.*);
        source.* = -1;
    }
};
