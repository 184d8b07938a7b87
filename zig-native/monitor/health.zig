//! Whether the program is well: a check is executed in the container again and again, and what it says is counted by Docker's rules.
//!
//!   starting   until a check succeeds, or `retries` of them in a row fail; failures of the start period do not count
//!   healthy    after one that succeeded; `retries` failures in a row end it
//!   unhealthy  until one succeeds
//!
//! The next check begins `interval` after the end of the last; while the program is starting in its start period, `start interval`.
//! While the container is paused none begins, and one that has begun says nothing. One that takes too long ends with -1.
//!
//! The file `health` in the state directory has all of that as Docker's document, renamed into place; src/container/health.ts reads
//! the beginning of it, up to the status:
//!
//!   {"Status":"healthy","FailingStreak":0,"Log":[
//!   {"Start":"…","End":"…","ExitCode":0,"Output":"…"},
//!   {"Start":"…","End":"…","ExitCode":0,"Output":"…"}
//!   ]}
//!
//! The output is the container's: bounded, and encoded so that it is JSON whatever it holds.
const std = @import("std");
const linux = std.os.linux;
const cgroup = @import("../linux/cgroup.zig");
const clock = @import("clock.zig");
const events = @import("events.zig");
const fault = @import("../wire/fault.zig");
const freezer = @import("../linux/cgroup_freezer.zig");
const linux_path = @import("../linux/path.zig");
const memfd = @import("../linux/memfd.zig");
const memory = @import("../linux/memory.zig");
const probes = @import("probe.zig");
const records = @import("records.zig");
const request = @import("../wire/request.zig");

const Status = enum { starting, healthy, unhealthy };

/// Milliseconds.
const Rule = struct {
    interval: u64,
    timeout: u64,
    start_period: u64,
    start_interval: u64,
    retries: u32,

    /// Until the next check.
    fn pause(self: Rule, status: Status, age: u64) u64 {
        return if (age < self.start_period and status == .starting) self.start_interval else self.interval;
    }
};

const Count = struct {
    status: Status = .starting,
    streak: u32 = 0,

    /// `age`: of the program when the check began. True when the status is another one now.
    fn take(self: *Count, rule: Rule, exit_code: i32, age: u64) bool {
        const before = self.status;
        if (exit_code == 0) {
            self.streak = 0;
            self.status = .healthy;
        } else if (self.status != .starting or age >= rule.start_period) {
            self.streak +|= 1;
            if (self.streak >= rule.retries) self.status = .unhealthy;
        }
        return self.status != before;
    }
};

/// For a check to be executed at all, where the machine has a lot to do; its own time begins then.
const start_ms_max = 30_000;
/// When a container ends, its check is killed before that is seen: what sounds like it waits for so long.
const doubt_ms = 100;
/// For the second monitor to end what it was told to.
const end_ms_max = 2000;

/// More than a socket holds.
const reads_max = 1024;

const log_entries_max = 5;
/// Each byte may be an escape of six.
const entry_bytes_max = 6 * (probes.output_bytes_max + late_bytes_max) + 256;
const file_bytes_max = log_entries_max * entry_bytes_max + 256;
const Scratch = memory.Region(2 * file_bytes_max + 8192);

const late_bytes_max = 128;
const lines_file = "events";
/// By SIGKILL.
const killed = 137;

