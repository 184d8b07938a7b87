//! What a profile means, read rule by rule, against what its program answers: for tests.
const std = @import("std");
const bpf = @import("bpf.zig");
const compile = @import("compile.zig");
const interpreter = @import("interpreter.zig");

/// The answer that the profile's own words give.
fn meaning(profile: compile.Profile, data: *const bpf.Data) compile.Action {
    const number: u32 = @bitCast(data.number);
    for (profile.sections) |section| {
        if (section.arch != data.arch) continue;
        if (section.x32) |action| {
            if (number == 0xffff_ffff) return .allow;
            if (number & 0x4000_0000 != 0 or number > 0x4000_0000) return action;
        }
        for (section.rules) |rule| if (rule.number == number and holds(rule, data)) return rule.action;
        return profile.otherwise;
    }
    return .kill_process;
}

fn holds(rule: compile.Rule, data: *const bpf.Data) bool {
    for (rule.when) |condition| {
        const value: u32 = @as(u32, @truncate(data.arguments[condition.argument])) & condition.mask;
        const as_wanted = switch (condition.is) {
            .equal => value == condition.value,
            .other => value != condition.value,
            .greater => value > condition.value,
            .at_least => value >= condition.value,
        };
        if (!as_wanted) return false;
    }
    return true;
}

/// Each number up to 1023 and around the borders of x32, each architecture of the profile and a foreign one, and around
/// every value that a condition knows, in the low and in the high half.
pub fn expectAgreement(program: []const bpf.Instruction, profile: compile.Profile) !void {
    var numbers: [1024 + 8]u32 = undefined;
    for (numbers[0..1024], 0..) |*number, index| number.* = @intCast(index);
    numbers[1024..].* = .{ 0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x4000_0038, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff };
    for (profile.sections) |section| for ([_]u32{ section.arch, section.arch ^ 0x4000_0000 }) |arch| {
        for (numbers) |number| {
            try agree(program, profile, .{ .number = @bitCast(number), .arch = arch });
            for (section.rules) |rule| {
                if (rule.number == number) for (rule.when) |condition| try expectAround(
                    program,
                    profile,
                    .{ .number = @bitCast(number), .arch = arch },
                    condition,
                );
            }
        }
    };
}

fn expectAround(program: []const bpf.Instruction, profile: compile.Profile, data: bpf.Data, condition: compile.Condition) !void {
    const borders = [_]u32{
        condition.value,
        condition.value -% 1,
        condition.value +% 1,
        0,
        0xffff_ffff,
        0x8000_0000,
        condition.mask,
        ~condition.mask,
    };
    for (borders) |border| for (0..33) |bit| for ([_]u64{ 0, 1 << 32, 0xffff_ffff_0000_0000 }) |high| {
        var each = data;
        each.arguments[condition.argument] = high | if (bit < 32) border ^ (@as(u32, 1) << @intCast(bit)) else border;
        try agree(program, profile, each);
    };
}

fn agree(program: []const bpf.Instruction, profile: compile.Profile, data: bpf.Data) !void {
    const wanted = meaning(profile, &data);
    const got = interpreter.run(program, &data);
    if (got == @intFromEnum(wanted)) return;
    std.debug.print(
        "call {d} of 0x{x}, arguments {any}: wanted 0x{x}, got 0x{x}\n",
        .{ data.number, data.arch, data.arguments, @intFromEnum(wanted), got },
    );
    return error.TestUnexpectedResult;
}

test "a profile with all kinds of rules" {
    const rules = [_]compile.Rule{
        .{ .number = 1, .action = .allow },
        .{ .number = 2, .action = .allow },
        .{ .number = 41, .action = .allow, .when = &.{.{ .argument = 0, .is = .equal, .value = 16 }} },
        .{
            .number = 41,
            .action = .fail(.INVAL),
            .when = &.{ .{ .argument = 0, .is = .greater, .value = 38 }, .{ .argument = 2, .is = .other, .value = 0 } },
        },
        .{ .number = 56, .action = .allow, .when = &.{.{ .argument = 1, .mask = 0x7e02_0000, .is = .equal, .value = 0 }} },
        .{ .number = 135, .action = .allow, .when = &.{.{ .argument = 0, .is = .at_least, .value = 0xffff_fff0 }} },
        .{ .number = 1000, .action = .kill_process },
    };
    const profile: compile.Profile = .{ .otherwise = .fail(.PERM), .sections = &.{
        .{ .arch = 0xc000_003e, .x32 = .fail(.NOSYS), .rules = &rules },
        .{ .arch = 0x4000_0003, .rules = rules[1..4] },
    } };
    var space: [bpf.instructions_max]bpf.Instruction = undefined;
    var builder: bpf.Builder = .{ .space = &space };
    try compile.compile(&builder, profile);
    try expectAgreement(builder.instructions(), profile);
}

test "a profile of a thousand rules, none like its neighbour" {
    var rules: [1000]compile.Rule = undefined;
    for (&rules, 0..) |*rule, index| rule.* = .{ .number = @intCast(index), .action = .fail(@enumFromInt(1 + index % 7)) };
    const profile: compile.Profile = .{
        .otherwise = .allow,
        .sections = &.{.{ .arch = 0xc000_003e, .x32 = .fail(.NOSYS), .rules = &rules }},
    };
    var space: [bpf.instructions_max]bpf.Instruction = undefined;
    var builder: bpf.Builder = .{ .space = &space };
    try compile.compile(&builder, profile);
    try expectAgreement(builder.instructions(), profile);
}
