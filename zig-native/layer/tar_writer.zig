//! Tar headers, written: POSIX ustar, and extended headers (pax(1)) for what that cannot hold.
const std = @import("std");
const linux = std.os.linux;
const Sha256 = @import("sha256.zig").Sha256;
const pax = @import("pax.zig");
const report = @import("report.zig");
const tar = @import("tar.zig");

const block_bytes = tar.block_bytes;
/// Of eleven octal digits.
const seconds_max = 0o77777777777;

/// Where an archive goes; a pipe, a socket or a file.
pub const Sink = struct {
    fd: i32,
    total: u64 = 0,
    total_max: u64 = std.math.maxInt(u64),
    used: usize = 0,
    /// Of all that was written.
    hash: ?*Sha256 = null,
    /// It is a file that is written from its beginning, and where zeros need no room.
    has_holes: bool = false,
    buffer: [256 * 1024]u8 = undefined,

    pub fn write(self: *Sink, bytes: []const u8) void {
        var rest = bytes;
        while (rest.len > 0) {
            const free = self.room();
            const count = @min(rest.len, free.len);
            @memcpy(free[0..count], rest[0..count]);
            self.took(count);
            rest = rest[count..];
        }
    }

    /// Where the next bytes go; never empty. `took` says how many came.
    pub fn room(self: *Sink) []u8 {
        if (self.used == self.buffer.len) self.flush();
        return self.buffer[self.used..];
    }

    pub fn took(self: *Sink, count: usize) void {
        self.used += count;
        self.total += count;
        if (self.total > self.total_max) report.fail(.limit, "the archive is larger than {d} bytes", .{self.total_max});
    }

    pub fn zeros(self: *Sink, count: u64) void {
        var left = count;
        while (left > 0) {
            if (self.has_holes and left > self.buffer.len) {
                self.flush();
                self.skip(left);
                return;
            }
            const free = self.room();
            const part: usize = @intCast(@min(left, free.len));
            @memset(free[0..part], 0);
            self.took(part);
            left -= part;
        }
    }

    fn skip(self: *Sink, count: u64) void {
        const none: [block_bytes * 128]u8 = @splat(0);
        const before = self.total;
        while (self.total - before < count) {
            const part: usize = @intCast(@min(count - (self.total - before), none.len));
            if (self.hash) |hash| hash.update(none[0..part]);
            self.took(part);
            self.used = 0;
        }
        const moved = linux.lseek(self.fd, @intCast(count), linux.SEEK.CUR);
        if (linux.errno(moved) != .SUCCESS) report.failErrno(linux.errno(moved), "cannot write the archive", .{});
    }

    pub fn flush(self: *Sink) void {
        var rest: []const u8 = self.buffer[0..self.used];
        if (self.hash) |hash| hash.update(rest);
        while (rest.len > 0) {
            const written = linux.write(self.fd, rest.ptr, rest.len);
            switch (linux.errno(written)) {
                .SUCCESS => rest = rest[written..],
                .INTR => {},
                // Somebody gave us what does not wait.
                .AGAIN => _ = linux.poll(@constCast(&[_]linux.pollfd{.{ .fd = self.fd, .events = linux.POLL.OUT, .revents = 0 }}), 1, -1),
                else => |e| report.failErrno(e, "cannot write the archive", .{}),
            }
        }
        self.used = 0;
    }
};

pub const Entry = struct {
    typeflag: u8,
    name: []const u8,
    linkname: []const u8 = "",
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64 = 0,
    seconds: i64,
    nanoseconds: u32 = 0,
    device_major: u32 = 0,
    device_minor: u32 = 0,
    xattrs: []const pax.Xattr = &.{},
};

