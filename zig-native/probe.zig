//! The prober: a static program of a few KB that prints what a container sees, one "key value" line per fact.
//! It is the whole embedded image `hello`, and the eyes of the tests. A failure prints "error ERRNO WHAT" and ends with 1,
//! wrong usage with 2. The subcommands live in probe/: see (identity, limits), files, streams, signals, network, connection, load,
//! frame, attack, volume.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const attack = @import("probe/attack.zig");
const bomb = @import("probe/bomb.zig");
const connection = @import("probe/connection.zig");
const files = @import("probe/files.zig");
const frame = @import("probe/frame.zig");
const freezing = @import("probe/freeze.zig");
const greeting = @import("probe/greeting.zig");
const input = @import("probe/input.zig");
const joining = @import("probe/joining.zig");
const load = @import("probe/load.zig");
const network = @import("probe/network.zig");
const output = @import("probe/output.zig");
const refuse = @import("probe/refuse.zig");
const see = @import("probe/see.zig");
const signals = @import("probe/signals.zig");
const streams = @import("probe/streams.zig");
const volume = @import("probe/volume.zig");
const Args = input.Args;

pub const panic = std.debug.no_panic;

const Command = struct { name: []const u8, run: *const fn (Args) u8, usage: []const u8 = "" };

const commands = [_]Command{
    .{ .name = "ids", .run = see.ids },
    .{ .name = "hostname", .run = see.hostname },
    .{ .name = "mounts", .run = see.mounts },
    .{ .name = "caps", .run = see.caps },
    .{ .name = "cgroup", .run = see.cgroup },
    .{ .name = "env", .run = env },
    .{ .name = "args", .run = arguments, .usage = " [ARG…]" },
    .{ .name = "cwd", .run = see.cwd },
    .{ .name = "namespaces", .run = see.namespaces },
    .{ .name = "rlimits", .run = see.rlimits },
    .{ .name = "sysctl", .run = see.sysctl, .usage = " NAME…" },
    .{ .name = "process", .run = see.process },
    .{ .name = "fds", .run = files.fds },
    .{ .name = "devices", .run = files.devices },
    .{ .name = "cat", .run = files.cat, .usage = " FILE…" },
    .{ .name = "ls", .run = files.ls, .usage = " [DIR]" },
    .{ .name = "stat", .run = files.stat, .usage = " [-L] FILE…" },
    .{ .name = "write", .run = files.write, .usage = " FILE TEXT" },
    .{ .name = "mkdir", .run = files.mkdir, .usage = " DIR…" },
    .{ .name = "symlink", .run = files.symlink, .usage = " TARGET PATH" },
    .{ .name = "unlink", .run = files.unlink, .usage = " FILE…" },
    .{ .name = "net", .run = network.net },
    .{ .name = "serve", .run = connection.serve, .usage = " PORT TEXT" },
    .{ .name = "serve-datagrams", .run = connection.serveDatagrams, .usage = " PORT TEXT" },
    .{ .name = "ask", .run = connection.ask, .usage = " ADDRESS PORT [MILLISECONDS [OWN-PORT]]" },
    .{ .name = "fetch", .run = connection.fetch, .usage = " ADDRESS PORT [MILLISECONDS]" },
    .{ .name = "pour", .run = load.pour, .usage = " ADDRESS PORT BYTES" },
    .{ .name = "drain", .run = load.drain, .usage = " PORT" },
    .{ .name = "connects", .run = load.connects, .usage = " ADDRESS PORT COUNT" },
    .{ .name = "send-frames", .run = frame.send, .usage = " INTERFACE HEX…" },
    .{ .name = "capture", .run = frame.capture, .usage = " INTERFACE [SECONDS]" },
    .{ .name = "tty", .run = streams.tty },
    .{ .name = "winsize-wait", .run = streams.winsizeWait, .usage = " [COUNT]" },
    .{ .name = "echo", .run = streams.echo },
    .{ .name = "stdin-sha256", .run = streams.stdinSha256 },
    .{ .name = "spew", .run = streams.spew, .usage = " BYTES [FD]" },
    .{ .name = "stderr", .run = streams.stderr, .usage = " TEXT" },
    .{ .name = "signal-wait", .run = signals.wait, .usage = " [--exit-on SIGNAL] [SIGNAL…]" },
    .{ .name = "kill-self", .run = signals.killSelf, .usage = " SIGNAL" },
    .{ .name = "exit", .run = signals.exit, .usage = " STATUS" },
    .{ .name = "stop-next", .run = signals.stopNext, .usage = " TURNS" },
    .{ .name = "sleep", .run = signals.sleep, .usage = " SECONDS" },
    .{ .name = "fork-orphan", .run = signals.forkOrphan, .usage = " [--wait]" },
    .{ .name = "exec", .run = exec, .usage = " FILE [ARG…]" },
    .{ .name = "exec-self", .run = execSelf, .usage = " [ARG…]" },
    .{ .name = "exec-adding", .run = execAdding, .usage = " NAME=VALUE FILE [ARG…]" },
    .{ .name = "refuse", .run = refusing, .usage = " SYSTEM-CALL FILE [ARG…]" },
    .{ .name = "try", .run = attack.attempt, .usage = " WHAT [ARG…]" },
    .{ .name = "writable", .run = attack.writable, .usage = " DIR…" },
    .{ .name = "racer", .run = attack.racer, .usage = " A B [SECONDS]" },
    .{ .name = "seed-linker", .run = volume.linker, .usage = " OUTSIDE NAME…" },
    .{ .name = "seed-chmodder", .run = volume.chmodder, .usage = " FILE PREFIX" },
    .{ .name = "bomb", .run = bomb.run },
    .{ .name = "fchdir-walk", .run = attack.fchdirWalk },
    .{ .name = "stalk", .run = attack.stalk, .usage = " [SECONDS]" },
    .{ .name = "watch-joins", .run = joining.watch, .usage = " COUNT [NEEDLE…]" },
    .{ .name = "usurp-joins", .run = joining.usurp, .usage = " PID" },
    .{ .name = "freeze", .run = freezing.freeze, .usage = " v1|v2 own|nested" },
    .{ .name = "help", .run = help },
};