pub const Health = struct {
    rule: Rule,
    count: Count,
    on_failure: request.Action,
    stop_signal: u32,
    stop_timeout: i64,
    late: [late_bytes_max]u8,
    late_length: usize,
    state: i32,
    /// What a check's monitor is asked: a file without a name.
    probe_request: i32,
    /// The program, and the group of all that is in the container.
    pidfd: i32,
    cgroup_path: []const u8,
    frozen: freezer.Watch,

    phase: Phase,
    /// When the phase is over, in our clock.
    due: u64,
    next: u64,
    born: u64,
    began: u64,
    began_at: clock.Moment,
    verdict: i32,
    session: [64]u8,
    probe: probes.Probe,
    /// Nobody asks any more: it is being ended for what was found.
    over: bool,
    /// SIGKILL comes then.
    kill_at: ?u64,
    /// It is to be started again, whatever its policy is.
    again: bool,

    const Phase = enum {
        /// Until the next check.
        waiting,
        /// One is being made.
        checking,
        /// It was killed, or could not be made: that counts unless the container ends as well.
        doubting,
        /// What it found is on record, and its monitor still there.
        ending,
    };

    /// In place. `pid` is that of the program, which is built; everything of `wanted` goes when its request does.
    pub fn prepare(self: *Health, wanted: request.Health, state: i32, pid: i32, start_time: u64) fault.Error!void {
        if (wanted.late.len > self.late.len) return fault.fail(.request, .NAMETOOLONG, "health", .{});
        self.rule = .{
            .interval = wanted.interval,
            .timeout = wanted.timeout,
            .start_period = wanted.startPeriod,
            .start_interval = wanted.startInterval,
            .retries = wanted.retries,
        };
        self.count = .{};
        self.on_failure = wanted.onFailure;
        self.stop_signal = wanted.stopSignal;
        self.stop_timeout = wanted.stopTimeout;
        @memcpy(self.late[0..wanted.late.len], wanted.late);
        self.late_length = wanted.late.len;
        self.state = state;
        self.frozen = .{};
        self.phase = .waiting;
        self.probe.pid = -1;
        self.over = false;
        self.kill_at = null;
        self.again = false;
        self.probe_request = try completed(wanted.probe, pid, start_time);
        self.write(null);
    }

    /// The request of a check lacks the process whose container it joins.
    fn completed(front: []const u8, pid: i32, start_time: u64) fault.Error!i32 {
        const made = memfd.create("request", false, 0);
        const fd: i32 = @intCast(try fault.check(made, .monitor, "memfd_create", .{}));
        var buffer: [64]u8 = undefined;
        const back = std.fmt.bufPrint(&buffer, "{d},\"startTime\":\"{d}\"}}", .{ pid, start_time }) catch unreachable; // two numbers
        for ([_][]const u8{ front, back }) |part| {
            const count = try fault.check(linux.write(fd, part.ptr, part.len), .monitor, "write the health check", .{});
            if (count != part.len) return fault.fail(.monitor, .NOSPC, "write the health check", .{});
        }
        return fd;
    }

    /// The program has been executed.
    pub fn begin(self: *Health, pidfd: i32, cgroup_path: []const u8, frozen: freezer.Watch) void {
        self.pidfd = pidfd;
        self.cgroup_path = cgroup_path;
        self.frozen = frozen;
        self.born = clock.monotonic_ms();
        self.due = self.born +| self.rule.pause(self.count.status, 0);
    }

    /// What poll(2) is to look at: the check's words, and its monitor's end.
    pub fn descriptors(self: *const Health) [2]i32 {
        if (self.probe.pid <= 0) return .{ -1, -1 };
        return .{ self.probe.socket, self.probe.pidfd };
    }

    /// Milliseconds until something is due; -1: nothing is.
    pub fn patience(self: *const Health) i32 {
        var due: ?u64 = if (self.over and self.phase == .waiting) null else self.due;
        if (self.kill_at) |at| due = @min(due orelse at, at);
        const left = (due orelse return -1) -| clock.monotonic_ms();
        return std.math.cast(i32, left) orelse std.math.maxInt(i32);
    }

    /// `heard`, `ended`: what poll(2) said of `descriptors`.
    pub fn tend(self: *Health, heard: bool, ended: bool) void {
        if (heard and self.phase == .checking) self.listen();
        if (ended) {
            for (0..reads_max) |_| if (self.phase == .checking) self.listen();
            if (self.phase == .checking) self.doubt(-1);
            self.probe.reap();
            if (self.phase == .ending) self.rest();
        }
        const now = clock.monotonic_ms();
        if (self.kill_at) |at| if (now >= at) self.kill();
        if (now < self.due) return;
        switch (self.phase) {
            .waiting => if (!self.over) self.check(),
            .checking => self.giveUp(),
            .doubting => self.conclude(self.verdict, ""),
            .ending => {
                self.probe.kill();
                self.rest();
            },
        }
    }

    /// The program has ended: nobody asks any more.
    pub fn end(self: *Health) void {
        self.over = true;
        self.kill_at = null;
        self.probe.kill();
        self.phase = .waiting;
    }

    fn rest(self: *Health) void {
        self.phase = .waiting;
        self.due = self.next;
        // Between two checks hardly any of it is needed.
        memory.releaseProgram();
    }

    fn check(self: *Health) void {
        const now = clock.monotonic_ms();
        if (self.frozen.frozen()) return self.schedule(now);
        self.began = now;
        self.began_at = clock.now();
        var random: [32]u8 = undefined;
        if (linux.getrandom(&random, random.len, 0) != random.len) return self.schedule(now);
        self.session = std.fmt.bytesToHex(random, .lower);
        var attributes: [128]u8 = undefined;
        for ([_][]const u8{ "exec_create: ", "exec_start: " }) |text|
            events.append(self.state, lines_file, .{ .text = text, .words = true }, self.withSession(&attributes, null));
        self.phase = .checking;
        self.due = now +| start_ms_max +| self.rule.timeout;
        const errno = self.probe.start(self.probe_request);
        if (errno == .SUCCESS) return;
        self.probe.keep("the check could not be started");
        self.doubt(-1);
    }

    fn withSession(self: *const Health, buffer: *[128]u8, exit_code: ?u32) []const u8 {
        var writer: std.Io.Writer = .fixed(buffer);
        writer.print(",\"execID\":\"{s}\"", .{&self.session}) catch unreachable; // 64 digits
        if (exit_code) |code| writer.print(",\"exitCode\":\"{d}\"", .{code}) catch unreachable; // a number
        return writer.buffered();
    }

    fn listen(self: *Health) void {
        const started = self.probe.started;
        const outcome = self.probe.receive() orelse {
            if (!started and self.probe.started) self.due = clock.monotonic_ms() +| self.rule.timeout;
            return;
        };
        switch (outcome) {
            .exit => |status| {
                var attributes: [128]u8 = undefined;
                events.append(self.state, lines_file, .{ .text = "exec_die" }, self.withSession(&attributes, status));
                const code: i32 = @intCast(@min(status, 255));
                if (code == killed) self.doubt(code) else self.conclude(code, "");
            },
            .failed => if (self.frozen.frozen()) self.drop() else self.doubt(-1),
            .lost => {
                self.probe.keep("the check was killed");
                self.doubt(-1);
            },
        }
    }

    fn doubt(self: *Health, exit_code: i32) void {
        self.verdict = exit_code;
        self.phase = .doubting;
        self.due = clock.monotonic_ms() + doubt_ms;
    }

    fn giveUp(self: *Health) void {
        // Of one that stands still nobody knows how long it would have taken.
        if (self.frozen.frozen()) self.drop() else self.conclude(-1, self.late[0..self.late_length]);
    }

    /// It says nothing.
    fn drop(self: *Health) void {
        self.probe.hangUp();
        const now = clock.monotonic_ms();
        self.schedule(now);
        if (self.probe.pid <= 0) return self.rest();
        self.phase = .ending;
        self.due = now + end_ms_max;
    }

    fn schedule(self: *Health, now: u64) void {
        self.next = now +| self.rule.pause(self.count.status, now - self.born);
        self.due = self.next;
    }

    /// What was found is written down. `late` is what is said of it besides its output.
    fn conclude(self: *Health, exit_code: i32, late: []const u8) void {
        const changed = self.count.take(self.rule, exit_code, self.began - self.born);
        self.write(.{ .exit_code = exit_code, .late = late });
        if (changed) self.tell();
        self.drop();
        if (changed and self.count.status == .unhealthy) self.act();
    }

    fn tell(self: *const Health) void {
        var buffer: [64]u8 = undefined;
        const text = std.fmt.bufPrint(&buffer, "health_status: {s}", .{@tagName(self.count.status)}) catch unreachable; // a word
        events.append(self.state, lines_file, .{ .text = text }, "");
    }

    fn act(self: *Health) void {
        switch (self.on_failure) {
            .none => return,
            .kill => self.kill(),
            .stop, .restart => {
                if (self.on_failure == .stop) {
                    const made = linux.openat(
                        self.state,
                        "stopped",
                        .{ .ACCMODE = .WRONLY, .CREAT = true, .NOFOLLOW = true, .CLOEXEC = true },
                        0o600,
                    );
                    if (linux.errno(made) == .SUCCESS) _ = linux.close(@intCast(made));
                } else self.again = true;
                self.signal(self.stop_signal);
                if (self.stop_timeout >= 0) self.kill_at = clock.monotonic_ms() +| @as(u64, @intCast(self.stop_timeout));
            },
        }
        self.over = true;
    }

    fn kill(self: *Health) void {
        self.kill_at = null;
        self.signal(@intFromEnum(linux.SIG.KILL));
        // Frozen by its own hand, it would not die.
        if (self.cgroup_path.len > 0) cgroup.end(self.cgroup_path);
    }

    fn signal(self: *const Health, number: u32) void {
        var attributes: [32]u8 = undefined;
        const text = std.fmt.bufPrint(&attributes, ",\"signal\":\"{d}\"", .{number}) catch unreachable; // a number
        events.append(self.state, lines_file, .{ .text = "kill" }, text);
        _ = linux.pidfd_send_signal(self.pidfd, @enumFromInt(number), null, 0);
    }

    const Found = struct { exit_code: i32, late: []const u8 };

    /// The file, with what was found now. Where it cannot be written the old one stays.
    fn write(self: *const Health, found: ?Found) void {
        const scratch = Scratch.map() catch return;
        defer scratch.unmap();
        const arena = scratch.allocator();
        const old = if (found == null) "" else self.read(arena);
        var writer: std.Io.Writer = .fixed(arena.alloc(u8, file_bytes_max) catch return);
        self.document(&writer, old, found) catch return; // it has room for the longest
        records.write(self.state, "health", writer.buffered()) catch {};
    }

    fn read(self: *const Health, arena: std.mem.Allocator) []const u8 {
        const opened = linux.openat(self.state, "health", .{ .CLOEXEC = true, .NOFOLLOW = true, .NONBLOCK = true }, 0);
        if (linux.errno(opened) != .SUCCESS) return "";
        defer _ = linux.close(@intCast(opened));
        return linux_path.readAll(arena, @intCast(opened), file_bytes_max) catch null orelse "";
    }

    fn document(self: *const Health, writer: *std.Io.Writer, old: []const u8, found: ?Found) std.Io.Writer.Error!void {
        try writer.print("{{\"Status\":\"{s}\",\"FailingStreak\":{d},\"Log\":[\n", .{ @tagName(self.count.status), self.count.streak });
        if (found) |each| {
            var entries = lastEntries(old);
            while (entries.next()) |entry| try writer.print("{s},\n", .{std.mem.trimEnd(u8, entry, ",")});
            try self.writeEntry(writer, each);
        }
        try writer.writeAll("]}\n");
    }

    fn writeEntry(self: *const Health, writer: *std.Io.Writer, found: Found) std.Io.Writer.Error!void {
        try writer.writeAll("{\"Start\":\"");
        try clock.write(writer, self.began_at);
        try writer.writeAll("\",\"End\":\"");
        try clock.write(writer, clock.now());
        try writer.print("\",\"ExitCode\":{d},\"Output\":\"{s}", .{ found.exit_code, found.late });
        const output = self.probe.output[0..self.probe.output_length];
        if (found.late.len > 0 and output.len > 0) try writer.writeAll(": ");
        try writeText(writer, output);
        if (self.probe.cut) try writer.writeAll("...");
        try writer.writeAll("\"}\n");
    }
};

