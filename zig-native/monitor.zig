//! rt-monitor: one per running container and per exec. It has no libc and no threads, and holds what must outlive the client:
//! the program's stdio, its exit status, the lock that says "somebody looks after this container".
//!
//!   rt (client)                     monitor                       stage (stage/init.zig, join.zig)
//!     | -- request memfd, socket -->  |                               |
//!     |                               | -- clone3, 'G' go ----------> |  builds namespaces, root, identity
//!     |  <--- warning*  ------------- |  <----------- W*, T, P, R --- |  (stage/handshake.zig draws this side)
//!     |  <--- created(pid) ---------- |                               |  waits
//!     | ---- start -----------------> | -- 'S' ---------------------> |  execve
//!     |  <--- started --------------- |  <------------- end of file - |  is the user's program
//!     | ---- stdin, resize, eof ----> | == pipes or a pty ==========> |
//!     |  <--- stdout, stderr -------- |                               |
//!     |  <--- exit(status) ---------- |  <------------------- exits - |
//!     |  <--- failed(stage, errno) -- |   instead of any of the above, and the last frame
//!
//! Frames are those of wire/abi.zig. A client that goes before `start` takes the container with it; after that the container
//! lives on, and others may come through stateDirectory/attach.sock.
//!
//! Files in a container's stateDirectory: `lock`, which the client has locked and we hold while we live; `pid`, once the
//! program runs; `exit`, once it has ended; the last two appear by rename, and so does `health` (monitor/health.zig). An exec
//! leaves how it ended in the directory that is its descriptor 2.
//! Descriptors at start: 0 the request, 1 the client's socket, 2 the locked file, 3 rt's executable where the request has a
//! successor (monitor/successor.zig): what we become at the end when no client sees to it.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("wire/abi.zig");
const cgroup = @import("linux/cgroup.zig");
const cgroup_memory = @import("linux/cgroup_memory.zig");
const clock = @import("monitor/clock.zig");
const fault = @import("wire/fault.zig");
const freezer = @import("linux/cgroup_freezer.zig");
const events = @import("monitor/events.zig");
const frame = @import("wire/frame.zig");
const healths = @import("monitor/health.zig");
const join = @import("stage/join.zig");
const launching = @import("monitor/launch.zig");
const logs = @import("monitor/log.zig");
const memory = @import("linux/memory.zig");
const process = @import("linux/process.zig");
const records = @import("monitor/records.zig");
const relays = @import("monitor/relay.zig");
const request = @import("wire/request.zig");
const restart = @import("monitor/restart.zig");
const signals = @import("linux/signals.zig");
const stdio = @import("monitor/stdio.zig");
const successors = @import("monitor/successor.zig");
const wait = @import("linux/wait.zig");

pub const panic = fault.panic;
pub const std_options = fault.options;

const client_socket = launching.client_socket;
const Session = launching.Session;

var relay: relays.Relay = undefined;
var log: logs.Log = undefined;
/// All descriptors that we may have are in use: whoever wants to attach waits, and is not looked at all the time meanwhile.
var deaf = false;
const deaf_ms = 100;
var health: healths.Health = undefined;

pub fn main(arguments: std.process.Init.Minimal) u8 {
    _ = arguments;
    // An exec has no lock; 2 must not become something that a panic would write to.
    if (linux.errno(linux.fcntl(2, linux.F.GETFD, 0)) != .SUCCESS) _ = linux.openat(
        linux.AT.FDCWD,
        "/dev/null",
        .{ .ACCMODE = .RDWR, .CLOEXEC = true },
        0,
    );
    // Executed from a descriptor, the kernel would call us by its number.
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NAME), @intFromPtr("rt-monitor"), 0, 0, 0);
    fault.program = "rt-monitor";
    fault.tell = &tellClients;
    relay.init();
    relay.addMaker(client_socket);
    const successor = run() catch {
        report();
        return 1;
    };
    // The lock is the last that we let go of, or hand on.
    if (successor) |next| switch (next.to) {
        .conclude => next.rt.toConclude(),
        .restart => next.rt.toRestart(launching.lock_file),
    };
    return 0;
}

