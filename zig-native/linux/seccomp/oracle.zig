//! What a profile means, read rule by rule as a person would, against what its program answers: for tests. Nothing of how
//! profile.zig goes about it is used here, but for the tables of calls and of arguments.
const std = @import("std");
const arguments = @import("arguments.zig");
const bpf = @import("bpf.zig");
const calls = @import("calls.zig");
const Abi = calls.Abi;
const Document = @import("profile.zig").Document;
const interpreter = @import("interpreter.zig");

pub const Disagreement = struct { data: bpf.Data, wanted: u32, got: ?u32 };

pub const Oracle = struct {
    document: *const Document,
    abis: []const Abi,
    random: std.Random,
    /// How many sets of arguments are tried for each rule that has conditions.
    rounds: usize,

    /// All numbers up to 1023 and around borders, of each architecture and of a foreign one, with arguments around every value
    /// that a condition knows. Null: the program means what the profile says.
    pub fn check(self: Oracle, program: []const bpf.Instruction) ?Disagreement {
        for (self.abis) |abi| {
            for ([_]u32{ abi.audit(), abi.audit() ^ 0x4000_0000, 8 }) |arch| {
                for (0..1024) |number| {
                    const bit: u32 = if (abi == .x32) calls.x32_bit else 0;
                    if (self.tryNumber(program, arch, @as(u32, @intCast(number)) | bit)) |found| return found;
                }
                for (borders) |number| if (self.tryNumber(program, arch, number)) |found| return found;
            }
        }
        return null;
    }

    fn tryNumber(self: Oracle, program: []const bpf.Instruction, arch: u32, number: u32) ?Disagreement {
        var data: bpf.Data = .{ .number = @bitCast(number), .arch = arch };
        if (self.tryOne(program, &data)) |found| return found;
        const abi, const name = self.callOf(arch, number) orelse return null;
        for (0..self.rounds * self.countConditional(abi, name)) |_| {
            for (&data.arguments, 0..) |*argument, index| argument.* = self.interesting(name, index);
            if (self.tryOne(program, &data)) |found| return found;
        }
        return null;
    }

    fn tryOne(self: Oracle, program: []const bpf.Instruction, data: *const bpf.Data) ?Disagreement {
        const wanted = self.meaning(data);
        const got = interpreter.run(program, data);
        return if (got == wanted) null else .{ .data = data.*, .wanted = wanted, .got = got };
    }

    /// SECCOMP_RET_*
    pub fn meaning(self: Oracle, data: *const bpf.Data) u32 {
        const default = actionOf(self.document.defaultAction, self.document.defaultErrnoRet);
        const number: u32 = @bitCast(data.number);
        const abi = self.abiOf(data.arch, number) orelse return 0x8000_0000;
        if (number == 0xffff_ffff) return 0x7fff_0000;
        if (abi == .x32 and !self.names("SCMP_ARCH_X32")) return 0x0005_0026;
        const name = nameOf(abi, number) orelse return if (default >> 16 == 5) 0x0005_0026 else default;
        if (self.unconditional(name, default)) |action| return action;
        for (self.document.syscalls) |*entry| {
            const action = actionOf(entry.action, entry.errnoRet);
            if (action == default or !has(entry, name)) continue;
            if (holds(abi, name, entry.args, data)) return action;
        }
        if (abi == .i386) for (calls.bundles) |bundle| if (is(bundle.name, name)) for (bundle.members) |member| {
            if (data.arguments[0] & bundle.mask == member.value) return self.ofMember(member.name, default);
        };
        return default;
    }

    /// What the rules of a call say of all of it.
    fn ofMember(self: Oracle, name: []const u8, default: u32) u32 {
        if (self.unconditional(name, default)) |action| return action;
        for (self.document.syscalls) |*entry| {
            const action = actionOf(entry.action, entry.errnoRet);
            if (action != default and has(entry, name) and action != 0x7fff_0000 and action != 0x7ffc_0000) return action;
        }
        return default;
    }

    fn unconditional(self: Oracle, name: []const u8, default: u32) ?u32 {
        for (self.document.syscalls) |*entry| {
            const action = actionOf(entry.action, entry.errnoRet);
            if (action != default and has(entry, name) and entry.args.len == 0) return action;
        }
        return null;
    }

    fn abiOf(self: Oracle, arch: u32, number: u32) ?Abi {
        for (self.abis, 0..) |abi, index| {
            if (abi.audit() != arch) continue;
            if (abi == .x86_64 and number >= calls.x32_bit and number != 0xffff_ffff) return .x32;
            if (index == 0) return abi;
            if (abi == .i386 and self.names("SCMP_ARCH_X86")) return abi;
            if (abi == .arm and self.names("SCMP_ARCH_ARM")) return abi;
        }
        return null;
    }

    fn names(self: Oracle, architecture: []const u8) bool {
        for (self.document.architectures) |each| if (is(each, architecture)) return true;
        return false;
    }

    fn callOf(self: Oracle, arch: u32, number: u32) ?struct { Abi, []const u8 } {
        const abi = self.abiOf(arch, number) orelse return null;
        return .{ abi, nameOf(abi, number) orelse return null };
    }

    fn countConditional(self: Oracle, abi: Abi, name: []const u8) usize {
        var count: usize = 0;
        for (self.document.syscalls) |*entry| {
            if (entry.args.len > 0 and has(entry, name)) count += 1;
        }
        if (abi == .i386) for (calls.bundles) |bundle| {
            if (is(bundle.name, name)) count += 4;
        };
        return count;
    }

    /// Something that a condition on the argument may be about.
    fn interesting(self: Oracle, name: []const u8, index: usize) u64 {
        const random = self.random;
        var value: u64 = random.uintLessThan(u64, 32);
        var seen: usize = 0;
        for (self.document.syscalls) |*entry| if (has(entry, name)) for (entry.args) |argument| {
            if (argument.index != index) continue;
            seen += 1;
            if (random.uintLessThan(usize, seen) != 0) continue;
            const masked = is(argument.op, "SCMP_CMP_MASKED_EQ");
            value = if (masked) argument.valueTwo & argument.value | random.int(u64) & ~argument.value else argument.value;
        };
        return switch (random.uintLessThan(u8, 10)) {
            0 => value +% 1,
            1 => value -% 1,
            2 => value ^ @as(u64, 1) << random.int(u6),
            3 => value | random.int(u64) << 32,
            4 => value & 0xffff_ffff,
            5 => value | random.int(u64) << 16,
            6 => extremes[random.uintLessThan(usize, extremes.len)],
            else => value,
        };
    }
};

