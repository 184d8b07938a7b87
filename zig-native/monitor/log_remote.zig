//! A log that others keep: systemd's journal by its native protocol, or a syslog daemon by RFC 3164 or 5424, over a unix socket,
//! UDP or TCP. For all that has been read of a program at once they are waited for a second at most, and no more once they have
//! let a line fall; they are connected to again when they have gone, not more than once a second. What they do not take is lost.
//!
//!   journald   one datagram a line: KEY=VALUE\n …, the constant ones first (systemd.io/JOURNAL_NATIVE_PROTOCOL)
//!   syslog     <PRIORITY>HEAD TAG[PID]: LINE\n
const std = @import("std");
const linux = std.os.linux;
const abi = @import("../wire/abi.zig");
const clock = @import("clock.zig");
const fault = @import("../wire/fault.zig");
const Moment = @import("log_format.zig").Moment;
const request = @import("../wire/request.zig");

const patience_ms = 1000;
const again_ms = 1000;
/// syslog.h
const severity_error = 3;
const severity_info = 6;
const hostname_bytes_max = 64;
/// What stands before a line, but for what is constant.
const head_bytes_max = 320;

const Address = extern union { any: linux.sockaddr, un: linux.sockaddr.un, in: linux.sockaddr.in, in6: linux.sockaddr.in6 };

/// A line of a program's, without its end; or a part of it, the `part`th.
pub const Line = struct { stream: abi.Frame, bytes: []const u8, moment: Moment, part: ?Part };
pub const Part = struct { of: u64, number: u32, last: bool };