/// Tell the client of `fault.failure`: the last thing that we do.
fn report() void {
    var payload: frame.FailureBuffer = undefined;
    _ = frame.send(
        client_socket,
        .failed,
        frame.encodeFailure(&payload, fault.failure.stage, fault.failure.errno, fault.failure.message()),
    );
}

/// A fault of our own (wire/fault.zig): each client that is between two frames hears of it. The program dies with us.
fn tellClients(line: []const u8) void {
    var payload: frame.FailureBuffer = undefined;
    const body = frame.encodeFailure(&payload, .monitor, .SUCCESS, line);
    var header: [abi.frame_header_bytes]u8 = undefined;
    frame.encode(&header, .failed, @intCast(body.len));
    for (&relay.clients) |*client| {
        if (client.socket < 0 or (client.sent != 0 and client.sent != relay.output_end)) continue;
        for ([_][]const u8{ &header, body }) |part| _ = linux.sendto(
            client.socket,
            part.ptr,
            part.len,
            linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL,
            null,
            0,
        );
    }
}

/// What we become.
const Next = struct { rt: successors.Successor, to: enum { conclude, restart } };

fn run() fault.Error!?Next {
    const region = request.Memory.map() catch return fault.fail(.request, .NOMEM, "mmap", .{});
    var session: Session = .{ .relay = &relay, .request = try request.read(region.allocator()) };
    try open(&session);
    var cgroup_path_buffer: [256]u8 = undefined;
    const cgroup_path = try copyCgroupPath(&session, &cgroup_path_buffer);
    // Undone in every case: it is ours.
    errdefer leaveCgroup(&session, cgroup_path);
    // Also when building fails: a half-built init must not wait for ever.
    errdefer launching.killStage(&session);
    // The request and what reads it are the most that we ever have at once.
    memory.releaseProgram();
    try launching.launch(&session, region.allocator());
    memory.releaseProgram();
    try launching.awaitReady(&session);
    if (session.health) |wanted| try health.prepare(wanted, session.state, session.pid, session.start_time);
    session.health = null; // it goes with the request
    region.unmap();
    try launching.start(&session);
    if (session.asked) health.begin(session.pidfd, cgroup_path, frozenWatch(session.pid));
    memory.releaseProgram();
    const status = try serve(&session, cgroup_path);
    if (relay.log) |kept| kept.finish();
    finish(&session, status);
    const rt = session.successor orelse return null;
    if (session.delay_ms) |delay_ms| {
        _ = linux.close(session.listener);
        session.listener = -1;
        if (restart.wait(session.state, session.signals, delay_ms)) return .{ .rt = rt, .to = .restart };
        // It stays as it is.
        _ = linux.unlinkat(session.state, "restarting", 0);
        return .{ .rt = rt, .to = .conclude };
    }
    // A client that has it all, and was to stay, writes it down itself.
    return if (relay.attended and relay.maker != null) null else .{ .rt = rt, .to = .conclude };
}

/// Before the exit is told: who sees that sees this too.
fn decideRestart(session: *Session, status: u32) void {
    if (session.successor == null or restart.isStopped(session.state)) return;
    const count = if (session.restart) |policy| policy.count else 0;
    const delay_ms = restartDelay(session, status) orelse return;
    records.writeRestarting(session.state, count +| 1, delay_ms) catch return;
    session.delay_ms = delay_ms;
}

fn restartDelay(session: *const Session, status: u32) ?u32 {
    if (session.asked and health.again) return restart.delay_ms_min;
    const policy = restart.current(session.state, session.restart) orelse return null;
    return restart.delayOf(policy, status, clock.monotonic_ms() - session.started_ms);
}

