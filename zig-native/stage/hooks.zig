//! OCI hooks: programs of the host's administrator that are executed at moments of a container's life (config.md, "POSIX-platform
//! Hooks"). Who runs which, and where:
//!
//!   prestart, createRuntime   the client, while the stage waits for it      the host's namespaces
//!   createContainer           the stage, before it changes its root         the container's namespaces, the host's files
//!   startContainer            the process that becomes the program          all as the program has it, its rights too
//!   poststart                 the monitor, once the program runs            the host's
//!   poststop                  whoever sees to the end of the container      the host's
//!
//! A hook gets the container's state on its stdin and nothing else of ours; what it writes is read, and the last line that it wrote
//! to stderr is told where it fails. One that takes too long is ended with its process group. All but poststart's, beside which the
//! monitor does what it always does, are run by `run`; a client has a process of ours do that (both monitor/hook.zig).
const std = @import("std");
const linux = std.os.linux;
const exec = @import("exec.zig");
const fault = @import("../wire/fault.zig");
const request = @import("../wire/request.zig");
const rlimit = @import("../linux/rlimit.zig");
const signals = @import("../linux/signals.zig");
const wait = @import("../linux/wait.zig");

/// Where the container is when hooks of a stage are run, as its state has it.
pub const Status = enum { creating, created, running };

/// What a hook is given: `prefix` ends where the status belongs. `pid`: the container's process as the hook sees it.
pub fn stateText(arena: std.mem.Allocator, prefix: []const u8, status: Status, pid: i32) error{OutOfMemory}![]const u8 {
    return std.fmt.allocPrint(arena, "{s}\"{t}\",\"pid\":{d}}}", .{ prefix, status, pid });
}

/// Execute `hook` and wait for its end. Whoever waits for that is gone when `watched` (-1: nobody can go) is hung up, and the hook is
/// ended then. A failure names the stage and the hook's path.
pub fn run(arena: std.mem.Allocator, stage: []const u8, hook: *const request.Hook, state: []const u8, watched: i32) fault.AllocError!void {
    var running = try Running.start(arena, stage, hook, state);
    while (true) {
        var set: [Running.slots + 1]linux.pollfd = undefined;
        running.fill(set[0..Running.slots]);
        set[Running.slots] = .{ .fd = watched, .events = 0, .revents = 0 };
        const ready = linux.poll(&set, set.len, running.patience());
        const failed = linux.errno(ready) != .SUCCESS and linux.errno(ready) != .INTR;
        if (running.tend(set[0..Running.slots])) |end| return running.conclude(end);
        if (failed or set[Running.slots].revents != 0) return running.abandon();
    }
}

pub const End = union(enum) { status: u32, late, unwanted };