/// The lines of an old file that stay, beside a new one.
fn lastEntries(old: []const u8) std.mem.TokenIterator(u8, .scalar) {
    var start = (std.mem.indexOfScalar(u8, old, '\n') orelse old.len) + 1;
    const end = std.mem.lastIndexOf(u8, old, "]}") orelse 0;
    if (start > end) start = end;
    var entries = std.mem.tokenizeScalar(u8, old[start..end], '\n');
    var count: usize = 0;
    while (entries.next() != null) count += 1;
    entries.reset();
    while (count >= log_entries_max) : (count -= 1) _ = entries.next();
    return entries;
}

/// As the inside of a JSON string; what is no UTF-8 becomes U+FFFD, byte by byte.
fn writeText(writer: *std.Io.Writer, text: []const u8) std.Io.Writer.Error!void {
    var rest = text;
    while (rest.len > 0) {
        const length = characterLength(rest);
        if (length == 0) try writer.writeAll("\u{fffd}") else if (length > 1) try writer.writeAll(rest[0..length]) else switch (rest[0]) {
            '"', '\\' => try writer.writeAll(&.{ '\\', rest[0] }),
            '\n' => try writer.writeAll("\\n"),
            '\r' => try writer.writeAll("\\r"),
            '\t' => try writer.writeAll("\\t"),
            0...8, 11, 12, 14...0x1f, 0x7f => try writer.print("\\u{x:0>4}", .{rest[0]}),
            else => try writer.writeByte(rest[0]),
        }
        rest = rest[@max(length, 1)..];
    }
}

