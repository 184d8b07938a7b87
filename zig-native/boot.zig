//! rt-init: process 1 of a machine that boots rt as /init, or of a pid namespace. It has no libc, no threads and next to no
//! memory, so that it goes on when the engine does not: what decides is the session, rt itself as a child.
//!
//!   kernel --> rt (Bun, pid 1) --execve--> rt-init (pid 1) --fork--> session: rt init (JavaScript)
//!                                            |  mounts what is missing, loopback        |  reads the configuration
//!                                            |  reaps                                   |  runs the containers
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
//! A second one from outside does not wait for the session any longer. A session that ends without having asked has
//! crashed: that is said on the console, and the power goes off; there is no kernel panic.
//!
//! Descriptors at start: one of the executable, whose number is our first argument; the others go to the session.
const std = @import("std");
const linux = std.os.linux;
const console = @import("boot/console.zig");
const finish = @import("boot/finish.zig");
const prepare = @import("boot/prepare.zig");
const root = @import("boot/root.zig");
const fault = @import("fault.zig");
const session = @import("boot/session.zig");
const Place = @import("boot/place.zig").Place;

pub const panic = fault.panic;
pub const std_options = fault.options;

/// A fault of our own must not end process 1 of a machine, which is a kernel panic: it says so, and the power goes off.
fn concede(line: []const u8) void {
    console.say("{s}", .{line});
    finish.end(.detect(), .power_off, fault.status);
}

pub fn main(init: std.process.Init.Minimal) u8 {
    const arguments = init.args.vector;
    // Everything below is for a process 1 alone: to any other the same calls would do harm.
    if (linux.getpid() != 1 or arguments.len < 2) return 125;
    fault.program = "rt-init";
    fault.tell = &concede;
    // Executed from a descriptor, the kernel would call us by its number.
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NAME), @intFromPtr("rt-init"), 0, 0, 0);
    const all = linux.sigfillset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &all, null);
    const executable = std.fmt.parseInt(i32, std.mem.span(arguments[1]), 10) catch return 125;
    session.keepOnly(executable);
    _ = linux.chdir("/");

    const place: Place = .detect();
    if (place == .machine) root.giveParent();
    prepare.all(place);
    if (place == .machine) {
        console.open();
        prepare.takeCtrlAltDel();
    }
    var running = session.start(place, arguments[2..], init.environ.block.slice) catch |err| switch (err) {
        error.Failed => finish.end(place, .power_off, 125),
    };
    const outcome = supervise(place, &running, &all);
    finish.end(place, outcome.request, outcome.status);
}

const Outcome = struct { request: finish.Request, status: u8 };

fn supervise(place: Place, running: *session.Session, signals: *const linux.sigset_t) Outcome {
    var request: ?finish.Request = null;
    while (true) {
        const ended = running.reap();
        // What the session asked for before its end may wait behind the news of it.
        while (take(signals, ended == null)) |signal| {
            if (finish.requestOf(place, @intFromEnum(signal.signo))) |wanted| {
                if (ended == null and !sentBy(running.pid, signal)) {
                    if (request == null) running.stop() else running.kill();
                }
                // The first word counts.
                request = request orelse wanted;
            }
            if (ended == null) break;
        }
        if (ended) |status| return conclude(request, status);
    }
}

fn sentBy(pid: i32, signal: linux.siginfo_t) bool {
    return signal.code <= 0 and signal.fields.common.first.piduid.pid == pid;
}

/// The next signal, if need be after a wait.
fn take(signals: *const linux.sigset_t, wait: bool) ?linux.siginfo_t {
    const none: linux.timespec = .{ .sec = 0, .nsec = 0 };
    var information: linux.siginfo_t = undefined;
    const timeout: usize = if (wait) 0 else @intFromPtr(&none);
    const result = linux.syscall4(.rt_sigtimedwait, @intFromPtr(signals), @intFromPtr(&information), timeout, linux.NSIG / 8);
    return if (linux.errno(result) == .SUCCESS) information else null;
}

fn conclude(request: ?finish.Request, status: session.Status) Outcome {
    if (request) |asked| return .{ .request = asked, .status = status.code };
    if (status.signal != 0) {
        console.say("the session was killed by signal {d}", .{status.signal});
    } else console.say("the session ended unasked, with status {d}", .{status.code});
    return .{ .request = .power_off, .status = status.code };
}

test {
    _ = console;
    _ = finish;
    _ = prepare;
    _ = session;
}
