//! The user-mode network of one container: pasta or slirp4netns, a program of the host's that carries what comes and goes between
//! sockets of the host and an interface in the container's network namespace. We start it, and it lives with us, and we with the
//! container:
//!
//!   client                           we                                  the stack
//!     | -- request memfd, socket -->   |  a child, in a mount namespace     |
//!     |                                |  where `netns` is the container's  |
//!     |                                | == execve =======================> |  makes the interface
//!     |  <--- started ---------------- | <---------------------- is ready - |
//!     |  <--- failed ----------------- |   instead, with its last line      |
//!
//!   the container's init ends    it is killed, and we end
//!   it ends by itself            another one is started, after a while
//!   we are killed                the kernel kills it
//!
//! The request: words that each end with a NUL. `pid`, `start` of the container's init; its state directory; the kind; the program's
//! path; its arguments; an empty one; what slirp4netns is told at its socket each time that it is ready. It finds the namespace at
//! `netns` there, and pasta says that it is ready in the fifo `ready`; slirp4netns has descriptor 3 for that, and ends when 4 is hung
//! up.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");
const fault = @import("../wire/fault.zig");
const frame = @import("../wire/frame.zig");
const loopback = @import("../linux/loopback.zig");
const process = @import("../linux/process.zig");
const signals = @import("../linux/signals.zig");
const text = @import("text.zig");
const wait = @import("../linux/wait.zig");

const client_socket = 1;
const request_bytes_max = 256 * 1024;
const words_max = 4096;
/// Of what it says, the end.
const tail_bytes = 512;
/// One that is not ready by then never will be.
const ready_ms = 20_000;
/// Between its end and another one; twice as long each time, as long as they live no longer than that.
const again_ms_min = 100;
const again_ms_max = 10_000;
const close_range_cloexec = 4;

var request: [request_bytes_max]u8 = undefined;
var words: [words_max + 1]?[*:0]const u8 = undefined;

/// Where the keeper of an ordinary user's networks has their namespace (src/network/world.ts).
const world_slot = 9;

const Wanted = struct {
    /// 0: of no container, but of a network namespace that we make, and keep.
    pid: i32,
    start: u64,
    directory: [*:0]const u8,
    is_pasta: bool,
    program: [*:0]const u8,
    /// With the name that it is called by.
    arguments: [*:null]const ?[*:0]const u8,
    /// For its socket.
    requests: []const ?[*:0]const u8,
};

/// Answers the process's exit status.
pub fn serve() u8 {
    for ([_]linux.SIG{ .PIPE, .HUP, .INT, .QUIT }) |signal| signals.act(signal, linux.SIG.IGN);
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NAME), @intFromPtr("rt-network"), 0, 0, 0);
    run() catch {
        var escaped: [tail_bytes]u8 = undefined;
        var payload: frame.FailureBuffer = undefined;
        const message = text.escape(&escaped, fault.failure.message());
        const body = frame.encodeFailure(&payload, fault.failure.stage, fault.failure.errno, message);
        _ = frame.send(client_socket, .failed, body);
        return 1;
    };
    return 0;
}

fn run() fault.Error!void {
    const wanted = try read();
    const pidfd = if (wanted.pid == 0) try makeWorld() else process.open(wanted.pid, wanted.start);
    if (wanted.pid != 0 and pidfd < 0) return fault.fail(.namespace, @enumFromInt(-pidfd), "the container has ended", .{});
    const directory = try check(linux.open(wanted.directory, .{ .DIRECTORY = true, .CLOEXEC = true }, 0), "open the state directory");
    const made = linux.openat(directory, "netns", .{ .CREAT = true, .CLOEXEC = true, .NOFOLLOW = true }, 0o600);
    _ = linux.close(try check(made, "make a place for the network namespace"));
    const fifo = if (wanted.is_pasta) try makeFifo(directory) else -1;
    var stack: Stack = .{ .wanted = wanted, .directory = directory, .container = pidfd, .fifo = fifo };
    try stack.begin();
    if (!stack.awaitReady() or !stack.tellAll()) {
        const failure = fault.fail(.namespace, .SUCCESS, "{s}", .{stack.lastLine()});
        stack.end();
        return failure;
    }
    _ = frame.send(client_socket, .started, "");
    _ = linux.shutdown(client_socket, linux.SHUT.RDWR);
    _ = linux.close(client_socket);
    var again_ms: u64 = again_ms_min;
    while (true) {
        const begun_ms = clock.monotonic_ms();
        // What could not be started is tried again.
        if (stack.pid > 0 and !stack.lives()) break;
        stack.end();
        if (clock.monotonic_ms() - begun_ms > again_ms_max) again_ms = again_ms_min;
        if (!stack.waits(again_ms)) return;
        again_ms = @min(again_ms * 2, again_ms_max);
        stack.begin() catch continue;
        // What it cannot do now it is not asked again before its next start.
        if (stack.wanted.requests.len > 0 and stack.awaitReady()) _ = stack.tellAll();
    }
    stack.end();
}

