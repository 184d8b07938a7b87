//! Device rules as an eBPF program, which cgroup v2 asks whenever a process of the group opens a device or makes a node of one
//! (BPF_PROG_TYPE_CGROUP_DEVICE). Its context is three words: the kind of device in the low half of the first and the access that is
//! wanted in the high half, then the major and the minor number.
//!
//! One block a rule, the last rule first. A rule that names the device takes what it allows from what is wanted, until nothing is
//! left; one that denies any of the rest is the end:
//!
//!   want = context[0] >> 16
//!   c 1:3 rw    kind != 2 or major != 1 or minor != 3 -> next;  want &= ~rw;  want == 0 -> allowed
//!   a *:* rwm   (want & rwm) != 0 -> denied
//!   the end     denied
const std = @import("std");
const device_rule = @import("../device_rule.zig");

pub const Instruction = std.os.linux.BPF.Insn;

const rest = Instruction.Reg.r3;
const kind = Instruction.Reg.r2;
const major = Instruction.Reg.r4;
const minor = Instruction.Reg.r5;
const answer = Instruction.Reg.r0;

/// A block's length at most, and what is around them all.
const block_max = 8;
const frame_length = 8;

pub fn compile(arena: std.mem.Allocator, rules: []const device_rule.Rule) error{OutOfMemory}![]const Instruction {
    var program: std.ArrayList(Instruction) = try .initCapacity(arena, frame_length + rules.len * block_max);
    program.appendSliceAssumeCapacity(&.{
        .ldx(.word, kind, .r1, 0),
        .mov(rest, kind),
        .alu_and(kind, 0xffff),
        .rsh(rest, 16),
        .ldx(.word, major, .r1, 4),
        .ldx(.word, minor, .r1, 8),
    });
    var index = rules.len;
    while (index > 0) {
        index -= 1;
        appendRule(&program, rules[index]);
    }
    program.appendSliceAssumeCapacity(&.{ .mov(answer, 0), .exit() });
    return program.items;
}

fn appendRule(program: *std.ArrayList(Instruction), rule: device_rule.Rule) void {
    // No device has such numbers: 12 bits and 20.
    if ((rule.major orelse 0) > 0xfff or (rule.minor orelse 0) > 0xfffff) return;
    const first = program.items.len;
    if (rule.kind != 0) program.appendAssumeCapacity(.jne(kind, @as(i32, rule.kind), 0));
    if (rule.major) |number| program.appendAssumeCapacity(.jne(major, @as(i32, @intCast(number)), 0));
    if (rule.minor) |number| program.appendAssumeCapacity(.jne(minor, @as(i32, @intCast(number)), 0));
    const conditions = program.items.len;
    if (rule.allow) {
        program.appendSliceAssumeCapacity(&.{ .alu_and(rest, ~@as(i32, rule.access)), .jne(rest, 0, 0), .mov(answer, 1), .exit() });
        skipFrom(program, conditions + 1);
    } else {
        program.appendSliceAssumeCapacity(&.{ .mov(answer, rest), .alu_and(answer, @as(i32, rule.access)), .jeq(answer, 0, 0) });
        program.appendSliceAssumeCapacity(&.{ .mov(answer, 0), .exit() });
        skipFrom(program, conditions + 2);
    }
    for (first..conditions) |at| skipFrom(program, at);
}

/// The jump there goes to the end of what there is.
fn skipFrom(program: *std.ArrayList(Instruction), at: usize) void {
    program.items[at].off = @intCast(program.items.len - at - 1);
}

const testing = std.testing;

/// What a process wants of a device.
const Question = struct { kind: u2, major: u32, minor: u32, want: u3 };

/// The meaning of rules, said in another way than the program has it.
fn allows(rules: []const device_rule.Rule, question: Question) bool {
    for (0..3) |bit| {
        const one = @as(u3, 1) << @intCast(bit);
        if (question.want & one == 0) continue;
        var allowed = false;
        for (rules) |rule| if (names(rule, question) and rule.access & one != 0) {
            allowed = rule.allow;
        };
        if (!allowed) return false;
    }
    return true;
}

