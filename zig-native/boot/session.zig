//! The session: rt itself as our child, which reads the configuration and runs the containers. It is executed from the
//! descriptor that rt handed to us: there need be no path that leads to the file.
const std = @import("std");
const linux = std.os.linux;
const console = @import("console.zig");
const path = @import("../linux/path.zig");
const signals = @import("../linux/signals.zig");
const wait = @import("../linux/wait.zig");
const Place = @import("place.zig").Place;

/// Says to rt that it is the session, and of what.
const marker = "RT_INIT=";
/// An executable with an image packed into it is that image's program, unless told so: here it is rt.
const not_the_app = "RT_APP=0";
const default_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The executable, after `keepOnly`; once the session has started, what it says of its patience.
const executable = 3;
const patience_pipe = 3;
/// In the session: where it says how many milliseconds it takes to stop, in digits (src/runtime/boot.ts).
const patience_out = 4;
const words_max = 1024;

/// The engine's own failures end with this.
pub const failed_status = 125;
pub const killed_status = 128 + 9;
/// Until the session has said what it needs it runs no container.
const patience_default_ms = 3000;
const patience_max_ms = 4000 * 1000;

/// Everything that Bun had open goes, but for the console and the executable.
pub fn keepOnly(fd: i32) void {
    if (fd != executable) _ = linux.dup3(fd, executable, 0);
    _ = linux.fcntl(executable, linux.F.SETFD, linux.FD_CLOEXEC);
    _ = linux.syscall3(.close_range, executable + 1, std.math.maxInt(u32), 0);
}

pub const Status = struct {
    /// As a shell has it: 128+n for signal n.
    code: u8,
    signal: u8,
};

pub const Session = struct {
    pid: i32,
    ended: ?Status = null,

    pub fn stop(self: *const Session) void {
        _ = linux.kill(self.pid, .TERM);
    }

    pub fn kill(self: *const Session) void {
        _ = linux.kill(self.pid, .KILL);
    }

    /// How long it may take to stop everything.
    pub fn patience_ms(_: *const Session) i64 {
        var text: [32]u8 = undefined;
        const length = linux.read(patience_pipe, &text, text.len);
        if (linux.errno(length) != .SUCCESS) return patience_default_ms;
        return patienceIn(text[0..length]);
    }

    /// Reap everything that has ended. The session's status, once it is among them.
    pub fn reap(self: *Session) ?Status {
        while (true) {
            var status: u32 = 0;
            const pid = linux.waitpid(-1, &status, linux.W.NOHANG);
            if (linux.errno(pid) == .INTR) continue;
            if (linux.errno(pid) != .SUCCESS or pid == 0) return self.ended;
            if (pid == @as(usize, @intCast(self.pid))) self.ended = .{ .code = wait.exitStatus(status), .signal = wait.signal(status) };
        }
    }
};

fn patienceIn(text: []const u8) i64 {
    const said = std.fmt.parseInt(i64, std.mem.sliceTo(text, '\n'), 10) catch return patience_default_ms;
    return std.math.clamp(said, 0, patience_max_ms);
}

/// `words`: what follows "rt init". `environment` is our own.
pub fn start(place: Place, words: []const [*:0]const u8, environment: []const ?[*:0]const u8) error{Failed}!Session {
    if (words.len + 2 > words_max or environment.len + 4 > words_max) {
        console.say("too many arguments or variables", .{});
        return error.Failed;
    }
    var pipe: [2]i32 = undefined;
    const piped = linux.errno(linux.pipe2(&pipe, .{ .CLOEXEC = true, .NONBLOCK = true }));
    const forked = if (piped == .SUCCESS) linux.fork() else @as(usize, @bitCast(-@as(isize, @intFromEnum(piped))));
    if (linux.errno(forked) != .SUCCESS) {
        console.say("cannot start the session: {s}", .{@tagName(linux.errno(forked))});
        return error.Failed;
    }
    if (forked == 0) execute(place, pipe[1], words, environment);
    _ = linux.dup3(pipe[0], patience_pipe, 0o2000000);
    for (pipe) |fd| _ = linux.close(fd);
    return .{ .pid = @intCast(forked) };
}

fn execute(place: Place, patience: i32, words: []const [*:0]const u8, environment: []const ?[*:0]const u8) noreturn {
    var arguments: [words_max + 1]?[*:0]const u8 = @splat(null);
    arguments[0] = "rt";
    arguments[1] = "init";
    for (words, arguments[2..][0..words.len]) |word, *slot| slot.* = word;
    var variables: [words_max + 1]?[*:0]const u8 = @splat(null);
    fillEnvironment(place, environment, &variables);

    signals.reset(); // what Bun ignored before it became us would stay ignored in every container
    _ = linux.setsid();
    if (place == .machine) {
        console.open(.blocking);
        // It holds everything else, and so does whom it starts to look after a container: they go last. Containers are as any
        // program is (stage/program.zig).
        _ = path.writeFile(linux.AT.FDCWD, "/proc/self/oom_score_adj", "-999", 0);
    }
    _ = linux.dup3(patience, patience_out, 0);
    const result = linux.execveat(
        executable,
        "",
        @ptrCast(&arguments),
        @ptrCast(&variables),
        .{ .SYMLINK_NOFOLLOW = false, .EMPTY_PATH = true },
    );
    console.say("cannot start the session: {s}", .{@tagName(linux.errno(result))});
    linux.exit_group(failed_status);
}

/// Ours without another's markers, and with a PATH: the kernel gives none.
fn fillEnvironment(place: Place, environment: []const ?[*:0]const u8, out: *[words_max + 1]?[*:0]const u8) void {
    var count: usize = 0;
    var has_path = false;
    for (environment) |entry| {
        const text = std.mem.span(entry orelse break);
        if (std.mem.startsWith(u8, text, marker) or std.mem.startsWith(u8, text, "RT_APP=")) continue;
        if (std.mem.startsWith(u8, text, "PATH=")) has_path = true;
        out[count] = entry;
        count += 1;
    }
    if (!has_path) {
        out[count] = default_path;
        count += 1;
    }
    out[count] = not_the_app;
    count += 1;
    out[count] = if (place == .machine) marker ++ "machine" else marker ++ "namespace";
}

test patienceIn {
    try std.testing.expectEqual(12_000, patienceIn("12000\n"));
    try std.testing.expectEqual(0, patienceIn("-5\n"));
    try std.testing.expectEqual(patience_max_ms, patienceIn("99999999999\n"));
    for ([_][]const u8{ "", "\n", "x\n", "9999999999999999999999\n" }) |text| try std.testing.expectEqual(
        patience_default_ms,
        patienceIn(text),
    );
}

test fillEnvironment {
    var out: [words_max + 1]?[*:0]const u8 = @splat(null);
    fillEnvironment(.machine, &.{ "HOME=/", "RT_INIT=forged", "x=y" }, &out);
    const wanted = [_][]const u8{ "HOME=/", "x=y", default_path, "RT_APP=0", "RT_INIT=machine" };
    for (wanted, out[0..wanted.len]) |text, got| try std.testing.expectEqualStrings(text, std.mem.span(got.?));
    try std.testing.expectEqual(@as(?[*:0]const u8, null), out[wanted.len]);
}
