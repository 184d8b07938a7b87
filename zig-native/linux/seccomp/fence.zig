//! The fixed filter of a container: it allows all but what no ordinary container needs, and what has led out of one.
//!
//!   always                   the kernel's keyrings, which know no namespace
//!   without CAP_SYS_ADMIN    new namespaces (in a user namespace of its own anybody is root enough to mount a cgroup), and
//!                            the calls that mount
//!
//! clone3(2) has its flags in memory, where no filter looks: it is as if the kernel did not have it, and libc falls back to
//! clone(2).
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const bpf = @import("bpf.zig");
const compile = @import("compile.zig");

pub const without_admin = program(false);
pub const with_admin = program(true);

const clone_new_time = 0x80; // unshare(2) only: in clone(2) it is part of the signal
const clone_new_any = 0x7e02_0000;

const keyrings = [_][]const u8{ "add_key", "request_key", "keyctl" };
const mounts = [_][]const u8{
    "mount",      "umount",    "umount2",        "pivot_root",    "fsopen", "fsconfig", "fsmount", "fspick",
    "move_mount", "open_tree", "open_tree_attr", "mount_setattr",
};

/// By name, as the standard library has them for an architecture.
fn rules(comptime Numbers: type, comptime admin: bool) []const compile.Rule {
    comptime var list: []const compile.Rule = &.{};
    inline for (keyrings) |name| list = list ++ rule(Numbers, name, .fail(.PERM), &.{});
    if (!admin) {
        inline for (mounts) |name| list = list ++ rule(Numbers, name, .fail(.PERM), &.{});
        list = list ++ rule(Numbers, "clone3", .fail(.NOSYS), &.{});
        list = list ++ rule(Numbers, "clone", .fail(.PERM), &.{.{ .argument = 0, .mask = clone_new_any, .is = .other, .value = 0 }});
        list = list ++ rule(
            Numbers,
            "unshare",
            .fail(.PERM),
            &.{.{ .argument = 0, .mask = clone_new_any | clone_new_time, .is = .other, .value = 0 }},
        );
    }
    var sorted = list[0..list.len].*;
    std.sort.insertion(compile.Rule, &sorted, {}, before);
    const final = sorted;
    return &final;
}

fn before(_: void, a: compile.Rule, b: compile.Rule) bool {
    return a.number < b.number;
}

/// None where the architecture has no such call.
fn rule(
    comptime Numbers: type,
    comptime name: []const u8,
    comptime action: compile.Action,
    comptime when: []const compile.Condition,
) []const compile.Rule {
    const number = numberOf(Numbers, name) orelse return &.{};
    return &.{.{ .number = number, .action = action, .when = when }};
}

fn numberOf(comptime Numbers: type, comptime name: []const u8) ?u32 {
    if (@hasField(Numbers, name)) return @intFromEnum(@field(Numbers, name));
    // Newer than the standard library; from 424 on a number is the same everywhere.
    if (std.mem.eql(u8, name, "open_tree_attr")) return 467;
    return null;
}

pub fn profile(comptime admin: bool) compile.Profile {
    const syscalls = linux.syscalls;
    return .{ .otherwise = .allow, .sections = switch (builtin.cpu.arch) {
        .x86_64 => &.{
            .{ .arch = @intFromEnum(Arch.x86_64), .x32 = .fail(.NOSYS), .rules = rules(syscalls.X64, admin) },
            .{ .arch = @intFromEnum(Arch.i386), .rules = rules(syscalls.X86, admin) },
        },
        .aarch64 => &.{
            .{ .arch = @intFromEnum(Arch.aarch64), .rules = rules(syscalls.Arm64, admin) },
            .{ .arch = @intFromEnum(Arch.arm), .rules = rules(syscalls.Arm, admin) },
        },
        else => @compileError("no filter of system calls for this architecture"),
    } };
}

/// AUDIT_ARCH_*, linux/audit.h: the ELF machine, and whether it has 64 bits and is little-endian.
const Arch = enum(u32) { x86_64 = 0xc000_003e, i386 = 0x4000_0003, aarch64 = 0xc000_00b7, arm = 0x4000_0028, mips = 0x0000_0008 };

/// Compiled once, by the compiler.
fn program(comptime admin: bool) []const bpf.Instruction {
    comptime {
        @setEvalBranchQuota(1_000_000);
        var space: [256]bpf.Instruction = undefined;
        var builder: bpf.Builder = .{ .space = &space };
        compile.compile(&builder, profile(admin)) catch |err| @compileError(@errorName(err));
        const final = builder.instructions()[0..builder.length].*;
        return &final;
    }
}

test "the filters answer as their rules say" {
    @setEvalBranchQuota(1_000_000);
    const oracle = @import("oracle.zig");
    try oracle.expectAgreement(without_admin, comptime profile(false));
    try oracle.expectAgreement(with_admin, comptime profile(true));
}

test "the calls that count are known on every architecture" {
    const interpreter = @import("interpreter.zig");
    const Call = struct { arch: Arch, number: i32, argument: u64 = 0, errno: u32 };
    const cases = [_]Call{
        .{ .arch = .x86_64, .number = 250, .errno = 1 }, // keyctl
        .{ .arch = .i386, .number = 288, .errno = 1 },
        .{ .arch = .x86_64, .number = 165, .errno = 1 }, // mount
        .{ .arch = .i386, .number = 21, .errno = 1 },
        .{ .arch = .i386, .number = 22, .errno = 1 }, // umount
        .{ .arch = .x86_64, .number = 467, .errno = 1 }, // open_tree_attr
        .{ .arch = .x86_64, .number = 272, .argument = 0x1000_0000, .errno = 1 }, // unshare(CLONE_NEWUSER)
        .{ .arch = .x86_64, .number = 272, .argument = 0x80, .errno = 1 },
        .{ .arch = .x86_64, .number = 272, .argument = 0x400, .errno = 0 }, // CLONE_FILES
        .{ .arch = .i386, .number = 310, .argument = 0x1000_0000, .errno = 1 },
        .{ .arch = .x86_64, .number = 56, .argument = 0x1000_0011, .errno = 1 }, // clone
        .{ .arch = .x86_64, .number = 56, .argument = 0x1_0000_0011, .errno = 0 },
        .{ .arch = .x86_64, .number = 56, .argument = 0x003d_0f00, .errno = 0 }, // a thread
        .{ .arch = .i386, .number = 120, .argument = 0x0002_0011, .errno = 1 },
        .{ .arch = .x86_64, .number = 435, .errno = 38 }, // clone3
        .{ .arch = .i386, .number = 435, .errno = 38 },
        .{ .arch = .x86_64, .number = 0x4000_0001, .errno = 38 }, // x32
        .{ .arch = .x86_64, .number = 1, .errno = 0 },
        .{ .arch = .x86_64, .number = -1, .errno = 0 },
    };
    if (builtin.cpu.arch != .x86_64) return error.SkipZigTest;
    for (cases) |case| {
        const data: bpf.Data = .{ .number = case.number, .arch = @intFromEnum(case.arch), .arguments = .{ case.argument, 0, 0, 0, 0, 0 } };
        const wanted = if (case.errno == 0) 0x7fff_0000 else 0x0005_0000 | case.errno;
        try std.testing.expectEqual(wanted, interpreter.run(without_admin, &data));
    }
    try std.testing.expectEqual(0x8000_0000, interpreter.run(without_admin, &.{ .number = 1, .arch = @intFromEnum(Arch.mips) }));
}
