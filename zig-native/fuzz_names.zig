//! What comes to the monitor from those who ask for names and from those who answer (monitor/names.zig), made up. Built with every
//! safety check, for test/fuzz/names.test.ts:
//!
//!   rt-fuzz-names messages SEED PACKETS      packets to all that reads them: "N packets", or a fault's line
//!   rt-fuzz-names service SEED PACKETS DIRECTORY     to the service itself, over its sockets, in a network namespace of its own,
//!                                                    with files that are made up too, in a directory of its own
const std = @import("std");
const linux = std.os.linux;
const dns = @import("linux/net/dns.zig");
const fault = @import("wire/fault.zig");
const loopback = @import("linux/loopback.zig");
const names_ = @import("monitor/names.zig");

pub const panic = fault.panic;
pub const std_options = fault.options;

var random: std.Random.DefaultPrng = undefined;
var bytes: [70_000]u8 = undefined;
var names: names_.Names = undefined;

pub fn main(init: std.process.Init.Minimal) u8 {
    const arguments = init.args.vector;
    fault.program = "rt-fuzz-names";
    if (arguments.len < 4) return 2;
    const verb = std.mem.span(arguments[1]);
    const seed = std.fmt.parseInt(u64, std.mem.span(arguments[2]), 10) catch return 2;
    const count = std.fmt.parseInt(u64, std.mem.span(arguments[3]), 10) catch return 2;
    random = .init(seed);
    if (std.mem.eql(u8, verb, "messages")) {
        for (0..count) |_| messageCase();
    } else if (arguments.len == 5) {
        serve(std.mem.span(arguments[4]), count);
    } else return 2;
    var text: [64]u8 = undefined;
    const line = std.fmt.bufPrint(&text, "{d} packets\n", .{count}) catch unreachable; // one number
    _ = linux.write(1, line.ptr, line.len);
    return 0;
}

fn below(limit: usize) usize {
    return random.random().uintLessThan(usize, limit);
}

const labels = [_][]const u8{
    "\x03web", "\x03WEB", "\x03lab",  "\x04arpa",  "\x07in-addr", "\x03ip6", "\x010",   "\x0210",
    "\x03255", "\x00",    "\xc0\x0c", "\xc0\x00",  "\xff\xff",    "\x40a",   "\x03a b", "\x3f" ++ "a" ** 63,
    "\x01\n",  "\x03a.b", "\xc0",     "\x05short", "\x80",
};

/// A packet that is right, nearly right or nonsense.
fn make() []u8 {
    var writer: std.Io.Writer = .fixed(&bytes);
    const flags: u16 = if (below(4) == 0) @intCast(below(65536)) else if (below(2) == 0) 0x0100 else 0x8180;
    const counts = [_]u16{ if (below(8) == 0) @intCast(below(65536)) else 1, small(), small(), small() };
    writer.writeInt(u16, @intCast(below(65536)), .big) catch unreachable;
    writer.writeInt(u16, flags, .big) catch unreachable;
    for (counts) |each| writer.writeInt(u16, each, .big) catch unreachable;
    for (0..1 + below(4)) |part| {
        for (0..below(6)) |_| writer.writeAll(labels[below(labels.len)]) catch unreachable;
        if (below(8) != 0) writer.writeByte(0) catch unreachable;
        const kinds = [_]u16{ 1, 28, 12, 41, 255, 16, 5 };
        writer.writeInt(u16, if (below(8) == 0) @intCast(below(65536)) else kinds[below(kinds.len)], .big) catch unreachable;
        writer.writeInt(u16, if (below(8) == 0) @intCast(below(65536)) else 1, .big) catch unreachable;
        if (part == 0) continue;
        writer.writeInt(u32, @intCast(below(1 << 32)), .big) catch unreachable;
        const length = below(40);
        writer.writeInt(u16, @intCast(if (below(4) == 0) below(65536) else length), .big) catch unreachable;
        random.random().bytes(bytes[writer.end..][0..length]);
        writer.end += length;
    }
    var packet = bytes[0..writer.end];
    for (0..below(3)) |_| packet[below(packet.len)] = @intCast(below(256));
    if (below(4) == 0) packet = packet[0..below(packet.len + 1)];
    return packet;
}

fn small() u16 {
    return if (below(10) == 0) @intCast(below(65536)) else @intCast(below(4));
}