var argv: [:null]const ?[*:0]const u8 = undefined;
var environment: [*:null]const ?[*:0]const u8 = undefined;

/// Our own entry, because the standard library's raises the stack limit and ignores SIGPIPE: the prober must find both
/// as its parent left them.
pub export fn _start() callconv(.naked) noreturn {
    asm volatile (switch (builtin.cpu.arch) {
            .x86_64 =>
            \\ xorl %%ebp, %%ebp
            \\ movq %%rsp, %%rdi
            \\ andq $-16, %%rsp
            \\ callq %[begin:P]
            ,
            .aarch64 =>
            \\ mov fp, #0
            \\ mov lr, #0
            \\ mov x0, sp
            \\ and sp, x0, #-16
            \\ b %[begin]
            ,
            else => @compileError("the prober is built for x86_64 and aarch64"),
        }
        :
        : [begin] "X" (&begin),
    );
}

/// `stack` is as the kernel leaves it: argc, argv, null, environment, null.
fn begin(stack: [*]usize) callconv(.c) noreturn {
    const argc = stack[0];
    argv = @as([*:null]const ?[*:0]const u8, @ptrCast(stack + 1))[0..argc :null];
    environment = @ptrCast(stack + 1 + argc + 1);
    const status = dispatch(if (argc > 0) @ptrCast(argv[1..]) else &.{});
    output.flush();
    linux.exit_group(status);
}

fn dispatch(args: Args) u8 {
    if (args.len == 0) return greeting.greet();
    for (commands) |command| {
        if (input.argIs(args, 0, command.name)) return command.run(args[1..]);
    }
    output.line(&.{ "error unknown subcommand ", input.arg(args, 0) });
    _ = help(args);
    return 2;
}

fn help(_: Args) u8 {
    for (commands) |command| output.line(&.{ "  ", command.name, command.usage });
    return 0;
}

/// env NAME=VALUE, in the order received.
fn env(_: Args) u8 {
    var at: usize = 0;
    while (environment[at]) |entry| : (at += 1) {
        output.text("env ");
        output.escaped(std.mem.span(entry));
        output.text("\n");
    }
    return 0;
}

/// arg INDEX TEXT; 0 is the name that we were called by.
fn arguments(_: Args) u8 {
    for (argv, 0..) |argument, index| {
        output.text("arg ");
        output.decimal(index);
        output.text(" ");
        output.escaped(std.mem.span(argument.?));
        output.text("\n");
    }
    return 0;
}

fn exec(args: Args) u8 {
    if (args.len == 0) return 2;
    // The arguments are the tail of argv, so the null behind them is there.
    const result = linux.execve(args[0], @ptrCast(args.ptr), environment);
    return output.failure(result, std.mem.span(args[0]));
}

/// With one more variable, the last: its name may be there already, as no shell allows.
fn execAdding(args: Args) u8 {
    if (args.len < 2) return 2;
    var larger: [256:null]?[*:0]const u8 = @splat(null);
    var count: usize = 0;
    while (environment[count]) |entry| : (count += 1) {
        if (count + 1 == larger.len) return 2;
        larger[count] = entry;
    }
    larger[count] = args[0];
    const result = linux.execve(args[1], @ptrCast(args[1..].ptr), &larger);
    return output.failure(result, std.mem.span(args[1]));
}

fn refusing(args: Args) u8 {
    return refuse.run(args, environment);
}

/// Ourselves by /proc/self/exe, with what follows as arguments.
fn execSelf(_: Args) u8 {
    const result = linux.execve("/proc/self/exe", argv[1..].ptr, environment);
    return output.failure(result, "/proc/self/exe");
}
