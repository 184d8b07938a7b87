//! The container's log: what the program writes, line by line, is kept in files (log_files.zig) or sent away (log_remote.zig).
//!
//! A line longer than 16 KiB comes in parts, all but the last without "\n", as does what is there at the end. Bytes that are no
//! UTF-8 stand as they are. The program never waits for long: where lines cannot be kept they are lost, and the first time the
//! file `log-error` in the state directory says so.
const std = @import("std");
const linux = std.os.linux;
const memory = @import("../linux/memory.zig");
const abi = @import("../wire/abi.zig");
const fault = @import("../wire/fault.zig");
const files = @import("log_files.zig");
const formats = @import("log_format.zig");
const records = @import("records.zig");
const remotes = @import("log_remote.zig");
const request = @import("../wire/request.zig");

/// Docker's.
const line_bytes_max = 16 * 1024;
/// Of lines that are mostly control characters a part is shorter: we have to stay small.
const encoded_max = 32 * 1024;
/// Of attributes; a line of some length must have room beside them.
const constant_max = 8 * 1024;
const page_bytes = 4096;

/// The beginning of a line.
const Pending = struct {
    bytes: [line_bytes_max]u8,
    length: usize,
    /// How many parts of it have been given out, and what they have in common.
    parts: u32,
    id: u64,
};

pub const Log = struct {
    keeps: bool,
    files: files.Files,
    sends: bool,
    remote: remotes.Remote,
    /// Where `log-error` goes.
    state: i32,
    told: bool,
    /// What the one of them says with each line that has something to say.
    constant: [constant_max]u8,
    constant_length: usize,
    /// Of stdout and stderr.
    pending: [2]Pending,
    /// Whole lines that are still to be written. Between two writes its pages but the first are nobody's.
    encoded: [encoded_max]u8 align(page_bytes),
    encoded_length: usize,

    /// In place, and no more of it is touched than is used.
    pub fn init(self: *Log, wanted: request.Log, id: []const u8, state: i32) fault.Error!void {
        self.state = state;
        self.told = false;
        const constant = if (wanted.remote) |remote| remote.constant else if (wanted.files) |kept| kept.attributes else "";
        if (constant.len > constant_max) return fault.fail(.request, .INVAL, "log attributes", .{});
        @memcpy(self.constant[0..constant.len], constant);
        self.constant_length = constant.len;
        for (&self.pending) |*each| {
            each.length = 0;
            each.parts = 0;
        }
        self.encoded_length = 0;
        self.keeps = wanted.files != null;
        self.sends = wanted.remote != null;
        if (wanted.files) |kept| try self.files.init(kept, id);
        if (wanted.remote) |remote| try self.remote.init(remote);
    }

    /// What is open and must not live on in the container.
    pub fn descriptor(self: *const Log) i32 {
        return if (self.sends) self.remote.socket else -1;
    }

    /// Where on the host it is kept: in a stage, whose memory is a copy of ours.
    pub fn forget(self: *Log) void {
        if (self.keeps) self.files.forget();
    }

    /// What the program wrote now.
    pub fn write(self: *Log, stream: abi.Frame, bytes: []const u8) void {
        std.debug.assert(stream == .stdout or stream == .stderr);
        const pending = &self.pending[@intFromEnum(stream) - @intFromEnum(abi.Frame.stdout)];
        const moment: Now = .of(.now());
        if (self.sends) self.remote.begin();
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
                self.line(stream, pending, if (pending.length > 0) pending.bytes[0..pending.length] else rest[0..whole], &moment);
                pending.length = 0;
            }
            rest = rest[whole..];
        }
        self.flush();
    }

    /// The program has ended: what it did not end is a line too.
    pub fn finish(self: *Log) void {
        const moment: Now = .of(.now());
        if (self.sends) self.remote.begin();
        for ([_]abi.Frame{ .stdout, .stderr }, &self.pending) |stream, *pending| {
            if (pending.length > 0) self.line(stream, pending, pending.bytes[0..pending.length], &moment);
            pending.length = 0;
        }
        self.flush();
        if (self.keeps) self.files.finish();
    }

    fn line(self: *Log, stream: abi.Frame, pending: *Pending, bytes: []const u8, now: *const Now) linksection(memory.serving) void {
        std.debug.assert(bytes.len > 0 and bytes.len <= line_bytes_max);
        if (self.keeps) self.keep(stream, bytes, now);
        if (self.sends) self.send(stream, pending, bytes, now.moment);
    }

    fn send(self: *Log, stream: abi.Frame, pending: *Pending, bytes: []const u8, moment: formats.Moment) void {
        const last = bytes[bytes.len - 1] == '\n';
        if (!last and pending.parts == 0) pending.id = moment.seconds *% std.time.ns_per_s +% moment.nanoseconds;
        if (!last or pending.parts > 0) pending.parts +|= 1;
        const errno = self.remote.send(.{
            .stream = stream,
            .bytes = if (last) bytes[0 .. bytes.len - 1] else bytes,
            .moment = moment,
            .part = if (pending.parts > 0) .{ .of = pending.id, .number = pending.parts, .last = last } else null,
        }, self.constant[0..self.constant_length]);
        if (last) pending.parts = 0;
        self.tell(errno);
    }

    fn keep(self: *Log, stream: abi.Frame, bytes: []const u8, now: *const Now) linksection(memory.serving) void {
        const format = self.files.format;
        const frame = formats.frame_bytes_max + self.constant_length;
        if (self.encoded.len - self.encoded_length < 6 * bytes.len + frame) {
            self.flush();
            if (formats.encodedLength(format, bytes) + frame > self.encoded.len) {
                self.keep(stream, bytes[0 .. bytes.len / 2], now);
                return self.keep(stream, bytes[bytes.len / 2 ..], now);
            }
        }
        const start = self.encoded_length;
        const into = self.encoded[start..];
        const length = switch (format) {
            .json => formats.json(into, stream, bytes, self.constant[0..self.constant_length], &now.text),
            .local => formats.local(into, stream, bytes, now.moment),
        };
        std.debug.assert(start + length <= self.encoded.len);
        self.encoded_length = start + length;
        self.tell(self.files.open());
        if (self.files.takes(self.encoded_length) or self.files.size + start == 0) return;
        // It begins the next file.
        self.tell(self.files.append(self.encoded[0..start]));
        self.tell(self.files.rotate());
        std.mem.copyForwards(u8, self.encoded[0..length], self.encoded[start..][0..length]);
        self.encoded_length = length;
    }

    fn flush(self: *Log) void {
        if (!self.keeps) return;
        self.tell(self.files.append(self.encoded[0..self.encoded_length]));
        const beyond = self.encoded[page_bytes..];
        if (self.encoded_length > page_bytes) _ = linux.madvise(beyond.ptr, beyond.len, linux.MADV.DONTNEED);
        self.encoded_length = 0;
    }

    fn tell(self: *Log, errno: linux.E) void {
        if (errno == .SUCCESS or self.told) return;
        self.told = true;
        records.writeLogError(self.state, errno);
    }
};

const Now = struct {
    moment: formats.Moment,
    text: formats.Time,

    fn of(moment: formats.Moment) Now {
        return .{ .moment = moment, .text = moment.text() };
    }
};

test {
    _ = formats;
    _ = remotes;
}
