//! The kernel's side of a filter: what a program answers to a system call.
const std = @import("std");
const bpf = @import("bpf.zig");

/// The action. Null: an instruction that compile.zig does not write, or a jump out of the program.
pub fn run(program: []const bpf.Instruction, data: *const bpf.Data) ?u32 {
    const bytes = std.mem.asBytes(data);
    var accumulator: u32 = 0;
    var at: u64 = 0;
    while (at < program.len) {
        const instruction = program[at];
        const operand = instruction.operand;
        at += 1;
        switch (instruction.code) {
            bpf.load => {
                if (operand > bytes.len - 4) return null;
                accumulator = std.mem.readInt(u32, bytes[operand..][0..4], .little);
            },
            bpf.and_operand => accumulator &= operand,
            bpf.jump => at += operand,
            bpf.jump_equal => at += if (accumulator == operand) instruction.jump_true else instruction.jump_false,
            bpf.jump_greater => at += if (accumulator > operand) instruction.jump_true else instruction.jump_false,
            bpf.jump_at_least => at += if (accumulator >= operand) instruction.jump_true else instruction.jump_false,
            bpf.answer => return operand,
            else => return null,
        }
    }
    return null;
}
