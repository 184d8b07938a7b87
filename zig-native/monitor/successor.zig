//! What the monitor becomes when its work is done and no client sees to what is left: rt itself, out of the descriptor that the
//! client handed us of its own executable. It writes down the exit, removes a container of --rm, or starts the program again,
//! and needs none of our other processes alive. Where it cannot be had, the next command of rt does the same.
const std = @import("std");
const linux = std.os.linux;
const request = @import("../wire/request.zig");
const signals = @import("../linux/signals.zig");

/// The executable, where the request has a successor; never the stage's.
pub const executable = 3;

/// Where rt finds the lock.
const lock_kept = 4;

const words_max = 32;
const bytes_max = 16 * 1024;
const close_range_cloexec = 4;
const Words = [words_max:null]?[*:0]const u8;

/// The request's memory does not last as long as we do: kept here. Only what is used of it is ever touched.
var bytes: [bytes_max]u8 = undefined;

pub const Successor = struct {
    conclude: Words = @splat(null),
    restart: Words = @splat(null),
    environment: Words = @splat(null),
    kept: usize = 0,

    /// Null when it is larger than any of ours: the next command sees to the end then.
    pub fn of(wanted: request.Successor) ?Successor {
        var successor: Successor = .{};
        successor.keep(&successor.conclude, wanted.conclude) catch return null;
        successor.keep(&successor.restart, wanted.restart) catch return null;
        successor.keep(&successor.environment, wanted.environment) catch return null;
        return successor;
    }

    /// In a stage, whose memory is a copy of ours.
    pub fn forget(self: *const Successor) void {
        @memset(bytes[0..self.kept], 0);
    }

    fn keep(self: *Successor, into: *Words, words: []const []const u8) error{TooLarge}!void {
        if (words.len > words_max) return error.TooLarge;
        for (words, 0..) |word, index| {
            if (word.len >= bytes_max - self.kept) return error.TooLarge;
            @memcpy(bytes[self.kept..][0..word.len], word);
            bytes[self.kept + word.len] = 0;
            into[index] = bytes[self.kept .. self.kept + word.len :0];
            self.kept += word.len + 1;
        }
    }

    /// Answers only when that failed. The lock is let go: nobody looks after the container any more, and all is written.
    pub fn toConclude(self: *const Successor) void {
        if (closeAll()) become(&self.conclude, &self.environment);
    }

    /// Answers only when that failed. The lock goes on being held, by rt.
    pub fn toRestart(self: *const Successor, lock: i32) void {
        // The executable is made inheritable by nobody: the lock is, once all else is not.
        const kept = linux.fcntl(lock, linux.F.DUPFD_CLOEXEC, lock_kept + 1);
        if (linux.errno(kept) != .SUCCESS or !closeAll()) return;
        if (linux.errno(linux.dup3(@intCast(kept), lock_kept, 0)) != .SUCCESS) return;
        become(&self.restart, &self.environment);
    }
};

/// 0-2 are the null device, and nothing else of ours outlives the exec.
fn closeAll() bool {
    const opened = linux.open("/dev/null", .{ .ACCMODE = .RDWR, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return false;
    // A client's 1 may be free, and this be it.
    const nothing = linux.fcntl(@intCast(opened), linux.F.DUPFD_CLOEXEC, executable + 1);
    if (linux.errno(nothing) != .SUCCESS) return false;
    for (0..3) |number| if (linux.errno(linux.dup3(@intCast(nothing), @intCast(number), 0)) != .SUCCESS) return false;
    _ = linux.syscall3(.close_range, 3, std.math.maxInt(i32), close_range_cloexec);
    return true;
}

fn become(arguments: *const Words, environment: *const Words) void {
    signals.reset();
    _ = linux.execveat(executable, "", arguments, environment, .{ .SYMLINK_NOFOLLOW = false, .EMPTY_PATH = true });
}

test "words are kept, ended by a NUL, and bounded" {
    const kept = Successor.of(.{ .conclude = &.{ "rt", "", "conclude" }, .restart = &.{}, .environment = &.{"RT_APP=0"} }).?;
    for ([_][]const u8{ "rt", "", "conclude" }, kept.conclude[0..3]) |wanted, got| {
        try std.testing.expectEqualStrings(wanted, std.mem.span(got.?));
    }
    try std.testing.expectEqual(null, kept.conclude[3]);
    try std.testing.expectEqualStrings("RT_APP=0", std.mem.span(kept.environment[0].?));
    const long = "x" ** bytes_max;
    try std.testing.expectEqual(null, Successor.of(.{ .conclude = &.{long}, .restart = &.{}, .environment = &.{} }));
    try std.testing.expectEqual(null, Successor.of(.{ .conclude = &(.{"x"} ** (words_max + 1)), .restart = &.{}, .environment = &.{} }));
    try std.testing.expect(Successor.of(.{ .conclude = &.{}, .restart = &.{long[1..]}, .environment = &.{} }) != null);
}