/// 0 when it is not well-formed.
fn characterLength(text: []const u8) usize {
    const length = std.unicode.utf8ByteSequenceLength(text[0]) catch return 0;
    if (length > text.len or !std.unicode.utf8ValidateSlice(text[0..length])) return 0;
    return length;
}

test writeText {
    var buffer: [128]u8 = undefined;
    const cases = [_][2][]const u8{
        .{ "ok é\n", "ok é\\n" },
        .{ "\"\\\t\r\x00\x1b\x7f", "\\\"\\\\\\t\\r\\u0000\\u001b\\u007f" },
        .{ "a\xff\xc3b\xed\xa0\x80", "a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}\u{fffd}" },
        .{ "\xe2\x82", "\u{fffd}\u{fffd}" },
    };
    for (cases) |case| {
        var writer: std.Io.Writer = .fixed(&buffer);
        try writeText(&writer, case[0]);
        try std.testing.expectEqualStrings(case[1], writer.buffered());
    }
}

test "Docker's rules" {
    const rule: Rule = .{ .interval = 30, .timeout = 1, .start_period = 100, .start_interval = 5, .retries = 2 };
    var count: Count = .{};
    try std.testing.expectEqual(5, rule.pause(count.status, 0));
    // In the start period failures do not count.
    for (0..5) |_| try std.testing.expect(!count.take(rule, 1, 99));
    try std.testing.expectEqual(Count{}, count);
    try std.testing.expectEqual(30, rule.pause(count.status, 100));
    try std.testing.expect(!count.take(rule, 1, 100));
    try std.testing.expect(count.take(rule, -1, 100));
    try std.testing.expectEqual(Count{ .status = .unhealthy, .streak = 2 }, count);
    try std.testing.expect(!count.take(rule, 1, 100));
    try std.testing.expectEqual(3, count.streak);
    try std.testing.expect(count.take(rule, 0, 100));
    try std.testing.expectEqual(Count{ .status = .healthy }, count);
    // Once a check has succeeded they do, and the interval is the usual one.
    try std.testing.expectEqual(30, rule.pause(.healthy, 0));
    try std.testing.expect(!count.take(rule, 1, 50));
    try std.testing.expect(count.take(rule, 1, 50));
    count.streak = std.math.maxInt(u32);
    _ = count.take(rule, 1, 50);
    try std.testing.expectEqual(std.math.maxInt(u32), count.streak);
}