pub const Remote = struct {
    journal: bool,
    address: Address,
    address_length: linux.socklen_t,
    /// -1: nobody is there.
    socket: i32,
    stream: bool,
    patient: bool,
    /// It has let a line fall, and is not waited for.
    stuck: bool,
    /// What is left of the second that those lines may take which have been read together.
    left_ms: u64,
    /// When it was found that nobody is there.
    tried_ms: u64,
    facility: u8,
    style: @FieldType(request.LogRemote, "style"),
    hostname: [hostname_bytes_max]u8,
    hostname_length: usize,
    offset_s: i32,

    /// In place. @errors when nobody is there
    pub fn init(self: *Remote, wanted: request.LogRemote) fault.Error!void {
        self.journal = wanted.protocol == .journald;
        self.socket = -1;
        self.stream = wanted.stream;
        self.patient = wanted.patient;
        self.stuck = false;
        self.left_ms = patience_ms;
        self.tried_ms = 0;
        self.facility = wanted.facility;
        self.style = wanted.style;
        self.offset_s = wanted.offset;
        self.hostname_length = @min(wanted.hostname.len, hostname_bytes_max);
        @memcpy(self.hostname[0..self.hostname_length], wanted.hostname[0..self.hostname_length]);
        self.address_length = addressOf(wanted, &self.address) orelse return fault.fail(.request, .INVAL, "log address", .{});
        const errno = self.connect(true);
        if (errno == .SUCCESS) return;
        if (wanted.path.len > 0) return fault.fail(.monitor, errno, "initialize logging driver: connect {s}", .{wanted.path});
        return fault.fail(.monitor, errno, "initialize logging driver: connect to the syslog server", .{});
    }

    fn addressOf(wanted: request.LogRemote, into: *Address) ?linux.socklen_t {
        if (wanted.path.len > 0) {
            into.un = .{ .path = @splat(0) };
            if (wanted.path.len >= into.un.path.len) return null;
            @memcpy(into.un.path[0..wanted.path.len], wanted.path);
            return @sizeOf(linux.sockaddr.un);
        }
        const port = std.mem.nativeToBig(u16, wanted.port);
        switch (wanted.address.len) {
            4 => into.in = .{ .port = port, .addr = @bitCast(wanted.address[0..4].*) },
            16 => into.in6 = .{ .port = port, .flowinfo = 0, .addr = wanted.address[0..16].*, .scope_id = 0 },
            else => return null,
        }
        return if (wanted.address.len == 4) @sizeOf(linux.sockaddr.in) else @sizeOf(linux.sockaddr.in6);
    }

    /// SUCCESS too where it is still on its way, and it was not worth waiting any longer.
    fn connect(self: *Remote, first: bool) linux.E {
        const kind: u32 = if (self.stream) linux.SOCK.STREAM else linux.SOCK.DGRAM;
        const made = linux.socket(self.address.any.family, kind | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0);
        if (linux.errno(made) != .SUCCESS) return linux.errno(made);
        self.socket = @intCast(made);
        var errno = linux.errno(linux.connect(self.socket, &self.address, self.address_length));
        if (errno == .INPROGRESS) {
            const is_ready = if (first) self.ready() else self.waited();
            errno = if (is_ready) self.pendingError() else if (first) .TIMEDOUT else .SUCCESS;
        }
        if (errno == .PROTOTYPE and self.address.any.family == linux.AF.UNIX and self.stream) {
            // It is one of the other kind.
            self.close();
            self.stream = false;
            return self.connect(first);
        }
        if (errno != .SUCCESS) self.close();
        self.tried_ms = clock.monotonic_ms();
        return errno;
    }

    fn pendingError(self: *const Remote) linux.E {
        var code: i32 = 0;
        var length: linux.socklen_t = @sizeOf(i32);
        const result = linux.getsockopt(self.socket, linux.SOL.SOCKET, linux.SO.ERROR, @ptrCast(&code), &length);
        if (linux.errno(result) != .SUCCESS) return linux.errno(result);
        return @enumFromInt(code);
    }

    fn close(self: *Remote) void {
        if (self.socket >= 0) _ = linux.close(self.socket);
        self.socket = -1;
    }

    /// Lines that have been read together begin.
    pub fn begin(self: *Remote) void {
        self.left_ms = patience_ms;
    }

    /// There is room for more, and it was worth waiting for that.
    fn waited(self: *Remote) bool {
        return self.patient and !self.stuck and self.ready();
    }

    /// Within what is left of the lines' time.
    fn ready(self: *Remote) bool {
        const due = clock.monotonic_ms() + self.left_ms;
        defer self.left_ms = due -| clock.monotonic_ms();
        while (true) {
            const left = due -| clock.monotonic_ms();
            var set = [_]linux.pollfd{.{ .fd = self.socket, .events = linux.POLL.OUT, .revents = 0 }};
            const result = linux.poll(&set, 1, @intCast(left));
            if (linux.errno(result) == .INTR) continue;
            return linux.errno(result) == .SUCCESS and result > 0;
        }
    }

    /// Why it is lost, where it is.
    pub fn send(self: *Remote, line: Line, constant: []const u8) linux.E {
        var head: [head_bytes_max]u8 = undefined;
        if (self.journal) return self.transmit(&.{ constant, fields(&head, line), line.bytes, "\n" });
        var behind: [head_bytes_max]u8 = undefined;
        return self.transmit(&.{ self.front(&head, line), constant, self.back(&behind, constant), line.bytes, "\n" });
    }

    fn transmit(self: *Remote, parts: []const []const u8) linux.E {
        if (self.socket < 0) {
            if (clock.monotonic_ms() < self.tried_ms + again_ms) return .NOTCONN;
            const errno = self.connect(false);
            if (errno != .SUCCESS) return errno;
        }
        const errno = self.once(parts);
        switch (errno) {
            .SUCCESS => self.stuck = false,
            .AGAIN => self.stuck = true,
            // Of a datagram before this one, or its reader has gone: another may be there already.
            .CONNREFUSED, .NOTCONN, .PIPE, .CONNRESET, .NOENT, .TIMEDOUT, .HOSTUNREACH, .NETUNREACH => {
                self.close();
                if (self.stream and clock.monotonic_ms() < self.tried_ms + again_ms) return errno;
                const connected = self.connect(false);
                if (connected != .SUCCESS) return connected;
                const sent = self.once(parts);
                self.stuck = sent == .AGAIN;
                return sent;
            },
            else => {},
        }
        return errno;
    }

    fn once(self: *Remote, parts: []const []const u8) linux.E {
        var vectors: [parts_max]std.posix.iovec_const = undefined;
        for (parts, 0..) |part, index| vectors[index] = .{ .base = part.ptr, .len = part.len };
        var left: []std.posix.iovec_const = vectors[0..parts.len];
        while (left.len > 0) {
            const message: linux.msghdr_const = .{
                .name = null,
                .namelen = 0,
                .iov = left.ptr,
                .iovlen = left.len,
                .control = null,
                .controllen = 0,
                .flags = 0,
            };
            const result = linux.sendmsg(self.socket, &message, linux.MSG.NOSIGNAL | linux.MSG.DONTWAIT);
            switch (linux.errno(result)) {
                .SUCCESS => if (!self.stream) return .SUCCESS,
                .INTR => continue,
                .AGAIN => {
                    if (self.waited()) continue;
                    // Half a line is the end of what it understands.
                    if (left.len < parts.len or left[0].len < parts[0].len) self.close();
                    return .AGAIN;
                },
                else => |errno| return errno,
            }
            left = after(left, result);
        }
        return .SUCCESS;
    }

    const parts_max = 5;

    fn after(vectors: []std.posix.iovec_const, sent: usize) []std.posix.iovec_const {
        var left = vectors;
        var count = sent;
        while (left.len > 0 and count >= left[0].len) {
            count -= left[0].len;
            left = left[1..];
        }
        if (left.len > 0) left[0] = .{ .base = left[0].base + count, .len = left[0].len - count };
        return left;
    }

    /// What stands before the tag.
    fn front(self: *const Remote, buffer: []u8, line: Line) []const u8 {
        var writer: std.Io.Writer = .fixed(buffer);
        const severity: u32 = if (line.stream == .stderr) severity_error else severity_info;
        const priority = @as(u32, self.facility) * 8 + severity;
        const at = line.moment.in(self.offset_s);
        const hostname = self.hostname[0..self.hostname_length];
        switch (self.style) {
            .unix => writer.print("<{d}>{s} {f} ", .{ priority, &at.date().short(), at.clock() }) catch unreachable,
            .rfc3164 => writer.print("<{d}>{s} {f} {s} ", .{ priority, &at.date().short(), at.clock(), hostname }) catch unreachable,
            .rfc5424, .rfc5424micro => {
                writer.print("<{d}>1 {f}T{f}", .{ priority, at.date(), at.clock() }) catch unreachable;
                if (self.style == .rfc5424micro) writer.print(".{d:0>6}", .{at.nanoseconds / 1000}) catch unreachable;
                self.zone(&writer);
                writer.print(" {s} ", .{hostname}) catch unreachable;
            },
        }
        return writer.buffered();
    }

    fn zone(self: *const Remote, writer: *std.Io.Writer) void {
        if (self.offset_s == 0) return writer.writeByte('Z') catch unreachable;
        const minutes = @abs(self.offset_s) / 60;
        const sign: u8 = if (self.offset_s < 0) '-' else '+';
        writer.print("{c}{d:0>2}:{d:0>2}", .{ sign, minutes / 60, minutes % 60 }) catch unreachable;
    }

    /// What stands between the tag and the line. The tag is no longer than syslog allows.
    fn back(self: *const Remote, buffer: []u8, tag: []const u8) []const u8 {
        var writer: std.Io.Writer = .fixed(buffer);
        const pid = linux.getpid();
        switch (self.style) {
            .unix, .rfc3164 => writer.print("[{d}]: ", .{pid}) catch unreachable,
            .rfc5424, .rfc5424micro => writer.print(" {d} {s} - ", .{ pid, tag[0..@min(tag.len, tag_bytes_max)] }) catch unreachable,
        }
        return writer.buffered();
    }

    pub const tag_bytes_max = 128;
};