/// Tells when the container of `pid` is paused; where that cannot be found out it never is.
fn frozenWatch(pid: i32) freezer.Watch {
    var place = join.Place.of(pid) catch return .{};
    defer place.forget();
    return freezer.Watch.of(place.scratch.allocator(), place.hierarchies, place.groups) catch .{};
}

/// The state directory, the attach socket in it, the signals we look at.
fn open(session: *Session) fault.Error!void {
    if (session.request == .create) {
        relay.attended = session.request.create.attended;
        if (session.request.create.successor) |wanted| session.successor = .of(wanted);
        const directory = session.request.create.stateDirectory;
        var path_buffer: [4096]u8 = undefined;
        const path = std.fmt.bufPrintZ(&path_buffer, "{s}", .{directory}) catch return fault.fail(
            .request,
            .NAMETOOLONG,
            "{s}",
            .{directory},
        );
        session.state = @intCast(
            try fault.check(
                linux.openat(linux.AT.FDCWD, path, .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0),
                .monitor,
                "open {s}",
                .{directory},
            ),
        );
        session.listener = try listen(directory);
        session.restart = session.request.create.restart;
        session.shares_pids = launching.sharesPids(&session.request.create.spec);
        session.health = session.request.create.health;
        session.asked = session.health != null;
        if (session.request.create.log) |wanted| {
            try log.init(wanted, session.request.create.id, session.state);
            relay.log = &log;
        }
    }
    if (session.request == .exec) {
        session.tied = session.request.exec.tied;
        const name = session.request.exec.session;
        if (name.len != 0 and name.len != 64) return fault.fail(.request, .INVAL, "session", .{});
        if (name.len == 64) session.name = name[0..64].*;
    }
    for (launching.ignored) |signal| signals.act(signal, linux.SIG.IGN);
    var set = linux.sigemptyset();
    linux.sigaddset(&set, .TERM);
    _ = linux.sigprocmask(linux.SIG.BLOCK, &set, null);
    session.signals = @intCast(try fault.check(linux.signalfd(-1, &set, 0o2000000 | 0o4000), .monitor, "signalfd", .{}));
}

fn listen(directory: []const u8) fault.Error!i32 {
    const socket: i32 = @intCast(
        try fault.check(
            linux.socket(linux.AF.UNIX, linux.SOCK.STREAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0),
            .monitor,
            "socket",
            .{},
        ),
    );
    var path_buffer: [4096]u8 = undefined;
    const path = std.fmt.bufPrint(
        &path_buffer,
        "{s}/attach.sock",
        .{directory},
    ) catch return fault.fail(.monitor, .NAMETOOLONG, "attach.sock", .{});
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    var through: ?i32 = null;
    const errno = process.fillAddress(&address, path, &through);
    defer if (through) |fd| {
        _ = linux.close(fd);
    };
    if (errno != .SUCCESS) return fault.fail(.monitor, errno, "attach.sock", .{});
    _ = try fault.check(linux.bind(socket, @ptrCast(&address), @sizeOf(linux.sockaddr.un)), .monitor, "bind {s}", .{path});
    _ = try fault.check(linux.listen(socket, relays.clients_max), .monitor, "listen", .{});
    return socket;
}

/// The path outlives the request's memory.
fn copyCgroupPath(session: *const Session, buffer: []u8) fault.Error![]const u8 {
    if (session.request != .create) return "";
    const path = (session.request.create.cgroup orelse return "").path;
    if (path.len > buffer.len) return fault.fail(.request, .NAMETOOLONG, "cgroup path", .{});
    @memcpy(buffer[0..path.len], path);
    return buffer[0..path.len];
}

/// Nobody is left in it where the program was process 1 of its namespace; what is left elsewhere ends with the program.
fn leaveCgroup(session: *const Session, cgroup_path: []const u8) void {
    if (cgroup_path.len == 0) return;
    if (session.shares_pids) cgroup.end(cgroup_path);
    cgroup.remove(cgroup_path);
}

