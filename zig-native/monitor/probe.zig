//! One health check: a program in the container, as `rt exec` has it. A second monitor runs it, executed out of our own file, so that
//! a check has nothing of ours to look at, and a fault there is not ours; it tells us how it goes in the frames that a client
//! gets. Its program ends when we hang up.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("../wire/abi.zig");
const clone = @import("../linux/clone.zig");
const errnos = @import("../linux/errno.zig");
const frame = @import("../wire/frame.zig");
const signals = @import("../linux/signals.zig");
const stdio = @import("stdio.zig");
const wait = @import("../linux/wait.zig");

/// Docker's.
pub const output_bytes_max = 4096;

pub const Outcome = union(enum) {
    exit: u32,
    /// It could not be executed: the output says why.
    failed,
    /// Its monitor went without a word.
    lost,
};

pub const Probe = struct {
    pid: i32,
    pidfd: i32,
    /// -1: hung up.
    socket: i32,
    /// The program was executed.
    started: bool,
    header: [abi.frame_header_bytes]u8,
    header_have: usize,
    /// Bytes of the frame's payload that are still to come.
    left: usize,
    /// The first bytes of a payload: the numbers in it.
    numbers: [abi.failure_header_bytes]u8,
    numbers_have: usize,
    /// Of stdout and stderr, as it came.
    output: [output_bytes_max]u8,
    output_length: usize,
    /// There was more.
    cut: bool,

    /// In place, and no more of it is touched than is used. `request` is what the second monitor is asked.
    pub fn start(self: *Probe, request: i32) linux.E {
        self.pid = -1;
        self.pidfd = -1;
        self.socket = -1;
        self.started = false;
        self.header_have = 0;
        self.left = 0;
        self.numbers_have = 0;
        self.output_length = 0;
        self.cut = false;
        var pair: [2]i32 = undefined;
        const made = linux.socketpair(linux.AF.UNIX, linux.SOCK.STREAM | linux.SOCK.CLOEXEC, 0, &pair);
        if (linux.errno(made) != .SUCCESS) return linux.errno(made);
        // It is the first that it reads, once it is ready.
        const errno = frame.send(pair[0], .start, "");
        const cloned = clone.clone(0, -1).result;
        if (cloned == 0) becomeMonitor(request, pair[1]);
        _ = linux.close(pair[1]);
        if (errno != .SUCCESS or linux.errno(cloned) != .SUCCESS) {
            _ = linux.close(pair[0]);
            return if (linux.errno(cloned) != .SUCCESS) linux.errno(cloned) else errno;
        }
        self.pid = @intCast(cloned);
        self.socket = pair[0];
        stdio.nonblocking(pair[0]);
        const pidfd = linux.pidfd_open(self.pid, 0);
        if (linux.errno(pidfd) == .SUCCESS) self.pidfd = @intCast(pidfd) else {
            // Nobody would tell us of its end.
            self.kill();
            return linux.errno(pidfd);
        }
        return .SUCCESS;
    }

    /// Take what has come. The outcome once it is known; the socket is closed then.
    pub fn receive(self: *Probe) ?Outcome {
        var buffer: [2048]u8 = undefined;
        const result = linux.recvfrom(self.socket, &buffer, buffer.len, linux.MSG.DONTWAIT, null, null);
        const outcome = switch (linux.errno(result)) {
            .SUCCESS => if (result == 0) Outcome.lost else self.take(buffer[0..result]),
            .INTR, .AGAIN => null,
            else => Outcome.lost,
        };
        if (outcome != null) self.hangUp();
        return outcome;
    }

    fn take(self: *Probe, bytes: []const u8) ?Outcome {
        var rest = bytes;
        while (rest.len > 0) {
            if (self.header_have < self.header.len) {
                const count = @min(rest.len, self.header.len - self.header_have);
                @memcpy(self.header[self.header_have..][0..count], rest[0..count]);
                self.header_have += count;
                rest = rest[count..];
                if (self.header_have < self.header.len) return null;
                const header = frame.decode(&self.header);
                if (header.length > abi.frame_payload_max) return .lost; // not one of ours
                self.left = header.length;
                self.numbers_have = 0;
                if (header.kind == .started) self.started = true;
                if (header.kind == .failed) self.forget();
            }
            const part = rest[0..@min(rest.len, self.left)];
            self.takePart(frame.decode(&self.header).kind, part);
            self.left -= part.len;
            rest = rest[part.len..];
            if (self.left > 0) return null;
            self.header_have = 0;
            if (self.outcomeOf(frame.decode(&self.header).kind)) |outcome| return outcome;
        }
        return null;
    }

    fn takePart(self: *Probe, kind: abi.Frame, part: []const u8) void {
        const numbers: usize = switch (kind) {
            .stdout, .stderr => return self.keep(part),
            .exit => 4,
            .failed => abi.failure_header_bytes,
            else => return,
        };
        const count = @min(part.len, numbers - self.numbers_have);
        @memcpy(self.numbers[self.numbers_have..][0..count], part[0..count]);
        self.numbers_have += count;
        if (kind == .failed) self.keep(part[count..]);
    }

    /// Of a whole frame.
    fn outcomeOf(self: *Probe, kind: abi.Frame) ?Outcome {
        switch (kind) {
            .exit => return if (self.numbers_have == 4) .{ .exit = std.mem.readInt(u32, self.numbers[0..4], .big) } else .lost,
            .failed => {
                if (self.numbers_have == abi.failure_header_bytes) self.explain();
                return .failed;
            },
            else => return null,
        }
    }

    /// The message of a failure that is not of the program's own stage says what it was about, the errno why.
    fn explain(self: *Probe) void {
        const stage: abi.Stage = @enumFromInt(std.mem.readInt(u32, self.numbers[0..4], .big));
        const errno = std.math.cast(u12, std.mem.readInt(u32, self.numbers[4..8], .big)) orelse return;
        if (stage == .exec or errno == 0) return;
        self.keep(": ");
        self.keep(errnos.text(@enumFromInt(errno)) orelse "it failed");
    }

    pub fn keep(self: *Probe, bytes: []const u8) void {
        const count = @min(bytes.len, self.output.len - self.output_length);
        @memcpy(self.output[self.output_length..][0..count], bytes[0..count]);
        self.output_length += count;
        if (count < bytes.len) self.cut = true;
    }

    fn forget(self: *Probe) void {
        self.output_length = 0;
        self.cut = false;
    }

    /// Its program is to end.
    pub fn hangUp(self: *Probe) void {
        if (self.socket >= 0) _ = linux.close(self.socket);
        self.socket = -1;
    }

    /// The second monitor has ended.
    pub fn reap(self: *Probe) void {
        self.hangUp();
        var status: u32 = 0;
        if (self.pid > 0) _ = wait.reap(self.pid, &status);
        if (self.pidfd >= 0) _ = linux.close(self.pidfd);
        self.pid = -1;
        self.pidfd = -1;
    }

    /// At once, and whatever it does: its program ends with it.
    pub fn kill(self: *Probe) void {
        if (self.pid <= 0) return;
        _ = linux.kill(self.pid, .KILL);
        self.reap();
    }
};