const extremes = [_]u64{ 0, 0xffff, 0x8000_0000, 0xffff_ffff, 1 << 32, 0xffff_ffff_ffff_ffff };

const borders = [_]u32{ 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff, 0xf0000, 0xf0001, 0xf0006, 0xf0007 };

fn nameOf(abi: Abi, number: u32) ?[]const u8 {
    var table = abi.calls();
    while (table.next()) |call| if (call.number == number) return call.name;
    return null;
}

fn actionOf(name: []const u8, errno: ?u32) u32 {
    const table = [_]struct { []const u8, u32 }{
        .{ "SCMP_ACT_ALLOW", 0x7fff_0000 }, .{ "SCMP_ACT_LOG", 0x7ffc_0000 },
        .{ "SCMP_ACT_TRACE", 0x7ff0_0000 }, .{ "SCMP_ACT_ERRNO", 0x0005_0000 },
        .{ "SCMP_ACT_TRAP", 0x0003_0000 },  .{ "SCMP_ACT_KILL", 0 },
        .{ "SCMP_ACT_KILL_THREAD", 0 },     .{ "SCMP_ACT_KILL_PROCESS", 0x8000_0000 },
    };
    for (table) |each| if (is(each[0], name)) {
        const carries = each[1] == 0x7ff0_0000 or each[1] == 0x0005_0000;
        return each[1] | if (carries) errno orelse 1 else 0;
    };
    unreachable; // it would not have been compiled
}

