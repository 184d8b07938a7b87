//! From a request to a program that runs: the stage's process, and what it and the client say until then. monitor.zig draws
//! the whole way.
const std = @import("std");
const linux = std.os.linux;
const cgroup = @import("../linux/cgroup.zig");
const cgroup_hierarchy = @import("../linux/cgroup_hierarchy.zig");
const cgroup_memory = @import("../linux/cgroup_memory.zig");
const clock = @import("clock.zig");
const clone = @import("../linux/clone.zig");
const errnos = @import("../linux/errno.zig");
const fault = @import("../wire/fault.zig");
const frame = @import("../wire/frame.zig");
const freezer = @import("../linux/cgroup_freezer.zig");
const hook = @import("hook.zig");
const handshake = @import("../stage/handshake.zig");
const init_stage = @import("../stage/init.zig");
const join_stage = @import("../stage/join.zig");
const neighbour = @import("../stage/neighbour.zig");
const memory = @import("../linux/memory.zig");
const names_ = @import("names.zig");
const namespaces = @import("../stage/namespaces.zig");
const process = @import("../linux/process.zig");
const proxy = @import("proxy.zig");
const records = @import("records.zig");
const relatives = @import("relatives.zig");
const relays = @import("relay.zig");
const request = @import("../wire/request.zig");
const signals = @import("../linux/signals.zig");
const stdio = @import("stdio.zig");
const successors = @import("successor.zig");
const sync = @import("sync.zig");
const tty = @import("../linux/tty.zig");
const wait = @import("../linux/wait.zig");

pub const client_socket = 1;
pub const lock_file = 2;
/// By the monitor, which outlives terminals and clients.
pub const ignored = [_]linux.SIG{ .HUP, .INT, .QUIT, .PIPE };

pub const sharesPids = namespaces.sharesPids;

/// What is known of the container or exec once its request has been read.
pub const Session = struct {
    relay: *relays.Relay,
    request: request.Request,
    state: i32 = -1,
    sync: sync.Channel = undefined,
    /// The stage's process, which becomes the program's; for an exec the stage's own child.
    pid: i32 = -1,
    start_time: u64 = 0,
    pidfd: i32 = -1,
    listener: i32 = -1,
    signals: i32 = -1,
    successor: ?successors.Successor = null,
    restart: ?request.Restart = null,
    /// As long as the request is there.
    health: ?request.Health = null,
    /// It may have ports of the host, and where their sockets come from, or -1.
    has_ports: bool = false,
    ports: i32 = -1,
    /// It is asked whether the program is well (monitor/health.zig).
    asked: bool = false,
    /// Where names are answered, and from whose files: those of the networks are in this directory.
    names: ?*names_.Names = null,
    networks: i32 = -1,
    /// As long as hooks run for which the program has to run.
    poststart: ?*hook.Poststart = null,
    /// An exec that ends with its client; and under which name its end is written down.
    tied: bool = false,
    name: ?[64]u8 = null,
    started_ms: u64 = 0,
    /// The signal that the program was ended by; 0: it has exited.
    ended_by: u8 = 0,
    /// It is started again, so long after its end.
    delay_ms: ?u32 = null,
    /// The program is no process 1: at its end the rest of the container is to be ended.
    shares_pids: bool = false,
    /// Where no group tells who that is.
    relatives: relatives.Relatives = .{},
    /// Of a group that is not ours to remove.
    shortage: cgroup_memory.Watch = .{},
    /// An exec: says when the container's processes are frozen, and ours with them.
    frozen: freezer.Watch = .{},

    pub fn process_(self: *const Session) *const request.Process {
        return switch (self.request) {
            .create => |*each| &each.spec.process,
            .exec => |*each| &each.process,
        };
    }

    pub fn hooks(self: *const Session) ?*const request.Hooks {
        if (self.request != .create) return null;
        return if (self.request.create.hooks) |*wanted| wanted else null;
    }

    pub fn wantsStdin(self: *const Session) bool {
        return switch (self.request) {
            inline else => |each| each.stdin,
        };
    }
};

