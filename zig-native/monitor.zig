//! rt-monitor: one per running container and per exec. It has no libc and no threads, and holds what must outlive the client:
//! the program's stdio, its exit status, the lock that says "somebody looks after this container".
//!
//!   rt (client)                     monitor                       stage (init.zig or join.zig)
//!     | -- request memfd, socket -->  |                               |
//!     |                               | -- clone3, 'G' go ----------> |  builds namespaces, root, identity
//!     |  <--- warning*  ------------- |  <----------- W*, T, P, R --- |  (stage.zig draws this side)
//!     |  <--- created(pid) ---------- |                               |  waits
//!     | ---- start -----------------> | -- 'S' ---------------------> |  execve
//!     |  <--- started --------------- |  <------------- end of file - |  is the user's program
//!     | ---- stdin, resize, eof ----> | == pipes or a pty ==========> |
//!     |  <--- stdout, stderr -------- |                               |
//!     |  <--- exit(status) ---------- |  <------------------- exits - |
//!     |  <--- failed(stage, errno) -- |   instead of any of the above, and the last frame
//!
//! Frames are those of abi.zig. A client that goes before `start` takes the container with it; after that the container
//! lives on, and others may come through stateDirectory/attach.sock.
//!
//! Files in a container's stateDirectory: `lock`, which the client has locked and we hold while we live; `pid`, once the
//! program runs; `exit`, once it has ended; the last two appear by rename. An exec leaves no files.
//! Descriptors at start: 0 the request, 1 the client's socket, 2 the locked file.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("abi.zig");
const cgroup = @import("linux/cgroup.zig");
const cgroup_hierarchy = @import("linux/cgroup_hierarchy.zig");
const clone = @import("linux/clone.zig");
const frame = @import("frame.zig");
const init_stage = @import("init.zig");
const join_stage = @import("join.zig");
const process = @import("process.zig");
const records = @import("records.zig");
const relays = @import("relay.zig");
const request = @import("request.zig");
const request_memory = @import("request_memory.zig");
const stage = @import("stage.zig");
const stdio = @import("stdio.zig");

const client_socket = 1;
const tiocgptpeer = 0x5441;
const open_noctty = 0o2 | 0o400 | 0o2000000; // O_RDWR | O_NOCTTY | O_CLOEXEC
const lock_file = 2;

var relay: relays.Relay = undefined;

/// What is known of the container or exec once its request has been read.
const Session = struct {
    request: request.Request,
    state: i32 = -1,
    sync: i32 = -1,
    /// The stage's process, which becomes the program's; for an exec the stage's own child.
    pid: i32 = -1,
    start_time: u64 = 0,
    pidfd: i32 = -1,
    listener: i32 = -1,
    signals: i32 = -1,

    fn process_(self: *const Session) *const request.Process {
        return switch (self.request) {
            .create => |*each| &each.spec.process,
            .exec => |*each| &each.process,
        };
    }

    fn wantsStdin(self: *const Session) bool {
        return switch (self.request) {
            inline else => |each| each.stdin,
        };
    }
};

pub fn main(arguments: std.process.Init.Minimal) u8 {
    _ = arguments;
    // An exec has no lock; 2 must not become something that a panic would write to.
    if (linux.errno(linux.fcntl(2, linux.F.GETFD, 0)) != .SUCCESS) _ = linux.openat(linux.AT.FDCWD, "/dev/null", .{ .ACCMODE = .RDWR, .CLOEXEC = true }, 0);
    // Executed from a descriptor, the kernel would call us by its number.
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NAME), @intFromPtr("rt-monitor"), 0, 0, 0);
    relay.init();
    relay.add(client_socket);
    run() catch {
        report();
        return 1;
    };
    return 0;
}

