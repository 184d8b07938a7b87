//! What the runtime specification says of system calls (config-linux.md, "Seccomp"), with libseccomp's meaning, as answers by
//! number:
//!
//!   a rule that answers as the default does, and a call that this kernel's tables do not have, are nothing
//!   of one call's rules one without conditions beats all others, and of several the first counts
//!   conditions on different arguments must all hold; where one argument has several, each condition is a rule of its own
//!
//! and, other than there:
//!
//!   a call that is newer than our tables, or that never was, answers ENOSYS where the default is another errno: libc knows what
//!     to do then. So do all calls of x32, where the profile does not name that
//!   an argument is looked at as far as the kernel looks at it (arguments.zig)
//!   of socketcall(2) and ipc(2) a rule with conditions on one of their calls can see nothing: where it denies all of that call
//!     is denied, where it allows none of it is allowed
const std = @import("std");
const arguments = @import("arguments.zig");
const Abi = @import("calls.zig").Abi;
const calls = @import("calls.zig");
const compile = @import("compile.zig");
const Action = compile.Action;

pub const Document = struct {
    defaultAction: []const u8,
    defaultErrnoRet: ?u32 = null,
    architectures: []const []const u8 = &.{},
    flags: []const []const u8 = &.{},
    syscalls: []const Syscalls = &.{},

    pub const Syscalls = struct {
        names: []const []const u8,
        action: []const u8,
        errnoRet: ?u32 = null,
        args: []const Argument = &.{},
    };

    pub const Argument = struct { index: u32, value: u64, valueTwo: u64 = 0, op: []const u8 };
};

pub const Resolved = struct {
    sections: []const compile.Section,
    /// SECCOMP_FILTER_FLAG_*
    flags: u32,
};

pub const Error = error{ UnknownAction, Notify, UnknownOperator, UnknownArchitecture, UnknownFlag, BadErrno, BadIndex, OutOfMemory };

pub const flag_log = 2;
/// Our filters hide nothing that could be read by speculation: without this, older kernels slow the whole process down.
pub const flag_spec_allow = 4;

/// `abis`: what runs on the machine, its own first (calls.here). `subject`: what an error is about.
pub fn resolve(arena: std.mem.Allocator, document: *const Document, abis: []const Abi, subject: *[]const u8) Error!Resolved {
    var profile: Profile = .{ .arena = arena, .otherwise = undefined };
    subject.* = document.defaultAction;
    profile.otherwise = try actionOf(document.defaultAction, document.defaultErrnoRet);
    for (document.syscalls) |*entry| try profile.take(entry, subject);
    const named = try abisOf(document.architectures, subject);
    var sections: std.ArrayList(compile.Section) = .empty;
    for (abis, 0..) |abi, index| {
        if (abi == .x32 or (index > 0 and !named.contains(abi))) continue;
        try sections.append(arena, .{ .arch = abi.audit(), .runs = try profile.runs(abi, named.contains(.x32)) });
    }
    return .{ .sections = sections.items, .flags = try flagsOf(document.flags, subject) };
}

fn actionOf(name: []const u8, errno: ?u32) Error!Action {
    const value = errno orelse 1;
    if (is(name, "SCMP_ACT_ALLOW")) return .allow;
    if (is(name, "SCMP_ACT_ERRNO")) return if (value > errno_max) error.BadErrno else .fail(@intCast(value));
    if (is(name, "SCMP_ACT_TRACE")) return if (value > std.math.maxInt(u16)) error.BadErrno else .trace(@intCast(value));
    if (is(name, "SCMP_ACT_KILL") or is(name, "SCMP_ACT_KILL_THREAD")) return .kill_thread;
    if (is(name, "SCMP_ACT_KILL_PROCESS")) return .kill_process;
    if (is(name, "SCMP_ACT_TRAP")) return .trap;
    if (is(name, "SCMP_ACT_LOG")) return .log;
    return if (is(name, "SCMP_ACT_NOTIFY")) error.Notify else error.UnknownAction;
}

/// MAX_ERRNO: the kernel answers this for all that is more.
const errno_max = 4095;