fn messageCase() void {
    const packet = make();
    if (dns.parse(packet)) |query| {
        var buffer: [2048]u8 = undefined;
        const limit = @min(query.limit(), buffer.len);
        var answer: dns.Answer = .begin(&buffer, &query, limit);
        for (0..below(200)) |_| if (!answer.add(.a, 1, &.{ 10, 0, 0, 1 })) break;
        const said = answer.finish();
        if (said.len > limit or !dns.isWhole(said)) @panic("an answer that is none");
        var address: [16]u8 = undefined;
        _ = dns.reversed(query.name.slice(), &address);
        _ = dns.judge(packet, 1, query.question);
    } else |_| {}
    if (!dns.isWhole(packet)) return;
    const left = dns.cut(packet);
    if (left > packet.len or !dns.isWhole(packet[0..left])) @panic("what was cut is no message");
}

/// In the middle of what the monitor does: sockets of a namespace, and both files.
fn serve(directory: [:0]const u8, count: u64) void {
    if (linux.errno(linux.unshare(linux.CLONE.NEWNET)) != .SUCCESS) @panic("no network namespace");
    if (loopback.up() != .SUCCESS) @panic("no loopback interface");
    const opened = linux.open(directory, .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) @panic("no directory");
    const state: i32 = @intCast(opened);
    if (names.begin(state, state, linux.getpid())) |_| @panic("the service does not begin");
    const ask = client(linux.SOCK.DGRAM);
    var stream: i32 = -1;
    var answers: u64 = 0;
    var streamed: u64 = 0;
    for (0..count) |number| {
        if (number % 1000 == 0) writeFiles(state);
        const packet = make();
        if (below(4) == 0) {
            if (stream < 0) stream = client(linux.SOCK.STREAM);
            var length: [2]u8 = undefined;
            std.mem.writeInt(u16, &length, if (below(10) == 0) @intCast(below(65536)) else @intCast(packet.len), .big);
            const flags = linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL;
            _ = linux.sendto(stream, &length, 2, flags, null, 0);
            const sent = linux.sendto(stream, packet.ptr, packet.len, flags, null, 0);
            if (linux.errno(sent) != .SUCCESS or below(20) == 0) {
                _ = linux.close(stream);
                stream = -1;
            }
        } else _ = linux.sendto(ask, packet.ptr, packet.len, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL, null, 0);
        names.tend(true);
        while (linux.errno(linux.recvfrom(ask, &bytes, bytes.len, linux.MSG.DONTWAIT, null, null)) == .SUCCESS) answers += 1;
        if (stream < 0) continue;
        const heard = linux.recvfrom(stream, &bytes, bytes.len, linux.MSG.DONTWAIT, null, null);
        if (linux.errno(heard) == .SUCCESS and heard > 0) streamed += 1;
    }
    if (answers < count / 10 or streamed < count / 100) @panic("hardly anything is answered");
    names.end();
}

fn client(kind: u32) i32 {
    const socket: i32 = @intCast(linux.socket(linux.AF.INET, kind | linux.SOCK.CLOEXEC, 0));
    var at: linux.sockaddr.in = .{ .port = std.mem.nativeToBig(u16, 53), .addr = @bitCast([4]u8{ 127, 0, 0, 11 }) };
    if (linux.errno(linux.connect(socket, @ptrCast(&at), @sizeOf(linux.sockaddr.in))) != .SUCCESS) @panic("nobody is at 127.0.0.11");
    return socket;
}

const id = "0123456789abcdef" ** 4;
const words = [_][]const u8{
    "network ", id,  " lab\n", "server container 7f000001 0\n", "server host ", "\n", "link web 0123456789ab\n", "ndots\n",  " ",
    "ac120002", ",", "web ",   "0123456789ab ",                 "fd00",         "x",  "0" ** 32,                 "a" ** 300,
};

fn writeFiles(directory: i32) void {
    for ([_][*:0]const u8{ "resolver", id }) |name| {
        var writer: std.Io.Writer = .fixed(&bytes);
        const whole = "network {s} lab\nserver container 7f000001 0\nac120002 0123456789ab web\n";
        if (below(3) != 0) writer.print(whole, .{id}) catch unreachable;
        for (0..below(60)) |_| writer.writeAll(words[below(words.len)]) catch unreachable;
        const flags: linux.O = .{ .ACCMODE = .WRONLY, .CREAT = true, .TRUNC = true, .CLOEXEC = true };
        const opened = linux.openat(directory, name, flags, 0o600);
        if (linux.errno(opened) != .SUCCESS) @panic("no file");
        _ = linux.write(@intCast(opened), &bytes, writer.end);
        _ = linux.close(@intCast(opened));
    }
}
