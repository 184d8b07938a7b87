//! The container's log, in Docker's json-file format, one line of the program's to one of the file's:
//!
//!   {"log":"hello\n","stream":"stdout","time":"2026-11-29T05:00:00.123456789Z"}
//!
//! A line longer than 16 KiB comes in parts, all but the last without "\n", as does what is there at the end. Bytes that are no
//! UTF-8 stand as they are. <root>/containers/<id>/<id>-json.log is made with the first line, becomes `.1` when it would be
//! larger than it may be, and the oldest goes. What is written ends with a whole line, in a single write: whoever follows sees
//! no half ones. On a full disk lines are lost, and the program never waits for that: the first time the file `log-error` in
//! the state directory says so.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("../wire/abi.zig");
const fault = @import("../wire/fault.zig");
const linux_path = @import("../linux/path.zig");
const records = @import("records.zig");
const request = @import("../wire/request.zig");

/// Docker's.
const line_bytes_max = 16 * 1024;
/// What stands around a line.
const frame_bytes_max = 96;
/// Of lines that are mostly control characters a part is shorter: we have to stay small.
const encoded_max = 32 * 1024;
const path_bytes_max = 4096;
const page_bytes = 4096;
const suffix = "-json.log";
const name_bytes_max = 64 + suffix.len + ".4294967295".len;

const Pending = struct { bytes: [line_bytes_max]u8, length: usize };

