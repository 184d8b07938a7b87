//! Which system calls get through to the kernel: each number is called with arguments that are nothing, in a child of its own.
//! What answers EPERM or ENOSYS, or ends the child with SIGSYS, does not; with other arguments a call may, so it is asked twice.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const output = @import("output.zig");

pub const Arguments = [6]usize;
const nothing: Arguments = @splat(std.math.maxInt(usize));
const zeros: Arguments = @splat(0);
const is_x86 = builtin.cpu.arch == .x86_64;
/// Above the newest of any kernel that there is.
const numbers_max = 512;
const i386_clone = 120;
const x32_bit = 0x4000_0000;

const Way = enum { native, i386, x32 };

/// "call WAY NAME ANSWER" for each number of each way that this processor has, but for those that the kernel does not have.
/// For a container without a terminal: one call would hang that up.
pub fn all() void {
    each(.native);
    if (!is_x86) return;
    each(.i386);
    each(.x32);
}

fn each(comptime way: Way) void {
    for (0..numbers_max) |number| {
        var status = answer(way, number, first(way, number));
        if (denied(status)) {
            const again = answer(way, number, zeros);
            if (!denied(again)) status = again;
        }
        if (status == ended(.NOSYS)) continue;
        output.text("call " ++ @tagName(way) ++ " ");
        name(way, number);
        output.text(" ");
        say(status);
    }
}

/// One call with its arguments, as "ask NAME ANSWER".
pub fn ask(comptime way: Way, what: []const u8, number: usize, arguments: Arguments) void {
    output.text("ask ");
    output.text(what);
    output.text(" ");
    say(answer(way, number, arguments));
}

/// A clone without flags is any fork; with every flag it is none.
fn first(way: Way, number: usize) Arguments {
    const is_clone = number == if (way == .i386) i386_clone else @intFromEnum(linux.SYS.clone);
    return if (is_clone) .{ @intFromEnum(linux.SIG.CHLD), 0, 0, 0, 0, 0 } else nothing;
}

/// The wait status of a child that makes the call and ends with its errno.
fn answer(comptime way: Way, number: usize, arguments: Arguments) u32 {
    output.flush();
    const pid = linux.fork();
    if (pid == 0) {
        const result = call(way, number, arguments);
        linux.exit_group(@intCast(@as(usize, @intFromEnum(linux.errno(result))) & 0xff));
    }
    return end(@intCast(pid));
}

/// Its wait status. A call that waits was let through: it is killed.
fn end(pid: linux.pid_t) u32 {
    var status: u32 = 0;
    while (true) {
        if (linux.waitpid(pid, &status, linux.W.NOHANG) != 0) return status;
        const patience: linux.timespec = .{ .sec = 0, .nsec = 300_000_000 };
        const signal = linux.syscall4(.rt_sigtimedwait, @intFromPtr(&child_signal), 0, @intFromPtr(&patience), @sizeOf(u64));
        if (linux.errno(signal) == .AGAIN) _ = linux.kill(pid, .KILL);
    }
}

const child_signal: u64 = 1 << (@intFromEnum(linux.SIG.CHLD) - 1);

/// So that it is waited for, and is not lost between the look and the wait.
pub fn begin() void {
    _ = linux.syscall4(.rt_sigprocmask, 0, @intFromPtr(&child_signal), 0, @sizeOf(u64));
}

fn call(comptime way: Way, number: usize, a: Arguments) usize {
    if (way == .native) return byNumber(number, a);
    if (!is_x86) unreachable;
    if (way == .x32) return byNumber(number | x32_bit, a);
    // The sixth argument is ebp, which is not ours to give.
    const result: i32 = asm volatile ("int $0x80"
        : [ret] "={eax}" (-> i32),
        : [number] "{eax}" (@as(u32, @truncate(number))),
          [a0] "{ebx}" (@as(u32, @truncate(a[0]))),
          [a1] "{ecx}" (@as(u32, @truncate(a[1]))),
          [a2] "{edx}" (@as(u32, @truncate(a[2]))),
          [a3] "{esi}" (@as(u32, @truncate(a[3]))),
          [a4] "{edi}" (@as(u32, @truncate(a[4]))),
        : .{ .memory = true, .r8 = true, .r9 = true, .r10 = true, .r11 = true });
    return @bitCast(@as(isize, result));
}

/// Numbers that have no name yet are asked too.
fn byNumber(number: usize, a: Arguments) usize {
    return switch (builtin.cpu.arch) {
        .x86_64 => asm volatile ("syscall"
            : [ret] "={rax}" (-> usize),
            : [number] "{rax}" (number),
              [a0] "{rdi}" (a[0]),
              [a1] "{rsi}" (a[1]),
              [a2] "{rdx}" (a[2]),
              [a3] "{r10}" (a[3]),
              [a4] "{r8}" (a[4]),
              [a5] "{r9}" (a[5]),
            : .{ .rcx = true, .r11 = true, .memory = true }),
        .aarch64 => asm volatile ("svc #0"
            : [ret] "={x0}" (-> usize),
            : [number] "{x8}" (number),
              [a0] "{x0}" (a[0]),
              [a1] "{x1}" (a[1]),
              [a2] "{x2}" (a[2]),
              [a3] "{x3}" (a[3]),
              [a4] "{x4}" (a[4]),
              [a5] "{x5}" (a[5]),
            : .{ .memory = true }),
        else => @compileError("no way to call by number"),
    };
}

fn ended(errno: linux.E) u32 {
    return @as(u32, @intFromEnum(errno)) << 8;
}

fn denied(status: u32) bool {
    return status == ended(.PERM) or status == ended(.NOSYS) or status & 0x7f == @intFromEnum(linux.SIG.SYS);
}

fn name(comptime way: Way, number: usize) void {
    const Names = if (way == .i386) linux.syscalls.X86 else linux.SYS;
    inline for (@typeInfo(Names).@"enum".fields) |field| {
        if (field.value == number) return output.text(field.name);
    }
    output.decimal(number);
}

fn say(status: u32) void {
    const signal = status & 0x7f;
    if (signal == 0) output.errno(0 -% @as(usize, status >> 8 & 0xff)) else output.pair("signal", signal);
    if (signal == 0) output.text("\n");
}