/// Make the program's stdio and the stage's process, and let it go.
pub fn launch(session: *Session, arena: std.mem.Allocator) fault.Error!void {
    var pair: [2]i32 = undefined;
    _ = try fault.check(linux.socketpair(linux.AF.UNIX, linux.SOCK.SEQPACKET | linux.SOCK.CLOEXEC, 0, &pair), .monitor, "socketpair", .{});
    session.relay.terminal = session.process_().terminal;
    session.sync = .{ .socket = pair[0], .terminal_due = session.relay.terminal, .process_due = switch (session.request) {
        .create => |*create| namespaces.hasTwo(&create.spec),
        .exec => true,
    }, .pause_due = if (session.hooks()) |hooks| hooks.pauses else false };
    var handles: handshake.Handles = .{ .sync = pair[1] };
    if (!session.relay.terminal) try stdio.makePipes(session.relay, session.wantsStdin(), &handles);
    switch (session.request) {
        .create => |*create| {
            const found = try hierarchies(arena);
            const group = if (create.cgroup) |wanted| cgroup.openUnified(arena, found, wanted.path) catch return outOfMemory() else -1;
            try neighbour.holdAll(&create.spec, &handles.neighbours);
            if (try cloneStage(session, namespaces.cloneFlags(&create.spec), group, &handles)) init_stage.run(create, handles, arena);
            const path = if (create.cgroup) |wanted| wanted.path else "";
            if (cgroup.isScope(path)) session.shortage = cgroup_memory.Watch.of(arena, found, path) catch return outOfMemory();
        },
        .exec => |*exec| {
            var place = join_stage.Place.find(exec) catch |err| return if (err == error.OutOfMemory) outOfMemory() else error.Failed;
            defer place.forget();
            const scratch = place.scratch.allocator();
            session.frozen = freezer.Watch.of(scratch, place.hierarchies, place.groups) catch return outOfMemory();
            if (session.frozen.frozen()) return failFrozen();
            const group = cgroup.openUnifiedOf(scratch, place.hierarchies, place.groups) catch return outOfMemory();
            if (try cloneStage(session, 0, group, &handles)) join_stage.run(exec, handles, &place, arena);
        },
    }
    for ([_]i32{ handles.sync, handles.stdin, handles.stdout, handles.stderr }) |fd| if (fd >= 0) {
        _ = linux.close(fd);
    };
    for (handles.neighbours) |each| if (each.pidfd >= 0) {
        _ = linux.close(each.pidfd);
    };
    try sendSync(session, "G");
}

/// The stage's process, born in the v2 cgroup `group` (a descriptor, closed here) where it is not -1. True in the stage.
fn cloneStage(session: *Session, flags: u64, group: i32, handles: *handshake.Handles) linksection(memory.starting) fault.Error!bool {
    const cloned = clone.clone(flags, group);
    if (group >= 0) _ = linux.close(group);
    const pid: i32 = @intCast(try fault.check(cloned.result, .namespace, "create namespaces", .{}));
    if (pid == 0) {
        handles.in_group = cloned.in_group;
        closeMonitorsDescriptors(session);
        if (session.successor) |*kept| kept.forget();
        if (session.relay.log) |log| log.forget();
        return true;
    }
    session.pid = pid;
    return false;
}

fn hierarchies(arena: std.mem.Allocator) fault.Error![]const cgroup_hierarchy.Hierarchy {
    return cgroup_hierarchy.discover(arena) catch outOfMemory();
}

fn outOfMemory() fault.Error {
    return fault.fail(.request, .NOMEM, "the request is too large", .{});
}

fn failFrozen() fault.Error {
    return fault.fail(.monitor, .SUCCESS, "the container is frozen: no program starts in it (rt kill ends it)", .{});
}

fn sendSync(session: *const Session, message: []const u8) linksection(memory.starting) fault.Error!void {
    _ = try fault.check(
        linux.sendto(session.sync.socket, message.ptr, message.len, linux.MSG.NOSIGNAL | linux.MSG.DONTWAIT, null, 0),
        .monitor,
        "init ended early",
        .{},
    );
}

