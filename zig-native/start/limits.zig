//! What a caller may have taken away that the runtime cannot do without. It would end with a banner of its own, or without
//! a word; here that is one line which names the limit.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const machine = @import("machine.zig");
const say = @import("say.zig");

/// Memory that the runtime reserves in its first milliseconds, measured with the JIT's share as block.zig sets it.
const memory_bytes = 320 << 20;
const stack_bytes_min = 256 << 10;
/// The smallest thing that is written before the engine itself can tell: the list of libraries.
const file_bytes_min = 64 << 10;

pub fn check(auxiliary: [*]const [2]usize) void {
    // A file with the set-user-ID bit, or with capabilities, would act for whoever calls it.
    if ((machine.value(auxiliary, std.elf.AT_SECURE) orelse 0) != 0)
        say.die(&.{"this file has a set-user-ID or set-group-ID bit or capabilities, with which rt does not run: chmod ug-s, setcap -r"});
    checkLimits();
    checkMemory();
    checkCalls();
    checkThreads();
}

fn checkLimits() void {
    if (limit(.STACK) < stack_bytes_min) tooSmall("stack size", "-s", stack_bytes_min);
    if (limit(.FSIZE) < file_bytes_min) tooSmall("file size", "-f", file_bytes_min);
}

/// One mapping meets the limits on address space and data and the kernel's own account, where that is strict; elsewhere the
/// runtime reserves more than a small machine has, and never touches it.
fn checkMemory() void {
    const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
    const mapped = linux.mmap(null, memory_bytes, .{ .READ = true, .WRITE = true }, flags, -1, 0);
    if (linux.errno(mapped) == .SUCCESS) {
        _ = linux.munmap(@ptrFromInt(mapped), memory_bytes);
        return;
    }
    if (limit(.AS) < 2 * memory_bytes) tooSmall("address space", "-v", 2 * memory_bytes);
    if (limit(.DATA) < 2 * memory_bytes) tooSmall("data size", "-d", 2 * memory_bytes);
    say.die(&.{"cannot start: the kernel does not lend 320 MB of memory: free some, or see vm.overcommit_memory"});
}

/// A filter of the caller's may refuse what every runtime takes for granted.
fn checkCalls() void {
    close(linux.eventfd(0, linux.EFD.CLOEXEC), "eventfd2(2)");
    close(linux.epoll_create1(linux.EPOLL.CLOEXEC), "epoll_create1(2)");
    var byte: [1]u8 = undefined;
    _ = say.check(linux.getrandom(&byte, 1, 0), "getrandom(2)");
    // No thread can be made with no arguments: what is allowed answers EINVAL, and where it does not exist there is clone(2).
    switch (linux.errno(linux.syscall2(.clone3, 0, 0))) {
        .INVAL, .NOSYS, .FAULT => {},
        else => |errno| _ = say.check(@bitCast(-@as(isize, @intFromEnum(errno))), "clone3(2)"),
    }
}

/// What the runtime makes before it could tell of anything.
const threads_first = 5;

/// That many at a time, as threads that only wait to be let go: nobody waits for them, for a start must not take longer
/// than it did where the processors are busy.
fn checkThreads() void {
    var gate: u32 = gate_shut;
    var errno: linux.E = .SUCCESS;
    for (0..threads_first) |_| {
        errno = linux.errno(idleThread(&gate));
        if (errno != .SUCCESS) break;
    }
    @atomicStore(u32, &gate, 0, .seq_cst);
    _ = linux.syscall3(.futex, @intFromPtr(&gate), futex_wake, threads_first);
    if (errno == .AGAIN)
        say.die(&.{"cannot start: there is no room for another process or thread (EAGAIN): see ulimit -u, and pids.max of the cgroup"});
}

/// A value that nothing else has: a thread that first runs when the gate's memory is another's finds no reason to wait.
const gate_shut = 0x7274_6761;
const futex_wait = 0 | 128; // FUTEX_PRIVATE_FLAG
const futex_wake = 1 | 128;

/// A thread without a stack: it waits while the gate is shut, and ends.
fn idleThread(gate: *u32) usize {
    const flags: usize = linux.CLONE.VM | linux.CLONE.FS | linux.CLONE.FILES | linux.CLONE.SIGHAND | linux.CLONE.THREAD | linux.CLONE.SYSVSEM;
    return switch (builtin.cpu.arch) {
        .x86_64 => asm volatile (
            \\ syscall
            \\ testq %%rax, %%rax
            \\ jnz 1f
            \\ movq %%r9, %%rdi
            \\ movl %[wait], %%esi
            \\ movl %[shut], %%edx
            \\ xorl %%r10d, %%r10d
            \\ movl $202, %%eax
            \\ syscall
            \\ xorl %%edi, %%edi
            \\ movl $60, %%eax
            \\ syscall
            \\ 1:
            : [result] "={rax}" (-> usize),
            : [number] "{rax}" (@as(usize, 56)),
              [flags] "{rdi}" (flags),
              [stack] "{rsi}" (@as(usize, 0)),
              [gate] "{r9}" (gate),
              [wait] "i" (futex_wait),
              [shut] "i" (gate_shut),
            : .{ .rcx = true, .r11 = true, .memory = true }),
        .aarch64 => asm volatile (
            \\ svc #0
            \\ cbnz x0, 1f
            \\ mov x0, x9
            \\ mov x1, %[wait]
            \\ mov w2, w10
            \\ mov x3, #0
            \\ mov x8, #98
            \\ svc #0
            \\ mov x0, #0
            \\ mov x8, #93
            \\ svc #0
            \\ 1:
            : [result] "={x0}" (-> usize),
            : [number] "{x8}" (@as(usize, 220)),
              [flags] "{x0}" (flags),
              [stack] "{x1}" (@as(usize, 0)),
              [gate] "{x9}" (gate),
              [shut] "{x10}" (@as(usize, gate_shut)),
              [wait] "i" (futex_wait),
            : .{ .memory = true }),
        else => @compileError("rt is built for x86_64 and aarch64"),
    };
}

fn close(result: usize, what: []const u8) void {
    _ = linux.close(@intCast(say.check(result, what)));
}

/// The soft one: what counts.
fn limit(resource: linux.rlimit_resource) u64 {
    var found: linux.rlimit = undefined;
    _ = say.check(linux.prlimit(0, resource, null, &found), "prlimit64(2)");
    return found.cur;
}

fn tooSmall(what: []const u8, flag: []const u8, needed: u64) noreturn {
    var digits: [20]u8 = undefined;
    const length = say.decimal(&digits, needed >> 10);
    say.die(&.{ "cannot start: the limit on ", what, " is too small: ulimit ", flag, " ", digits[0..length], ", or more" });
}
