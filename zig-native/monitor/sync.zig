//! The monitor's end of `sync`; stage/handshake.zig draws what is said on it. The other end is held by a process that is about to
//! become a program of the container, and a container with CAP_SYS_PTRACE can take it away from that process. So nothing
//! that comes is believed: each packet has the length of its kind, and comes when its kind is due; a pid is that of a
//! child of ours; at most one descriptor comes, and it is a terminal's master; text is cut and escaped.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("../wire/abi.zig");
const handshake = @import("../stage/handshake.zig");
const fault = @import("../wire/fault.zig");
const memory = @import("../linux/memory.zig");
const text = @import("text.zig");
const tty = @import("../linux/tty.zig");

/// More than a stage ever sends.
const packets_max = 256;
const warnings_max = 16;
const packet_bytes_max = handshake.packet_bytes_max;
/// The longest of a stage's own messages, escaped.
const text_bytes_max = 512;

pub const Packet = union(enum) {
    /// Nobody holds the other end any more.
    closed,
    /// Built but for the change of its root; it waits for hooks.
    paused,
    /// Built; it waits for our word.
    ready,
    /// The process that becomes the program: a child of ours.
    process: i32,
    /// The terminal's master.
    terminal: i32,
    /// For a person to read. It lives until the next packet.
    warning: []const u8,
    failure: Failure,
};

pub const Failure = struct { stage: abi.Stage, errno: linux.E, message: []const u8 };

pub const Channel = struct {
    socket: i32,
    /// What is to come yet.
    terminal_due: bool,
    process_due: bool,
    pause_due: bool = false,
    ready_due: bool = true,
    packets: u32 = 0,
    warnings: u32 = 0,
    escaped: [text_bytes_max]u8 = undefined,

    /// The next packet, once poll(2) has said that there is one. Null for one that is not worth a word.
    pub fn receive(self: *Channel) linksection(memory.starting) fault.Error!?Packet {
        var buffer: [packet_bytes_max]u8 = undefined;
        var vector = [_]std.posix.iovec{.{ .base = &buffer, .len = buffer.len }};
        // Room for one descriptor: what comes besides never becomes ours.
        var control: extern struct { header: linux.cmsghdr, descriptor: i32 } align(8) = undefined;
        const control_bytes = @sizeOf(linux.cmsghdr) + @sizeOf(i32);
        var message: linux.msghdr = .{
            .name = null,
            .namelen = 0,
            .iov = &vector,
            .iovlen = 1,
            .control = &control,
            .controllen = control_bytes,
            .flags = 0,
        };
        const result = linux.recvmsg(self.socket, &message, linux.MSG.CMSG_CLOEXEC | linux.MSG.DONTWAIT);
        switch (linux.errno(result)) {
            .INTR, .AGAIN => return null,
            else => {},
        }
        const length = try fault.check(result, .monitor, "read from init", .{});
        const rights = control.header.level == linux.SOL.SOCKET and control.header.type == scm_rights;
        const came = message.controllen >= control_bytes and rights and control.header.len == control_bytes;
        const descriptor: i32 = if (came) control.descriptor else -1;
        // Longer than the buffer, or with more descriptors than one: not of ours.
        const cut = message.flags & (linux.MSG.TRUNC | linux.MSG.CTRUNC) != 0;
        const packet = if (cut) error.Protocol else self.take(buffer[0..length], descriptor);
        return packet catch |err| {
            if (descriptor >= 0) _ = linux.close(descriptor);
            return switch (err) {
                error.Failed => error.Failed,
                error.Protocol => fault.fail(.monitor, .PROTO, "init said what it should not", .{}),
            };
        };
    }

    /// What `bytes`, which came with `descriptor` or -1, mean now. The descriptor is the caller's if this fails.
    pub fn take(self: *Channel, bytes: []const u8, descriptor: i32) (fault.Error || error{Protocol})!?Packet {
        self.packets += 1;
        if (self.packets > packets_max) return error.Protocol;
        if (bytes.len == 0) return if (descriptor < 0) .closed else error.Protocol;
        if (descriptor >= 0 and bytes[0] != 'T') return error.Protocol;
        switch (bytes[0]) {
            'H' => {
                if (bytes.len != 1 or !self.pause_due or !self.ready_due) return error.Protocol;
                self.pause_due = false;
                return .paused;
            },
            'R' => {
                if (bytes.len != 1 or !self.ready_due or self.terminal_due or self.pause_due) return error.Protocol;
                self.ready_due = false;
                return .ready;
            },
            'T' => {
                if (bytes.len != 1 or !self.terminal_due or !tty.isMaster(descriptor)) return error.Protocol;
                self.terminal_due = false;
                return .{ .terminal = descriptor };
            },
            'P' => {
                if (bytes.len != 5 or !self.process_due) return error.Protocol;
                const pid = std.mem.readInt(i32, bytes[1..5], .big);
                if (!isChild(pid)) return error.Protocol;
                self.process_due = false;
                return .{ .process = pid };
            },
            'W' => {
                if (!self.ready_due) return error.Protocol;
                self.warnings += 1;
                if (self.warnings > warnings_max) return null;
                return .{ .warning = text.escape(&self.escaped, bytes[1..]) };
            },
            'E' => {
                if (bytes.len < 9) return error.Protocol;
                const errno = std.math.cast(u12, std.mem.readInt(u32, bytes[5..9], .big)) orelse return error.Protocol;
                return .{ .failure = .{
                    .stage = @enumFromInt(std.mem.readInt(u32, bytes[1..5], .big)),
                    .errno = @enumFromInt(errno),
                    .message = text.escape(&self.escaped, bytes[9..]),
                } };
            },
            else => return error.Protocol,
        }
    }
};