/// Tell the client of `stage.failure`: the last thing that we do.
fn report() void {
    var payload: [abi.failure_header_bytes + 512]u8 = undefined;
    const message = stage.failure.message();
    std.mem.writeInt(u32, payload[0..4], @intFromEnum(stage.failure.stage), .big);
    std.mem.writeInt(u32, payload[4..8], @intFromEnum(stage.failure.errno), .big);
    @memcpy(payload[abi.failure_header_bytes..][0..message.len], message);
    _ = frame.send(client_socket, .failed, payload[0 .. abi.failure_header_bytes + message.len]);
}

fn run() stage.Error!void {
    const memory = try request_memory.Memory.map();
    var session: Session = .{ .request = try memory.readRequest() };
    try open(&session);
    var cgroup_path_buffer: [256]u8 = undefined;
    const cgroup_path = try copyCgroupPath(&session, &cgroup_path_buffer);
    // Undone in every case: it is ours, and nobody is left in it.
    defer if (cgroup_path.len > 0) cgroup.remove(cgroup_path);
    // Also when building fails: a half-built init must not wait for ever.
    errdefer killStage(&session);
    try launch(&session, memory.allocator());
    try awaitReady(&session);
    memory.unmap();
    try start(&session);
    const status = try serve(&session);
    finish(&session, status);
}

/// The state directory, the attach socket in it, the signals we look at.
fn open(session: *Session) stage.Error!void {
    if (session.request == .create) {
        const directory = session.request.create.stateDirectory;
        var path_buffer: [4096]u8 = undefined;
        const path = std.fmt.bufPrintZ(&path_buffer, "{s}", .{directory}) catch return stage.fail(.request, .NAMETOOLONG, "{s}", .{directory});
        session.state = @intCast(try stage.check(linux.openat(linux.AT.FDCWD, path, .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true }, 0), .monitor, "open {s}", .{directory}));
        session.listener = try listen(directory);
    }
    var ignored = [_]linux.SIG{ .HUP, .INT, .QUIT, .PIPE };
    const ignore: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.IGN }, .mask = linux.sigemptyset(), .flags = 0 };
    for (&ignored) |signal| _ = linux.sigaction(signal, &ignore, null);
    var set = linux.sigemptyset();
    linux.sigaddset(&set, .TERM);
    _ = linux.sigprocmask(linux.SIG.BLOCK, &set, null);
    session.signals = @intCast(try stage.check(linux.signalfd(-1, &set, 0o2000000 | 0o4000), .monitor, "signalfd", .{}));
}

fn listen(directory: []const u8) stage.Error!i32 {
    const socket: i32 = @intCast(try stage.check(linux.socket(linux.AF.UNIX, linux.SOCK.STREAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0), .monitor, "socket", .{}));
    var path_buffer: [4096]u8 = undefined;
    const path = std.fmt.bufPrint(&path_buffer, "{s}/attach.sock", .{directory}) catch return stage.fail(.monitor, .NAMETOOLONG, "attach.sock", .{});
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    var through: ?i32 = null;
    const errno = process.fillAddress(&address, path, &through);
    defer if (through) |fd| {
        _ = linux.close(fd);
    };
    if (errno != .SUCCESS) return stage.fail(.monitor, errno, "attach.sock", .{});
    _ = try stage.check(linux.bind(socket, @ptrCast(&address), @sizeOf(linux.sockaddr.un)), .monitor, "bind {s}", .{path});
    _ = try stage.check(linux.listen(socket, 8), .monitor, "listen", .{});
    return socket;
}

/// The path outlives the request's memory.
fn copyCgroupPath(session: *const Session, buffer: []u8) stage.Error![]const u8 {
    if (session.request != .create) return "";
    const path = (session.request.create.cgroup orelse return "").path;
    if (path.len > buffer.len) return stage.fail(.request, .NAMETOOLONG, "cgroup path", .{});
    @memcpy(buffer[0..path.len], path);
    return buffer[0..path.len];
}

