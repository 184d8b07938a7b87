//! Hooks of the host's namespaces: those that a client has run by a process of ours (descriptor 0 is the request, 1 the client's
//! socket), and those for which the program has to run already.
//!
//!   client                          we
//!     | -- request memfd, socket -->  |  executes the hook, and waits for it
//!     |  <--- exit(0) --------------- |
//!     |  <--- failed ---------------- |   instead: it failed, took too long, could not be executed
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const frame = @import("../wire/frame.zig");
const hooks = @import("../stage/hooks.zig");
const relays = @import("relay.zig");
const request = @import("../wire/request.zig");
const signals = @import("../linux/signals.zig");
const text = @import("text.zig");

const client_socket = 1;
const escaped_bytes_max = 512;

/// Answers the process's exit status.
pub fn serve() u8 {
    signals.act(.PIPE, linux.SIG.IGN);
    runOne() catch {
        var escaped: [escaped_bytes_max]u8 = undefined;
        var payload: frame.FailureBuffer = undefined;
        const message = text.escape(&escaped, fault.failure.message());
        const body = frame.encodeFailure(&payload, fault.failure.stage, fault.failure.errno, message);
        _ = frame.send(client_socket, .failed, body);
        return 1;
    };
    _ = frame.send(client_socket, .exit, &.{ 0, 0, 0, 0 });
    return 0;
}

fn runOne() fault.Error!void {
    const region = request.Memory.map() catch return fault.fail(.request, .NOMEM, "mmap", .{});
    const arena = region.allocator();
    const wanted = try request.readHook(arena);
    hooks.run(arena, wanted.stage, &wanted.hook, wanted.state, client_socket) catch |err| return switch (err) {
        error.OutOfMemory => fault.fail(.request, .NOMEM, "the request is too large", .{}),
        error.Failed => error.Failed,
    };
}

/// Those for which the program has to run already, one after the other, beside all else that the monitor does: it polls for
/// `hooks.Running.slots` descriptors of ours. What fails of them is only told: the program runs. Who had it started hears of that when
/// they are over.
pub const Poststart = struct {
    relay: *relays.Relay,
    /// Of the request, in which they are.
    region: request.Memory,
    state: []const u8,
    pid: i32,
    /// Without the one that runs.
    left: []const request.Hook,
    running: hooks.Running,

    /// False when they are over: the region goes then.
    pub fn begin(self: *Poststart, relay: *relays.Relay, region: request.Memory, wanted: *const request.Hooks, pid: i32) bool {
        self.relay = relay;
        self.region = region;
        self.state = wanted.state;
        self.pid = pid;
        self.left = wanted.poststart;
        relay.unstarted = true;
        return self.next();
    }

    /// The same.
    pub fn tend(self: *Poststart, set: *const [hooks.Running.slots]linux.pollfd) bool {
        const end = self.running.tend(set) orelse return true;
        self.running.conclude(end) catch self.warn();
        return self.next();
    }

    /// Nobody wants the container any more.
    pub fn abandon(self: *Poststart) void {
        self.running.abandon() catch self.warn();
        self.left = &.{};
        _ = self.next();
    }

    fn next(self: *Poststart) bool {
        while (self.left.len > 0) {
            const hook = &self.left[0];
            self.left = self.left[1..];
            self.running = self.start(hook) catch {
                self.warn();
                continue;
            };
            return true;
        }
        self.region.unmap();
        self.relay.unstarted = false;
        if (self.relay.maker) |maker| _ = frame.send(maker.socket, .started, "");
        return false;
    }

    fn start(self: *const Poststart, hook: *const request.Hook) fault.AllocError!hooks.Running {
        const arena = self.region.allocator();
        return .start(arena, "poststart", hook, try hooks.stateText(arena, self.state, .running, self.pid));
    }

    fn warn(self: *const Poststart) void {
        const maker = self.relay.maker orelse return;
        var escaped: [escaped_bytes_max]u8 = undefined;
        _ = frame.send(maker.socket, .warning, text.escape(&escaped, fault.failure.message()));
    }
};

test {
    _ = hooks;
}