const scm_rights = 1;
const waitid_pid = 1; // P_PID
const wall = 0x4000_0000; // __WALL

/// A process that we may wait for, and nobody else's: looked at only.
fn isChild(pid: i32) bool {
    if (pid <= 0) return false;
    const options = linux.W.EXITED | linux.W.NOHANG | linux.W.NOWAIT | wall;
    var information: linux.siginfo_t = undefined;
    return linux.errno(linux.syscall5(.waitid, waitid_pid, @intCast(pid), @intFromPtr(&information), options, 0)) == .SUCCESS;
}

fn channel(terminal: bool, process: bool) Channel {
    return .{ .socket = -1, .terminal_due = terminal, .process_due = process };
}

test "packets that are as they should be" {
    var create = channel(false, false);
    try std.testing.expectEqualStrings("no \\x1b", (try create.take("Wno \x1b", -1)).?.warning);
    try std.testing.expectEqual(Packet.ready, (try create.take("R", -1)).?);
    const failure = (try create.take("E\x00\x00\x00\x0a\x00\x00\x00\x02exec: \x07", -1)).?.failure;
    try std.testing.expectEqual(abi.Stage.exec, failure.stage);
    try std.testing.expectEqual(linux.E.NOENT, failure.errno);
    try std.testing.expectEqualStrings("exec: \\x07", failure.message);
    try std.testing.expectEqual(Packet.closed, (try create.take("", -1)).?);
}

test "hooks are waited for once, where they are due" {
    var paused = channel(false, false);
    try std.testing.expectError(error.Protocol, paused.take("H", -1));
    paused.pause_due = true;
    try std.testing.expectError(error.Protocol, paused.take("R", -1));
    try std.testing.expectEqual(Packet.paused, (try paused.take("H", -1)).?);
    try std.testing.expectError(error.Protocol, paused.take("H", -1));
    try std.testing.expectEqual(Packet.ready, (try paused.take("R", -1)).?);
}

test "packets that are refused" {
    const cases = [_][]const u8{
        "H",
        "R!",
        "RR",
        "P",
        "P\x00\x00\x00\x01",
        "P\x00\x00\x00\x00",
        "P\xff\xff\xff\xff",
        "P\x00\x00\x00\x01\x00",
        "T",
        "TT",
        "E",
        "E\x00\x00\x00\x02\x00\x00\x00",
        "E\x00\x00\x00\x02\x00\x01\x00\x00",
        "X",
        "S",
        "G",
    };
    for (cases) |case| {
        var exec = channel(true, true);
        try std.testing.expectError(error.Protocol, exec.take(case, -1));
    }
    var again = channel(false, false);
    _ = try again.take("R", -1);
    for ([_][]const u8{ "R", "Wlate" }) |late| try std.testing.expectError(error.Protocol, again.take(late, -1));
}

test "a pid is a child's, once" {
    const forked = linux.fork();
    if (forked == 0) linux.exit_group(0);
    var packet = [_]u8{'P'} ++ [_]u8{0} ** 4;
    std.mem.writeInt(i32, packet[1..5], @intCast(forked), .big);
    var exec = channel(false, true);
    try std.testing.expectEqual(@as(i32, @intCast(forked)), (try exec.take(&packet, -1)).?.process);
    try std.testing.expectError(error.Protocol, exec.take(&packet, -1));
    var status: u32 = 0;
    _ = linux.waitpid(@intCast(forked), &status, 0);
    var later = channel(false, true);
    try std.testing.expectError(error.Protocol, later.take(&packet, -1));
}

test "only a terminal's master is taken" {
    const file: i32 = @intCast(linux.open("/", .{ .DIRECTORY = true, .CLOEXEC = true }, 0));
    defer _ = linux.close(file);
    var create = channel(true, false);
    try std.testing.expectError(error.Protocol, create.take("T", file));
    try std.testing.expectError(error.Protocol, create.take("R", -1)); // not before it
    var other = channel(false, false);
    try std.testing.expectError(error.Protocol, other.take("R", file));
}

test "warnings and packets have an end" {
    var create = channel(false, false);
    for (0..warnings_max) |_| try std.testing.expect(try create.take("Wx", -1) != null);
    try std.testing.expectEqual(null, try create.take("Wx", -1));
    while (create.packets < packets_max) _ = try create.take("Wx", -1);
    try std.testing.expectError(error.Protocol, create.take("Wx", -1));
}