test "the last five are kept" {
    var health: Health = undefined;
    health.count = .{ .status = .healthy, .streak = 1 };
    health.began_at = .{ .seconds = 0, .nanoseconds = 5 };
    health.probe.cut = true;
    var buffers: [2][8192]u8 = undefined;
    var old: []const u8 = "";
    for (0..7) |number| {
        var writer: std.Io.Writer = .fixed(&buffers[number % 2]);
        health.probe.output[0] = '\n';
        health.probe.output_length = 1;
        try health.document(&writer, old, .{ .exit_code = @intCast(number), .late = if (number == 6) "late" else "" });
        old = writer.buffered();
    }
    const Entry = struct { Start: []const u8, End: []const u8, ExitCode: i32, Output: []const u8 };
    const Document = struct { Status: []const u8, FailingStreak: u32, Log: []const Entry };
    const parsed = try std.json.parseFromSlice(Document, std.testing.allocator, old, .{});
    defer parsed.deinit();
    try std.testing.expectEqual(5, parsed.value.Log.len);
    for (parsed.value.Log, 2..) |entry, number| try std.testing.expectEqual(@as(i32, @intCast(number)), entry.ExitCode);
    try std.testing.expectEqualStrings("1970-01-01T00:00:00.000000005Z", parsed.value.Log[0].Start);
    try std.testing.expectEqualStrings("\n...", parsed.value.Log[0].Output);
    try std.testing.expectEqualStrings("late: \n...", parsed.value.Log[4].Output);
    var writer: std.Io.Writer = .fixed(&buffers[1]);
    try health.document(&writer, "", null);
    try std.testing.expectEqualStrings("{\"Status\":\"healthy\",\"FailingStreak\":1,\"Log\":[\n]}\n", writer.buffered());
    // Of a file that somebody has cut short nothing is taken that is not whole.
    for ([_][]const u8{ "", "x", "\n", "]}", "{\n]}", "]}\n{" }) |broken| {
        var entries = lastEntries(broken);
        try std.testing.expectEqual(null, entries.next());
    }
}