/// In the stage: nothing of the monitor's may live on in it, above all not the lock.
fn closeMonitorsDescriptors(session: *const Session) void {
    for ([_]i32{
        session.state,
        session.networks,
        lock_file,
        session.listener,
        session.signals,
        session.sync.socket,
        client_socket,
        0,
        if (session.successor != null) successors.executable else -1,
        session.ports,
        session.relay.stdin,
        session.relay.stdout,
        session.relay.stderr,
        if (session.relay.log) |log| log.descriptor() else -1,
    }) |fd| if (fd >= 0) {
        _ = linux.close(fd);
    };
    signals.unblock();
    for (ignored) |signal| signals.act(signal, linux.SIG.DFL);
}

/// Read the stage's packets until it is ready.
pub fn awaitReady(session: *Session) fault.Error!void {
    while (session.sync.ready_due or session.sync.process_due) {
        if (!session.sync.ready_due) {
            // The stage of an exec has said who the program's process is before it ended, or never will.
            reapStage(session);
            if (!try isReadable(session, 0)) return fault.fail(.monitor, .CHILD, "init ended while it was being built", .{});
        } else while (!try isReadable(session, glance_ms)) if (session.frozen.frozen()) return failFrozen();
        switch (try session.sync.receive() orelse continue) {
            .ready => {},
            .closed => return fault.fail(.monitor, .CHILD, "init ended while it was being built", .{}),
            .failure => |failure| return failedStage(failure),
            .warning => |text| _ = frame.send(client_socket, .warning, text),
            .paused => try awaitHooks(session),
            .terminal => |master| takeTerminal(session.relay, master),
            .process => |pid| {
                reapStage(session);
                session.pid = pid;
            },
        }
    }
    session.pidfd = @intCast(try fault.check(linux.pidfd_open(session.pid, 0), .monitor, "pidfd_open", .{}));
    session.start_time = process.startTime(session.pid) orelse 0;
}

/// The client runs hooks while the stage waits; whoever of the two goes meanwhile is the end.
fn awaitHooks(session: *Session) fault.Error!void {
    var payload: [4]u8 = undefined;
    std.mem.writeInt(u32, &payload, @intCast(session.pid), .big);
    if (frame.send(client_socket, .paused, &payload) != .SUCCESS) return clientGone();
    var set = [_]linux.pollfd{
        .{ .fd = client_socket, .events = linux.POLL.IN, .revents = 0 },
        .{ .fd = session.sync.socket, .events = 0, .revents = 0 },
    };
    while (set[0].revents == 0) {
        const ready = linux.poll(&set, set.len, -1);
        if (linux.errno(ready) == .INTR) continue;
        _ = try fault.check(ready, .monitor, "poll", .{});
        if (set[1].revents != 0) return fault.fail(.monitor, .CHILD, "init ended while it was being built", .{});
    }
    var header: frame.Header = undefined;
    if (frame.receiveHeader(client_socket, &header) != .SUCCESS) return clientGone();
    if (header.kind != .proceed) return fault.fail(.monitor, .PROTO, "client said {d} before start", .{@intFromEnum(header.kind)});
    try sendSync(session, "H");
}

fn clientGone() fault.Error {
    return fault.fail(.monitor, .CONNRESET, "the client went away", .{});
}

/// How often a stage that says nothing is looked after.
const glance_ms = 250;

/// Is there a packet of the stage's? A client that goes meanwhile (it hangs up) is the end.
fn isReadable(session: *const Session, timeout_ms: i32) linksection(memory.starting) fault.Error!bool {
    var set = [_]linux.pollfd{
        .{ .fd = session.sync.socket, .events = linux.POLL.IN, .revents = 0 },
        .{ .fd = client_socket, .events = 0, .revents = 0 },
    };
    const ready = linux.poll(&set, set.len, timeout_ms);
    if (linux.errno(ready) == .INTR) return true; // `receive` looks itself
    _ = try fault.check(ready, .monitor, "poll", .{});
    if (set[1].revents != 0) return clientGone();
    return set[0].revents != 0;
}

/// The stage of an exec has made the program's process as our child, and ends.
fn reapStage(session: *Session) void {
    if (session.pid <= 0) return;
    var status: u32 = 0;
    _ = wait.reap(session.pid, &status);
    session.pid = -1;
}

fn failedStage(failure: sync.Failure) fault.Error {
    return fault.fail(failure.stage, failure.errno, "{s}", .{failure.message});
}