/// The journal's fields of this line, as far as its beginning.
fn fields(buffer: []u8, line: Line) []const u8 {
    var writer: std.Io.Writer = .fixed(buffer);
    const severity: u32 = if (line.stream == .stderr) severity_error else severity_info;
    writer.print("PRIORITY={d}\nSYSLOG_TIMESTAMP={s}\n", .{ severity, &line.moment.text() }) catch unreachable; // it has room
    if (line.part) |part| {
        if (!part.last) writer.writeAll("CONTAINER_PARTIAL_MESSAGE=true\n") catch unreachable;
        writer.print("CONTAINER_PARTIAL_ID={x:0>16}\nCONTAINER_PARTIAL_ORDINAL={d}\n", .{ part.of, part.number }) catch unreachable;
        writer.print("CONTAINER_PARTIAL_LAST={}\n", .{part.last}) catch unreachable;
    }
    writer.writeAll("MESSAGE=") catch unreachable;
    return writer.buffered();
}

test fields {
    var buffer: [head_bytes_max]u8 = undefined;
    const moment: Moment = .{ .seconds = 0, .nanoseconds = 0 };
    try std.testing.expectEqualStrings(
        "PRIORITY=3\nSYSLOG_TIMESTAMP=1970-01-01T00:00:00.000000000Z\nMESSAGE=",
        fields(&buffer, .{ .stream = .stderr, .bytes = "x", .moment = moment, .part = null }),
    );
    const longest = fields(&buffer, .{ .stream = .stdout, .bytes = "x", .moment = moment, .part = .{
        .of = std.math.maxInt(u64),
        .number = std.math.maxInt(u32),
        .last = false,
    } });
    try std.testing.expect(std.mem.indexOf(u8, longest, "CONTAINER_PARTIAL_ID=ffffffffffffffff\n") != null);
}

test "syslog's heads" {
    var remote: Remote = undefined;
    remote.facility = 3;
    remote.offset_s = -5400;
    @memcpy(remote.hostname[0..4], "host");
    remote.hostname_length = 4;
    const line: Line = .{ .stream = .stdout, .bytes = "", .moment = .{ .seconds = 5 * 86400, .nanoseconds = 7000 }, .part = null };
    var buffer: [head_bytes_max]u8 = undefined;
    for (
        [_]@FieldType(request.LogRemote, "style"){ .unix, .rfc3164, .rfc5424, .rfc5424micro },
        [_][]const u8{
            "<30>Jan  5 22:30:00 ",
            "<30>Jan  5 22:30:00 host ",
            "<30>1 1970-01-05T22:30:00-01:30 host ",
            "<30>1 1970-01-05T22:30:00.000007-01:30 host ",
        },
    ) |style, wanted| {
        remote.style = style;
        try std.testing.expectEqualStrings(wanted, remote.front(&buffer, line));
    }
    remote.offset_s = 0;
    try std.testing.expectEqualStrings("<30>1 1970-01-06T00:00:00.000007Z host ", remote.front(&buffer, line));
}

test "what is left of parts after some bytes" {
    var vectors = [_]std.posix.iovec_const{ .{ .base = "ab", .len = 2 }, .{ .base = "", .len = 0 }, .{ .base = "cde", .len = 3 } };
    const left = Remote.after(&vectors, 3);
    try std.testing.expectEqual(1, left.len);
    try std.testing.expectEqualStrings("de", left[0].base[0..left[0].len]);
    try std.testing.expectEqual(0, Remote.after(left, 2).len);
}
