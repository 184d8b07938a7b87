//! From a profile to the program that the kernel runs before each system call:
//!
//!   architecture?  -> one section each; any other ends the process
//!   section:          a binary search over runs of numbers that are answered alike, for x86-64 with those of x32
//!   leaf:             an answer, or a rule's conditions on arguments, the first rule that holds
//!
//! Arguments are looked at in their low 32 bits, which is all that the kernel takes of an `int`: whoever sets a bit above
//! them calls the same function with the same value.
const std = @import("std");
const bpf = @import("bpf.zig");

pub const Action = enum(u32) {
    allow = 0x7fff_0000,
    kill_process = 0x8000_0000,
    _,

    /// The call fails with `errno`, 1..4095.
    pub fn fail(errno: std.os.linux.E) Action {
        return @enumFromInt(0x0005_0000 | @as(u32, @intFromEnum(errno)));
    }
};

pub const Condition = struct {
    argument: u3,
    /// Of the argument's low half.
    mask: u32 = std.math.maxInt(u32),
    is: enum { equal, other, greater, at_least },
    value: u32,
};

pub const Rule = struct {
    number: u32,
    action: Action,
    /// All must hold.
    when: []const Condition = &.{},
};

pub const Section = struct {
    /// AUDIT_ARCH_*
    arch: u32,
    /// Calls of the x32 ABI come under this architecture, with `x32_bit` in their number.
    x32: ?Action = null,
    /// By number; several of one number are tried in their order.
    rules: []const Rule,
};

pub const Profile = struct { otherwise: Action, sections: []const Section };

const x32_bit = 0x4000_0000;
/// What a tracer puts in the number's place so that there is no call at all: that is not the filter's business.
const no_call = std.math.maxInt(u32);

pub const Error = bpf.Builder.Error;

/// At run time as at compile time.
pub fn compile(builder: *bpf.Builder, profile: Profile) Error!void {
    var next = try builder.put(bpf.answer, @intFromEnum(Action.kill_process));
    var index = profile.sections.len;
    while (index > 0) {
        index -= 1;
        const section = profile.sections[index];
        const start = try putSection(builder, section, profile.otherwise);
        next = try builder.branch(bpf.jump_equal, section.arch, start, next);
    }
    _ = try builder.put(bpf.load, @offsetOf(bpf.Data, "arch"));
}

/// Numbers from `from` up to the next run's are answered at `label`.
const Run = struct { from: u32, label: bpf.Label };

const runs_max = 2048;

fn putSection(builder: *bpf.Builder, section: Section, otherwise: Action) Error!bpf.Label {
    var answers: Answers = .{ .builder = builder };
    const default = try answers.label(otherwise);
    var runs: [runs_max]Run = undefined;
    var count: usize = 0;
    try add(&runs, &count, 0, default);
    var index: usize = 0;
    while (index < section.rules.len) {
        const number = section.rules[index].number;
        std.debug.assert(number < x32_bit);
        var end = index;
        while (end < section.rules.len and section.rules[end].number == number) end += 1;
        std.debug.assert(end == section.rules.len or section.rules[end].number > number);
        try add(&runs, &count, number, try putLeaf(builder, &answers, section.rules[index..end], default));
        try add(&runs, &count, number + 1, default);
        index = end;
    }
    if (section.x32) |action| {
        try add(&runs, &count, x32_bit, try answers.label(action));
        try add(&runs, &count, no_call, try answers.label(.allow));
    }
    _ = try putSearch(builder, runs[0..count]);
    return builder.put(bpf.load, @offsetOf(bpf.Data, "number"));
}

/// A run that begins where the last one does takes its place; one that is answered as the last one is part of it.
fn add(runs: *[runs_max]Run, count: *usize, from: u32, label: bpf.Label) Error!void {
    if (count.* > 0 and runs[count.* - 1].from == from) count.* -= 1;
    if (count.* > 0 and runs[count.* - 1].label == label) return;
    if (count.* == runs_max) return error.ProgramTooLong;
    runs[count.*] = .{ .from = from, .label = label };
    count.* += 1;
}

fn putSearch(builder: *bpf.Builder, runs: []const Run) Error!bpf.Label {
    if (runs.len == 1) return builder.follow(runs[0].label);
    const middle = runs.len / 2;
    const right = if (runs.len - middle == 1) runs[middle].label else try putSearch(builder, runs[middle..]);
    const left = if (middle == 1) runs[0].label else try putSearch(builder, runs[0..middle]);
    return builder.branch(bpf.jump_at_least, runs[middle].from, right, left);
}

/// The rules of one number.
fn putLeaf(builder: *bpf.Builder, answers: *Answers, rules: []const Rule, default: bpf.Label) Error!bpf.Label {
    var next = default;
    var index = rules.len;
    while (index > 0) {
        index -= 1;
        const rule = rules[index];
        var holds = try answers.label(rule.action);
        var left = rule.when.len;
        while (left > 0) {
            left -= 1;
            holds = try putCondition(builder, rule.when[left], holds, next);
        }
        next = holds;
    }
    return next;
}

fn putCondition(builder: *bpf.Builder, condition: Condition, holds: bpf.Label, fails: bpf.Label) Error!bpf.Label {
    _ = switch (condition.is) {
        .equal => try builder.branch(bpf.jump_equal, condition.value, holds, fails),
        .other => try builder.branch(bpf.jump_equal, condition.value, fails, holds),
        .greater => try builder.branch(bpf.jump_greater, condition.value, holds, fails),
        .at_least => try builder.branch(bpf.jump_at_least, condition.value, holds, fails),
    };
    if (condition.mask != std.math.maxInt(u32)) _ = try builder.put(bpf.and_operand, condition.mask);
    return builder.put(bpf.load, bpf.argumentOffset(condition.argument));
}

/// One instruction for each answer of a section.
const Answers = struct {
    builder: *bpf.Builder,
    known: [16]struct { action: Action, at: bpf.Label } = undefined,
    count: usize = 0,

    fn label(self: *Answers, action: Action) Error!bpf.Label {
        for (self.known[0..self.count]) |each| if (each.action == action) return each.at;
        const at = try self.builder.put(bpf.answer, @intFromEnum(action));
        if (self.count == self.known.len) return at;
        self.known[self.count] = .{ .action = action, .at = at };
        self.count += 1;
        return at;
    }
};
