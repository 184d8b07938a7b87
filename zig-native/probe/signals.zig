//! Signals that the prober takes, kills itself with, and the processes that it leaves behind.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");
const Args = input.Args;

/// Blocked signals stay pending even for pid 1, which ignores those that it has no handler for: so blocking and
/// waiting sees each of them, without handlers.
pub const Set = struct {
    bits: u64 = 0,

    pub fn add(set: *Set, signal: u64) void {
        set.bits |= @as(u64, 1) << @intCast(signal - 1);
    }

    pub fn block(set: *const Set) void {
        const sig_block = 0;
        _ = linux.syscall4(.rt_sigprocmask, sig_block, @intFromPtr(&set.bits), 0, 8);
    }

    pub fn wait(set: *const Set) u64 {
        while (true) {
            const signal = linux.syscall4(.rt_sigtimedwait, @intFromPtr(&set.bits), 0, 0, 8);
            if (!input.failed(signal)) return signal;
        }
    }
};

/// "TERM", "SIGTERM" or "15"; 0 for what is none of these.
pub fn parse(text: []const u8) u64 {
    const name = if (std.mem.startsWith(u8, text, "SIG")) text[3..] else text;
    for (1..32) |signal| if (std.mem.eql(u8, output.word(output.signal_names, signal), name)) return signal;
    const number = input.parse(name, 0);
    return if (number <= 64) number else 0;
}

fn printName(signal: u64) void {
    if (signal < 32) output.text(output.word(output.signal_names, signal)) else output.decimal(signal);
    output.text("\n");
}

/// signal-wait [--exit-on SIGNAL] [SIGNAL…]: "ready", then "signal NAME" for each that comes. Ends at the second TERM.
pub fn wait(args: Args) u8 {
    var rest = args;
    var exit_on: u64 = 0;
    if (input.argIs(rest, 0, "--exit-on")) {
        exit_on = parse(input.arg(rest, 1));
        rest = rest[@min(2, rest.len)..];
    }
    var set = Set{ .bits = if (rest.len == 0) ~@as(u64, 0) else 0 };
    if (exit_on != 0) set.add(exit_on);
    for (rest) |name| {
        const signal = parse(std.mem.span(name));
        if (signal == 0) return 2;
        set.add(signal);
    }
    set.block();
    output.text("ready\n");
    output.flush();
    var terminations: usize = 0;
    while (true) {
        const signal = set.wait();
        output.text("signal ");
        printName(signal);
        output.flush();
        if (signal == @intFromEnum(linux.SIG.TERM)) terminations += 1;
        if (signal == exit_on or terminations == 2) return 0;
    }
}

pub fn exit(args: Args) u8 {
    return @truncate(input.parse(input.arg(args, 0), 2));
}

pub fn killSelf(args: Args) u8 {
    const signal = parse(input.arg(args, 0));
    if (signal == 0) return 2;
    const result = linux.syscall2(.kill, @intCast(linux.getpid()), signal);
    if (input.failed(result)) return output.failure(result, "kill");
    // Pid 1 of a namespace is not touched by its own signals.
    output.text("survived ");
    printName(signal);
    return 99;
}

fn pauseFor(nanoseconds: u64) void {
    const request = linux.timespec{ .sec = @intCast(nanoseconds / 1_000_000_000), .nsec = @intCast(nanoseconds % 1_000_000_000) };
    _ = linux.nanosleep(&request, null);
}

/// Stops the next process of the pid namespace as soon as it is there, and TURNS of a loop later.
pub fn stopNext(args: Args) u8 {
    const next = linux.getpid() + 1;
    while (input.failed(linux.syscall2(.kill, @intCast(next), 0))) {}
    var turns = input.parse(input.arg(args, 0), 0);
    while (turns > 0) : (turns -= 1) std.mem.doNotOptimizeAway(turns);
    const result = linux.kill(next, .STOP);
    if (input.failed(result)) return output.failure(result, "kill");
    output.text("stopped\n");
    output.flush();
    pauseFor(1000 * 1_000_000_000);
    return 0;
}

/// sleep SECONDS, which may have a fraction.
pub fn sleep(args: Args) u8 {
    var parts = std.mem.splitScalar(u8, input.arg(args, 0), '.');
    var nanoseconds = input.parse(parts.next() orelse "", 0) * 1_000_000_000;
    var unit: u64 = 100_000_000;
    for (parts.rest()) |digit| {
        nanoseconds += (digit -% '0') % 10 * unit;
        unit /= 10;
    }
    pauseFor(nanoseconds);
    return 0;
}

/// fork-orphan [--wait]: a grandchild loses its parent and ends. With --wait we reap as an init does ("reaped N");
/// "zombies N" is what nobody reaped within two seconds: 0 where pid 1 does its duty.
pub fn forkOrphan(args: Args) u8 {
    const child = linux.fork();
    if (child == 0) {
        const grandchild = linux.fork();
        // Long enough that its parent is gone and reaped before it ends.
        if (grandchild == 0) pauseFor(50_000_000);
        linux.exit_group(0);
    }
    if (input.failed(child)) return output.failure(child, "fork");
    var status: u32 = 0;
    _ = linux.waitpid(@intCast(child), &status, 0);
    var reaped: u64 = 0;
    var left: u64 = 0;
    pauseFor(150_000_000); // the grandchild's end, and some more
    for (0..40) |_| {
        if (input.argIs(args, 0, "--wait")) {
            while (!input.failed(linux.waitpid(-1, &status, 0))) reaped += 1;
        }
        left = zombies();
        if (left == 0) break;
        pauseFor(50_000_000);
    }
    if (input.argIs(args, 0, "--wait")) output.pair("reaped", reaped);
    output.pair("zombies", left);
    return 0;
}

fn zombies() u64 {
    const listing = input.list("/proc") orelse return 0;
    defer listing.close();
    var count: u64 = 0;
    for (listing.names) |name| {
        if (name[0] < '1' or name[0] > '9') continue;
        var path = [_]u8{0} ** 64;
        var line: [512]u8 = undefined;
        const length = input.read(join(&path, &.{ "/proc/", std.mem.span(name), "/stat" }), &line);
        if (input.failed(length)) continue;
        const end_of_name = std.mem.lastIndexOfScalar(u8, line[0..length], ')') orelse continue;
        if (end_of_name + 2 < length and line[end_of_name + 2] == 'Z') count += 1;
    }
    return count;
}

/// The parts, with a NUL behind; what does not fit is cut.
pub fn join(buffer: []u8, parts: []const []const u8) [*:0]const u8 {
    var used: usize = 0;
    for (parts) |part| {
        const length = @min(part.len, buffer.len - 1 - used);
        @memcpy(buffer[used..][0..length], part[0..length]);
        used += length;
    }
    buffer[used] = 0;
    return @ptrCast(buffer.ptr);
}