/// In the child: nothing of ours but the two descriptors lives on.
fn becomeMonitor(request: i32, socket: i32) noreturn {
    _ = linux.setsid();
    const high = [_]usize{ linux.fcntl(request, linux.F.DUPFD_CLOEXEC, 3), linux.fcntl(socket, linux.F.DUPFD_CLOEXEC, 3) };
    for (high, 0..) |fd, number| {
        if (linux.errno(fd) != .SUCCESS) linux.exit_group(1);
        if (linux.errno(linux.dup3(@intCast(fd), @intCast(number), 0)) != .SUCCESS) linux.exit_group(1);
    }
    // The lock is nobody's but ours.
    _ = linux.syscall3(.close_range, 2, std.math.maxInt(i32), 0);
    signals.reset();
    const arguments = [_:null]?[*:0]const u8{ "rt-monitor", "monitor" };
    const environment = [_:null]?[*:0]const u8{};
    _ = linux.execve("/proc/self/exe", &arguments, &environment);
    linux.exit_group(1);
}

fn fresh(probe: *Probe) void {
    probe.header_have = 0;
    probe.numbers_have = 0;
    probe.output_length = 0;
    probe.started = false;
    probe.cut = false;
}

inline fn framed(comptime kind: abi.Frame, comptime payload: []const u8) []const u8 {
    comptime return &[_]u8{ @intFromEnum(kind), 0, 0, 0, 0, 0, payload.len >> 8, payload.len & 0xff } ++ payload;
}

test "frames in pieces of any length" {
    const all = framed(.created, "\x00\x00\x00\x07") ++ framed(.started, "") ++ framed(.stdout, "out ") ++
        framed(.warning, "never mind") ++ framed(.stderr, "err") ++ framed(.exit, "\x00\x00\x00\x03");
    var probe: Probe = undefined;
    for (1..all.len + 1) |size| {
        fresh(&probe);
        var rest: []const u8 = all;
        var outcome: ?Outcome = null;
        while (rest.len > 0) : (rest = rest[@min(size, rest.len)..]) outcome = probe.take(rest[0..@min(size, rest.len)]);
        try std.testing.expectEqual(3, outcome.?.exit);
        try std.testing.expectEqualStrings("out err", probe.output[0..probe.output_length]);
        try std.testing.expect(probe.started and !probe.cut);
    }
}

test "why it could not be executed" {
    var probe: Probe = undefined;
    fresh(&probe);
    _ = probe.take(framed(.stdout, "half"));
    try std.testing.expectEqual(Outcome.failed, probe.take(framed(.failed, "\x00\x00\x00\x0a\x00\x00\x00\x02exec: \"x\": no")).?);
    try std.testing.expectEqualStrings("exec: \"x\": no", probe.output[0..probe.output_length]);
    fresh(&probe);
    _ = probe.take(framed(.failed, "\x00\x00\x00\x03\x00\x00\x00\x01join it"));
    try std.testing.expectEqualStrings("join it: operation not permitted", probe.output[0..probe.output_length]);
}

test "what is no frame of ours, and output without end" {
    var probe: Probe = undefined;
    fresh(&probe);
    try std.testing.expectEqual(Outcome.lost, probe.take("\x01\x00\x00\x00\xff\xff\xff\xff").?);
    fresh(&probe);
    try std.testing.expectEqual(Outcome.lost, probe.take(framed(.exit, "\x01")).?);
    fresh(&probe);
    for (0..6) |_| try std.testing.expectEqual(null, probe.take(framed(.stdout, "x" ** 1000)));
    try std.testing.expectEqual(output_bytes_max, probe.output_length);
    try std.testing.expect(probe.cut);
}