/// Relay until the program has ended and its output has been handed on. Answers its exit status.
fn serve(session: *Session, cgroup_path: []const u8) fault.Error!u32 {
    var status: ?u32 = null;
    // What may still come of stdout and stderr, once the program has ended.
    var left: [2]usize = .{ 0, 0 };
    while (true) {
        const idle = relay.idle();
        if (idle and status != null and !drain(&left)) return status.?;
        var set: Poll = undefined;
        const fds = fillPoll(&set, session, status != null);
        const relayed: i32 = if (!idle) relay.patience() else if (status != null) 0 else -1;
        const patience = sooner(if (session.asked) health.patience() else -1, if (deaf) deaf_ms else -1);
        const ready = linux.poll(fds.ptr, fds.len, sooner(relayed, patience));
        if (linux.errno(ready) == .INTR) continue;
        deaf = false;
        _ = try fault.check(ready, .monitor, "poll", .{});
        if (!idle) relay.dropStuck();
        if (set[1].revents != 0) terminate(session);
        if (set[2].revents != 0) accept(session);
        for (relay.clients[0..], set[slots..]) |*client, *entry| {
            if (client.socket < 0 or client.socket != entry.fd) continue;
            if (entry.revents & linux.POLL.OUT != 0) relay.sendMore(client);
            if (client.socket >= 0 and entry.revents & (linux.POLL.IN | linux.POLL.HUP | linux.POLL.ERR) != 0) relay.receive(client);
        }
        if (session.asked) health.tend(set[6].revents != 0, set[7].revents != 0);
        if (session.tied and status == null and relay.count() == 0) endTied(session);
        if (set[5].revents != 0) relay.feedBlocked();
        if (relay.idle() and set[3].revents != 0) _ = relay.pump(&relay.stdout, .stdout);
        if (relay.idle() and set[4].revents != 0) _ = relay.pump(&relay.stderr, .stderr);
        if (set[0].revents != 0 and status == null) {
            status = reap(session);
            if (session.asked) health.end();
            for (&left, [_]i32{ relay.stdout, relay.stderr }) |*bytes, fd| bytes.* = stdio.capacity(fd);
            // Before the end is told: whoever hears of it may start the program again, in a group of the same name.
            if (session.shares_pids) cgroup.end(cgroup_path);
            const shortage = if (cgroup_path.len > 0) cgroup.conclude(cgroup_path) else cgroup_memory.Shortage{};
            // A full disk must not cost the client the exit status: that goes out in any case.
            if (session.state >= 0) decideRestart(session, status.?);
            if (session.state >= 0) records.writeExit(session.state, status.?, session.ended_by, shortage) catch {
                _ = frame.send(client_socket, .warning, fault.failure.message());
            };
            if (session.name) |*name| tellExecEnd(name, status.?);
            if (relay.peer >= 0) _ = linux.close(relay.peer);
            relay.peer = -1;
        }
    }
}

/// After the program's end: hand on what is still in its pipes, and that is no more than they hold. It may have given them to
/// somebody who lives on, and writes on. False when there is nothing more.
fn drain(left: *[2]usize) bool {
    return drainOne(&relay.stdout, .stdout, &left[0]) or drainOne(&relay.stderr, .stderr, &left[1]);
}

fn drainOne(source: *i32, kind: abi.Frame, left: *usize) bool {
    if (source.* < 0 or left.* == 0 or !relay.pump(source, kind)) return false;
    left.* -|= relay.output_end - abi.frame_header_bytes;
    return true;
}

/// Before the clients.
const slots = 8;
const Poll = [slots + relays.clients_max]linux.pollfd;

