//! What comes to the monitor from others, made up: frames of clients (monitor/relay.zig) and packets of a stage
//! (monitor/sync.zig). Built with every safety check, for test/fuzz/frames.test.ts:
//!
//!   rt-fuzz-frames relay|sync SEED SECONDS     "N cases", or a fault's line
//!   rt-fuzz-frames fault                       what a failed check looks like
const std = @import("std");
const linux = std.os.linux;
const abi = @import("wire/abi.zig");
const fault = @import("wire/fault.zig");
const relays = @import("monitor/relay.zig");
const sync = @import("monitor/sync.zig");

pub const panic = fault.panic;
pub const std_options = fault.options;

var random: std.Random.DefaultPrng = undefined;
var relay: relays.Relay = undefined;
var bytes: [80_000]u8 = undefined;
var seed: u64 = 0;

pub fn main(init: std.process.Init.Minimal) u8 {
    const arguments = init.args.vector;
    const verb = if (arguments.len > 1) std.mem.span(arguments[1]) else "";
    fault.program = "rt-fuzz-frames";
    if (std.mem.eql(u8, verb, "fault")) {
        bytes[0] = 200;
        std.mem.doNotOptimizeAway(&bytes);
        return bytes[0..8][bytes[0]];
    }
    if (arguments.len < 4) return 2;
    seed = std.fmt.parseInt(u64, std.mem.span(arguments[2]), 10) catch return 2;
    const seconds = std.fmt.parseInt(u64, std.mem.span(arguments[3]), 10) catch return 2;
    random = .init(seed);
    // As the monitor.
    const ignore: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.IGN }, .mask = linux.sigemptyset(), .flags = 0 };
    _ = linux.sigaction(.PIPE, &ignore, null);
    const case: *const fn () void = if (std.mem.eql(u8, verb, "relay")) &relayCase else &syncCase;
    const end = now() + seconds;
    const before = nextDescriptor();
    var cases: u64 = 0;
    while (now() < end) : (cases += 1) {
        case();
        if (nextDescriptor() != before) @panic("a descriptor is left open");
    }
    var text: [64]u8 = undefined;
    const line = std.fmt.bufPrint(&text, "{d} cases\n", .{cases}) catch unreachable; // one number
    _ = linux.write(1, line.ptr, line.len);
    return 0;
}

fn now() u64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &time);
    return @intCast(time.sec);
}

fn nextDescriptor() usize {
    const fd = linux.open("/", .{ .PATH = true }, 0);
    _ = linux.close(@intCast(fd));
    return fd;
}

fn below(limit: usize) usize {
    return random.random().uintLessThan(usize, limit);
}

fn pair(kind: u32) [2]i32 {
    var both: [2]i32 = undefined;
    if (linux.errno(linux.socketpair(linux.AF.UNIX, kind | linux.SOCK.CLOEXEC, 0, &both)) != .SUCCESS) @panic("socketpair");
    return both;
}

fn pipe() [2]i32 {
    var both: [2]i32 = undefined;
    if (linux.errno(linux.pipe2(&both, .{ .CLOEXEC = true, .NONBLOCK = true })) != .SUCCESS) @panic("pipe");
    return both;
}

/// A few clients that send and read what they like, a program that reads and writes when it likes.
fn relayCase() void {
    relay.init();
    relay.terminal = below(8) == 0;
    const stdin = pipe();
    const stdout = pipe();
    relay.stdin = stdin[1];
    relay.stdout = stdout[0];
    var clients: [3]i32 = @splat(-1);
    for (&clients) |*client| {
        if (below(3) == 0) continue;
        const both = pair(linux.SOCK.STREAM);
        client.* = both[0];
        relay.add(both[1]);
    }
    for (0..60) |_| relayStep(&clients, stdin[0], stdout[1]);
    for (&relay.clients) |*client| if (client.socket >= 0) relay.drop(client);
    for (clients ++ [_]i32{ stdin[0], stdout[1], relay.stdin, relay.stdout }) |fd| if (fd >= 0) {
        _ = linux.close(fd);
    };
}