fn is(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

/// Those of another machine's are as good as not said.
fn abisOf(names: []const []const u8, subject: *[]const u8) Error!std.EnumSet(Abi) {
    var set: std.EnumSet(Abi) = .initEmpty();
    for (names) |name| {
        subject.* = name;
        const prefix = "SCMP_ARCH_";
        if (!std.mem.startsWith(u8, name, prefix)) return error.UnknownArchitecture;
        const architecture = std.meta.stringToEnum(Architecture, name[prefix.len..]) orelse return error.UnknownArchitecture;
        switch (architecture) {
            .X86 => set.insert(.i386),
            .X86_64 => set.insert(.x86_64),
            .X32 => set.insert(.x32),
            .ARM => set.insert(.arm),
            .AARCH64 => set.insert(.aarch64),
            else => {},
        }
    }
    return set;
}

const Architecture = enum {
    // zig fmt: off
    NATIVE, X86, X86_64, X32, ARM, AARCH64, MIPS, MIPS64, MIPS64N32, MIPSEL, MIPSEL64, MIPSEL64N32, PPC, PPC64, PPC64LE, S390,
    S390X, PARISC, PARISC64, RISCV64, LOONGARCH64, M68K, SH, SHEB,
    // zig fmt: on
};

/// Where none are said, what costs programs the least. Those that are of use to a listener, or to threads, mean nothing here.
fn flagsOf(names: []const []const u8, subject: *[]const u8) Error!u32 {
    if (names.len == 0) return flag_spec_allow;
    var flags: u32 = 0;
    for (names) |name| {
        subject.* = name;
        if (is(name, "SECCOMP_FILTER_FLAG_LOG")) {
            flags |= flag_log;
        } else if (is(name, "SECCOMP_FILTER_FLAG_SPEC_ALLOW")) {
            flags |= flag_spec_allow;
        } else if (!is(name, "SECCOMP_FILTER_FLAG_TSYNC") and !is(name, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"))
            return error.UnknownFlag;
    }
    return flags;
}

/// A rule as it stands in the document, for any call.
const Wish = struct { action: Action, when: []const Document.Argument };

const Profile = struct {
    arena: std.mem.Allocator,
    otherwise: Action,
    /// By the call's name, in the document's order.
    wishes: std.StringHashMapUnmanaged(std.ArrayList(Wish)) = .empty,

    fn take(self: *Profile, entry: *const Document.Syscalls, subject: *[]const u8) Error!void {
        subject.* = entry.action;
        const action = try actionOf(entry.action, entry.errnoRet);
        for (entry.args) |argument| {
            subject.* = argument.op;
            if (argument.index > 5) return error.BadIndex;
            if (std.meta.stringToEnum(Operator, argument.op) == null) return error.UnknownOperator;
        }
        if (action == self.otherwise) return;
        const alternatives = if (hasSeveralOfOne(entry.args)) entry.args.len else 1;
        for (entry.names) |name| {
            const found = try self.wishes.getOrPutValue(self.arena, name, .empty);
            for (0..alternatives) |index| {
                const when = if (alternatives > 1) entry.args[index..][0..1] else entry.args;
                try found.value_ptr.append(self.arena, .{ .action = action, .when = when });
            }
        }
    }

    /// What each number answers on an architecture.
    fn runs(self: *const Profile, abi: Abi, with_x32: bool) Error![]const compile.Run {
        var list: std.ArrayList(compile.Run) = .empty;
        try self.add(&list, abi, 0);
        if (abi == .x86_64) {
            const bit = calls.x32_bit;
            if (with_x32) try self.add(&list, .x32, bit) else try list.append(self.arena, .{ .from = bit, .otherwise = nosys });
        }
        // What a tracer puts in the number's place so that there is no call at all: that is not the filter's business.
        try list.append(self.arena, .{ .from = std.math.maxInt(u32), .otherwise = .allow });
        return list.items;
    }

    /// From number `first` on.
    fn add(self: *const Profile, list: *std.ArrayList(compile.Run), abi: Abi, first: u32) Error!void {
        const unknown = if (self.otherwise.isErrno()) nosys else self.otherwise;
        var next = first;
        var table = abi.calls();
        while (table.next()) |call| {
            if (call.number > next) try list.append(self.arena, .{ .from = next, .otherwise = unknown });
            try list.append(self.arena, try self.answer(abi, call));
            next = call.number + 1;
        }
        try list.append(self.arena, .{ .from = next, .otherwise = unknown });
    }

    fn answer(self: *const Profile, abi: Abi, call: calls.Call) Error!compile.Run {
        const own = self.of(call.name);
        if (unconditional(own)) |action| return .{ .from = call.number, .otherwise = action };
        var rules: std.ArrayList(compile.Rule) = .empty;
        for (own) |wish| if (try self.lower(abi, call.name, wish.when)) |when| {
            try rules.append(self.arena, .{ .action = wish.action, .when = when });
        };
        if (abi == .i386) for (calls.bundles) |bundle| {
            if (is(call.name, bundle.name)) for (bundle.members) |member| try self.addMember(&rules, bundle.mask, member);
        };
        return .{ .from = call.number, .rules = rules.items, .otherwise = self.otherwise };
    }

    fn addMember(self: *const Profile, rules: *std.ArrayList(compile.Rule), mask: u64, member: calls.Bundle.Member) Error!void {
        const wishes = self.of(member.name);
        const action = unconditional(wishes) orelse for (wishes) |wish| {
            if (!wish.action.lets()) break wish.action;
        } else return;
        const when = try self.arena.dupe(compile.Condition, &.{.{ .argument = 0, .mask = mask, .is = .equal, .value = member.value }});
        try rules.append(self.arena, .{ .action = action, .when = when });
    }

    fn of(self: *const Profile, name: []const u8) []const Wish {
        return if (self.wishes.get(name)) |list| list.items else &.{};
    }

    /// Null: they never hold.
    fn lower(self: *const Profile, abi: Abi, name: []const u8, when: []const Document.Argument) Error!?[]const compile.Condition {
        var list: std.ArrayList(compile.Condition) = .empty;
        for (when) |argument| switch (condition(abi, name, argument)) {
            .never => return null,
            .always => {},
            .when => |it| try list.append(self.arena, it),
        };
        return list.items;
    }
};

const nosys: Action = .fail(@intFromEnum(std.os.linux.E.NOSYS));

fn unconditional(wishes: []const Wish) ?Action {
    return for (wishes) |wish| {
        if (wish.when.len == 0) break wish.action;
    } else null;
}

fn hasSeveralOfOne(list: []const Document.Argument) bool {
    var seen: u8 = 0;
    return for (list) |argument| {
        const bit = @as(u8, 1) << @intCast(argument.index);
        if (seen & bit != 0) break true;
        seen |= bit;
    } else false;
}

const Operator = enum { SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ };

const Lowered = union(enum) { never, always, when: compile.Condition };

/// Of what the kernel takes of the argument.
fn condition(abi: Abi, name: []const u8, argument: Document.Argument) Lowered {
    const index: u3 = @intCast(argument.index);
    const width = @min(abi.bits(), arguments.bits(name, index));
    const mask = @as(u64, std.math.maxInt(u64)) >> @intCast(64 - width);
    const operator = std.meta.stringToEnum(Operator, argument.op).?;
    if (operator == .SCMP_CMP_MASKED_EQ) {
        const both = argument.value & mask;
        return .{ .when = .{ .argument = index, .mask = both, .is = .equal, .value = argument.valueTwo & both } };
    }
    const value = fit(argument.value, width) orelse return switch (operator) {
        .SCMP_CMP_EQ, .SCMP_CMP_GE, .SCMP_CMP_GT => .never,
        else => .always,
    };
    return .{ .when = .{ .argument = index, .mask = mask, .value = value, .is = switch (operator) {
        .SCMP_CMP_NE => .other,
        .SCMP_CMP_LT => .less,
        .SCMP_CMP_LE => .at_most,
        .SCMP_CMP_EQ => .equal,
        .SCMP_CMP_GE => .at_least,
        .SCMP_CMP_GT => .greater,
        .SCMP_CMP_MASKED_EQ => unreachable,
    } } };
}

/// A number below zero may stand there with all of its 64 bits. Null: it is more than any argument.
fn fit(value: u64, width: u7) ?u64 {
    const mask = @as(u64, std.math.maxInt(u64)) >> @intCast(64 - width);
    if (value <= mask) return value;
    const sign = @as(u64, std.math.maxInt(u64)) << @intCast(width - 1);
    return if (value >= sign) value & mask else null;
}