/// Slots: 0 the program, 1 signals, 2 new clients, 3 stdout, 4 stderr, 5 stdin with room, 6 and 7 a health check and its
/// monitor, then the clients.
fn fillPoll(set: *Poll, session: *const Session, ended: bool) []linux.pollfd {
    const readable = relay.idle() and !ended;
    const check = if (session.asked) health.descriptors() else [2]i32{ -1, -1 };
    const fds = [slots]i32{
        if (ended) -1 else session.pidfd,
        session.signals,
        if (deaf) -1 else session.listener,
        if (readable) relay.stdout else -1,
        if (readable) relay.stderr else -1,
        if (relay.stdin_blocked) relay.stdin else -1,
        check[0],
        check[1],
    };
    for (fds, 0..) |fd, slot| set[slot] = .{ .fd = fd, .events = if (slot == 5) linux.POLL.OUT else linux.POLL.IN, .revents = 0 };
    // No more than are needed: poll(2) takes no more than RLIMIT_NOFILE, which may be small.
    var used: usize = slots;
    for (&relay.clients, set[slots..], slots..) |*client, *entry, slot| {
        if (client.socket >= 0) used = slot + 1;
        const sending = client.sent < relay.output_end or client.owed > 0;
        entry.* = .{
            .fd = client.socket,
            .events = linux.POLL.IN | (if (sending) linux.POLL.OUT else @as(i16, 0)),
            .revents = 0,
        };
    }
    return set[0..used];
}

/// Of two timeouts of poll(2).
fn sooner(first: i32, second: i32) i32 {
    if (first < 0) return second;
    return if (second < 0) first else @min(first, second);
}

/// Whoever had it executed is gone: it ends, and what it has started in its own process group. It is not reaped yet, so that the
/// number is nobody else's.
fn endTied(session: *const Session) void {
    if (session.pid <= 1) return;
    _ = linux.kill(-session.pid, .KILL);
    _ = linux.pidfd_send_signal(session.pidfd, .KILL, null, 0);
}

/// What is to be said of it is in a file of its name.
fn tellExecEnd(name: *const [64]u8, status: u32) void {
    records.writeSessionExit(launching.lock_file, name, status);
    var attributes: [128]u8 = undefined;
    const format = ",\"execID\":\"{s}\",\"exitCode\":\"{d}\"";
    const text = std.fmt.bufPrint(&attributes, format, .{ name, status }) catch unreachable; // it has room
    var file: [64:0]u8 = undefined;
    @memcpy(&file, name);
    file[64] = 0;
    events.append(launching.lock_file, &file, .{ .text = "exec_die" }, text);
}

fn terminate(session: *const Session) void {
    var information: [128]u8 = undefined; // struct signalfd_siginfo
    _ = linux.read(session.signals, &information, information.len);
    _ = linux.pidfd_send_signal(session.pidfd, .TERM, null, 0);
}

fn accept(session: *const Session) void {
    const socket = linux.accept4(session.listener, null, null, linux.SOCK.CLOEXEC);
    switch (linux.errno(socket)) {
        .SUCCESS => relay.add(@intCast(socket)),
        .MFILE, .NFILE => deaf = true,
        else => {},
    }
}

/// Its exit status.
fn reap(session: *Session) u32 {
    var status: u32 = 0;
    _ = wait.reap(session.pid, &status);
    session.pid = -1; // the number may be another's by now
    session.ended_by = wait.signal(status);
    return wait.exitStatus(status);
}

fn finish(session: *Session, status: u32) void {
    var payload: [4]u8 = undefined;
    std.mem.writeInt(u32, &payload, status, .big);
    relay.announce(.exit, &payload);
    while (!relay.idle()) {
        for (&relay.clients) |*client| {
            if (client.socket < 0 or client.sent == relay.output_end) continue;
            var entry = [_]linux.pollfd{.{ .fd = client.socket, .events = linux.POLL.OUT, .revents = 0 }};
            if (linux.poll(&entry, 1, relay.patience()) == 0) relay.dropStuck() else relay.sendMore(client);
        }
    }
    if (session.listener >= 0) _ = linux.unlinkat(session.state, "attach.sock", 0);
}

test {
    _ = clock;
    _ = events;
    _ = fault;
    _ = healths;
    _ = @import("monitor/probe.zig");
    _ = launching;
    _ = logs;
    _ = restart;
    _ = successors;
    _ = @import("wire/frame.zig");
}
