//! What a caller may have taken away that the runtime cannot do without. It would end with a banner of its own, or without
//! a word; here that is one line which names the limit.
const std = @import("std");
const linux = std.os.linux;
const clone = @import("../linux/clone.zig");
const machine = @import("machine.zig");
const say = @import("say.zig");

/// Memory that the runtime reserves in its first milliseconds, measured with the JIT's share as environment.zig sets it.
const memory_bytes = 320 << 20;
const stack_bytes_min = 256 << 10;
/// What is written before the engine itself can tell: its library of system calls, and less than that.
const file_bytes_min = 512 << 10;

pub fn check(auxiliary: [*]const [2]usize) void {
    // A file with the set-user-ID bit, or with capabilities, would act for whoever calls it.
    if ((machine.value(auxiliary, std.elf.AT_SECURE) orelse 0) != 0)
        say.die(&.{"this file has a set-user-ID or set-group-ID bit or capabilities, with which rt does not run: chmod ug-s, setcap -r"});
    checkLimits();
    checkMemory();
    checkCalls();
    checkProcesses();
    checkNamespace();
    checkThreads();
}

fn checkLimits() void {
    if (limit(.STACK) < stack_bytes_min) tooSmall("stack size", "-s", stack_bytes_min);
    if (limit(.FSIZE) < file_bytes_min) tooSmall("file size", "-f", file_bytes_min);
}

/// One mapping meets the limits on address space and data and the kernel's own account, where that is strict; elsewhere the
/// runtime reserves more than a small machine has, and never touches it. It is writable and executable, as the JIT's is: that
/// service managers (MemoryDenyWriteExecute) and security modules may refuse.
fn checkMemory() void {
    const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
    const mapped = linux.mmap(null, memory_bytes, .{ .READ = true, .WRITE = true, .EXEC = true }, flags, -1, 0);
    switch (linux.errno(mapped)) {
        .SUCCESS => {
            _ = linux.munmap(@ptrFromInt(mapped), memory_bytes);
            return;
        },
        .ACCES, .PERM => say.die(
            &.{
                "cannot start: memory that is writable and executable is refused (MemoryDenyWriteExecute?), and rt's JavaScript engine " ++
                    "needs it",
            },
        ),
        else => {},
    }
    if (limit(.AS) < 2 * memory_bytes) tooSmall("address space", "-v", 2 * memory_bytes);
    if (limit(.DATA) < 2 * memory_bytes) tooSmall("data size", "-d", 2 * memory_bytes);
    say.die(&.{"cannot start: the kernel does not lend 320 MB of memory: free some, or see vm.overcommit_memory"});
}

/// A filter of the caller's may refuse what every runtime takes for granted.
fn checkCalls() void {
    close(linux.eventfd(0, linux.EFD.CLOEXEC), "eventfd2(2)");
    close(linux.epoll_create1(linux.EPOLL.CLOEXEC), "epoll_create1(2)");
    var byte: [1]u8 = undefined;
    _ = say.check(linux.getrandom(&byte, 1, 0), "getrandom(2)");
    // No thread can be made with no arguments: what is allowed answers EINVAL, and where it does not exist there is clone(2).
    switch (linux.errno(linux.syscall2(.clone3, 0, 0))) {
        .INVAL, .NOSYS, .FAULT => {},
        else => |errno| _ = say.check(@bitCast(-@as(isize, @intFromEnum(errno))), "clone3(2)"),
    }
}

/// A process whose children go to another pid namespace than its own can make no thread (EINVAL): what "unshare --pid" without
/// --fork leaves behind. The second link has no target before there is a process 1, and names the other namespace after.
fn checkNamespace() void {
    var buffers: [2][64]u8 = undefined;
    const own = linkOf("/proc/self/ns/pid", &buffers[0]) orelse return;
    const children = linkOf("/proc/self/ns/pid_for_children", &buffers[1]) orelse "";
    if (!std.mem.eql(u8, own, children))
        say.die(&.{"cannot start threads here: children of this process belong to another pid namespace: unshare --pid wants --fork too"});
}