fn names(rule: device_rule.Rule, question: Question) bool {
    return (rule.kind == 0 or rule.kind == question.kind) and
        (rule.major orelse question.major) == question.major and (rule.minor orelse question.minor) == question.minor;
}

/// The kernel's side. An instruction that is not written above, or a jump out of the program, is a failed test.
fn answerOf(program: []const Instruction, question: Question) bool {
    const context = [3]u32{ question.kind | @as(u32, question.want) << 16, question.major, question.minor };
    var registers: [6]u64 = @splat(0xdead);
    var at: usize = 0;
    while (true) {
        const each = program[at];
        at += 1;
        const operand: u64 = if (each.code & 8 != 0) registers[each.src] else @bitCast(@as(i64, each.imm));
        const value = &registers[each.dst];
        const jump: usize = @intCast(each.off);
        switch (each.code) {
            0x61 => value.* = context[@intCast(@divExact(each.off, 4))],
            0xb7, 0xbf => value.* = operand,
            0x57 => value.* &= operand,
            0x77 => value.* >>= @intCast(operand),
            0x55 => at += if (value.* != operand) jump else 0,
            0x15 => at += if (value.* == operand) jump else 0,
            0x95 => return registers[0] != 0,
            else => unreachable,
        }
    }
}

test "a program says of every device what its rules say" {
    var random: std.Random.DefaultPrng = .init(testing.random_seed);
    const any = random.random();
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    const numbers = [_]?u32{ null, 0, 1, 3, 0xfff, 0x1000, 0xfffff, 0x100000, 0xffff_ffff };
    for (0..2000) |_| {
        var rules: [8]device_rule.Rule = undefined;
        const count = any.uintAtMost(usize, rules.len);
        for (rules[0..count]) |*rule| rule.* = .{
            .allow = any.boolean(),
            .kind = any.uintAtMost(u2, 2),
            .major = numbers[any.uintLessThan(usize, numbers.len)],
            .minor = numbers[any.uintLessThan(usize, numbers.len)],
            .access = any.int(u3),
        };
        const program = try compile(arena.allocator(), rules[0..count]);
        for ([_]u2{ 1, 2 }) |of| for (numbers[1..5]) |first| for (numbers[1..7]) |second| for (1..8) |want| {
            const question: Question = .{ .kind = of, .major = first.?, .minor = second.?, .want = @intCast(want) };
            try testing.expectEqual(allows(rules[0..count], question), answerOf(program, question));
        };
        _ = arena.reset(.retain_capacity);
    }
}

test "the last rule decides, on each access by itself" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const program = try compile(fixed.allocator(), &.{
        .{ .allow = false, .kind = 0, .major = null, .minor = null, .access = 7 },
        .{ .allow = true, .kind = 2, .major = null, .minor = null, .access = device_rule.Rule.make },
        .{ .allow = true, .kind = 2, .major = 1, .minor = 3, .access = device_rule.Rule.read },
        .{ .allow = true, .kind = 2, .major = 1, .minor = 3, .access = device_rule.Rule.write },
        .{ .allow = true, .kind = 1, .major = 8, .minor = null, .access = 6 },
        .{ .allow = false, .kind = 1, .major = 8, .minor = 1, .access = device_rule.Rule.write },
    });
    const questions = [_]struct { Question, bool }{
        .{ .{ .kind = 2, .major = 1, .minor = 3, .want = 6 }, true },
        .{ .{ .kind = 2, .major = 1, .minor = 3, .want = 7 }, true },
        .{ .{ .kind = 2, .major = 1, .minor = 5, .want = 1 }, true },
        .{ .{ .kind = 2, .major = 1, .minor = 5, .want = 2 }, false },
        .{ .{ .kind = 1, .major = 1, .minor = 3, .want = 2 }, false },
        .{ .{ .kind = 1, .major = 8, .minor = 0, .want = 6 }, true },
        .{ .{ .kind = 1, .major = 8, .minor = 1, .want = 2 }, true },
        .{ .{ .kind = 1, .major = 8, .minor = 1, .want = 6 }, false },
        .{ .{ .kind = 1, .major = 8, .minor = 0, .want = 1 }, false },
    };
    for (questions) |each| try testing.expectEqual(each[1], answerOf(program, each[0]));
    try testing.expect(program.len <= frame_length + 6 * block_max);
}