/// Make the program's stdio and the stage's process, and let it go.
fn launch(session: *Session, arena: std.mem.Allocator) stage.Error!void {
    var pair: [2]i32 = undefined;
    _ = try stage.check(linux.socketpair(linux.AF.UNIX, linux.SOCK.SEQPACKET | linux.SOCK.CLOEXEC, 0, &pair), .monitor, "socketpair", .{});
    session.sync = pair[0];
    var handles: stage.Handles = .{ .sync = pair[1] };
    relay.terminal = session.process_().terminal;
    if (!relay.terminal) try stdio.makePipes(&relay, session.wantsStdin(), &handles);

    var flags: u64 = 0;
    var group: i32 = -1;
    if (session.request == .create) {
        const create = &session.request.create;
        flags = init_stage.cloneFlags(&create.spec);
        if (create.cgroup) |wanted| group = cgroup.openUnified(arena, try hierarchies(arena), wanted.path) catch return outOfMemory();
    }
    defer if (group >= 0) {
        _ = linux.close(group);
    };
    const cloned = clone.clone(flags, group);
    const pid: i32 = @intCast(try stage.check(cloned.result, .namespace, "create namespaces", .{}));
    if (pid == 0) {
        handles.in_group = cloned.in_group;
        closeMonitorsDescriptors(session);
        switch (session.request) {
            .create => |*create| init_stage.run(create, handles, arena),
            .exec => |*exec| join_stage.run(exec, handles, arena),
        }
    }
    session.pid = pid;
    for ([_]i32{ handles.sync, handles.stdin, handles.stdout, handles.stderr }) |fd| if (fd >= 0) {
        _ = linux.close(fd);
    };
    try sendSync(session, "G");
}

fn hierarchies(arena: std.mem.Allocator) stage.Error![]const cgroup_hierarchy.Hierarchy {
    return cgroup_hierarchy.discover(arena) catch outOfMemory();
}

fn outOfMemory() stage.Error {
    return stage.fail(.request, .NOMEM, "the request is too large", .{});
}

fn sendSync(session: *const Session, message: []const u8) stage.Error!void {
    _ = try stage.check(linux.sendto(session.sync, message.ptr, message.len, linux.MSG.NOSIGNAL, null, 0), .monitor, "init ended early", .{});
}

/// In the stage: nothing of the monitor's may live on in it, above all not the lock.
fn closeMonitorsDescriptors(session: *const Session) void {
    for ([_]i32{ session.state, lock_file, session.listener, session.signals, session.sync, client_socket, 0, relay.stdin, relay.stdout, relay.stderr }) |fd| if (fd >= 0) {
        _ = linux.close(fd);
    };
    const none = linux.sigemptyset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &none, null);
    const default: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.DFL }, .mask = linux.sigemptyset(), .flags = 0 };
    for ([_]linux.SIG{ .HUP, .INT, .QUIT, .PIPE }) |signal| _ = linux.sigaction(signal, &default, null);
}

/// Read the stage's packets until it is ready.
fn awaitReady(session: *Session) stage.Error!void {
    while (true) {
        var buffer: [1024]u8 = undefined;
        const packet = try receiveSync(session, &buffer);
        if (packet.len == 0) return stage.fail(.monitor, .CHILD, "init ended while it was being built", .{});
        switch (packet[0]) {
            'R' => break,
            'E' => return failedStage(packet),
            'W' => _ = frame.send(client_socket, .warning, packet[1..]),
            'T' => {}, // the descriptor is taken where it is received
            'P' => {
                // The stage of an exec has made the program's process as our child, and ends.
                var status: u32 = 0;
                while (linux.errno(linux.waitpid(session.pid, &status, 0)) == .INTR) {}
                session.pid = std.mem.readInt(i32, packet[1..5], .big);
            },
            else => return stage.fail(.monitor, .PROTO, "init said {d}", .{packet[0]}),
        }
    }
    session.pidfd = @intCast(try stage.check(linux.pidfd_open(session.pid, 0), .monitor, "pidfd_open", .{}));
    session.start_time = process.startTime(session.pid) orelse 0;
}

