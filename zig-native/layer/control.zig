//! What the caller says on standard input, one byte each: see the protocol in layer.zig.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");

/// Read by one thread at a time: the one that inflates while there is a stream, the main one after it.
pub const Control = struct {
    complete: bool = false,
    parents: bool = false,

    /// Wait for the next word(s). The caller's death is the end of us.
    pub fn next(self: *Control) void {
        var words: [4096]u8 = undefined;
        const got = linux.read(0, &words, words.len);
        switch (linux.errno(got)) {
            .SUCCESS => {},
            .INTR => return,
            else => |e| report.failErrno(e, "cannot read from the caller", .{}),
        }
        if (got == 0) report.fail(.request, "the caller went away", .{});
        for (words[0..got]) |word| switch (word) {
            '.' => {},
            '$' => self.complete = true,
            'p' => self.parents = true,
            else => report.fail(.request, "unknown control byte {d}", .{word}),
        };
    }

    pub fn awaitParents(self: *Control) void {
        while (!self.parents) self.next();
    }

    pub fn awaitComplete(self: *Control) void {
        while (!self.complete) self.next();
    }
};