/// A network namespace that lives as long as we do: ours stays the host's, in which the program is to be.
fn makeWorld() fault.Error!i32 {
    var pipe: [2]i32 = undefined;
    _ = try check(linux.pipe2(&pipe, .{ .CLOEXEC = true }), "make a pipe");
    const pid = try check(linux.fork(), "make a network namespace");
    if (pid == 0) {
        const made = linux.unshare(linux.CLONE.NEWNET);
        var errno: u8 = @truncate(@intFromEnum(linux.errno(made)));
        if (errno == 0) errno = @truncate(@intFromEnum(loopback.up()));
        if (errno == 0) for (world_settings) |setting| {
            const file = linux.open(setting[0], .{ .ACCMODE = .WRONLY, .CLOEXEC = true }, 0);
            // A kernel without IPv6 has none of it.
            if (linux.errno(file) == .SUCCESS) _ = linux.write(@intCast(file), setting[1].ptr, setting[1].len);
        };
        _ = linux.write(pipe[1], @ptrCast(&errno), 1);
        while (true) _ = linux.pause();
    }
    defer {
        _ = linux.kill(pid, .KILL);
        var status: u32 = undefined;
        _ = wait.reap(pid, &status);
    }
    var errno: u8 = 0;
    _ = linux.close(pipe[1]);
    const got = linux.read(pipe[0], @ptrCast(&errno), 1);
    _ = linux.close(pipe[0]);
    if (got != 1 or errno != 0) return fault.fail(.namespace, @enumFromInt(errno), "make a network namespace", .{});
    var path: [64]u8 = undefined;
    const theirs = std.fmt.bufPrintZ(&path, "/proc/{d}/ns/net", .{pid}) catch unreachable; // a number
    const opened = try check(linux.open(theirs, .{ .CLOEXEC = true }, 0), "open a network namespace");
    _ = try check(linux.dup3(opened, world_slot, @bitCast(linux.O{ .CLOEXEC = true })), "keep a network namespace");
    _ = linux.close(opened);
    return -1;
}

const world_settings = [_][2][:0]const u8{
    .{ "/proc/sys/net/ipv4/ip_forward", "1" },
    .{ "/proc/sys/net/ipv6/conf/all/forwarding", "1" },
    .{ "/proc/sys/net/ipv6/conf/default/accept_ra", "0" },
    .{ "/proc/sys/net/ipv6/conf/default/accept_dad", "0" },
};

fn check(result: usize, comptime what: []const u8) fault.Error!i32 {
    return @intCast(try fault.check(result, .namespace, what, .{}));
}

