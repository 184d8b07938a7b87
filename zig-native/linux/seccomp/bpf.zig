//! Classic BPF as seccomp(2) has it: the instructions that a filter of system calls needs, and a program that is written
//! from its end to its beginning, so that each jump knows its targets. linux/filter.h, linux/seccomp.h.
const std = @import("std");

/// struct sock_filter
pub const Instruction = extern struct { code: u16, jump_true: u8 = 0, jump_false: u8 = 0, operand: u32 };

/// BPF_MAXINSNS
pub const instructions_max = 4096;

pub const load = 0x20; // BPF_LD | BPF_W | BPF_ABS
pub const and_operand = 0x54; // BPF_ALU | BPF_AND | BPF_K
pub const jump = 0x05; // BPF_JMP | BPF_JA
pub const jump_equal = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
pub const jump_greater = 0x25; // BPF_JMP | BPF_JGT | BPF_K
pub const jump_at_least = 0x35; // BPF_JMP | BPF_JGE | BPF_K
pub const answer = 0x06; // BPF_RET | BPF_K

/// struct seccomp_data
pub const Data = extern struct { number: i32, arch: u32, instruction_pointer: u64 = 0, arguments: [6]u64 = @splat(0) };

/// Of an argument, on little-endian machines.
pub const Half = enum {
    low,
    high,

    pub fn offset(self: Half, argument: u3) u32 {
        return @offsetOf(Data, "arguments") + @as(u32, argument) * 8 + @as(u32, if (self == .high) 4 else 0);
    }

    pub fn of(self: Half, value: u64) u32 {
        return @truncate(if (self == .high) value >> 32 else value);
    }
};

/// A place in the program, counted from its end.
pub const Label = usize;

pub const Builder = struct {
    /// Used from its end.
    space: []Instruction,
    length: usize = 0,

    pub const Error = error{ProgramTooLong};

    pub fn instructions(self: *const Builder) []const Instruction {
        return self.space[self.space.len - self.length ..];
    }

    /// In front of all that there is; answers its place.
    pub fn put(self: *Builder, code: u16, operand: u32) Error!Label {
        return self.putInstruction(.{ .code = code, .operand = operand });
    }

    /// A jump to `when_true` or to `when_false`, however far.
    pub fn branch(self: *Builder, code: u16, operand: u32, when_true: Label, when_false: Label) Error!Label {
        // The first may push the second out of reach.
        const yes = try self.near(when_true, 1);
        const no = try self.near(when_false, 0);
        return self.putInstruction(.{ .code = code, .operand = operand, .jump_true = self.distance(yes), .jump_false = self.distance(no) });
    }

    /// Go on at `target`: nothing when that is what comes next.
    pub fn follow(self: *Builder, target: Label) Error!Label {
        if (target == self.length) return target;
        return self.put(jump, @intCast(self.length - target));
    }

    /// `target`, or a jump to it, that a branch in front of `margin` more instructions reaches.
    fn near(self: *Builder, target: Label, margin: usize) Error!Label {
        if (self.length - target + margin <= std.math.maxInt(u8)) return target;
        return self.put(jump, @intCast(self.length - target));
    }

    /// From the next instruction put in front.
    fn distance(self: *const Builder, target: Label) u8 {
        return @intCast(self.length - target);
    }

    fn putInstruction(self: *Builder, instruction: Instruction) Error!Label {
        if (self.length == self.space.len) return error.ProgramTooLong;
        self.length += 1;
        self.space[self.space.len - self.length] = instruction;
        return self.length;
    }
};

test "a branch reaches far targets" {
    var space: [1024]Instruction = undefined;
    var builder: Builder = .{ .space = &space };
    const far = try builder.put(answer, 1);
    for (0..600) |_| _ = try builder.put(answer, 2);
    const near = try builder.put(answer, 3);
    _ = try builder.branch(jump_equal, 7, far, near);
    _ = try builder.put(load, 0);
    const interpreter = @import("interpreter.zig");
    try std.testing.expectEqual(1, interpreter.run(builder.instructions(), &.{ .number = 7, .arch = 0 }));
    try std.testing.expectEqual(3, interpreter.run(builder.instructions(), &.{ .number = 8, .arch = 0 }));
    var small: Builder = .{ .space = space[0..2] };
    for (0..2) |_| _ = try small.put(answer, 1);
    try std.testing.expectError(error.ProgramTooLong, small.put(answer, 1));
}