fn failedStage(packet: []const u8) stage.Error {
    if (packet.len < 9) return stage.fail(.monitor, .PROTO, "init failed", .{});
    const at: abi.Stage = @enumFromInt(std.mem.readInt(u32, packet[1..5], .big));
    const errno: linux.E = @enumFromInt(std.mem.readInt(u32, packet[5..9], .big));
    return stage.fail(at, errno, "{s}", .{packet[9..]});
}

/// One packet of the stage's; a descriptor that comes with it is the terminal.
fn receiveSync(session: *Session, buffer: []u8) stage.Error![]u8 {
    var vector = [_]std.posix.iovec{.{ .base = buffer.ptr, .len = buffer.len }};
    var control: [64]u8 align(8) = undefined;
    var message: linux.msghdr = .{ .name = null, .namelen = 0, .iov = &vector, .iovlen = 1, .control = &control, .controllen = control.len, .flags = 0 };
    while (true) {
        const result = linux.recvmsg(session.sync, &message, linux.MSG.CMSG_CLOEXEC);
        if (linux.errno(result) == .INTR) continue;
        const length = try stage.check(result, .monitor, "read from init", .{});
        // struct cmsghdr: length, level, type, then the descriptor.
        if (message.controllen >= 20) {
            const master = std.mem.readInt(i32, control[16..20], .little);
            stdio.nonblocking(master);
            relay.stdin = master;
            relay.stdout = master;
            const peer = linux.ioctl(master, tiocgptpeer, open_noctty);
            if (linux.errno(peer) == .SUCCESS) relay.peer = @intCast(peer); // Linux 4.13
        }
        return buffer[0..length];
    }
}

/// `created` to the client, its `start` back, `started` when the program has been executed.
fn start(session: *Session) stage.Error!void {
    var payload: [4]u8 = undefined;
    std.mem.writeInt(u32, &payload, @intCast(session.pid), .big);
    if (frame.send(client_socket, .created, &payload) != .SUCCESS) return stage.fail(.monitor, .CONNRESET, "the client went away", .{});
    var header: [abi.frame_header_bytes]u8 = undefined;
    if (frame.receive(client_socket, &header) != .SUCCESS) return stage.fail(.monitor, .CONNRESET, "the client went away", .{});
    if (header[0] != @intFromEnum(abi.Frame.start)) return stage.fail(.monitor, .PROTO, "client said {d} before start", .{header[0]});
    try sendSync(session, "S");
    var buffer: [1024]u8 = undefined;
    const packet = try receiveSync(session, &buffer);
    if (packet.len > 0) return failedStage(packet);
    _ = linux.close(session.sync);
    if (session.state >= 0) try records.writePid(session.state, session.pid, session.start_time);
    relay.announce(.started, "");
}

/// Relay until the program has ended and its output has been handed on. Answers its exit status.
fn serve(session: *Session) stage.Error!u32 {
    var status: ?u32 = null;
    while (true) {
        const idle = relay.idle();
        if (idle and status != null and !drain()) return status.?;
        var set: [6 + relays.clients_max]linux.pollfd = undefined;
        const fds = fillPoll(&set, session, status != null);
        const ready = linux.poll(fds.ptr, fds.len, if (idle and status != null) 0 else -1);
        if (linux.errno(ready) == .INTR) continue;
        _ = try stage.check(ready, .monitor, "poll", .{});
        if (set[1].revents != 0) terminate(session);
        if (set[2].revents != 0) accept(session);
        for (relay.clients[0..], set[6..]) |*client, *entry| {
            if (client.socket < 0 or client.socket != entry.fd) continue;
            if (entry.revents & linux.POLL.OUT != 0) relay.send(client);
            if (client.socket >= 0 and entry.revents & (linux.POLL.IN | linux.POLL.HUP | linux.POLL.ERR) != 0) relay.receive(client);
        }
        if (set[5].revents != 0) relay.feedBlocked();
        if (relay.idle() and set[3].revents != 0) _ = relay.pump(&relay.stdout, .stdout);
        if (relay.idle() and set[4].revents != 0) _ = relay.pump(&relay.stderr, .stderr);
        if (set[0].revents != 0 and status == null) {
            status = reap(session);
            // A full disk must not cost the client the exit status: that goes out in any case.
            if (session.state >= 0) records.writeExit(session.state, status.?) catch {
                _ = frame.send(client_socket, .warning, stage.failure.message());
            };
            if (relay.peer >= 0) _ = linux.close(relay.peer);
            relay.peer = -1;
        }
    }
}