fn read() fault.Error!Wanted {
    var length: usize = 0;
    while (true) {
        const read_ = linux.pread(0, request[length..].ptr, request.len - length, @intCast(length));
        const got = try fault.check(read_, .request, "read the request", .{});
        if (got == 0) break;
        length += got;
        if (length == request.len) return fault.fail(.request, .@"2BIG", "the request is too large", .{});
    }
    var count: usize = 0;
    var rest = request[0..length];
    while (std.mem.indexOfScalar(u8, rest, 0)) |end| {
        if (count == words_max) return fault.fail(.request, .@"2BIG", "the request has too many words", .{});
        words[count] = rest[0..end :0].ptr;
        count += 1;
        rest = rest[end + 1 ..];
    }
    words[count] = null;
    if (count < 5) return fault.fail(.request, .BADMSG, "the request is cut short", .{});
    const pid = std.fmt.parseInt(i32, std.mem.span(words[0].?), 10) catch return fault.fail(.request, .BADMSG, "no pid", .{});
    const start = std.fmt.parseInt(u64, std.mem.span(words[1].?), 10) catch return fault.fail(.request, .BADMSG, "no start time", .{});
    const is_pasta = std.mem.eql(u8, std.mem.span(words[3].?), "pasta");
    const program = words[4].?;
    // What it is called by comes before its arguments: pasta is another program by another name.
    words[4] = words[3];
    const middle = for (words[5..count], 5..) |word, index| {
        if (word.?[0] == 0) break index;
    } else return fault.fail(.request, .BADMSG, "the request is cut short", .{});
    words[middle] = null;
    return .{
        .pid = pid,
        .start = start,
        .directory = words[2].?,
        .is_pasta = is_pasta,
        .program = program,
        .arguments = @ptrCast(words[4..].ptr),
        .requests = words[middle + 1 .. count],
    };
}

/// Whoever writes into it finds a reader, always: it is open for both.
fn makeFifo(directory: i32) fault.Error!i32 {
    _ = linux.unlinkat(directory, "ready", 0);
    _ = try check(linux.mknodat(directory, "ready", linux.S.IFIFO | 0o600, 0), "make a fifo");
    const flags: linux.O = .{ .ACCMODE = .RDWR, .NONBLOCK = true, .CLOEXEC = true, .NOFOLLOW = true };
    return check(linux.openat(directory, "ready", flags, 0), "open a fifo");
}

