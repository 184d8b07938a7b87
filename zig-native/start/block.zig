//! What the kernel leaves on a new program's stack, turned into what it would have left for ld.so.
const std = @import("std");
const detour = @import("detour.zig");
const environment = @import("environment.zig");
const loader = @import("loader.zig");
const machine = @import("machine.zig");
const say = @import("say.zig");

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

    /// The new block begins lower than the old one by what is added to it, and is shorter by the variables that are taken
    /// out. It is written forwards, and never ahead of where it is read; the added variables' text goes to the end.
    pub fn rebuild(block: Block, added: []const [:0]const u8, interpreter: loader.Interpreter) [*]usize {
        const new = block.stack - wordsOf(added);
        var out = new;
        for (0..1 + block.stack[0] + 1) |index| append(&out, block.stack[index]);
        const first = out;
        var entry = block.envp;
        while (entry[0] != 0) : (entry += 1) {
            const text: [*:0]const u8 = @ptrFromInt(entry[0]);
            if (!environment.passes(text) or environment.isAmong(text, first[0 .. out - first])) continue;
            if (out - first == environment.count_max) say.die(
                &.{"cannot start: the environment has too many variables of rt's (RT_, DOCKER_, XDG_)"},
            );
            append(&out, entry[0]);
        }
        const places = out;
        for (added) |_| append(&out, 0);
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
        for (added, places) |text, *place| {
            @memcpy(@as([*]u8, @ptrCast(out)), text[0 .. text.len + 1]);
            place.* = @intFromPtr(out);
            out += wordsOfText(text);
        }
        return new;
    }

    /// A pointer and the text of each; even, for the stack is aligned to 16 bytes.
    fn wordsOf(added: []const [:0]const u8) usize {
        var words: usize = 0;
        for (added) |text| words += 1 + wordsOfText(text);
        return std.mem.alignForward(usize, words, 2);
    }

    fn wordsOfText(text: [:0]const u8) usize {
        return (text.len + 1 + 7) / 8;
    }

    fn append(out: *[*]usize, word: usize) void {
        out.*[0] = word;
        out.* += 1;
    }
};

test "a block is rebuilt in place: variables taken out, some added, the auxiliary vector rewritten" {
    const interpreter: loader.Interpreter = .{ .base = 0x1000, .entry = 0x1100, .program_headers = 0x88, .program_header_count = 9 };
    const kept = @intFromPtr("PATH=/bin");
    const auxiliary = [_]usize{
        std.elf.AT_PHDR,
        1,
        std.elf.AT_PAGESZ,
        16384,
        std.elf.AT_PHNUM,
        2,
        std.elf.AT_BASE,
        0,
        std.elf.AT_ENTRY,
        3,
        std.elf.AT_NULL,
        0,
    };
    const rewritten = [_]usize{
        std.elf.AT_PHDR,
        0x88,
        std.elf.AT_PAGESZ,
        16384,
        std.elf.AT_PHNUM,
        9,
        std.elf.AT_BASE,
        0x1000,
        std.elf.AT_ENTRY,
        @intFromPtr(&detour.finish),
        std.elf.AT_NULL,
        0,
    };
    const additions = [_][]const [:0]const u8{ &.{}, &.{"RT_PACKED=1,2"}, &.{
        "RT_PACKED=18446744073709551615,18446744073709551615",
        "X=1",
    }, &.{ "A=1234567", "B=12345678", "C=" } };
    for (additions) |added| {
        // What is refused; what is allowed; what comes a second time, and does not count.
        for ([_]usize{ @intFromPtr("BUN_BE_BUN=1"), @intFromPtr("RT_ROOT=/x"), @intFromPtr("PATH=/other") }, 0..) |second, case| {
            const below = [_]usize{0} ** 32;
            var words = below ++ [_]usize{ 1, 0xa0, 0, kept, second, 0 } ++ auxiliary;
            const block: Block = .find(words[below.len..]);
            try std.testing.expectEqual(16384, block.pageSize());
            const new = block.rebuild(added, interpreter);
            try std.testing.expectEqual(0, (@intFromPtr(block.stack) - @intFromPtr(new)) % 16);
            try std.testing.expectEqualSlices(usize, &.{ 1, 0xa0, 0, kept }, new[0..4]);
            var at: usize = 4;
            if (case == 1) {
                try std.testing.expectEqual(second, new[at]);
                at += 1;
            }
            for (added) |text| {
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