fn relayStep(clients: *[3]i32, program_in: i32, program_out: i32) void {
    const one = &clients[below(clients.len)];
    switch (below(10)) {
        0...3 => if (one.* >= 0) sendFrame(one.*),
        4 => if (one.* >= 0) {
            _ = linux.recvfrom(one.*, &bytes, below(bytes.len) + 1, linux.MSG.DONTWAIT, null, null);
        },
        5 => _ = linux.read(program_in, &bytes, below(bytes.len) + 1),
        6 => _ = linux.write(program_out, &bytes, below(40_000)),
        7 => if (below(10) == 0 and one.* >= 0) {
            _ = linux.close(one.*);
            one.* = -1;
        },
        else => {},
    }
    for (&relay.clients) |*client| {
        if (client.socket >= 0) relay.send(client);
        if (client.socket >= 0 and below(2) == 0) relay.receive(client);
    }
    if (below(3) == 0) relay.feedBlocked();
    if (relay.idle() and relay.stdout >= 0) _ = relay.pump(&relay.stdout, .stdout);
    if (relay.output_end > relay.output.len) @panic("more output than there is room for");
    for (&relay.clients) |*client| {
        if (client.socket < 0) continue;
        if (client.input_have > client.input.len or client.control_have > client.control.len) @panic("more input than there is room for");
        if (client.sent > relay.output_end or client.input_taken > client.input_have) @panic("more was taken than there is");
    }
}

/// A header that is right, nearly right or nonsense, and some of what it promises.
fn sendFrame(socket: i32) void {
    const lengths = [_]u32{
        0,
        1,
        2,
        3,
        4,
        5,
        63,
        64,
        65,
        100,
        abi.frame_payload_max - 1,
        abi.frame_payload_max,
        abi.frame_payload_max + 1,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fff0,
        0xffff_fff7,
        0xffff_fff8,
        0xffff_ffff,
    };
    const length = lengths[below(lengths.len)];
    bytes[0] = if (below(4) == 0) @intCast(below(256)) else @intCast(below(14));
    std.mem.writeInt(u32, bytes[4..8], length, .big);
    const promised = @min(abi.frame_header_bytes + @as(usize, length), bytes.len);
    const count = if (below(3) == 0) below(promised + 1) else promised;
    _ = linux.sendto(socket, &bytes, count, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
}

/// A stage's socket in other hands.
fn syncCase() void {
    const both = pair(linux.SOCK.SEQPACKET);
    defer _ = linux.close(both[1]);
    var channel: sync.Channel = .{
        .socket = both[1],
        .terminal_due = below(2) == 0,
        .process_due = below(2) == 0,
        .pause_due = below(2) == 0,
    };
    var pauses: u32 = @intFromBool(channel.pause_due);
    for (0..1 + below(8)) |_| sendPacket(both[0]);
    _ = linux.close(both[0]);
    while (true) {
        const packet = channel.receive() catch return orelse continue;
        switch (packet) {
            .closed => return,
            .process => @panic("a pid that is no child's"),
            .terminal => @panic("a terminal that is none"),
            .warning => |text| expectPlain(text),
            .failure => |failure| expectPlain(failure.message),
            .paused => {
                if (pauses == 0) @panic("a pause that is not due");
                pauses -= 1;
            },
            .ready => if (channel.terminal_due or channel.pause_due) @panic("ready before it is"),
        }
    }
}

fn expectPlain(text: []const u8) void {
    for (text) |byte| if (byte < 0x20 or byte == 0x7f) @panic("a control character");
    if (!std.unicode.utf8ValidateSlice(text)) @panic("no text");
}

const Control = extern struct { header: linux.cmsghdr, descriptors: [4]i32 };

fn sendPacket(socket: i32) void {
    random.random().bytes(bytes[0..1400]);
    if (below(8) != 0) bytes[0] = "RTPWEGSH"[below(8)];
    if (below(2) == 0) @memset(bytes[1..7], 0);
    const lengths = [_]usize{ 0, 1, 1, 2, 4, 5, 5, 6, 8, 9, 9, 20, 600, 1023, 1024, 1025, 1400 };
    const vector = [_]std.posix.iovec_const{.{ .base = &bytes, .len = lengths[below(lengths.len)] }};
    const count = if (below(3) == 0) below(5) else 0;
    const control_bytes = @sizeOf(linux.cmsghdr) + count * 4;
    const control: Control = .{
        .header = .{ .len = control_bytes, .level = linux.SOL.SOCKET, .type = 1 },
        .descriptors = .{ socket, 0, 1, 2 },
    };
    const message: linux.msghdr_const = .{
        .name = null,
        .namelen = 0,
        .iov = &vector,
        .iovlen = 1,
        .control = &control,
        .controllen = if (count > 0) control_bytes else 0,
        .flags = 0,
    };
    _ = linux.sendmsg(socket, &message, linux.MSG.NOSIGNAL | linux.MSG.DONTWAIT);
}
