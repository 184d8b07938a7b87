//! Moves bytes between the program's stdio and the attached clients.
//!
//! One frame of output is on its way at a time: it is read from the program into one buffer, and the next is read when every
//! client has all of it. So a slow client slows the program, as a pipe would, and memory stays at two buffers however many
//! clients there are. Without a client output is dropped.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("abi.zig");
const frame = @import("frame.zig");

const header_bytes = abi.frame_header_bytes;
pub const clients_max = 8;

pub const Client = struct {
    /// -1: nobody.
    socket: i32,
    /// How much of the output frame this client has got.
    sent: usize,
    input: [header_bytes + abi.frame_payload_max]u8,
    input_have: usize,
    /// Part of a stdin frame that the program has taken already.
    input_taken: usize,
};

/// What a client asked of the monitor itself.
pub const Request = enum {
    none,
    start,
};

pub const Relay = struct {
    /// The program's ends, ours nonblocking. With a terminal all three are the pty's master.
    stdin: i32,
    stdout: i32,
    stderr: i32,
    terminal: bool,

    clients: [clients_max]Client,
    output: [header_bytes + abi.frame_payload_max]u8,
    output_end: usize,
    /// Stdin frames of one or more clients wait for room in the program's pipe. Nothing is received meanwhile.
    stdin_blocked: bool,

    /// In place, field by field: an initial value would put the buffers into the executable, and touch their pages.
    pub fn init(self: *Relay) void {
        self.stdin = -1;
        self.stdout = -1;
        self.stderr = -1;
        self.terminal = false;
        self.output_end = 0;
        self.stdin_blocked = false;
        for (&self.clients) |*client| client.socket = -1;
    }

    pub fn add(self: *Relay, socket: i32) void {
        for (&self.clients) |*client| if (client.socket < 0) {
            client.socket = socket;
            client.sent = self.output_end;
            client.input_have = 0;
            client.input_taken = 0;
            return;
        };
        _ = linux.close(socket);
    }

    pub fn drop(self: *Relay, client: *Client) void {
        _ = linux.close(client.socket);
        client.socket = -1;
        // What it did not get rid of must not hold up the others'.
        self.stdin_blocked = self.anyStdin();
        // `-i` means one client's stdin: when it goes, the program sees the end. A terminal stays for the next client.
        if (!self.terminal and self.count() == 0) self.closeStdin();
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
        for (&self.clients) |*client| if (hasStdin(client)) forget(client);
    }

    /// True when every client has the whole output frame, so that the next may be made.
    pub fn idle(self: *const Relay) bool {
        for (&self.clients) |*client| if (client.socket >= 0 and client.sent < self.output_end) return false;
        return true;
    }

    /// A frame to every client. Only when `idle`.
    pub fn announce(self: *Relay, kind: abi.Frame, payload: []const u8) void {
        @memcpy(self.output[header_bytes..][0..payload.len], payload);
        self.publish(kind, payload.len);
    }

    fn publish(self: *Relay, kind: abi.Frame, length: usize) void {
        frame.encode(self.output[0..header_bytes], kind, @intCast(length));
        self.output_end = header_bytes + length;
        for (&self.clients) |*client| {
            client.sent = 0;
            if (client.socket >= 0) self.send(client);
        }
    }

    /// Give `client` what it has not got, as far as its socket takes it.
    pub fn send(self: *Relay, client: *Client) void {
        while (client.sent < self.output_end) {
            const rest = self.output[client.sent..self.output_end];
            const result = linux.sendto(client.socket, rest.ptr, rest.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
            switch (linux.errno(result)) {
                .SUCCESS => client.sent += result,
                .INTR => {},
                .AGAIN => return,
                else => return self.drop(client),
            }
        }
    }

    /// Read once from the program's `source` and send it on. False at end of file (the descriptor is closed then) or, with
    /// nothing there, when `draining`.
    pub fn pump(self: *Relay, source: *i32, kind: abi.Frame) bool {
        const space = self.output[header_bytes..];
        const result = linux.read(source.*, space.ptr, space.len);
        switch (linux.errno(result)) {
            .SUCCESS => if (result > 0) {
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

    /// Take what a client sent. Answers what is for the monitor.
    pub fn receive(self: *Relay, client: *Client) Request {
        if (!self.fillInput(client)) return .none;
        return self.consume(client);
    }

    fn fillInput(self: *Relay, client: *Client) bool {
        const want = wanted(client);
        const result = linux.recvfrom(client.socket, client.input[client.input_have..].ptr, want - client.input_have, linux.MSG.DONTWAIT, null, null);
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
        client.input_have += result;
        if (client.input_have < header_bytes) return false;
        if (frame.decode(client.input[0..header_bytes]).length > abi.frame_payload_max) {
            self.drop(client); // not one of ours
            return false;
        }
        return client.input_have == wanted(client);
    }

    fn wanted(client: *const Client) usize {
        if (client.input_have < header_bytes) return header_bytes;
        return header_bytes + frame.decode(client.input[0..header_bytes]).length;
    }

    /// A whole frame of stdin is here and not, or not all of it, with the program yet. (Another client may be in the middle
    /// of sending one.)
    fn hasStdin(client: *const Client) bool {
        return client.socket >= 0 and client.input_have > header_bytes and client.input_have == wanted(client) and client.input[0] == @intFromEnum(abi.Frame.stdin);
    }

    fn anyStdin(self: *const Relay) bool {
        for (&self.clients) |*client| if (hasStdin(client)) return true;
        return false;
    }

    fn forget(client: *Client) void {
        client.input_taken = 0;
        client.input_have = 0;
    }

    /// There is room for stdin again: every client that waited has its turn.
    pub fn feedBlocked(self: *Relay) void {
        for (&self.clients) |*client| if (hasStdin(client)) self.feed(client);
        self.stdin_blocked = self.anyStdin();
    }

    fn consume(self: *Relay, client: *Client) Request {
        const payload = client.input[header_bytes..client.input_have];
        const kind: abi.Frame = @enumFromInt(client.input[0]);
        if (kind == .stdin and payload.len > 0) {
            self.feed(client);
            return .none;
        }
        client.input_have = 0;
        switch (kind) {
            .stdin_eof => self.closeStdin(),
            .resize => if (payload.len == 4) self.resize(payload),
            .start => return .start,
            .output_closed => if (payload.len == 1 and self.count() == 1) self.closeOutput(payload[0]),
            else => {},
        }
        return .none;
    }

    /// Hand a stdin frame to the program, as far as its pipe takes it; `stdin_blocked` says that some is left.
    fn feed(self: *Relay, client: *Client) void {
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
        forget(client);
        self.stdin_blocked = self.anyStdin();
    }

    fn resize(self: *Relay, payload: []const u8) void {
        if (!self.terminal or self.stdin < 0) return;
        const size: std.posix.winsize = .{
            .row = std.mem.readInt(u16, payload[0..2], .big),
            .col = std.mem.readInt(u16, payload[2..4], .big),
            .xpixel = 0,
            .ypixel = 0,
        };
        _ = linux.ioctl(self.stdin, linux.T.IOCSWINSZ, @intFromPtr(&size));
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
