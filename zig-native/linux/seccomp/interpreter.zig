//! The kernel's side of a filter, for tests: what a program answers to a system call.
const std = @import("std");
const bpf = @import("bpf.zig");

/// The action. An instruction that compile.zig does not write, or a jump out of the program, is a failed test.
pub fn run(program: []const bpf.Instruction, data: *const bpf.Data) u32 {
    const bytes = std.mem.asBytes(data);
    var accumulator: u32 = 0;
    var at: usize = 0;
    while (true) {
        const instruction = program[at];
        at += 1;
        switch (instruction.code) {
            bpf.load => accumulator = std.mem.readInt(u32, bytes[instruction.operand..][0..4], .little),
            bpf.and_operand => accumulator &= instruction.operand,
            bpf.jump => at += instruction.operand,
            bpf.jump_equal => at += if (accumulator == instruction.operand) instruction.jump_true else instruction.jump_false,
            bpf.jump_greater => at += if (accumulator > instruction.operand) instruction.jump_true else instruction.jump_false,
            bpf.jump_at_least => at += if (accumulator >= instruction.operand) instruction.jump_true else instruction.jump_false,
            bpf.answer => return instruction.operand,
            else => unreachable,
        }
    }
}