fn is(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

fn has(entry: *const Document.Syscalls, name: []const u8) bool {
    for (entry.names) |each| if (is(each, name)) return true;
    return false;
}

/// All of them, or where an argument is there twice any.
fn holds(abi: Abi, name: []const u8, list: []const Document.Argument, data: *const bpf.Data) bool {
    var twice = false;
    for (list, 0..) |a, index| for (list[0..index]) |b| {
        if (a.index == b.index) twice = true;
    };
    for (list) |argument| {
        if (holdsOne(abi, name, argument, data) == twice) return twice;
    }
    return !twice;
}

fn holdsOne(abi: Abi, name: []const u8, argument: Document.Argument, data: *const bpf.Data) bool {
    const bits = @min(if (abi == .i386 or abi == .arm) @as(u7, 32) else 64, arguments.bits(name, @intCast(argument.index)));
    const all = if (bits == 64) std.math.maxInt(u64) else (@as(u64, 1) << @intCast(bits)) - 1;
    const value = data.arguments[argument.index] & all;
    if (is(argument.op, "SCMP_CMP_MASKED_EQ")) return value & argument.value == argument.valueTwo & argument.value & all;
    // What is below zero has ones above the kernel's part of it.
    const negative = bits < 64 and argument.value | (all >> 1) == std.math.maxInt(u64);
    const wanted = if (negative) argument.value & all else argument.value;
    if (is(argument.op, "SCMP_CMP_NE")) return value != wanted;
    if (is(argument.op, "SCMP_CMP_LT")) return value < wanted;
    if (is(argument.op, "SCMP_CMP_LE")) return value <= wanted;
    if (is(argument.op, "SCMP_CMP_EQ")) return value == wanted;
    if (is(argument.op, "SCMP_CMP_GE")) return value >= wanted;
    return value > wanted;
}

test "programs mean what profiles say, and this kernel does what they mean" {
    const profile = @import("profile.zig");
    const trial = @import("trial.zig");
    var memory: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer memory.deinit();
    const arena = memory.allocator();
    var random: std.Random.DefaultPrng = .init(1);
    for ([_][]const u8{ all_kinds, allowing, crowded }) |text| {
        const document = try std.json.parseFromSliceLeaky(Document, arena, text, .{});
        for ([_][]const Abi{ &.{ .x86_64, .i386, .x32 }, &.{ .aarch64, .arm } }) |machine| {
            var subject: []const u8 = "";
            const resolved = try profile.resolve(arena, &document, machine, &subject);
            var builder: bpf.Builder = .{ .space = try arena.alloc(bpf.Instruction, bpf.instructions_max) };
            try @import("compile.zig").compile(&builder, resolved.sections);
            const oracle: Oracle = .{ .document = &document, .abis = machine, .random = random.random(), .rounds = 100 };
            const program = builder.instructions();
            try std.testing.expectEqual(null, oracle.check(program));
            if (machine[0] != calls.here[0] or @import("../seccomp.zig").known(0) == null) continue;
            const outcome = try trial.run(.{ .flags = resolved.flags, .instructions = program });
            try std.testing.expectEqual(.done, outcome.step);
        }
    }
}

const architectures =
    \\"architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_AARCH64","SCMP_ARCH_ARM","SCMP_ARCH_S390X"],
;

const all_kinds = "{" ++ architectures ++
    \\"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":13,"syscalls":[
    \\{"names":["read","exit_group","socketcall","no_such_call"],"action":"SCMP_ACT_ALLOW"},
    \\{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":38,"op":"SCMP_CMP_LT"}]},
    \\{"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":97,"args":[{"index":0,"value":"18446744073709551615","op":"SCMP_CMP_NE"}]},
    \\{"names":["personality"],"action":"SCMP_ACT_ALLOW",
    \\ "args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"},{"index":0,"value":4294967295,"op":"SCMP_CMP_EQ"}]},
    \\{"names":["clone","unshare"],"action":"SCMP_ACT_ALLOW",
    \\ "args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]},
    \\{"names":["mmap","munmap"],"action":"SCMP_ACT_LOG",
    \\ "args":[{"index":1,"value":"4294967296","op":"SCMP_CMP_GE"},{"index":0,"value":65536,"op":"SCMP_CMP_GT"}]},
    \\{"names":["write","mprotect"],"action":"SCMP_ACT_TRACE","errnoRet":77,"args":[{"index":2,"value":"12884901889","op":"SCMP_CMP_LE"}]},
    \\{"names":["mkdir","openat"],"action":"SCMP_ACT_TRAP","args":[{"index":1,"value":2048,"valueTwo":2048,"op":"SCMP_CMP_MASKED_EQ"}]},
    \\{"names":["ptrace"],"action":"SCMP_ACT_KILL_PROCESS"},{"names":["bpf"],"action":"SCMP_ACT_KILL"},
    \\{"names":["ptrace"],"action":"SCMP_ACT_ALLOW"},{"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}
;

const allowing = "{" ++ architectures ++
    \\"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
    \\{"names":["socket","semop"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":38,"op":"SCMP_CMP_EQ"}]},
    \\{"names":["shmget","keyctl"],"action":"SCMP_ACT_ERRNO","errnoRet":0},
    \\{"names":["setns"],"action":"SCMP_ACT_ALLOW"},{"names":["setns"],"action":"SCMP_ACT_ERRNO","errnoRet":4095}]}
;

/// None like its neighbour, so that jumps are long.
const crowded = blk: {
    @setEvalBranchQuota(100_000);
    var text: []const u8 = "{" ++ architectures ++
        \\"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["exit_group"],"action":"SCMP_ACT_ALLOW"}
    ;
    var table = Abi.x86_64.calls();
    var number: u32 = 2;
    while (table.next()) |call| : (number += 1) if (!is(call.name, "exit_group")) {
        const each = ",{{\"names\":[\"{s}\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":{d}}}";
        text = text ++ std.fmt.comptimePrint(each, .{ call.name, number % 100 + 2 });
    };
    break :blk text ++ "]}";
};