/// A hook that was executed: whoever has it polls what `fill` says, for no longer than `patience`, and has `tend` look at that until it
/// answers an end; that, or `abandon`, is the last.
pub const Running = struct {
    stage: []const u8,
    hook: *const request.Hook,
    /// What it has not been given yet of its state.
    state: []const u8,
    /// Of the monotonic clock.
    due_ms: u64,
    pid: i32,
    pidfd: i32,
    /// -1 once it is closed.
    stdin: i32,
    stdout: i32,
    stderr: i32,
    /// The last that it wrote to stderr.
    tail: [tail_bytes]u8 = undefined,
    length: usize = 0,

    const tail_bytes = 512;
    pub const slots = 4;

    /// What it is made of stays until its end.
    pub fn start(arena: std.mem.Allocator, stage: []const u8, hook: *const request.Hook, state: []const u8) fault.AllocError!Running {
        const program: exec.Program = .{
            .file = try arena.dupeZ(u8, hook.path),
            .arguments = try exec.strings(arena, hook.args, "an argument of a hook"),
            .environment = try exec.strings(arena, hook.env, "an environment variable of a hook"),
            .filter = null,
        };
        // Of one that does not read its state. Where we become the program, all signals are as they should be again (exec.run).
        signals.act(.PIPE, linux.SIG.IGN);
        var pipes: [3][2]i32 = undefined;
        for (&pipes) |*pair| {
            _ = try fault.check(linux.pipe2(pair, .{ .CLOEXEC = true }), .hook, "make a pipe for a hook", .{});
        }
        const ends = [3]i32{ pipes[0][0], pipes[1][1], pipes[2][1] };
        const ours = [3]i32{ pipes[0][1], pipes[1][0], pipes[2][0] };
        const forked = linux.fork();
        const pid: i32 = @intCast(try fault.check(forked, .hook, "start a hook", .{}));
        if (pid == 0) become(program, ends);
        for (ends) |fd| _ = linux.close(fd);
        for (ours) |fd| _ = linux.fcntl(fd, linux.F.SETFL, @as(u32, @bitCast(linux.O{ .NONBLOCK = true })));
        const pidfd = linux.pidfd_open(pid, 0);
        if (linux.errno(pidfd) != .SUCCESS) endGroup(pid);
        return .{
            .stage = stage,
            .hook = hook,
            .state = state,
            .due_ms = now_ms() + hook.timeout,
            .pid = pid,
            .pidfd = @intCast(try fault.check(pidfd, .hook, "pidfd_open", .{})),
            .stdin = ours[0],
            .stdout = ours[1],
            .stderr = ours[2],
        };
    }

    pub fn fill(self: *const Running, set: *[slots]linux.pollfd) void {
        set.* = .{
            .{ .fd = self.pidfd, .events = linux.POLL.IN, .revents = 0 },
            .{ .fd = self.stdin, .events = linux.POLL.OUT, .revents = 0 },
            .{ .fd = self.stdout, .events = linux.POLL.IN, .revents = 0 },
            .{ .fd = self.stderr, .events = linux.POLL.IN, .revents = 0 },
        };
    }

    /// Milliseconds until it will have taken too long.
    pub fn patience(self: *const Running) i32 {
        return @intCast(@min(self.due_ms -| now_ms(), std.math.maxInt(i32)));
    }

    /// Its end, be it by us. What it has started may go on, and have its stdio.
    pub fn tend(self: *Running, set: *const [slots]linux.pollfd) ?End {
        if (set[1].revents != 0) self.feed();
        if (set[2].revents != 0) drain(&self.stdout, null);
        if (set[3].revents != 0) drain(&self.stderr, self);
        if (set[0].revents != 0) return .{ .status = self.reap() };
        if (self.patience() > 0) return null;
        endGroup(self.pid);
        _ = self.reap();
        return .late;
    }

    /// It ends at once, with its group.
    pub fn abandon(self: *Running) fault.Error!void {
        endGroup(self.pid);
        _ = self.reap();
        return self.conclude(.unwanted);
    }

    pub fn conclude(self: *Running, end: End) fault.Error!void {
        defer self.close();
        const line = self.lastLine();
        const colon = if (line.len > 0) ": " else "";
        const path = self.hook.path;
        const status: u32 = switch (end) {
            .status => |status| status,
            .late => {
                const whole = self.hook.timeout % std.time.ms_per_s == 0;
                const unit = if (whole) "s" else "ms";
                const amount = if (whole) self.hook.timeout / std.time.ms_per_s else self.hook.timeout;
                const format = "the {s} hook {s} did not end within {d} {s}{s}{s}";
                return fault.fail(.hook, .SUCCESS, format, .{ self.stage, path, amount, unit, colon, line });
            },
            .unwanted => return fault.fail(.hook, .CONNRESET, "nobody waits for the {s} hook {s} any more", .{ self.stage, path }),
        };
        if (status == 0) return;
        const signal = wait.signal(status);
        const how = if (signal != 0) "was ended by signal" else "failed with exit status";
        const number = if (signal != 0) signal else wait.exitStatus(status);
        return fault.fail(.hook, .SUCCESS, "the {s} hook {s} {s} {d}{s}{s}", .{ self.stage, path, how, number, colon, line });
    }

    /// One that reads nothing of it is not to blame.
    fn feed(self: *Running) void {
        const written = linux.write(self.stdin, self.state.ptr, self.state.len);
        switch (linux.errno(written)) {
            .SUCCESS => self.state = self.state[written..],
            .INTR, .AGAIN => return,
            else => self.state = "",
        }
        if (self.state.len == 0) self.closeOne(&self.stdin);
    }

    fn closeOne(_: *Running, fd: *i32) void {
        if (fd.* >= 0) _ = linux.close(fd.*);
        fd.* = -1;
    }

    /// What is there now, and not what somebody who lives on may write.
    fn drain(fd: *i32, keeper: ?*Running) void {
        var buffer: [4096]u8 = undefined;
        for (0..pipe_reads_max) |_| {
            const count = linux.read(fd.*, &buffer, buffer.len);
            switch (linux.errno(count)) {
                .SUCCESS => {},
                .INTR => continue,
                .AGAIN => return,
                else => break,
            }
            if (count == 0) break;
            if (keeper) |self| self.keep(buffer[0..count]);
        } else return;
        _ = linux.close(fd.*);
        fd.* = -1;
    }

    const pipe_reads_max = 64;

    fn keep(self: *Running, bytes: []const u8) void {
        const fresh = bytes[bytes.len -| tail_bytes..];
        const old = @min(self.length, tail_bytes - fresh.len);
        std.mem.copyForwards(u8, self.tail[0..old], self.tail[self.length - old .. self.length]);
        @memcpy(self.tail[old..][0..fresh.len], fresh);
        self.length = old + fresh.len;
    }

    fn lastLine(self: *const Running) []const u8 {
        const text = std.mem.trimEnd(u8, self.tail[0..self.length], " \t\r\n");
        const begin = if (std.mem.lastIndexOfScalar(u8, text, '\n')) |at| at + 1 else 0;
        return text[begin..];
    }

    fn reap(self: *Running) u32 {
        var status: u32 = 0;
        _ = wait.reap(self.pid, &status);
        if (self.stderr >= 0) drain(&self.stderr, self);
        return status;
    }

    fn close(self: *Running) void {
        for ([_]*i32{ &self.pidfd, &self.stdin, &self.stdout, &self.stderr }) |fd| self.closeOne(fd);
        reapOrphans();
    }
};