/// After the program's end: hand on what is still in its pipes. False when there is nothing more.
fn drain() bool {
    if (relay.stdout >= 0 and relay.pump(&relay.stdout, .stdout)) return true;
    if (relay.stderr >= 0 and relay.pump(&relay.stderr, .stderr)) return true;
    return false;
}

/// Slots: 0 the program, 1 signals, 2 new clients, 3 stdout, 4 stderr, 5 stdin with room, then the clients.
fn fillPoll(set: *[6 + relays.clients_max]linux.pollfd, session: *const Session, ended: bool) []linux.pollfd {
    const readable = relay.idle() and !ended;
    const fds = [6]i32{
        if (ended) -1 else session.pidfd,
        session.signals,
        session.listener,
        if (readable) relay.stdout else -1,
        if (readable) relay.stderr else -1,
        if (relay.stdin_blocked) relay.stdin else -1,
    };
    for (fds, 0..) |fd, slot| set[slot] = .{ .fd = fd, .events = if (slot == 5) linux.POLL.OUT else linux.POLL.IN, .revents = 0 };
    for (&relay.clients, set[6..]) |*client, *entry| {
        const sending = client.sent < relay.output_end or client.owed > 0;
        entry.* = .{
            .fd = client.socket,
            .events = linux.POLL.IN | (if (sending) linux.POLL.OUT else @as(i16, 0)),
            .revents = 0,
        };
    }
    return set;
}

fn terminate(session: *const Session) void {
    var information: [128]u8 = undefined; // struct signalfd_siginfo
    _ = linux.read(session.signals, &information, information.len);
    _ = linux.pidfd_send_signal(session.pidfd, .TERM, null, 0);
}

fn accept(session: *const Session) void {
    const socket = linux.accept4(session.listener, null, null, linux.SOCK.CLOEXEC);
    if (linux.errno(socket) == .SUCCESS) relay.add(@intCast(socket));
}

/// Exit status as a shell has it: 128+n for signal n.
fn reap(session: *Session) u32 {
    var status: u32 = 0;
    while (linux.errno(linux.waitpid(session.pid, &status, 0)) == .INTR) {}
    session.pid = -1; // the number may be another's by now
    return if (linux.W.IFSIGNALED(status)) 128 + @as(u32, @intFromEnum(linux.W.TERMSIG(status))) else linux.W.EXITSTATUS(status);
}

fn finish(session: *Session, status: u32) void {
    var payload: [4]u8 = undefined;
    std.mem.writeInt(u32, &payload, status, .big);
    relay.announce(.exit, &payload);
    while (!relay.idle()) {
        for (&relay.clients) |*client| {
            if (client.socket < 0 or client.sent == relay.output_end) continue;
            var entry = [_]linux.pollfd{.{ .fd = client.socket, .events = linux.POLL.OUT, .revents = 0 }};
            _ = linux.poll(&entry, 1, -1);
            relay.send(client);
        }
    }
    if (session.listener >= 0) _ = linux.unlinkat(session.state, "attach.sock", 0);
}

/// The stage, or the container that could not be started, goes; its namespaces and mounts go with it.
fn killStage(session: *const Session) void {
    if (session.pid <= 0) return;
    _ = linux.kill(session.pid, .KILL);
    var status: u32 = 0;
    while (linux.errno(linux.waitpid(session.pid, &status, 0)) == .INTR) {}
}

test {
    _ = @import("frame.zig");
    _ = init_stage;
    _ = join_stage;
    _ = process;
}
