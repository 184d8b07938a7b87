//! Starts the static helpers (rt-monitor, rt-layer) out of the multi-threaded Bun process: clone(CLONE_VM|CLONE_VFORK) and
//! execveat on a sealed memfd. Nothing is copied, no file of ours is on a path that anybody could replace, and the helper's
//! own executable cannot be written (CVE-2019-5736).
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../linux/answer.zig");
const signals = @import("../linux/signals.zig");
const wait = @import("../linux/wait.zig");

const close_range_cloexec = 4;
/// More than any helper is started with.
pub const descriptors_max = 16;

const Child = struct {
    executable: i32,
    arguments: [*:null]const ?[*:0]const u8,
    descriptors: []const i32,
    errno: linux.E = .SUCCESS,
};

/// Execute the file `executable` (a descriptor) as `name role`, in a session of its own, in "/", with an empty environment and
/// `descriptors` as its 0, 1, 2 …, and nothing else open. Answers its pid or -errno.
pub fn spawn(executable: i32, name: [*:0]const u8, role: [*:0]const u8, descriptors: []const i32) i32 {
    // The child borrows our memory until it executes: it must not run a signal handler of Bun's meanwhile.
    var all = linux.sigfillset();
    var before: linux.sigset_t = undefined;
    _ = linux.sigprocmask(linux.SIG.BLOCK, &all, &before);
    defer _ = linux.sigprocmask(linux.SIG.SETMASK, &before, null);
    const arguments = [_:null]?[*:0]const u8{ name, role };
    var child: Child = .{ .executable = executable, .arguments = &arguments, .descriptors = descriptors };
    var stack: [32 * 1024]u8 align(16) = undefined;
    const flags = linux.CLONE.VM | linux.CLONE.VFORK | @as(u32, @intFromEnum(linux.SIG.CHLD));
    const pid = linux.clone(run, @intFromPtr(&stack) + stack.len, flags, @intFromPtr(&child), null, 0, null);
    if (linux.errno(pid) != .SUCCESS) return answer.of(pid);
    if (child.errno == .SUCCESS) return @intCast(pid);
    var status: u32 = undefined;
    _ = wait.reap(@intCast(pid), &status);
    return answer.code(child.errno);
}

/// In the child, on the parent's memory: only system calls.
fn run(argument: usize) callconv(.c) u8 {
    const child: *Child = @ptrFromInt(argument);
    child.errno = execute(child);
    return 127;
}

fn execute(child: *const Child) linux.E {
    signals.reset(); // what Bun ignores (SIGPIPE) would stay ignored in every container
    _ = linux.setsid();
    // A debugger's `setarch -R` is for its child: what we start has its addresses at random again.
    _ = linux.syscall1(.personality, 0);
    if (linux.errno(linux.chdir("/")) != .SUCCESS) return .NOENT;
    // First above everything that they will become, then down: a descriptor may be the number another one must become.
    const count = child.descriptors.len;
    const file = linux.fcntl(child.executable, linux.F.DUPFD_CLOEXEC, count);
    if (linux.errno(file) != .SUCCESS) return linux.errno(file);
    var high: [descriptors_max]i32 = undefined;
    for (child.descriptors, 0..) |fd, slot| {
        const result = linux.fcntl(fd, linux.F.DUPFD_CLOEXEC, count);
        if (linux.errno(result) != .SUCCESS) return linux.errno(result);
        high[slot] = @intCast(result);
    }
    for (high[0..count], 0..) |fd, slot| {
        const result = linux.dup3(fd, @intCast(slot), 0);
        if (linux.errno(result) != .SUCCESS) return linux.errno(result);
    }
    // The flag by number: std's struct of flags is a bit off.
    _ = linux.syscall3(.close_range, child.descriptors.len, std.math.maxInt(i32), close_range_cloexec);
    const empty = [_:null]?[*:0]const u8{};
    return linux.errno(linux.execveat(@intCast(file), "", child.arguments, &empty, .{ .SYMLINK_NOFOLLOW = false, .EMPTY_PATH = true }));
}

/// execveat(2) of `executable` in this very process. The kernel says how many words are too many.
pub fn replace(executable: i32, arguments: [*]const u8, argument_count: u32, environment: [*]const u8, variable_count: u32) i32 {
    const pointers = std.heap.page_allocator.alloc(?[*:0]const u8, argument_count + variable_count + 2) catch return answer.code(.NOMEM);
    defer std.heap.page_allocator.free(pointers);
    const words = pointers[0 .. argument_count + 1];
    const variables = pointers[argument_count + 1 ..];
    split(arguments, words);
    split(environment, variables);
    return answer.of(
        linux.execveat(executable, "", @ptrCast(words), @ptrCast(variables), .{ .SYMLINK_NOFOLLOW = false, .EMPTY_PATH = true }),
    );
}

/// execve(2) of `path` in this very process, in a mount namespace of its own: what is mounted in there nobody else sees, while
/// what the host mounts shows. The runtime ignores SIGPIPE, which its caller does not mean for the program.
pub fn replaceApart(path: [*:0]const u8, arguments: [*]const u8, argument_count: u32, environment: [*]const u8, variable_count: u32) i32 {
    const pointers = std.heap.page_allocator.alloc(?[*:0]const u8, argument_count + variable_count + 2) catch return answer.code(.NOMEM);
    defer std.heap.page_allocator.free(pointers);
    split(arguments, pointers[0 .. argument_count + 1]);
    split(environment, pointers[argument_count + 1 ..]);
    const apart = linux.unshare(linux.CLONE.NEWNS);
    if (linux.errno(apart) != .SUCCESS) return answer.of(apart);
    const alone = linux.mount(null, "/", null, linux.MS.REC | linux.MS.SLAVE, 0);
    if (linux.errno(alone) != .SUCCESS) return answer.of(alone);
    signals.act(.PIPE, linux.SIG.DFL);
    return answer.of(linux.execve(path, @ptrCast(pointers.ptr), @ptrCast(pointers.ptr + argument_count + 1)));
}

/// As many as there is room for, but for the null at the end.
fn split(block: [*]const u8, out: []?[*:0]const u8) void {
    var rest = block;
    for (out[0 .. out.len - 1]) |*slot| {
        const text: [*:0]const u8 = @ptrCast(rest);
        slot.* = text;
        rest += std.mem.len(text) + 1;
    }
    out[out.len - 1] = null;
}

test split {
    var out: [4]?[*:0]const u8 = undefined;
    split("rt\x00\x00quiet\x00", &out);
    for ([_][]const u8{ "rt", "", "quiet" }, out[0..3]) |wanted, got| try std.testing.expectEqualStrings(wanted, std.mem.span(got.?));
    try std.testing.expectEqual(@as(?[*:0]const u8, null), out[3]);
}
