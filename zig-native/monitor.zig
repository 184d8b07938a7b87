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
//! successor (monitor/successor.zig): what we become at the end when no client sees to it; the next, where the request says so,
//! brings the sockets of ports (monitor/ports.zig). With the word "hook" we run one hook of a client's instead (monitor/hook.zig),
//! with "stack" a container's user-mode network (monitor/stack.zig).
const std = @import("std");
const linux = std.os.linux;
const abi = @import("wire/abi.zig");
const accept = @import("monitor/accept.zig");
const cgroup = @import("linux/cgroup.zig");
const cgroup_memory = @import("linux/cgroup_memory.zig");
const clock = @import("monitor/clock.zig");
const fault = @import("wire/fault.zig");
const freezer = @import("linux/cgroup_freezer.zig");
const events = @import("monitor/events.zig");
const frame = @import("wire/frame.zig");
const hook = @import("monitor/hook.zig");
const healths = @import("monitor/health.zig");
const join = @import("stage/join.zig");
const launching = @import("monitor/launch.zig");
const logs = @import("monitor/log.zig");
const memory = @import("linux/memory.zig");
const ports = @import("monitor/ports.zig");
const names_ = @import("monitor/names.zig");
const process = @import("linux/process.zig");
const records = @import("monitor/records.zig");
const relays = @import("monitor/relay.zig");
const request = @import("wire/request.zig");
const restart = @import("monitor/restart.zig");
const signals = @import("linux/signals.zig");
const stack = @import("monitor/stack.zig");
const stage_hooks = @import("stage/hooks.zig");
const stdio = @import("monitor/stdio.zig");
const successors = @import("monitor/successor.zig");
const wait = @import("linux/wait.zig");

pub const panic = fault.panic;
pub const std_options = fault.options;

const client_socket = launching.client_socket;
const Session = launching.Session;

var relay: relays.Relay = undefined;
var log: logs.Log = undefined;
var health: healths.Health = undefined;
var names: names_.Names = undefined;
var poststart: hook.Poststart = undefined;

