//! The system calls of the architectures whose programs run here, by the names that profiles have for them: the kernel's, and
//! libseccomp's where those differ.
const std = @import("std");
const builtin = @import("builtin");
const syscalls = std.os.linux.syscalls;

/// How a program calls the kernel.
pub const Abi = enum {
    x86_64,
    i386,
    /// Comes as `x86_64`, with `x32_bit` in the number.
    x32,
    aarch64,
    arm,

    /// AUDIT_ARCH_*, linux/audit.h: the ELF machine, and whether it has 64 bits and is little-endian.
    pub fn audit(self: Abi) u32 {
        return switch (self) {
            .x86_64, .x32 => 0xc000_003e,
            .i386 => 0x4000_0003,
            .aarch64 => 0xc000_00b7,
            .arm => 0x4000_0028,
        };
    }

    /// Of an argument.
    pub fn bits(self: Abi) u7 {
        return switch (self) {
            .x86_64, .x32, .aarch64 => 64,
            .i386, .arm => 32,
        };
    }

    pub fn calls(self: Abi) Table {
        return switch (self) {
            .x86_64 => comptime of(syscalls.X64),
            .i386 => comptime of(syscalls.X86),
            .x32 => comptime of(syscalls.X32),
            .aarch64 => comptime of(syscalls.Arm64),
            .arm => comptime of(syscalls.Arm),
        };
    }
};

pub const x32_bit = 0x4000_0000;

/// The machine's own first.
pub const here: []const Abi = switch (builtin.cpu.arch) {
    .x86_64 => &.{ .x86_64, .i386, .x32 },
    .aarch64 => &.{ .aarch64, .arm },
    else => @compileError("no filter of system calls for this architecture"),
};

pub const Call = struct { name: []const u8, number: u32 };

/// By number. Names lie in one text, so that the library has no address to put right for each of them when it is loaded.
pub const Table = struct {
    names: []const u8,
    entries: []const Entry,

    const Entry = struct { number: u32, start: u16, end: u16 };

    pub fn next(self: *Table) ?Call {
        if (self.entries.len == 0) return null;
        const entry = self.entries[0];
        self.entries = self.entries[1..];
        return .{ .name = self.names[entry.start..entry.end], .number = entry.number };
    }
};

fn of(comptime Numbers: type) Table {
    @setEvalBranchQuota(1_000_000);
    const fields = @typeInfo(Numbers).@"enum".fields;
    var names: []const u8 = "";
    var entries: [fields.len]Table.Entry = undefined;
    for (&entries, fields) |*entry, field| {
        entry.number = field.value;
        entry.start = names.len;
        names = names ++ profilesName(Numbers, field.name);
        entry.end = names.len;
    }
    std.sort.pdq(Table.Entry, &entries, {}, before);
    const final = entries;
    return .{ .names = names, .entries = &final };
}

fn before(_: void, a: Table.Entry, b: Table.Entry) bool {
    return a.number < b.number;
}

/// The standard library's names are the kernel's, but for these.
fn profilesName(Numbers: type, name: []const u8) []const u8 {
    const has64 = Numbers == syscalls.X64 or Numbers == syscalls.X32 or Numbers == syscalls.Arm64;
    const changed: []const [2][]const u8 = if (has64)
        &.{ .{ "fstatat64", "newfstatat" }, .{ "sysctl", "_sysctl" } }
    else
        &.{ .{ "llseek", "_llseek" }, .{ "newselect", "_newselect" }, .{ "sysctl", "_sysctl" } };
    const arm: []const [2][]const u8 = &.{ .{ "fadvise64_64", "arm_fadvise64_64" }, .{ "sync_file_range", "arm_sync_file_range" } };
    for (changed) |each| if (std.mem.eql(u8, name, each[0])) return each[1];
    if (Numbers == syscalls.Arm) for (arm) |each| if (std.mem.eql(u8, name, each[0])) return each[1];
    return name;
}

/// A call of i386 that is many: the first argument says which. The rest of them lie in memory, where no filter looks.
pub const Bundle = struct {
    name: []const u8,
    /// Of the first argument.
    mask: u64,
    members: []const Member,

    pub const Member = struct { name: []const u8, value: u32 };
};

/// linux/net.h's SYS_*, linux/ipc.h.
pub const bundles = [_]Bundle{
    .{ .name = "socketcall", .mask = 0xffff_ffff, .members = &.{
        .{ .name = "socket", .value = 1 },      .{ .name = "bind", .value = 2 },        .{ .name = "connect", .value = 3 },
        .{ .name = "listen", .value = 4 },      .{ .name = "accept", .value = 5 },      .{ .name = "getsockname", .value = 6 },
        .{ .name = "getpeername", .value = 7 }, .{ .name = "socketpair", .value = 8 },  .{ .name = "send", .value = 9 },
        .{ .name = "recv", .value = 10 },       .{ .name = "sendto", .value = 11 },     .{ .name = "recvfrom", .value = 12 },
        .{ .name = "shutdown", .value = 13 },   .{ .name = "setsockopt", .value = 14 }, .{ .name = "getsockopt", .value = 15 },
        .{ .name = "sendmsg", .value = 16 },    .{ .name = "recvmsg", .value = 17 },    .{ .name = "accept4", .value = 18 },
        .{ .name = "recvmmsg", .value = 19 },   .{ .name = "sendmmsg", .value = 20 },
    } },
    // Its upper half is a version.
    .{ .name = "ipc", .mask = 0xffff, .members = &.{
        .{ .name = "semop", .value = 1 },      .{ .name = "semget", .value = 2 },  .{ .name = "semctl", .value = 3 },
        .{ .name = "semtimedop", .value = 4 }, .{ .name = "msgsnd", .value = 11 }, .{ .name = "msgrcv", .value = 12 },
        .{ .name = "msgget", .value = 13 },    .{ .name = "msgctl", .value = 14 }, .{ .name = "shmat", .value = 21 },
        .{ .name = "shmdt", .value = 22 },     .{ .name = "shmget", .value = 23 }, .{ .name = "shmctl", .value = 24 },
    } },
};

test "calls are known by the names that profiles have for them" {
    const cases = [_]struct { Abi, []const u8, u32 }{
        .{ .x86_64, "newfstatat", 262 },     .{ .x86_64, "umount2", 166 },          .{ .x86_64, "io_uring_setup", 425 },
        .{ .x86_64, "open_tree_attr", 467 }, .{ .i386, "_llseek", 140 },            .{ .i386, "fstatat64", 300 },
        .{ .i386, "socketcall", 102 },       .{ .x32, "execve", x32_bit | 520 },    .{ .x32, "newfstatat", x32_bit | 262 },
        .{ .aarch64, "newfstatat", 79 },     .{ .arm, "arm_sync_file_range", 341 }, .{ .arm, "set_tls", 0xf0005 },
    };
    for (cases) |case| {
        var table = case[0].calls();
        const number = while (table.next()) |call| {
            if (std.mem.eql(u8, call.name, case[1])) break call.number;
        } else null;
        try std.testing.expectEqual(case[2], number);
    }
    for (std.enums.values(Abi)) |abi| {
        var table = abi.calls();
        var last: i64 = -1;
        while (table.next()) |call| : (last = call.number) try std.testing.expect(call.number > last);
    }
}