pub const Writer = struct {
    sink: *Sink,
    records: std.ArrayList(u8) = .empty,

    pub fn entry(self: *Writer, e: *const Entry) void {
        self.records.clearRetainingCapacity();
        var block: [block_bytes]u8 = @splat(0);
        if (!putName(&block, e.name)) self.record("", "path", e.name);
        if (e.linkname.len <= 100) {
            @memcpy(block[157..][0..e.linkname.len], e.linkname);
        } else self.record("", "linkpath", e.linkname);
        for (e.xattrs) |x| self.record("SCHILY.xattr.", x.name, x.value);
        octal(block[100..108], e.mode);
        self.number(block[108..116], "uid", e.uid);
        self.number(block[116..124], "gid", e.gid);
        self.number(block[124..136], "size", e.size);
        const is_plain = e.seconds >= 0 and e.seconds <= seconds_max;
        octal(block[136..148], if (is_plain) @intCast(e.seconds) else 0);
        if (!is_plain or e.nanoseconds > 0) self.time(e.seconds, e.nanoseconds);
        block[156] = e.typeflag;
        @memcpy(block[257..265], "ustar\x0000");
        octal(block[329..337], e.device_major);
        octal(block[337..345], e.device_minor);
        if (self.records.items.len > 0) self.extended(e);
        self.put(&block);
    }

    pub fn end(self: *Writer) void {
        self.sink.zeros(2 * block_bytes);
        self.sink.flush();
    }

    fn number(self: *Writer, field: []u8, key: []const u8, value: u64) void {
        const max = (@as(u64, 1) << @intCast(3 * (field.len - 1))) - 1;
        octal(field, if (value > max) 0 else value);
        if (value <= max) return;
        var buffer: [24]u8 = undefined;
        self.record("", key, std.fmt.bufPrint(&buffer, "{d}", .{value}) catch unreachable); // fits
    }

    /// "-1.25" is one and a quarter second before the epoch, seconds -2.
    fn time(self: *Writer, seconds: i64, nanoseconds: u32) void {
        const is_cut = seconds < 0 and nanoseconds > 0;
        const whole = @abs(if (is_cut) seconds + 1 else seconds);
        const rest = if (is_cut) 1_000_000_000 - nanoseconds else nanoseconds;
        const sign = if (seconds < 0) "-" else "";
        var buffer: [40]u8 = undefined;
        const text = if (rest == 0)
            std.fmt.bufPrint(&buffer, "{s}{d}", .{ sign, whole })
        else
            std.fmt.bufPrint(&buffer, "{s}{d}.{d:0>9}", .{ sign, whole, rest });
        self.record("", "mtime", text catch unreachable); // fits
    }

    /// "LENGTH KEY=VALUE\n", where the length counts its own digits.
    fn record(self: *Writer, prefix: []const u8, key: []const u8, value: []const u8) void {
        const rest = prefix.len + key.len + value.len + 3;
        var length = rest + 1;
        while (std.fmt.count("{d}", .{length}) + rest != length) length += 1;
        self.records.print(std.heap.smp_allocator, "{d} {s}{s}={s}\n", .{ length, prefix, key, value }) catch
            report.fail(.limit, "out of memory", .{});
    }

    fn extended(self: *Writer, e: *const Entry) void {
        var block: [block_bytes]u8 = @splat(0);
        const name = "PaxHeaders.0/entry";
        @memcpy(block[0..name.len], name);
        octal(block[100..108], 0o644);
        octal(block[108..116], 0);
        octal(block[116..124], 0);
        octal(block[124..136], self.records.items.len);
        octal(block[136..148], @intCast(std.math.clamp(e.seconds, 0, seconds_max)));
        block[156] = 'x';
        @memcpy(block[257..265], "ustar\x0000");
        self.put(&block);
        self.sink.write(self.records.items);
        self.sink.zeros(tar.paddingOf(self.records.items.len));
    }

    fn put(self: *Writer, block: *[block_bytes]u8) void {
        @memset(block[148..156], ' ');
        var sum: u64 = 0;
        for (block) |byte| sum += byte;
        octal(block[148..155], sum);
        block[155] = ' ';
        self.sink.write(block);
    }
};

/// In the name's field, or with a part of it in the prefix's; false: too long for both, and the field has its end.
fn putName(block: *[block_bytes]u8, name: []const u8) bool {
    if (name.len <= 100) {
        @memcpy(block[0..name.len], name);
        return true;
    }
    // The slash between the two is not written.
    var slash = name.len - 101;
    while (slash < name.len - 1 and slash <= 155) : (slash += 1) {
        if (name[slash] != '/' or slash == 0) continue;
        @memcpy(block[345..][0..slash], name[0..slash]);
        @memcpy(block[0 .. name.len - slash - 1], name[slash + 1 ..]);
        return true;
    }
    @memcpy(block[0..100], name[name.len - 100 ..]);
    return false;
}

fn octal(field: []u8, value: u64) void {
    var rest = value;
    var index = field.len - 1;
    field[index] = 0;
    while (index > 0) {
        index -= 1;
        field[index] = '0' + @as(u8, @intCast(rest & 7));
        rest >>= 3;
    }
}

test putName {
    var block: [block_bytes]u8 = @splat(0);
    try std.testing.expect(putName(&block, "a" ** 100));
    block = @splat(0);
    try std.testing.expect(putName(&block, "d" ** 155 ++ "/" ++ "n" ** 100));
    try std.testing.expectEqualStrings("d" ** 155, block[345..500]);
    try std.testing.expectEqualStrings("n" ** 100, block[0..100]);
    block = @splat(0);
    try std.testing.expect(putName(&block, "d" ** 80 ++ "/" ++ "n" ** 60 ++ "/"));
    try std.testing.expectEqualStrings("n" ** 60 ++ "/", tar.text(block[0..100]));
    for ([_][]const u8{ "d" ** 156 ++ "/" ++ "n" ** 10, "x" ** 101, "a/" ++ "n" ** 101 }) |long| {
        block = @splat(0);
        try std.testing.expect(!putName(&block, long));
    }
}

test octal {
    var field: [8]u8 = undefined;
    octal(&field, 0o1234567);
    try std.testing.expectEqualStrings("1234567\x00", &field);
    try std.testing.expectEqual(@as(u64, 0o1234567), try tar.number(&field));
}
