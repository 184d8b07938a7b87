//! The session: rt itself as our child, which reads the configuration and runs the containers. It is executed from the
//! descriptor that rt handed to us: there need be no path that leads to the file.
const std = @import("std");
const linux = std.os.linux;
const console = @import("console.zig");
const Place = @import("place.zig").Place;

/// Says to rt that it is the session, and of what.
const marker = "RT_INIT=";
/// An executable with an image packed into it is that image's program, unless told so: here it is rt.
const not_the_app = "RT_APP=0";
const default_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The executable, after `keepOnly`.
const executable = 3;
const words_max = 1024;

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

    /// Reap everything that has ended. The session's status, once it is among them.
    pub fn reap(self: *Session) ?Status {
        while (true) {
            var status: u32 = 0;
            const pid = linux.waitpid(-1, &status, linux.W.NOHANG);
            if (linux.errno(pid) == .INTR) continue;
            if (linux.errno(pid) != .SUCCESS or pid == 0) return self.ended;
            if (pid == @as(usize, @intCast(self.pid))) self.ended = statusOf(status);
        }
    }
};

fn statusOf(status: u32) Status {
    if (!linux.W.IFSIGNALED(status)) return .{ .code = linux.W.EXITSTATUS(status), .signal = 0 };
    const signal: u8 = @intCast(status & 0x7f);
    return .{ .code = 128 +| signal, .signal = signal };
}

/// `words`: what follows "rt init". `environment` is our own.
pub fn start(place: Place, words: []const [*:0]const u8, environment: []const ?[*:0]const u8) error{Failed}!Session {
    if (words.len + 2 > words_max or environment.len + 4 > words_max) {
        console.say("too many arguments or variables", .{});
        return error.Failed;
    }
    const forked = linux.fork();
    if (linux.errno(forked) != .SUCCESS) {
        console.say("cannot start the session: {s}", .{@tagName(linux.errno(forked))});
        return error.Failed;
    }
    if (forked != 0) return .{ .pid = @intCast(forked) };
    execute(place, words, environment);
}

fn execute(place: Place, words: []const [*:0]const u8, environment: []const ?[*:0]const u8) noreturn {
    var arguments: [words_max + 1]?[*:0]const u8 = @splat(null);
    arguments[0] = "rt";
    arguments[1] = "init";
    for (words, arguments[2..][0..words.len]) |word, *slot| slot.* = word;
    var variables: [words_max + 1]?[*:0]const u8 = @splat(null);
    fillEnvironment(place, environment, &variables);

    resetSignals();
    _ = linux.setsid();
    const result = linux.execveat(executable, "", @ptrCast(&arguments), @ptrCast(&variables), .{ .SYMLINK_NOFOLLOW = false, .EMPTY_PATH = true });
    console.say("cannot start the session: {s}", .{@tagName(linux.errno(result))});
    linux.exit_group(125);
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

/// What Bun ignored before it became us would stay ignored in every container.
fn resetSignals() void {
    const default: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.DFL }, .mask = linux.sigemptyset(), .flags = 0 };
    for (1..linux.NSIG) |number| switch (@as(linux.SIG, @enumFromInt(number))) {
        .KILL, .STOP => {}, // have no other action, and the standard library checks that nobody asks for one
        else => |signal| _ = linux.sigaction(signal, &default, null),
    };
    const none = linux.sigemptyset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &none, null);
}

test statusOf {
    try std.testing.expectEqual(Status{ .code = 3, .signal = 0 }, statusOf(3 << 8));
    try std.testing.expectEqual(Status{ .code = 139, .signal = 11 }, statusOf(11 | 0x80));
}

test fillEnvironment {
    var out: [words_max + 1]?[*:0]const u8 = @splat(null);
    fillEnvironment(.machine, &.{ "HOME=/", "RT_INIT=forged", "x=y" }, &out);
    const wanted = [_][]const u8{ "HOME=/", "x=y", default_path, "RT_APP=0", "RT_INIT=machine" };
    for (wanted, out[0..wanted.len]) |text, got| try std.testing.expectEqualStrings(text, std.mem.span(got.?));
    try std.testing.expectEqual(@as(?[*:0]const u8, null), out[wanted.len]);
}