fn takeTerminal(relay: *relays.Relay, master: i32) void {
    stdio.nonblocking(master);
    relay.stdin = master;
    relay.stdout = master;
    const peer = tty.openPeer(master);
    if (linux.errno(peer) == .SUCCESS) relay.peer = @intCast(peer);
}

/// `created` to the client, its `start` back, until the program has been executed.
pub fn start(session: *Session) fault.Error!void {
    var payload: [4]u8 = undefined;
    std.mem.writeInt(u32, &payload, @intCast(session.pid), .big);
    if (frame.send(client_socket, .created, &payload) != .SUCCESS) return clientGone();
    // While the client sees to the interfaces.
    answerNames(session);
    var header: frame.Header = undefined;
    if (frame.receiveHeader(client_socket, &header) != .SUCCESS) return clientGone();
    if (header.kind != .start) return fault.fail(.monitor, .PROTO, "client said {d} before start", .{@intFromEnum(header.kind)});
    try sendSync(session, "S");
    try awaitExecuted(session);
    _ = linux.close(session.sync.socket);
    if (session.state >= 0) {
        const restarts = if (session.restart) |policy| policy.count else 0;
        try records.writePid(session.state, session.pid, session.start_time, restarts);
    }
    session.started_ms = clock.monotonic_ms();
}

/// Whoever cannot come back to the host's network namespace has no rights in it, and no container in its networks.
fn reachPorts(names: *const names_.Names) void {
    const sockets = &names.sockets;
    if (linux.errno(linux.setns(sockets.home, linux.CLONE.NEWNET)) == .SUCCESS) return;
    proxy.home = sockets.home;
    proxy.inside = sockets.inside;
}

/// A container without names is still one.
fn answerNames(session: *Session) void {
    const names = session.names orelse return;
    memory.releaseProgram();
    const refused = names.begin(session.state, session.networks, session.pid);
    memory.releaseStack();
    const refusal = refused orelse return reachPorts(names);
    session.names = null;
    var buffer: [128]u8 = undefined;
    const why = errnos.text(refusal.errno) orelse "it failed";
    const format = "no names are answered in this container: {s}: {s}";
    const text = std.fmt.bufPrint(&buffer, format, .{ refusal.what, why }) catch &buffer;
    _ = frame.send(client_socket, .warning, text);
}

/// The end of `sync` says that the program was executed; so does its own end, where somebody inside has kept a copy. Hooks in the
/// container, and who may trace what is born there, can keep it from that for as long as they like: a client that goes is the end.
fn awaitExecuted(session: *Session) fault.Error!void {
    while (true) {
        var set = [_]linux.pollfd{
            .{ .fd = session.sync.socket, .events = linux.POLL.IN, .revents = 0 },
            .{ .fd = session.pidfd, .events = linux.POLL.IN, .revents = 0 },
            .{ .fd = client_socket, .events = 0, .revents = 0 },
        };
        const ready = linux.poll(&set, set.len, -1);
        if (linux.errno(ready) == .INTR) continue;
        _ = try fault.check(ready, .monitor, "poll", .{});
        if (set[0].revents | set[1].revents == 0) return clientGone();
        if (set[0].revents == 0) return;
        switch (try session.sync.receive() orelse continue) {
            .closed => return,
            .failure => |failure| return failedStage(failure),
            else => return fault.fail(.monitor, .PROTO, "init said what it should not", .{}),
        }
    }
}

/// How long the kernel may take to end what was killed; a frozen process ends when it is thawed, without us.
const killed_ms = 5000;

/// The stage, or the container that could not be started, goes; its namespaces and mounts go with it.
pub fn killStage(session: *const Session) void {
    if (session.pid <= 0) return;
    _ = linux.kill(session.pid, .KILL);
    const pidfd = linux.pidfd_open(session.pid, 0);
    var ended = [_]linux.pollfd{.{
        .fd = if (linux.errno(pidfd) == .SUCCESS) @intCast(pidfd) else -1,
        .events = linux.POLL.IN,
        .revents = 0,
    }};
    if (!session.frozen.frozen()) _ = linux.poll(&ended, 1, killed_ms);
    var status: u32 = 0;
    _ = linux.waitpid(session.pid, &status, linux.W.NOHANG);
}

test {
    _ = init_stage;
    _ = join_stage;
    _ = process;
    _ = sync;
}
