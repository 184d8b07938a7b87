//! From answers by number to the program that the kernel runs before each system call:
//!
//!   architecture?  -> one section each; any other ends the process
//!   section:          a binary search over runs of numbers that are answered alike
//!   leaf:             an answer, or rules with conditions on arguments, the first rule that holds
//!
//! An argument has 64 bits, of which the machine sees 32 at a time. What the kernel takes of an argument may be less than all of
//! it: then a condition's mask says so, and the other half is not looked at.
const std = @import("std");
const bpf = @import("bpf.zig");

/// SECCOMP_RET_*
pub const Action = enum(u32) {
    allow = 0x7fff_0000,
    log = 0x7ffc_0000,
    trap = 0x0003_0000,
    kill_process = 0x8000_0000,
    kill_thread = 0,
    _,

    /// The call fails with `errno`; 0: it does nothing.
    pub fn fail(errno: u16) Action {
        return @enumFromInt(0x0005_0000 | @as(u32, errno));
    }

    pub fn trace(message: u16) Action {
        return @enumFromInt(0x7ff0_0000 | @as(u32, message));
    }

    pub fn isErrno(self: Action) bool {
        return @intFromEnum(self) & 0xffff_0000 == 0x0005_0000;
    }

    /// A tracer says whether it does.
    pub fn traces(self: Action) bool {
        return @intFromEnum(self) & 0xffff_0000 == 0x7ff0_0000;
    }

    /// The call takes place.
    pub fn lets(self: Action) bool {
        return self == .allow or self == .log;
    }
};

/// Of `argument & mask`; `value` has no bit that `mask` has not.
pub const Condition = struct {
    argument: u3,
    mask: u64 = std.math.maxInt(u64),
    is: enum { equal, other, less, at_most, greater, at_least },
    value: u64,

    /// What the program does, in one line.
    pub fn holds(self: Condition, argument: u64) bool {
        const value = argument & self.mask;
        return switch (self.is) {
            .equal => value == self.value,
            .other => value != self.value,
            .less => value < self.value,
            .at_most => value <= self.value,
            .greater => value > self.value,
            .at_least => value >= self.value,
        };
    }
};

/// All of `when` must hold.
pub const Rule = struct { action: Action, when: []const Condition };

/// Numbers from `from` up to the next run's.
pub const Run = struct { from: u32, rules: []const Rule = &.{}, otherwise: Action };

/// `arch`: AUDIT_ARCH_*. The first run begins at 0.
pub const Section = struct { arch: u32, runs: []const Run };

pub const Error = bpf.Builder.Error;

pub fn compile(builder: *bpf.Builder, sections: []const Section) Error!void {
    var next = try builder.put(bpf.answer, @intFromEnum(Action.kill_process));
    var index = sections.len;
    while (index > 0) {
        index -= 1;
        const start = try putSection(builder, sections[index].runs);
        next = try builder.branch(bpf.jump_equal, sections[index].arch, start, next);
    }
    _ = try builder.put(bpf.load, @offsetOf(bpf.Data, "arch"));
}

const Placed = struct { from: u32, label: bpf.Label };

const places_max = 2048;

fn putSection(builder: *bpf.Builder, runs: []const Run) Error!bpf.Label {
    std.debug.assert(runs.len > 0 and runs[0].from == 0);
    var answers: Answers = .{ .builder = builder };
    var places: [places_max]Placed = undefined;
    var count: usize = 0;
    for (runs) |run| {
        const label = try putLeaf(builder, &answers, run);
        std.debug.assert(count == 0 or places[count - 1].from < run.from);
        if (count > 0 and places[count - 1].label == label) continue;
        if (count == places_max) return error.ProgramTooLong;
        places[count] = .{ .from = run.from, .label = label };
        count += 1;
    }
    _ = try putSearch(builder, places[0..count]);
    return builder.put(bpf.load, @offsetOf(bpf.Data, "number"));
}

fn putSearch(builder: *bpf.Builder, places: []const Placed) Error!bpf.Label {
    if (places.len == 1) return builder.follow(places[0].label);
    const middle = places.len / 2;
    const right = if (places.len - middle == 1) places[middle].label else try putSearch(builder, places[middle..]);
    const left = if (middle == 1) places[0].label else try putSearch(builder, places[0..middle]);
    return builder.branch(bpf.jump_at_least, places[middle].from, right, left);
}

fn putLeaf(builder: *bpf.Builder, answers: *Answers, run: Run) Error!bpf.Label {
    var next = try answers.label(run.otherwise);
    var index = run.rules.len;
    while (index > 0) {
        index -= 1;
        const rule = run.rules[index];
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
    std.debug.assert(condition.value & ~condition.mask == 0);
    return switch (condition.is) {
        .equal => putEqual(builder, condition, holds, fails),
        .other => putEqual(builder, condition, fails, holds),
        .greater => putOrder(builder, condition, bpf.jump_greater, holds, fails),
        .at_most => putOrder(builder, condition, bpf.jump_greater, fails, holds),
        .at_least => putOrder(builder, condition, bpf.jump_at_least, holds, fails),
        .less => putOrder(builder, condition, bpf.jump_at_least, fails, holds),
    };
}

/// A half that the mask leaves nothing of is not looked at.
fn putEqual(builder: *bpf.Builder, condition: Condition, holds: bpf.Label, fails: bpf.Label) Error!bpf.Label {
    var next = holds;
    for ([_]bpf.Half{ .low, .high }) |half| {
        if (half.of(condition.mask) == 0) continue;
        _ = try builder.branch(bpf.jump_equal, half.of(condition.value), next, fails);
        next = try putHalf(builder, condition, half);
    }
    return next;
}

fn putOrder(builder: *bpf.Builder, condition: Condition, code: u16, holds: bpf.Label, fails: bpf.Label) Error!bpf.Label {
    _ = try builder.branch(code, bpf.Half.low.of(condition.value), holds, fails);
    const low = try putHalf(builder, condition, .low);
    if (bpf.Half.high.of(condition.mask) == 0) return low;
    const high = bpf.Half.high.of(condition.value);
    const same = try builder.branch(bpf.jump_equal, high, low, fails);
    _ = try builder.branch(bpf.jump_greater, high, holds, same);
    return putHalf(builder, condition, .high);
}

fn putHalf(builder: *bpf.Builder, condition: Condition, half: bpf.Half) Error!bpf.Label {
    const mask = half.of(condition.mask);
    if (mask != std.math.maxInt(u32)) _ = try builder.put(bpf.and_operand, mask);
    return builder.put(bpf.load, half.offset(condition.argument));
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