pub fn main(arguments: std.process.Init.Minimal) u8 {
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
    const words = arguments.args.vector;
    if (words.len > 1 and std.mem.eql(u8, std.mem.span(words[1]), "hook")) return hook.serve();
    if (words.len > 1 and std.mem.eql(u8, std.mem.span(words[1]), "hold")) return hold();
    if (words.len > 1 and std.mem.eql(u8, std.mem.span(words[1]), "stack")) return stack.serve();
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

/// All that is wanted of us is that we are there, until descriptor 0 ends: systemd has no scope without a process
/// (src/runtime/systemd/scope.ts).
fn hold() u8 {
    var byte: [1]u8 = undefined;
    while (linux.errno(linux.read(0, &byte, 1)) == .INTR) {}
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

fn run() linksection(memory.starting) fault.Error!?Next {
    const region = request.Memory.map() catch return fault.fail(.request, .NOMEM, "mmap", .{});
    var session: Session = .{ .relay = &relay, .request = try request.read(region.allocator()) };
    // The request and what reads it are the most that we ever have at once.
    memory.releaseProgram();
    try open(&session);
    memory.wipeStack(); // the stage begins with a copy of it
    memory.releaseStack();
    var cgroup_path_buffer: [256]u8 = undefined;
    const cgroup_path = try copyCgroupPath(&session, &cgroup_path_buffer);
    // Undone in every case: it is ours.
    errdefer leaveCgroup(&session, cgroup_path);
    // Also when building fails: a half-built init must not wait for ever.
    errdefer launching.killStage(&session);
    memory.releaseProgram();
    try launching.launch(&session, region.allocator());
    memory.releaseProgram();
    try launching.awaitReady(&session);
    if (session.shares_pids and cgroup_path.len == 0) session.relatives = .of(session.pid);
    if (session.has_ports) try ports.open(session.state);
    if (session.ports >= 0) try ports.receive(session.ports);
    if (session.health) |wanted| try health.prepare(wanted, session.state, session.pid, session.start_time);
    session.health = null; // it goes with the request
    const hooks = if (session.hooks()) |wanted| (if (wanted.poststart.len > 0) wanted.* else null) else null;
    if (hooks == null) region.unmap();
    try launching.start(&session);
    if (hooks) |*wanted| {
        if (poststart.begin(&relay, region, wanted, session.pid)) session.poststart = &poststart;
    } else relay.announce(.started, "");
    if (session.asked) health.begin(session.pidfd, cgroup_path, frozenWatch(session.pid));
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
noinline fn open(session: *Session) linksection(memory.starting) fault.Error!void {
    if (session.request == .create) {
        relay.attended = session.request.create.attended;
        if (session.request.create.successor) |wanted| session.successor = .of(wanted);
        const directory = session.request.create.stateDirectory;
        session.state = try openDirectory(directory);
        session.listener = try listen(directory);
        session.restart = session.request.create.restart;
        session.shares_pids = launching.sharesPids(&session.request.create.spec);
        session.health = session.request.create.health;
        session.asked = session.health != null;
        if (session.request.create.ports) |wanted| {
            session.has_ports = true;
            const before: i32 = if (session.request.create.successor == null) 0 else 1;
            if (wanted.given) session.ports = successors.executable + before;
        }
        if (session.request.create.names) |wanted| {
            session.networks = try openDirectory(wanted.networks);
            session.names = &names;
        }
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

fn openDirectory(directory: []const u8) fault.Error!i32 {
    var buffer: [4096]u8 = undefined;
    const path = std.fmt.bufPrintZ(&buffer, "{s}", .{directory}) catch return fault.fail(.request, .NAMETOOLONG, "{s}", .{directory});
    const opened = linux.openat(linux.AT.FDCWD, path, .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0);
    return @intCast(try fault.check(opened, .monitor, "open {s}", .{directory}));
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
fn serve(session: *Session, cgroup_path: []const u8) linksection(memory.serving) fault.Error!u32 {
    memory.releaseProgram();
    var status: ?u32 = null;
    // What may still come of stdout and stderr, once the program has ended.
    var left: [2]usize = .{ 0, 0 };
    while (true) {
        const idle = relay.idle();
        const more = idle and status != null and !relay.holdsBack() and drain(&left);
        if (idle and status != null and !more and session.poststart == null) return status.?;
        var set: Poll = undefined;
        const fds = fillPoll(&set, session, status != null);
        const relayed: i32 = if (!idle) relay.patience() else if (more) 0 else -1;
        const patience = sooner(if (session.asked) health.patience() else -1, if (accept.deaf) accept.deaf_ms else -1);
        const named = if (session.names != null) names.patience() else -1;
        const hooked = if (session.poststart) |hooks| hooks.running.patience() else -1;
        const ready = linux.poll(fds.ptr, fds.len, sooner(sooner(relayed, hooked), sooner(named, patience)));
        if (linux.errno(ready) == .INTR) continue;
        accept.deaf = false;
        _ = try fault.check(ready, .monitor, "poll", .{});
        // First of all: at the program's end this is a race. Whatever it is that wakes us: the kernel is in no hurry to say this.
        session.shortage.look();
        if (!idle) relay.dropStuck();
        if (set[1].revents != 0) terminate(session);
        // All of them, ahead of the output: whoever came before the program's start gets it from its first byte on.
        if (set[2].revents != 0) for (0..relays.clients_max) |_| relay.add(accept.take(session.listener, 0) orelse break);
        for (relay.clients[0..], set[slots..]) |*client, *entry| {
            if (client.socket < 0 or client.socket != entry.fd) continue;
            if (entry.revents & linux.POLL.OUT != 0) relay.sendMore(client);
            if (client.socket >= 0 and entry.revents & (linux.POLL.IN | linux.POLL.HUP | linux.POLL.ERR) != 0) relay.receive(client);
        }
        if (session.asked) health.tend(set[6].revents != 0, set[7].revents != 0);
        if (session.names != null) names.tend(set[9].revents != 0);
        if (session.poststart) |hooks| if (!hooks.tend(set[hook_slots..slots])) {
            session.poststart = null;
        };
        if (session.tied and status == null and relay.count() == 0) endTied(session);
        if (set[5].revents != 0) relay.feedBlocked();
        if (set[8].revents != 0) ports.tend();
        if (relay.idle() and set[3].revents != 0) _ = relay.pump(&relay.stdout, .stdout);
        if (relay.idle() and set[4].revents != 0) _ = relay.pump(&relay.stderr, .stderr);
        if (set[0].revents != 0 and status == null) {
            status = reap(session);
            if (session.asked) health.end();
            if (session.names != null) names.end();
            abandonHooks(session);
            for (&left, [_]i32{ relay.stdout, relay.stderr }) |*bytes, fd| bytes.* = stdio.capacity(fd);
            // Before the end is told: whoever hears of it may start the program again, in a group of the same name.
            if (session.shares_pids) cgroup.end(cgroup_path);
            session.relatives.end();
            const shortage = conclude(session, cgroup_path);
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

/// Whoever has the program killed does not want what goes with it either. One that ends otherwise has its hooks run to their end.
fn abandonHooks(session: *Session) void {
    const hooks = session.poststart orelse return;
    if (session.ended_by != @intFromEnum(linux.SIG.KILL) or !restart.isStopped(session.state)) return;
    hooks.abandon();
    session.poststart = null;
}

/// The group goes, and whether the kernel has killed in it is known.
fn conclude(session: *Session, cgroup_path: []const u8) cgroup_memory.Shortage {
    const seen = session.shortage.conclude(session.ended_by == @intFromEnum(linux.SIG.KILL));
    if (cgroup_path.len == 0) return .{};
    const read = cgroup.conclude(cgroup_path);
    return if (read.kills >= seen.kills) read else seen;
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

/// Before the clients; and before a hook's.
const slots = hook_slots + stage_hooks.Running.slots;
const hook_slots = 11;
const Poll = [slots + relays.clients_max]linux.pollfd;

/// Slots: 0 the program, 1 signals, 2 new clients, 3 stdout, 4 stderr, 5 stdin with room, 6 and 7 a health check and its
/// monitor, 8 ports of the host, 9 who asks for names, 10 what its group's memory is short of, then those of a
/// hook, then the clients.
fn fillPoll(set: *Poll, session: *const Session, ended: bool) []linux.pollfd {
    const readable = relay.idle() and !ended and !relay.holdsBack();
    const check = if (session.asked) health.descriptors() else [2]i32{ -1, -1 };
    const fds = [hook_slots]i32{
        if (ended) -1 else session.pidfd,
        session.signals,
        if (accept.deaf) -1 else session.listener,
        if (readable) relay.stdout else -1,
        if (readable) relay.stderr else -1,
        if (relay.stdin_blocked) relay.stdin else -1,
        check[0],
        check[1],
        if (accept.deaf) -1 else ports.descriptor,
        if (session.names == null or accept.deaf) -1 else names.descriptor(),
        session.shortage.descriptor(),
    };
    for (fds, 0..) |fd, slot| set[slot] = .{ .fd = fd, .revents = 0, .events = switch (slot) {
        5 => linux.POLL.OUT,
        10 => linux.POLL.PRI,
        else => linux.POLL.IN,
    } };
    if (session.poststart) |hooks| hooks.running.fill(set[hook_slots..slots]) else for (set[hook_slots..slots]) |*entry| {
        entry.* = .{ .fd = -1, .revents = 0, .events = 0 };
    }
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
    if (session.has_ports) _ = linux.unlinkat(session.state, "ports.sock", 0);
}

test {
    _ = clock;
    _ = events;
    _ = fault;
    _ = healths;
    _ = hook;
    _ = @import("monitor/probe.zig");
    _ = launching;
    _ = logs;
    _ = ports;
    _ = names_;
    _ = restart;
    _ = successors;
    _ = @import("wire/frame.zig");
}