fn linkOf(path: [*:0]const u8, buffer: []u8) ?[]u8 {
    const length = linux.readlink(path, buffer.ptr, buffer.len);
    return if (linux.errno(length) == .SUCCESS) buffer[0..length] else null;
}

/// What the runtime makes before it could tell of anything.
const threads_first = 5;

/// Is there room for them in what our user may have? How many that are cannot be read, so the kernel is asked, with a limit that
/// is lower by all but one of them. (It knows who is exempt.)
fn checkProcesses() void {
    const own = limits(.NPROC);
    const lower: linux.rlimit = .{ .cur = own.cur -| (threads_first - 1), .max = own.max };
    _ = linux.prlimit(0, .NPROC, &lower, null);
    const refusal = clone.refusal();
    _ = linux.prlimit(0, .NPROC, &own, null);
    if (refusal == .AGAIN)
        say.die(&.{"cannot start: there is no room for another process or thread (EAGAIN): see ulimit -u and kernel.threads-max"});
}

/// Is there room for them in our control group and those above it? Looked up, for trying it costs: threads that have just
/// ended make the runtime's membarrier(2) wait for every processor, 10 ms, and processes wait for their turn on a busy one.
fn checkThreads() void {
    var buffer: [4096]u8 = undefined;
    const groups = contents("/proc/self/cgroup", &buffer) orelse return;
    var lines = std.mem.splitScalar(u8, groups, '\n');
    while (lines.next()) |line| {
        var fields = std.mem.splitScalar(u8, line, ':');
        _ = fields.next();
        const controllers = fields.next() orelse continue;
        const group = fields.rest();
        if (controllers.len == 0) checkGroups("/sys/fs/cgroup", group);
        if (std.mem.eql(u8, controllers, "pids")) checkGroups("/sys/fs/cgroup/pids", group);
    }
}

/// `group` and those above, but not the root, which has no limit.
fn checkGroups(hierarchy: []const u8, group: []const u8) void {
    var rest = group;
    while (rest.len > 1) : (rest = rest[0 .. std.mem.lastIndexOfScalar(u8, rest, '/') orelse 0]) {
        const most = numberIn(hierarchy, rest, "/pids.max") orelse continue; // "max", or none
        const now = numberIn(hierarchy, rest, "/pids.current") orelse continue;
        if (now + threads_first > most)
            say.die(&.{"cannot start: there is no room for another process or thread (EAGAIN): see pids.max of the cgroup"});
    }
}

fn numberIn(hierarchy: []const u8, group: []const u8, file: []const u8) ?u64 {
    var path: [1024]u8 = undefined;
    var used: usize = 0;
    for ([_][]const u8{ hierarchy, group, file }) |part| {
        if (part.len >= path.len - used) return null;
        @memcpy(path[used..][0..part.len], part);
        used += part.len;
    }
    path[used] = 0;
    var digits: [32]u8 = undefined;
    const text = contents(path[0..used :0], &digits) orelse return null;
    return std.fmt.parseInt(u64, std.mem.trimEnd(u8, text, "\n"), 10) catch null;
}

/// As much of a file as the buffer holds; null where it cannot be read.
fn contents(path: [*:0]const u8, buffer: []u8) ?[]u8 {
    const opened = linux.open(path, .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(opened));
    const length = linux.read(@intCast(opened), buffer.ptr, buffer.len);
    return if (linux.errno(length) == .SUCCESS) buffer[0..length] else null;
}

fn close(result: usize, what: []const u8) void {
    _ = linux.close(@intCast(say.check(result, what)));
}

/// The soft one: what counts.
fn limit(resource: linux.rlimit_resource) u64 {
    return limits(resource).cur;
}

fn limits(resource: linux.rlimit_resource) linux.rlimit {
    var found: linux.rlimit = undefined;
    _ = say.check(linux.prlimit(0, resource, null, &found), "prlimit64(2)");
    return found;
}

fn tooSmall(what: []const u8, flag: []const u8, needed: u64) noreturn {
    var digits: [20]u8 = undefined;
    const length = say.decimal(&digits, needed >> 10);
    say.die(&.{ "cannot start: the limit on ", what, " is too small: ulimit ", flag, " ", digits[0..length], ", or more" });
}
