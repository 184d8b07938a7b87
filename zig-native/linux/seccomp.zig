//! Filters of system calls: the file that holds one, and loading it. What makes them is in seccomp/.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const bpf = @import("seccomp/bpf.zig");
const interpreter = @import("seccomp/interpreter.zig");
const profile = @import("seccomp/profile.zig");

pub const Action = @import("seccomp/compile.zig").Action;

const set_mode_filter = 1;

/// How a file of a filter begins; its instructions follow, as they lie in memory.
pub const Header = extern struct {
    magic: [4]u8 = "rtF1".*,
    /// SECCOMP_FILTER_FLAG_*
    flags: u32,
};

pub const bytes_max = @sizeOf(Header) + bpf.instructions_max * @sizeOf(bpf.Instruction);

pub const Filter = struct {
    flags: u32,
    instructions: []const bpf.Instruction,

    /// Null: that is none.
    pub fn parse(arena: std.mem.Allocator, bytes: []const u8) error{OutOfMemory}!?Filter {
        if (bytes.len > bytes_max or bytes.len <= @sizeOf(Header) or bytes.len % @sizeOf(bpf.Instruction) != 0) return null;
        const header = std.mem.bytesToValue(Header, bytes[0..@sizeOf(Header)]);
        if (!std.mem.eql(u8, &header.magic, "rtF1")) return null;
        const instructions = try arena.alloc(bpf.Instruction, bytes.len / @sizeOf(bpf.Instruction) - 1);
        @memcpy(std.mem.sliceAsBytes(instructions), bytes[@sizeOf(Header)..]);
        return .{ .flags = header.flags, .instructions = instructions };
    }

    /// For this process and all that it becomes. With no_new_privs anybody may; without, only who has CAP_SYS_ADMIN.
    pub fn load(self: Filter) linux.E {
        const program: Program = .{ .length = @intCast(self.instructions.len), .instructions = self.instructions.ptr };
        return linux.errno(linux.syscall3(.seccomp, set_mode_filter, self.flags, @intFromPtr(&program)));
    }

    /// To a call of this machine's own kind. Null: it is no filter that we have made.
    pub fn answer(self: Filter, call: linux.SYS, arguments: [6]u64) ?Action {
        const arch: u32 = @import("seccomp/calls.zig").here[0].audit();
        const data: bpf.Data = .{ .number = @intCast(@intFromEnum(call)), .arch = arch, .arguments = arguments };
        return @enumFromInt(interpreter.run(self.instructions, &data) orelse return null);
    }
};

/// struct sock_fprog
const Program = extern struct { length: u16, instructions: [*]const bpf.Instruction };

pub const flag_log = profile.flag_log;

/// Which of these flags this kernel knows. Null: it has no filters.
pub fn known(flags: u32) ?u32 {
    var some = flags;
    for ([_]u32{ 0, profile.flag_spec_allow, profile.flag_log }) |without| {
        some &= ~without;
        // It reads the program once it knows the flags.
        if (linux.errno(linux.syscall3(.seccomp, set_mode_filter, some, 0)) == .FAULT) return some;
    }
    return null;
}

test "a file of a filter" {
    var memory: [4096]u8 align(8) = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const arena = fixed.allocator();
    const Whole = extern struct { header: Header, instruction: bpf.Instruction };
    const whole: Whole = .{ .header = .{ .flags = 4 }, .instruction = .{ .code = bpf.answer, .operand = 0x7fff_0000 } };
    const bytes = std.mem.asBytes(&whole);
    const filter = (try Filter.parse(arena, bytes)).?;
    try std.testing.expectEqual(4, filter.flags);
    try std.testing.expectEqual(Action.allow, filter.answer(.execve, @splat(0)));
    for ([_][]const u8{ "", bytes[0..8], bytes[0..15], bytes ++ "1234567", "RTF1" ++ bytes[4..] }) |bad| {
        try std.testing.expectEqual(null, try Filter.parse(arena, bad));
    }
}

test {
    _ = @import("seccomp/oracle.zig");
}
