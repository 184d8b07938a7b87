//! A filter in this machine's own kernel, for tests: a child loads it and makes every call that it denies with an errno, natively, as
//! x32 and as i386. What the kernel answers is what the interpreter said.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const bpf = @import("bpf.zig");
const calls = @import("calls.zig");
const interpreter = @import("interpreter.zig");
const seccomp = @import("../seccomp.zig");

pub const Outcome = struct {
    /// How far it has come; `done` at the end.
    step: enum(u32) { begun, loaded, differs, done } = .begun,
    errno: u32 = 0,
    /// The last one that was tried.
    number: u32 = 0,
    arch: u32 = 0,
    wanted: u32 = 0,
    calls: u32 = 0,
};

/// In memory that the child writes to: afterwards it may be able to say nothing in any other way.
pub fn run(filter: seccomp.Filter) !Outcome {
    const flags: linux.MAP = .{ .TYPE = .SHARED, .ANONYMOUS = true };
    const address = linux.mmap(null, std.heap.page_size_min, .{ .READ = true, .WRITE = true }, flags, -1, 0);
    if (linux.errno(address) != .SUCCESS) return error.OutOfMemory;
    const outcome: *volatile Outcome = @ptrFromInt(address);
    defer _ = linux.munmap(@ptrFromInt(address), std.heap.page_size_min);
    outcome.* = .{};
    const pid = linux.fork();
    if (linux.errno(pid) != .SUCCESS) return error.Unexpected;
    if (pid == 0) {
        child(filter, outcome);
        _ = linux.syscall1(.exit_group, 0);
        while (true) @trap();
    }
    var status: u32 = 0;
    while (linux.errno(linux.waitpid(@intCast(pid), &status, 0)) == .INTR) {}
    return outcome.*;
}

fn child(filter: seccomp.Filter, outcome: *volatile Outcome) void {
    const no_core: linux.rlimit = .{ .cur = 0, .max = 0 };
    _ = linux.setrlimit(.CORE, &no_core);
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NO_NEW_PRIVS), 1, 0, 0, 0);
    outcome.errno = @intFromEnum(filter.load());
    if (outcome.errno != 0) return;
    outcome.step = .loaded;
    for (calls.here) |abi| for (0..1024) |number| {
        const bit: u32 = if (abi == .x32) calls.x32_bit else 0;
        if (!attempt(filter, abi, @as(u32, @intCast(number)) | bit, outcome)) return;
    };
    outcome.step = .done;
}

fn attempt(filter: seccomp.Filter, abi: calls.Abi, number: u32, outcome: *volatile Outcome) bool {
    const data: bpf.Data = .{ .number = @bitCast(number), .arch = abi.audit() };
    const answer = interpreter.run(filter.instructions, &data) orelse 0;
    // What would take place, or end us, is not tried.
    if (answer >> 16 != 5) return true;
    // uretprobe(2) and uprobe(2), which no filter is asked of since Linux 6.14.
    if (abi == .x86_64 and (number == 335 or number == 336)) return true;
    outcome.number = number;
    outcome.arch = data.arch;
    const got: u32 = switch (abi) {
        .x86_64, .x32, .aarch64 => @truncate(0 -% natively(number)),
        .i386 => asI386(number),
        .arm => return true,
    };
    outcome.calls += 1;
    if (got == answer & 0xffff) return true;
    outcome.step = .differs;
    outcome.errno = got;
    outcome.wanted = answer;
    return false;
}

/// All arguments are 0. The number may be one that the standard library does not know.
fn natively(number: u64) u64 {
    return switch (builtin.cpu.arch) {
        .x86_64 => asm volatile ("syscall"
            : [ret] "={rax}" (-> u64),
            : [number] "{rax}" (number),
              [a] "{rdi}" (@as(u64, 0)),
              [b] "{rsi}" (@as(u64, 0)),
              [c] "{rdx}" (@as(u64, 0)),
              [d] "{r10}" (@as(u64, 0)),
              [e] "{r8}" (@as(u64, 0)),
              [f] "{r9}" (@as(u64, 0)),
            : .{ .rcx = true, .r11 = true, .memory = true }),
        .aarch64 => asm volatile ("svc #0"
            : [ret] "={x0}" (-> u64),
            : [number] "{x8}" (number),
              [a] "{x0}" (@as(u64, 0)),
              [b] "{x1}" (@as(u64, 0)),
              [c] "{x2}" (@as(u64, 0)),
              [d] "{x3}" (@as(u64, 0)),
              [e] "{x4}" (@as(u64, 0)),
              [f] "{x5}" (@as(u64, 0)),
            : .{ .memory = true }),
        else => comptime unreachable,
    };
}

fn asI386(number: u32) u32 {
    if (builtin.cpu.arch != .x86_64) unreachable;
    const result = asm volatile ("int $0x80"
        : [ret] "={eax}" (-> u32),
        : [number] "{eax}" (number),
          [a] "{rbx}" (@as(u64, 0)),
          [b] "{rcx}" (@as(u64, 0)),
          [c] "{rdx}" (@as(u64, 0)),
          [d] "{rsi}" (@as(u64, 0)),
          [e] "{rdi}" (@as(u64, 0)),
        : .{ .r8 = true, .r9 = true, .r10 = true, .r11 = true, .memory = true });
    return 0 -% result;
}