const Stack = struct {
    wanted: Wanted,
    directory: i32,
    /// A pidfd of the container's init.
    container: i32,
    /// Of pasta.
    fifo: i32,
    pid: i32 = -1,
    pidfd: i32 = -1,
    /// -1 once it is closed.
    stderr: i32 = -1,
    /// Of slirp4netns: says that it is ready, and tells it to end.
    ready: i32 = -1,
    exit: i32 = -1,
    tail: [tail_bytes]u8 = undefined,
    length: usize = 0,

    fn begin(self: *Stack) fault.Error!void {
        var pipes: [3][2]i32 = undefined;
        for (&pipes) |*pair| _ = try check(linux.pipe2(pair, .{ .CLOEXEC = true }), "make a pipe");
        const own = linux.getpid();
        const pid = try check(linux.fork(), "start the network");
        if (pid == 0) self.become(.{ pipes[0][1], pipes[1][1], pipes[2][0] }, own);
        for ([_]i32{ pipes[0][1], pipes[1][1], pipes[2][0] }) |fd| _ = linux.close(fd);
        self.pid = pid;
        self.stderr = pipes[0][0];
        self.ready = pipes[1][0];
        self.exit = pipes[2][1];
        self.length = 0;
        _ = linux.fcntl(self.stderr, linux.F.SETFL, @as(u32, @bitCast(linux.O{ .NONBLOCK = true })));
        const pidfd = linux.pidfd_open(pid, 0);
        self.pidfd = if (linux.errno(pidfd) == .SUCCESS) @intCast(pidfd) else -1;
        _ = try check(pidfd, "pidfd_open");
    }

    /// In the child. What fails is written to where the program would say so.
    fn become(self: *const Stack, ends: [3]i32, parent: i32) noreturn {
        const what = self.execute(ends, parent);
        var buffer: [256]u8 = undefined;
        const line = std.fmt.bufPrint(&buffer, "{s}: {t}\n", .{ what.what, what.errno }) catch "";
        _ = linux.write(2, line.ptr, line.len);
        linux.exit_group(127);
    }

    const Failure = struct { what: []const u8, errno: linux.E };

    fn execute(self: *const Stack, ends: [3]i32, parent: i32) Failure {
        signals.reset();
        _ = linux.prctl(@intFromEnum(linux.PR.SET_PDEATHSIG), @intFromEnum(linux.SIG.KILL), 0, 0, 0);
        if (linux.getppid() != parent) linux.exit_group(127);
        _ = linux.setsid();
        var path: [64]u8 = undefined;
        const theirs = if (self.wanted.pid == 0)
            std.fmt.bufPrintZ(&path, "/proc/self/fd/{d}", .{world_slot}) catch unreachable // a number
        else
            std.fmt.bufPrintZ(&path, "/proc/{d}/ns/net", .{self.wanted.pid}) catch unreachable; // a number
        var result = linux.fchdir(self.directory);
        if (linux.errno(result) != .SUCCESS) return .{ .what = "fchdir", .errno = linux.errno(result) };
        // Above all that they will become.
        var high: [3]i32 = undefined;
        for (ends, 0..) |fd, index| {
            result = linux.fcntl(fd, linux.F.DUPFD_CLOEXEC, 16);
            if (linux.errno(result) != .SUCCESS) return .{ .what = "fcntl", .errno = linux.errno(result) };
            high[index] = @intCast(result);
        }
        const none = linux.open("/dev/null", .{ .ACCMODE = .RDWR, .CLOEXEC = true }, 0);
        if (linux.errno(none) != .SUCCESS) return .{ .what = "open /dev/null", .errno = linux.errno(none) };
        for ([_]i32{ @intCast(none), @intCast(none), high[0], high[1], high[2] }, 0..) |fd, slot| {
            if (fd != slot) _ = linux.dup2(fd, @intCast(slot)) else _ = linux.fcntl(fd, linux.F.SETFD, 0);
        }
        result = linux.unshare(linux.CLONE.NEWNS);
        if (linux.errno(result) != .SUCCESS) return .{ .what = "create a mount namespace", .errno = linux.errno(result) };
        // What the host mounts and unmounts goes on to happen here, and nothing of ours there.
        result = linux.mount(null, "/", null, linux.MS.REC | linux.MS.SLAVE, 0);
        if (linux.errno(result) != .SUCCESS) return .{ .what = "make mounts our own", .errno = linux.errno(result) };
        result = linux.mount(theirs, "netns", null, linux.MS.BIND, 0);
        if (linux.errno(result) != .SUCCESS) return .{ .what = "bind the network namespace", .errno = linux.errno(result) };
        // Is it that one's? It has not ended since, so its number was nobody else's.
        var container = [_]linux.pollfd{.{ .fd = self.container, .events = linux.POLL.IN, .revents = 0 }};
        if (self.container >= 0 and linux.poll(&container, 1, 0) != 0) return .{ .what = "the container has ended", .errno = .SRCH };
        _ = linux.syscall3(.close_range, if (self.wanted.is_pasta) 3 else 5, std.math.maxInt(i32), close_range_cloexec);
        if (self.wanted.is_pasta) for ([_]i32{ 3, 4 }) |fd| {
            _ = linux.close(fd);
        };
        const environment = [_:null]?[*:0]const u8{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
        result = linux.execve(self.wanted.program, self.wanted.arguments, &environment);
        return .{ .what = std.mem.span(self.wanted.program), .errno = linux.errno(result) };
    }

    /// False: it has ended, or the container has, or it takes too long.
    fn awaitReady(self: *Stack) bool {
        const due_ms = clock.monotonic_ms() + ready_ms;
        const signal = if (self.wanted.is_pasta) self.fifo else self.ready;
        while (true) {
            const left = due_ms -| clock.monotonic_ms();
            if (left == 0) return false;
            var set = self.pollSet();
            set[3].fd = signal;
            if (linux.errno(linux.poll(&set, set.len, @intCast(left))) == .INTR) continue;
            if (set[1].revents != 0) self.listen();
            if (set[2].revents != 0) return false;
            var buffer: [64]u8 = undefined;
            if (set[3].revents & linux.POLL.IN != 0) {
                const got = linux.read(signal, &buffer, buffer.len);
                if (linux.errno(got) == .SUCCESS and got > 0) return true;
            }
            if (set[0].revents != 0) {
                self.listen();
                return false;
            }
        }
    }

    /// Until it ends (true), or the container does.
    fn lives(self: *Stack) bool {
        while (true) {
            var set = self.pollSet();
            // What it says from here on nobody reads.
            set[3].fd = self.fifo;
            if (linux.errno(linux.poll(&set, set.len, -1)) == .INTR) continue;
            if (set[2].revents != 0) return false;
            if (set[0].revents != 0) return true;
            if (set[1].revents != 0) self.listen();
            var buffer: [64]u8 = undefined;
            if (set[3].revents != 0) _ = linux.read(self.fifo, &buffer, buffer.len);
        }
    }

    /// False: the container ends meanwhile.
    fn waits(self: *const Stack, milliseconds: u64) bool {
        var set = [_]linux.pollfd{.{ .fd = self.container, .events = linux.POLL.IN, .revents = 0 }};
        const due_ms = clock.monotonic_ms() + milliseconds;
        while (true) {
            const left = due_ms -| clock.monotonic_ms();
            if (left == 0) return true;
            const ready = linux.poll(&set, 1, @intCast(left));
            if (linux.errno(ready) == .INTR) continue;
            if (set[0].revents != 0) return false;
        }
    }

    fn pollSet(self: *const Stack) [4]linux.pollfd {
        var set: [4]linux.pollfd = undefined;
        for ([_]i32{ self.pidfd, self.stderr, self.container, -1 }, &set) |fd, *each|
            each.* = .{ .fd = fd, .events = linux.POLL.IN, .revents = 0 };
        return set;
    }

    /// The end of what it says is kept.
    fn listen(self: *Stack) void {
        var buffer: [4096]u8 = undefined;
        while (self.stderr >= 0) {
            const got = linux.read(self.stderr, &buffer, buffer.len);
            switch (linux.errno(got)) {
                .SUCCESS => {},
                .INTR => continue,
                else => return,
            }
            if (got == 0) {
                _ = linux.close(self.stderr);
                self.stderr = -1;
                return;
            }
            for (buffer[0..got]) |byte| {
                if (self.length == tail_bytes) {
                    std.mem.copyForwards(u8, self.tail[0 .. tail_bytes / 2], self.tail[tail_bytes / 2 ..]);
                    self.length = tail_bytes / 2;
                }
                self.tail[self.length] = byte;
                self.length += 1;
            }
        }
    }

    /// But for what pasta says of a host without a system log.
    fn lastLine(self: *const Stack) []const u8 {
        var last: []const u8 = "it ended, or was not ready in time, and does not say why";
        var lines = std.mem.tokenizeScalar(u8, self.tail[0..self.length], '\n');
        while (lines.next()) |line| {
            if (!std.mem.startsWith(u8, line, "Failed to send ")) last = line;
        }
        return last;
    }

    /// False: one was refused, which it says.
    fn tellAll(self: *Stack) bool {
        for (self.wanted.requests) |word| if (!self.tell(std.mem.span(word.?))) return false;
        return true;
    }

    fn tell(self: *Stack, words_: []const u8) bool {
        var path: [64]u8 = undefined;
        const socket_path = std.fmt.bufPrint(&path, "/proc/self/fd/{d}/slirp.sock", .{self.directory}) catch unreachable; // a number
        const socket = process.connectUnix(socket_path);
        if (socket < 0) return self.say("no answer");
        defer _ = linux.close(socket);
        const patience: linux.timeval = .{ .sec = 5, .usec = 0 };
        _ = linux.setsockopt(socket, linux.SOL.SOCKET, linux.SO.RCVTIMEO, std.mem.asBytes(&patience), @sizeOf(linux.timeval));
        _ = linux.sendto(socket, words_.ptr, words_.len, linux.MSG.NOSIGNAL, null, 0);
        _ = linux.shutdown(socket, linux.SHUT.WR);
        var buffer: [512]u8 = undefined;
        const got = linux.recvfrom(socket, &buffer, buffer.len, 0, null, null);
        if (linux.errno(got) != .SUCCESS or got == 0) return self.say("no answer");
        if (std.mem.indexOf(u8, buffer[0..got], "\"error\"") == null) return true;
        return self.say(buffer[0..got]);
    }

    fn say(self: *Stack, answer: []const u8) bool {
        self.length = @min(answer.len, self.tail.len);
        @memcpy(self.tail[0..self.length], answer[0..self.length]);
        return false;
    }

    fn end(self: *Stack) void {
        if (self.pid > 0) {
            _ = linux.kill(self.pid, .KILL);
            var status: u32 = undefined;
            _ = wait.reap(self.pid, &status);
            self.listen();
        }
        for ([_]*i32{ &self.pidfd, &self.stderr, &self.ready, &self.exit }) |fd| {
            if (fd.* >= 0) _ = linux.close(fd.*);
            fd.* = -1;
        }
        self.pid = -1;
    }
};
