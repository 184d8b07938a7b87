//! Profiles of system calls against what they mean (linux/seccomp/oracle.zig), and in this machine's own kernel. Built with every
//! safety check, for test/fuzz/seccomp.test.ts:
//!
//!   rt-fuzz-seccomp check MACHINE [kernel] < PROFILE     "N instructions, M calls", or a line of what differs
//!   rt-fuzz-seccomp random MACHINE SEED COUNT            profiles made up: "N profiles, M calls"
//!
//! MACHINE is x86_64 or aarch64.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const bpf = @import("linux/seccomp/bpf.zig");
const calls = @import("linux/seccomp/calls.zig");
const compiler = @import("linux/seccomp/compile.zig");
const fault = @import("wire/fault.zig");
const oracle = @import("linux/seccomp/oracle.zig");
const profile = @import("linux/seccomp/profile.zig");
const seccomp = @import("linux/seccomp.zig");
const trial = @import("linux/seccomp/trial.zig");

pub const panic = fault.panic;
pub const std_options = fault.options;

var random: std.Random.DefaultPrng = .init(0);
var memory: std.heap.ArenaAllocator = .init(std.heap.page_allocator);

pub fn main(init: std.process.Init.Minimal) u8 {
    fault.program = "rt-fuzz-seccomp";
    const words = init.args.vector;
    if (words.len < 3) return 2;
    const abis = std.meta.stringToEnum(enum { x86_64, aarch64 }, std.mem.span(words[2])) orelse return 2;
    const machine: []const calls.Abi = switch (abis) {
        .x86_64 => &.{ .x86_64, .i386, .x32 },
        .aarch64 => &.{ .aarch64, .arm },
    };
    const verb = std.mem.span(words[1]);
    const ok = if (std.mem.eql(u8, verb, "check")) check(machine, words.len > 3) else made(
        machine,
        std.fmt.parseInt(u64, std.mem.span(words[3]), 10) catch return 2,
        std.fmt.parseInt(usize, std.mem.span(words[4]), 10) catch return 2,
    );
    ok catch |err| {
        say(2, "{s}\n", .{@errorName(err)});
        return 1;
    };
    return 0;
}

fn check(machine: []const calls.Abi, kernel: bool) !void {
    const arena = memory.allocator();
    const text = try arena.alloc(u8, 4 << 20);
    var length: usize = 0;
    while (true) {
        const count = linux.read(0, text.ptr + length, text.len - length);
        if (linux.errno(count) != .SUCCESS) return error.Unreadable;
        if (count == 0) break;
        length += count;
    }
    const document = try std.json.parseFromSliceLeaky(profile.Document, arena, text[0..length], .{ .ignore_unknown_fields = true });
    const filter = try compare(arena, &document, machine, 2000);
    const tried = if (kernel) try inKernel(filter) else 0;
    say(1, "{d} instructions, {d} calls\n", .{ filter.instructions.len, tried });
}

fn made(machine: []const calls.Abi, seed: u64, count: usize) !void {
    random = .init(seed);
    var tried: usize = 0;
    for (0..count) |index| {
        _ = memory.reset(.retain_capacity);
        const arena = memory.allocator();
        const document = try invent(arena, machine);
        const filter = compare(arena, &document, machine, 20) catch |err| {
            if (err == error.ProgramTooLong) continue;
            say(2, "profile {d}: {f}\n", .{ index, std.json.fmt(document, .{}) });
            return err;
        };
        if (index % 16 == 0 and machine[0] == calls.here[0]) tried += try inKernel(filter);
    }
    say(1, "{d} profiles, {d} calls\n", .{ count, tried });
}

fn compare(arena: std.mem.Allocator, document: *const profile.Document, machine: []const calls.Abi, rounds: usize) !seccomp.Filter {
    var subject: []const u8 = "";
    const resolved = try profile.resolve(arena, document, machine, &subject);
    var builder: bpf.Builder = .{ .space = try arena.alloc(bpf.Instruction, bpf.instructions_max) };
    try compiler.compile(&builder, resolved.sections);
    const judge: oracle.Oracle = .{ .document = document, .abis = machine, .random = random.random(), .rounds = rounds };
    if (judge.check(builder.instructions())) |found| {
        const data = found.data;
        say(2, "call {d} of 0x{x}, arguments {any}: wanted 0x{x}, got 0x{?x}\n", .{
            data.number, data.arch, data.arguments, found.wanted, found.got,
        });
        return error.Differs;
    }
    return .{ .flags = resolved.flags, .instructions = builder.instructions() };
}

fn inKernel(filter: seccomp.Filter) !usize {
    const outcome = try trial.run(filter);
    if (outcome.step == .done) return outcome.calls;
    say(2, "the kernel: {any}\n", .{outcome});
    return error.Differs;
}

fn below(limit: usize) usize {
    return random.random().uintLessThan(usize, limit);
}

const actions = [_][]const u8{
    "SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO",        "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO",       "SCMP_ACT_KILL",
    "SCMP_ACT_TRAP",  "SCMP_ACT_LOG",   "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRACE", "SCMP_ACT_KILL_THREAD",
};
const operators = [_][]const u8{
    "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
};
const architectures = [_][]const u8{
    "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_S390X",
};

fn invent(arena: std.mem.Allocator, machine: []const calls.Abi) !profile.Document {
    const named = try arena.alloc([]const u8, below(architectures.len + 1));
    for (named) |*name| name.* = architectures[below(architectures.len)];
    const entries = try arena.alloc(profile.Document.Syscalls, below(12));
    for (entries) |*entry| {
        const names = try arena.alloc([]const u8, 1 + below(if (below(4) == 0) 300 else 6));
        for (names) |*name| name.* = inventName(machine);
        const list = try arena.alloc(profile.Document.Argument, if (names.len > 20) 0 else below(4));
        for (list) |*argument| argument.* = .{
            .index = @intCast(below(if (below(2) == 0) 2 else 6)),
            .value = inventValue(),
            .valueTwo = inventValue(),
            .op = operators[below(operators.len)],
        };
        entry.* = .{ .names = names, .action = actions[below(actions.len)], .errnoRet = inventErrno(), .args = list };
    }
    return .{
        .defaultAction = actions[below(actions.len)],
        .defaultErrnoRet = inventErrno(),
        .architectures = named,
        .syscalls = entries,
    };
}

/// Often one that others have too, or that is part of another.
fn inventName(machine: []const calls.Abi) []const u8 {
    const few = [_][]const u8{ "socket", "socketcall", "ipc", "semop", "clone", "personality", "openat", "mmap", "accept4", "no_such" };
    if (below(3) == 0) return few[below(few.len)];
    var table = machine[below(machine.len)].calls();
    table.entries = table.entries[below(table.entries.len)..];
    return table.next().?.name;
}

fn inventErrno() ?u32 {
    return if (below(2) == 0) null else @intCast(1 + below(8));
}

fn inventValue() u64 {
    const bits: u6 = @intCast(below(64));
    return switch (below(6)) {
        0 => below(64),
        1 => @as(u64, 1) << bits,
        2 => random.random().int(u64),
        3 => random.random().int(u32),
        4 => 0 -% @as(u64, 1 + below(16)),
        else => (@as(u64, 1) << bits) -% 1,
    };
}

fn say(fd: i32, comptime format: []const u8, arguments: anytype) void {
    var buffer: [64 * 1024]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    writer.print(format, arguments) catch {};
    _ = linux.write(fd, writer.buffered().ptr, writer.end);
}