pub const Log = struct {
    /// -1: nothing is open, be it that nothing has been written yet.
    directory: i32,
    file: i32,
    size: u64,
    /// 0: as large as it gets.
    bytes_max: u64,
    files_max: u32,
    /// Where `log-error` goes.
    state: i32,
    told: bool,
    id: [64]u8,
    parent: [path_bytes_max]u8,
    parent_length: usize,
    /// Beginnings of lines, of stdout and stderr.
    pending: [2]Pending,
    /// Whole lines that are still to be written. Between two writes its pages but the first are nobody's.
    encoded: [encoded_max]u8 align(page_bytes),
    encoded_length: usize,

    /// In place, and no more of it is touched than is used.
    pub fn init(self: *Log, wanted: request.Log, id: []const u8, state: i32) fault.Error!void {
        if (id.len != self.id.len or wanted.files == 0) return fault.fail(.request, .INVAL, "log", .{});
        if (wanted.directory.len >= path_bytes_max) return fault.fail(.request, .NAMETOOLONG, "log", .{});
        self.directory = -1;
        self.file = -1;
        self.size = 0;
        self.bytes_max = wanted.bytes;
        self.files_max = wanted.files;
        self.state = state;
        self.told = false;
        @memcpy(&self.id, id);
        @memcpy(self.parent[0..wanted.directory.len], wanted.directory);
        self.parent[wanted.directory.len] = 0;
        self.parent_length = wanted.directory.len;
        for (&self.pending) |*each| each.length = 0;
        self.encoded_length = 0;
    }

    /// What the program wrote now.
    pub fn write(self: *Log, stream: abi.Frame, bytes: []const u8) void {
        std.debug.assert(stream == .stdout or stream == .stderr);
        const pending = &self.pending[@intFromEnum(stream) - @intFromEnum(abi.Frame.stdout)];
        const time = now();
        var rest = bytes;
        while (rest.len > 0) {
            const room = line_bytes_max - pending.length;
            const reach = rest[0..@min(rest.len, room)];
            const whole = if (std.mem.indexOfScalar(u8, reach, '\n')) |at| at + 1 else reach.len;
            const ends = reach[whole - 1] == '\n' or whole == room;
            if (!ends or pending.length > 0) {
                @memcpy(pending.bytes[pending.length..][0..whole], rest[0..whole]);
                pending.length += whole;
            }
            if (ends) {
                self.line(stream, if (pending.length > 0) pending.bytes[0..pending.length] else rest[0..whole], &time);
                pending.length = 0;
            }
            rest = rest[whole..];
        }
        self.flush();
    }

    /// The program has ended: what it did not end is a line too.
    pub fn finish(self: *Log) void {
        const time = now();
        for ([_]abi.Frame{ .stdout, .stderr }, &self.pending) |stream, *pending| {
            if (pending.length > 0) self.line(stream, pending.bytes[0..pending.length], &time);
            pending.length = 0;
        }
        self.flush();
    }

    fn line(self: *Log, stream: abi.Frame, bytes: []const u8, time: *const Time) void {
        std.debug.assert(bytes.len > 0 and bytes.len <= line_bytes_max);
        if (self.encoded.len - self.encoded_length < 6 * bytes.len + frame_bytes_max) {
            self.flush();
            if (encodedLength(bytes) + frame_bytes_max > self.encoded.len) {
                self.line(stream, bytes[0 .. bytes.len / 2], time);
                return self.line(stream, bytes[bytes.len / 2 ..], time);
            }
        }
        const start = self.encoded_length;
        const length = encode(self.encoded[start..], stream, bytes, time);
        std.debug.assert(start + length <= self.encoded.len);
        self.encoded_length = start + length;
        self.open();
        if (self.bytes_max == 0 or self.size + self.encoded_length <= self.bytes_max or self.size + start == 0) return;
        // It begins the next file.
        self.append(self.encoded[0..start]);
        self.rotate();
        std.mem.copyForwards(u8, self.encoded[0..length], self.encoded[start..][0..length]);
        self.encoded_length = length;
    }

    fn flush(self: *Log) void {
        self.append(self.encoded[0..self.encoded_length]);
        const beyond = self.encoded[page_bytes..];
        if (self.encoded_length > page_bytes) _ = linux.madvise(beyond.ptr, beyond.len, linux.MADV.DONTNEED);
        self.encoded_length = 0;
    }

    /// Lines, of which the file gets as many whole ones as it takes.
    fn append(self: *Log, bytes: []const u8) void {
        if (bytes.len == 0 or self.file < 0) return;
        const result = linux.write(self.file, bytes.ptr, bytes.len);
        const errno = linux.errno(result);
        if (errno != .SUCCESS) return self.tell(errno);
        const whole = if (result == bytes.len) result else if (std.mem.lastIndexOfScalar(u8, bytes[0..result], '\n')) |at| at + 1 else 0;
        self.size += whole;
        if (whole == bytes.len) return;
        _ = linux.ftruncate(self.file, @intCast(self.size));
        self.tell(.NOSPC);
    }

    fn open(self: *Log) void {
        if (self.file >= 0) return;
        if (self.directory < 0) {
            const errno = self.openDirectory();
            if (errno != .SUCCESS) return self.tell(errno);
        }
        var buffer: [name_bytes_max + 1]u8 = undefined;
        const flags: linux.O = .{ .ACCMODE = .RDWR, .CREAT = true, .APPEND = true, .NOFOLLOW = true, .NONBLOCK = true, .CLOEXEC = true };
        const opened = linux.openat(self.directory, self.name(&buffer, 0), flags, 0o600);
        if (linux.errno(opened) != .SUCCESS) return self.tell(linux.errno(opened));
        self.file = @intCast(opened);
        const info = linux_path.stat(self.file);
        if (info == null or info.?.kind != .regular) {
            _ = linux.close(self.file);
            self.file = -1;
            return self.tell(.INVAL);
        }
        self.size = info.?.size;
        var last: [1]u8 = undefined;
        // What a power failure has cut short ends here.
        if (self.size > 0 and linux.pread(self.file, &last, 1, @intCast(self.size - 1)) == 1 and last[0] != '\n') self.append("\n");
    }

    /// Ours is beside those of other containers, and no link.
    fn openDirectory(self: *Log) linux.E {
        const flags: linux.O = .{ .DIRECTORY = true, .PATH = true, .CLOEXEC = true };
        const path: [*:0]const u8 = self.parent[0..self.parent_length :0];
        var opened = linux.openat(linux.AT.FDCWD, path, flags, 0);
        if (linux.errno(opened) == .NOENT) {
            _ = linux.mkdir(path, 0o700); // another monitor's is as good
            opened = linux.openat(linux.AT.FDCWD, path, flags, 0);
        }
        if (linux.errno(opened) != .SUCCESS) return linux.errno(opened);
        const parent: i32 = @intCast(opened);
        defer _ = linux.close(parent);
        var own: [self.id.len:0]u8 = undefined;
        @memcpy(&own, &self.id);
        own[own.len] = 0;
        const made = linux.errno(linux.mkdirat(parent, &own, 0o700));
        if (made != .SUCCESS and made != .EXIST) return made;
        const result = linux.openat(parent, &own, .{ .DIRECTORY = true, .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
        if (linux.errno(result) == .SUCCESS) self.directory = @intCast(result);
        return linux.errno(result);
    }

    /// Each file becomes the next older one, the oldest goes. Readers know a file by its inode.
    fn rotate(self: *Log) void {
        if (self.file < 0) return;
        _ = linux.close(self.file);
        self.file = -1;
        self.size = 0;
        var from: [name_bytes_max + 1]u8 = undefined;
        var to: [name_bytes_max + 1]u8 = undefined;
        if (self.files_max == 1) _ = linux.unlinkat(self.directory, self.name(&from, 0), 0);
        var number = self.files_max - 1;
        while (number > 0) : (number -= 1) {
            // Of most there are none yet.
            _ = linux.renameat(self.directory, self.name(&from, number - 1), self.directory, self.name(&to, number));
        }
        self.open();
    }

    fn name(self: *const Log, buffer: *[name_bytes_max + 1]u8, number: u32) [*:0]const u8 {
        const text = if (number == 0)
            std.fmt.bufPrintZ(buffer, "{s}" ++ suffix, .{self.id})
        else
            std.fmt.bufPrintZ(buffer, "{s}" ++ suffix ++ ".{d}", .{ self.id, number });
        return text catch unreachable; // it has room for the largest number
    }

    fn tell(self: *Log, errno: linux.E) void {
        if (self.told) return;
        self.told = true;
        records.writeLogError(self.state, errno);
    }
};

fn encodedLength(bytes: []const u8) usize {
    var length: usize = 0;
    for (bytes) |byte| length += if (isEscaped(byte)) 6 else 1; // or two
    return length;
}

/// Answers how many bytes of `into` it takes; there is room for `encodedLength(bytes) + frame_bytes_max`.
fn encode(into: []u8, stream: abi.Frame, bytes: []const u8, time: *const Time) usize {
    var at = put(into, 0, "{\"log\":\"");
    var rest = bytes;
    while (rest.len > 0) {
        var plain: usize = 0;
        while (plain < rest.len and !isEscaped(rest[plain])) plain += 1;
        at = put(into, at, rest[0..plain]);
        rest = rest[plain..];
        if (rest.len == 0) break;
        at = escape(into, at, rest[0]);
        rest = rest[1..];
    }
    at = put(into, at, "\",\"stream\":\"");
    at = put(into, at, @tagName(stream));
    at = put(into, at, "\",\"time\":\"");
    at = put(into, at, time);
    return put(into, at, "\"}\n");
}

fn put(into: []u8, at: usize, text: []const u8) usize {
    @memcpy(into[at..][0..text.len], text);
    return at + text.len;
}

/// As Docker's encoder does.
fn isEscaped(byte: u8) bool {
    return switch (byte) {
        0...0x1f, '"', '\\', '<', '>', '&' => true,
        else => false,
    };
}

fn escape(into: []u8, at: usize, byte: u8) usize {
    const digits = "0123456789abcdef";
    return switch (byte) {
        '"', '\\' => put(into, at, &.{ '\\', byte }),
        '\n' => put(into, at, "\\n"),
        '\r' => put(into, at, "\\r"),
        '\t' => put(into, at, "\\t"),
        else => put(into, at, &.{ '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] }),
    };
}

/// RFC 3339 in UTC, with nanoseconds.
const Time = ["2026-11-29T05:00:00.123456789Z".len]u8;

fn now() Time {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.REALTIME, &time);
    return format(@intCast(@max(0, time.sec)), @intCast(time.nsec));
}

fn format(seconds: u64, nanoseconds: u32) Time {
    const epoch: std.time.epoch.EpochSeconds = .{ .secs = seconds };
    const year = epoch.getEpochDay().calculateYearDay();
    const month = year.calculateMonthDay();
    const day = epoch.getDaySeconds();
    var text: Time = undefined;
    _ = std.fmt.bufPrint(&text, "{d:0>4}-{d:0>2}-{d:0>2}T{d:0>2}:{d:0>2}:{d:0>2}.{d:0>9}Z", .{
        year.year,             month.month.numeric(),    @as(u32, month.day_index) + 1,
        day.getHoursIntoDay(), day.getMinutesIntoHour(), day.getSecondsIntoMinute(),
        nanoseconds,
    }) catch unreachable; // until the year 10000
    return text;
}

test format {
    try std.testing.expectEqualStrings("1970-01-01T00:00:00.000000000Z", &format(0, 0));
    try std.testing.expectEqualStrings("2024-02-29T23:59:59.000000001Z", &format(1709251199, 1));
}

test encode {
    const time = format(0, 0);
    const end = "\",\"stream\":\"stderr\",\"time\":\"1970-01-01T00:00:00.000000000Z\"}\n";
    var into: [512]u8 = undefined;
    const cases = [_][2][]const u8{
        .{ "hello\n", "hello\\n" },
        .{ "a\"\\\t\r\x00\x1b<&>", "a\\\"\\\\\\t\\r\\u0000\\u001b\\u003c\\u0026\\u003e" },
        .{ "\xff\xfe\u{e9}", "\xff\xfe\u{e9}" },
    };
    for (cases) |case| {
        const length = encode(&into, .stderr, case[0], &time);
        try std.testing.expectEqualStrings("{\"log\":\"", into[0..8]);
        try std.testing.expectEqualStrings(case[1], into[8 .. length - end.len]);
        try std.testing.expectEqualStrings(end, into[length - end.len .. length]);
        try std.testing.expect(length <= 6 * case[0].len + frame_bytes_max);
    }
}
