//! Starts the static helpers (rt-monitor, rt-layer) out of the multi-threaded Bun process: clone(CLONE_VM|CLONE_VFORK) and
//! execveat on a sealed memfd. Nothing is copied, no file of ours is on a path that anybody could replace, and the helper's
//! own executable cannot be written (CVE-2019-5736).
const std = @import("std");
const linux = std.os.linux;

const mfd_noexec_seal = 0x8;
const mfd_exec = 0x10;
const f_add_seals = 1033;
const f_dupfd_cloexec = 1030;
const close_range_cloexec = 4;
/// More than any helper is started with.
pub const descriptors_max = 16;
const seals = 0x1 | 0x2 | 0x4 | 0x8; // F_SEAL_SEAL | SHRINK | GROW | WRITE

/// A sealed, close-on-exec memfd with `bytes`. `executable`: may be executed; where vm.memfd_noexec=2 forbids that, an
/// unlinked file in `directory` takes its place. Answers the descriptor or -errno.
pub fn sealedFile(name: [*:0]const u8, bytes: []const u8, executable: bool, directory: [*:0]const u8) i32 {
    const common = linux.MFD.CLOEXEC | linux.MFD.ALLOW_SEALING;
    var fd = linux.memfd_create(name, common | @as(u32, if (executable) mfd_exec else mfd_noexec_seal));
    // Before Linux 6.3 neither flag is known, and every memfd is executable.
    if (linux.errno(fd) == .INVAL) fd = linux.memfd_create(name, common);
    if (linux.errno(fd) == .ACCES and executable) return unlinkedFile(bytes, directory);
    if (linux.errno(fd) != .SUCCESS) return negative(fd);
    const result = fill(@intCast(fd), bytes);
    if (result != 0) return result;
    const sealed = linux.fcntl(@intCast(fd), f_add_seals, seals);
    if (linux.errno(sealed) != .SUCCESS) {
        _ = linux.close(@intCast(fd));
        return negative(sealed);
    }
    return @intCast(fd);
}

fn unlinkedFile(bytes: []const u8, directory: [*:0]const u8) i32 {
    const writer = linux.openat(linux.AT.FDCWD, directory, .{ .ACCMODE = .RDWR, .TMPFILE = true, .DIRECTORY = true, .CLOEXEC = true }, 0o500);
    if (linux.errno(writer) != .SUCCESS) return negative(writer);
    const result = fill(@intCast(writer), bytes);
    if (result != 0) return result;
    // Executing needs that nobody has it open for writing.
    var path: [32]u8 = undefined;
    const self = std.fmt.bufPrintZ(&path, "/proc/self/fd/{d}", .{writer}) catch return -@as(i32, @intFromEnum(linux.E.NAMETOOLONG));
    // Says no for a directory of a mount with `noexec`, which execve(2) would only say later.
    const executable = linux.access(self, linux.X_OK);
    const reader = linux.openat(linux.AT.FDCWD, self, .{ .CLOEXEC = true }, 0);
    _ = linux.close(@intCast(writer));
    if (linux.errno(reader) != .SUCCESS) return negative(reader);
    if (linux.errno(executable) == .SUCCESS) return @intCast(reader);
    _ = linux.close(@intCast(reader));
    return negative(executable);
}

/// Write all of `bytes`; closes `fd` on failure. Answers 0 or -errno.
fn fill(fd: i32, bytes: []const u8) i32 {
    var rest = bytes;
    while (rest.len > 0) {
        const result = linux.write(fd, rest.ptr, rest.len);
        if (linux.errno(result) == .INTR) continue;
        if (linux.errno(result) != .SUCCESS) {
            _ = linux.close(fd);
            return negative(result);
        }
        rest = rest[result..];
    }
    return 0;
}

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
    if (linux.errno(pid) != .SUCCESS) return negative(pid);
    if (child.errno == .SUCCESS) return @intCast(pid);
    var status: u32 = undefined;
    _ = linux.waitpid(@intCast(pid), &status, 0);
    return -@as(i32, @intFromEnum(child.errno));
}

/// In the child, on the parent's memory: only system calls.
fn run(argument: usize) callconv(.c) u8 {
    const child: *Child = @ptrFromInt(argument);
    child.errno = execute(child);
    return 127;
}

fn execute(child: *const Child) linux.E {
    resetHandlers();
    const none = linux.sigemptyset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &none, null);
    _ = linux.setsid();
    // A debugger's `setarch -R` is for its child: what we start has its addresses at random again.
    _ = linux.syscall1(.personality, 0);
    if (linux.errno(linux.chdir("/")) != .SUCCESS) return .NOENT;
    // First above everything that they will become, then down: a descriptor may be the number another one must become.
    const count = child.descriptors.len;
    const file = linux.fcntl(child.executable, f_dupfd_cloexec, count);
    if (linux.errno(file) != .SUCCESS) return linux.errno(file);
    var high: [descriptors_max]i32 = undefined;
    for (child.descriptors, 0..) |fd, slot| {
        const result = linux.fcntl(fd, f_dupfd_cloexec, count);
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

const words_max = 1024;

/// execveat(2) of `executable` in this very process.
pub fn replace(executable: i32, arguments: [*]const u8, argument_count: u32, environment: [*]const u8, variable_count: u32) i32 {
    if (argument_count > words_max or variable_count > words_max) return -@as(i32, @intFromEnum(linux.E.@"2BIG"));
    var words: [words_max + 1]?[*:0]const u8 = @splat(null);
    split(arguments, argument_count, &words);
    var variables: [words_max + 1]?[*:0]const u8 = @splat(null);
    split(environment, variable_count, &variables);
    return negative(linux.execveat(executable, "", @ptrCast(&words), @ptrCast(&variables), .{ .SYMLINK_NOFOLLOW = false, .EMPTY_PATH = true }));
}

fn split(block: [*]const u8, count: u32, out: *[words_max + 1]?[*:0]const u8) void {
    var rest = block;
    for (out[0..count]) |*slot| {
        const text: [*:0]const u8 = @ptrCast(rest);
        slot.* = text;
        rest += std.mem.len(text) + 1;
    }
}

/// Handlers go away by exec, but what Bun ignores (SIGPIPE) would stay ignored in every container.
fn resetHandlers() void {
    const default: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.DFL }, .mask = linux.sigemptyset(), .flags = 0 };
    inline for (.{ linux.SIG.PIPE, linux.SIG.XFSZ, linux.SIG.INT, linux.SIG.HUP, linux.SIG.QUIT, linux.SIG.TTIN, linux.SIG.TTOU, linux.SIG.TSTP }) |signal| {
        _ = linux.sigaction(signal, &default, null);
    }
}

pub fn negative(result: usize) i32 {
    return -@as(i32, @intFromEnum(linux.errno(result)));
}

test split {
    var out: [words_max + 1]?[*:0]const u8 = @splat(null);
    split("rt-init\x00\x00quiet\x00", 3, &out);
    for ([_][]const u8{ "rt-init", "", "quiet" }, out[0..3]) |wanted, got| try std.testing.expectEqualStrings(wanted, std.mem.span(got.?));
    try std.testing.expectEqual(@as(?[*:0]const u8, null), out[3]);
}
