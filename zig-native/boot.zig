//! rt-init: process 1 of a machine that boots rt as /init, or of a pid namespace. It has no libc, no threads and next to no
//! memory, so that it goes on when the engine does not: what decides is the session, rt itself as a child.
//!
//!   kernel --> rt's stub (start/first.zig) --execve--> rt-init --fork--> session: rt init (Bun, JavaScript)
//!                                            |  mounts what is missing, loopback        |  reads the configuration
//!                                            |  reaps                                   |  runs the containers
//!                                            |  <--- how long they take to stop ------  |
//!   signal ----------------------------->    |  ---- SIGTERM: stop ------------------>  |  stops them
//!                                            |  <--- the signal that asks for an end -  |  when all have ended
//!                                            |  <--- exit status ---------------------  |
//!                                            |  TERM, KILL to the rest; sync, unmount
//!                                            `-> reboot(2), or in a pid namespace the status as our own
//!
//! An end is asked for by a signal, from outside as by the session:
//!
//!   power off   TERM, USR2, PWR, RTMIN+4     reboot   INT (ctrl-alt-del), RTMIN+5     halt   USR1, RTMIN+3
//!
//! A second one from outside does not wait any longer, for the session or for whatever the end has come to. A session that
//! takes longer than it said is killed, and one that cannot be killed is left. One that ends without having asked has
//! crashed: that is said on the console, and the power goes off; there is no kernel panic.
//!
//! Descriptors at start: one of the executable, whose number is our first argument; the others go to the session.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("boot/clock.zig");
const console = @import("boot/console.zig");
const finish = @import("boot/finish.zig");
const prepare = @import("boot/prepare.zig");
const root = @import("boot/root.zig");
const fault = @import("wire/fault.zig");
const session = @import("boot/session.zig");
const signals = @import("boot/signals.zig");
const Place = @import("boot/place.zig").Place;

pub const panic = fault.panic;
pub const std_options = fault.options;

/// A fault of our own must not end process 1 of a machine, which is a kernel panic: it says so, and the power goes off.
fn concede(line: []const u8) void {
    console.say("{s}", .{line});
    finish.end(.detect(), .power_off, fault.status, false);
}

pub fn main(init: std.process.Init.Minimal) u8 {
    const arguments = init.args.vector;
    // Everything below is for a process 1 alone: to any other the same calls would do harm.
    if (linux.getpid() != 1 or arguments.len < 2) return 125;
    fault.program = "rt-init";
    fault.tell = &concede;
    // Executed from a descriptor, the kernel would call us by its number.
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NAME), @intFromPtr("rt-init"), 0, 0, 0);
    signals.block();
    const executable = std.fmt.parseInt(i32, std.mem.span(arguments[1]), 10) catch return 125;
    session.keepOnly(executable);

    const place: Place = .detect();
    if (place == .machine) root.giveParent();
    prepare.all(place);
    if (place == .machine) {
        console.open(.nonblocking);
        prepare.takeCtrlAltDel();
    } else console.fill();
    // In a namespace the session's paths begin where its caller is.
    var running = session.start(place, arguments[2..], init.environ.block.slice) catch |err| switch (err) {
        error.Failed => finish.end(place, .power_off, 125, false),
    };
    _ = linux.chdir("/");
    const outcome = supervise(place, &running);
    finish.end(place, outcome.request, outcome.status, outcome.hurried);
}

const Outcome = struct { request: signals.Request, status: u8, hurried: bool = false };

/// What a session that has been killed may take to go, and one that has asked for the end.
const last_moment_ms = 1000;

fn supervise(place: Place, running: *session.Session) Outcome {
    var request: ?signals.Request = null;
    var hurried = false;
    var deadline_ms: ?i64 = null;
    var killed = false;
    while (true) {
        const ended = running.reap();
        // What the session asked for before its end may wait behind the news of it.
        const patience_ms = if (ended != null) 0 else if (deadline_ms) |deadline| deadline - clock.now_ms() else null;
        if (signals.next(patience_ms)) |signal| {
            const wanted = signals.requestOf(place, @intFromEnum(signal.signo)) orelse continue;
            const outside = !signals.isFrom(running.pid, signal);
            hurried = hurried or (outside and request != null);
            if (outside and !hurried) running.stop();
            if (deadline_ms == null) deadline_ms = clock.now_ms() + if (outside) running.patience_ms() else last_moment_ms;
            if (place == .machine) console.release();
            // The first word counts.
            request = request orelse wanted;
        } else if (ended) |status| return conclude(request, status, hurried);
        const late = if (deadline_ms) |deadline| clock.now_ms() >= deadline else false;
        if (killed and late) {
            console.say("the session cannot be killed: left", .{});
            return .{ .request = request.?, .status = session.killed_status, .hurried = hurried };
        }
        if ((late or hurried) and !killed) {
            if (!hurried) console.say("the session takes longer than it said: killed", .{});
            running.kill();
            killed = true;
            deadline_ms = clock.now_ms() + last_moment_ms;
        }
    }
}

fn conclude(request: ?signals.Request, status: session.Status, hurried: bool) Outcome {
    if (request) |asked| return .{ .request = asked, .status = status.code, .hurried = hurried };
    if (status.signal != 0) {
        console.say("the session was killed by signal {d}", .{status.signal});
    } else if (status.code != session.failed_status) { // the start stub has said why, and the engine always does
        console.say("the session ended unasked, with status {d}", .{status.code});
    }
    return .{ .request = .power_off, .status = status.code };
}

test {
    _ = console;
    _ = finish;
    _ = prepare;
    _ = session;
    _ = signals;
}