/// With all of its process group, be it that it has none of its own yet.
fn endGroup(pid: i32) void {
    _ = linux.kill(-pid, .KILL);
    _ = linux.kill(pid, .KILL);
}

/// Process 1 gets what hooks have left.
fn reapOrphans() void {
    if (linux.getpid() != 1) return;
    var status: u32 = 0;
    while (true) {
        const reaped = linux.waitpid(-1, &status, linux.W.NOHANG);
        if (linux.errno(reaped) != .SUCCESS or reaped == 0) return;
    }
}

/// In the child.
fn become(program: exec.Program, ends: [3]i32) noreturn {
    _ = linux.setsid();
    _ = linux.prctl(@intFromEnum(linux.PR.SET_PDEATHSIG), @intFromEnum(linux.SIG.KILL), 0, 0, 0);
    for (ends, 0..) |fd, number| if (linux.errno(linux.dup3(fd, @intCast(number), 0)) != .SUCCESS) linux.exit_group(127);
    _ = linux.syscall1(.umask, 0o022);
    // Ours is as high as can be: programs that close every descriptor they could have would spend minutes on it.
    _ = rlimit.set(@intFromEnum(linux.rlimit_resource.NOFILE), descriptors, descriptors_max);
    exec.run(program) catch {};
    const message = fault.failure.message();
    _ = linux.write(2, message.ptr, message.len);
    linux.exit_group(127);
}

const descriptors = 1024;
const descriptors_max = 1 << 20;

fn now_ms() u64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &time);
    return @as(u64, @intCast(time.sec)) * std.time.ms_per_s + @as(u64, @intCast(time.nsec)) / std.time.ns_per_ms;
}

fn tried(script: []const u8, state: []const u8, timeout_ms: u32) fault.AllocError!void {
    var memory: [8192]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const hook: request.Hook = .{ .path = "/bin/sh", .args = &.{ "sh", "-c", script }, .env = &.{"A=b c"}, .timeout = timeout_ms };
    return run(fixed.allocator(), "poststart", &hook, state, -1);
}

fn expectFailure(message: []const u8, script: []const u8, timeout_ms: u32) !void {
    try std.testing.expectError(error.Failed, tried(script, "{}", timeout_ms));
    try std.testing.expectEqualStrings(message, fault.failure.message());
}

test "a hook has its words, its state and its environment, and nothing else of ours" {
    try tried("test \"$(cat)\" = '{\"a\":1}' && test \"$A\" = 'b c' && test -z \"$HOME\"", "{\"a\":1}", 10_000);
    try tried("test \"$(ls /proc/self/fd | wc -l)\" = 4", "{}", 10_000); // ls has its directory open
    const long = "x" ** (1 << 20);
    try tried("test \"$(wc -c)\" -eq 1048576", long, 10_000);
}

test "a hook that reads nothing is not our end" {
    signals.act(.PIPE, linux.SIG.DFL); // as a stage has it
    try tried("exec 0<&-; exit 0", "x" ** (1 << 20), 10_000);
}

test "why a hook failed is told by its last line" {
    const failed = "the poststart hook /bin/sh failed with exit status ";
    try expectFailure(failed ++ "3: why", "echo out; echo first >&2; echo why >&2; exit 3", 10_000);
    try expectFailure(failed ++ "1", "exit 1", 10_000);
    try expectFailure("the poststart hook /bin/sh was ended by signal 9", "kill -9 $$", 10_000);
    try expectFailure(failed ++ "7: late", "yes | head -c 300000 >&2; echo late >&2; exit 7", 10_000);
}

test "what a hook leaves running does not keep us, and one that is late goes with its group" {
    try tried("sleep 1000 & echo $! >&2; kill $!", "{}", 10_000);
    try tried("sleep 1000 & (while kill -0 $$ 2>/dev/null; do :; done; kill $!) & exit 0", "{}", 10_000);
    try expectFailure("the poststart hook /bin/sh did not end within 50 ms", "sleep 1000 & sleep 1000", 50);
}

test "what cannot be executed" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const hook: request.Hook = .{ .path = "/no/such", .args = &.{"such"}, .env = &.{}, .timeout = 10_000 };
    try std.testing.expectError(error.Failed, run(fixed.allocator(), "prestart", &hook, "", -1));
    const wanted = "the prestart hook /no/such failed with exit status 127: exec: \"/no/such\": no such file or directory";
    try std.testing.expectEqualStrings(wanted, fault.failure.message());
}
