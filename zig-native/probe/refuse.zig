//! A caller that lives under a seccomp filter, as service managers and other containers have them.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");
const Args = input.Args;

const Instruction = extern struct { code: u16, jump_true: u8 = 0, jump_false: u8 = 0, value: u32 };
const Program = extern struct { length: u16, instructions: [*]const Instruction };

const load_word = 0x20; // BPF_LD | BPF_W | BPF_ABS
const jump_equal = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const give_back = 0x06; // BPF_RET | BPF_K

/// What some filters refuse, and every runtime wants.
const Call = struct { name: []const u8, number: linux.SYS };

const calls = [_]Call{
    .{ .name = "clone3", .number = .clone3 },
    .{ .name = "epoll_create1", .number = .epoll_create1 },
    .{ .name = "eventfd2", .number = .eventfd2 },
    .{ .name = "getrandom", .number = .getrandom },
    .{ .name = "prlimit64", .number = .prlimit64 },
};

const and_mask = 0x54; // BPF_ALU | BPF_AND | BPF_K

/// struct seccomp_data begins with the number; the arguments, of 8 bytes each, begin at 16.
const number_at = 0;
const protection_at = 16 + 2 * 8;
const write_and_execute = 2 | 4;

/// refuse SYSTEM-CALL FILE [ARG…]: FILE, to which one of `calls` answers EPERM. "mmap" is refused for memory that is writable
/// and executable, as service managers do it (MemoryDenyWriteExecute).
pub fn run(args: Args, environment: [*:null]const ?[*:0]const u8) u8 {
    if (args.len < 2) return 2;
    const call: linux.SYS = if (input.argIs(args, 0, "mmap")) .mmap else for (calls) |each| {
        if (input.argIs(args, 0, each.name)) break each.number;
    } else return 2;
    const mask: u32 = if (call == .mmap) write_and_execute else 0;
    const instructions = [_]Instruction{
        .{ .code = load_word, .value = number_at },
        .{ .code = jump_equal, .value = @intCast(@intFromEnum(call)), .jump_false = 4 },
        .{ .code = load_word, .value = protection_at },
        .{ .code = and_mask, .value = mask },
        .{ .code = jump_equal, .value = mask, .jump_false = 1 },
        .{ .code = give_back, .value = 0x0005_0000 | @as(u32, @intFromEnum(linux.E.PERM)) },
        .{ .code = give_back, .value = 0x7fff_0000 },
    };
    const program: Program = .{ .length = instructions.len, .instructions = &instructions };
    const PR_SET_NO_NEW_PRIVS = 38;
    const SECCOMP_SET_MODE_FILTER = 1;
    _ = linux.syscall5(.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const installed = linux.syscall3(.seccomp, SECCOMP_SET_MODE_FILTER, 0, @intFromPtr(&program));
    if (linux.errno(installed) != .SUCCESS) return output.failure(installed, "seccomp");
    const result = linux.execve(args[1], @ptrCast(args[1..].ptr), environment);
    return output.failure(result, std.mem.span(args[1]));
}
