//! What the kernel leaves on a new program's stack, turned into what it would have left for ld.so.
const std = @import("std");
const app = @import("app.zig");
const detour = @import("detour.zig");
const environment = @import("environment.zig");
const loader = @import("loader.zig");
const machine = @import("machine.zig");

/// argc, argv…, 0, envp…, 0, pairs of the auxiliary vector.
pub const Block = struct {
    stack: [*]usize,
    envp: [*]usize,
    auxiliary: [*]const [2]usize,

    pub fn find(stack: [*]usize) Block {
        const envp = stack + 1 + stack[0] + 1;
        var end: usize = 0;
        while (envp[end] != 0) end += 1;
        return .{ .stack = stack, .envp = envp, .auxiliary = @ptrCast(envp + end + 1) };
    }

    pub fn pageSize(block: Block) usize {
        return machine.value(block.auxiliary, std.elf.AT_PAGESZ) orelse 4096;
    }

    /// The new block begins where the old one did and is shorter by the variables that are taken out; where one is added
    /// it begins lower, by its pointer and its text, which goes to the end. It is written forwards, and never ahead of
    /// where it is read.
    pub fn rebuild(block: Block, added: ?[:0]const u8, interpreter: loader.Interpreter) [*]usize {
        const new = if (added != null) block.stack - added_words else block.stack;
        var out = new;
        for (0..1 + block.stack[0] + 1) |index| append(&out, block.stack[index]);
        var entry = block.envp;
        while (entry[0] != 0) : (entry += 1) {
            if (environment.passes(@ptrFromInt(entry[0]))) append(&out, entry[0]);
        }
        const place = out;
        if (added != null) append(&out, 0);
        append(&out, 0);
        var at: usize = 0;
        while (true) : (at += 1) {
            const key, const original = block.auxiliary[at];
            append(&out, key);
            append(&out, switch (key) {
                std.elf.AT_PHDR => interpreter.program_headers,
                std.elf.AT_PHNUM => interpreter.program_header_count,
                std.elf.AT_ENTRY => @intFromPtr(&detour.finish),
                std.elf.AT_BASE => interpreter.base,
                else => original,
            });
            if (key == std.elf.AT_NULL) break;
        }
        if (added) |text| {
            @memcpy(@as([*]u8, @ptrCast(out)), text[0 .. text.len + 1]);
            place[0] = @intFromPtr(out);
        }
        return new;
    }

    /// A pointer and the longest text; even, for the stack is aligned to 16 bytes.
    const added_words = std.mem.alignForward(usize, 1 + (app.value_size_max + 7) / 8, 2);

    fn append(out: *[*]usize, word: usize) void {
        out.*[0] = word;
        out.* += 1;
    }
};

test "a block is rebuilt in place: variables taken out, one added, the auxiliary vector rewritten" {
    const interpreter: loader.Interpreter = .{ .base = 0x1000, .entry = 0x1100, .program_headers = 0x88, .program_header_count = 9 };
    const kept = @intFromPtr("PATH=/bin");
    const auxiliary = [_]usize{ std.elf.AT_PHDR, 1, std.elf.AT_PAGESZ, 16384, std.elf.AT_PHNUM, 2, std.elf.AT_BASE, 0, std.elf.AT_ENTRY, 3, std.elf.AT_NULL, 0 };
    const rewritten = [_]usize{ std.elf.AT_PHDR, 0x88, std.elf.AT_PAGESZ, 16384, std.elf.AT_PHNUM, 9, std.elf.AT_BASE, 0x1000, std.elf.AT_ENTRY, @intFromPtr(&detour.finish), std.elf.AT_NULL, 0 };
    for ([_]?[:0]const u8{ null, "RT_PACKED=1,2", "RT_PACKED=18446744073709551615,18446744073709551615" }) |added| {
        for ([_]usize{ @intFromPtr("BUN_BE_BUN=1"), kept }) |second| {
            const below = [_]usize{0} ** Block.added_words;
            var words = below ++ [_]usize{ 1, 0xa0, 0, kept, second, 0 } ++ auxiliary;
            const block: Block = .find(words[below.len..]);
            try std.testing.expectEqual(16384, block.pageSize());
            const new = block.rebuild(added, interpreter);
            try std.testing.expectEqualSlices(usize, &.{ 1, 0xa0, 0, kept }, new[0..4]);
            var at: usize = 4;
            if (second == kept) {
                try std.testing.expectEqual(kept, new[at]);
                at += 1;
            }
            if (added) |text| {
                try std.testing.expectEqualStrings(text, std.mem.span(@as([*:0]const u8, @ptrFromInt(new[at]))));
                at += 1;
            }
            try std.testing.expectEqualSlices(usize, &([_]usize{0} ++ rewritten), new[at..][0 .. rewritten.len + 1]);
        }
    }
}

test {
    std.testing.refAllDecls(@This());
}
