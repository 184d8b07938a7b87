//! The event log (src/events): <state>/events/1.jsonl, 2.jsonl, …, of which the newest gets each line with one write, and is
//! followed by the next number once it is full. What a line of ours says was decided before: a file beside the container's others
//! has, on lines of its own,
//!
//!   (whatever it is besides)
//!   the log's directory
//!   the words of the program that is executed, as they stand in JSON
//!   the event, with 1 for its action, 2 for further attributes, 3 for the second and 4 for the nanosecond since the epoch
//!
//! Nothing fails because of an event: where it cannot be written it is lost.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");
const directories = @import("../linux/directory.zig");
const linux_path = @import("../linux/path.zig");
const memory = @import("../linux/memory.zig");

/// Those of src/events/append.ts.
const file_bytes_max = 1 << 20;
const files_max = 4;

const lines_bytes_max = 256 * 1024;
const line_bytes_max = 64 * 1024;
const Scratch = memory.Region(lines_bytes_max + line_bytes_max + 16 * 1024);

pub const Action = struct {
    text: []const u8,
    /// The program's words follow.
    words: bool = false,
};

/// `attributes`: `,"key":"value"` for each. `name` is of the file in `directory` that has the lines.
pub fn append(directory: i32, name: [*:0]const u8, action: Action, attributes: []const u8) void {
    const scratch = Scratch.map() catch return;
    defer scratch.unmap();
    const arena = scratch.allocator();
    const opened = linux.openat(directory, name, .{ .CLOEXEC = true, .NOFOLLOW = true, .NONBLOCK = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return;
    const bytes = linux_path.readAll(arena, @intCast(opened), lines_bytes_max) catch null;
    _ = linux.close(@intCast(opened));
    const lines = Lines.of(bytes orelse return) orelse return;
    var writer: std.Io.Writer = .fixed(arena.alloc(u8, line_bytes_max) catch return);
    lines.write(&writer, action, attributes, clock.now()) catch return; // longer than any that is read
    const log = arena.dupeSentinel(u8, lines.log, 0) catch return;
    appendLine(log, writer.buffered());
}

const Lines = struct {
    log: []const u8,
    words: []const u8,
    event: []const u8,

    fn of(bytes: []const u8) ?Lines {
        var parts = std.mem.splitScalar(u8, bytes, '\n');
        _ = parts.next();
        const lines: Lines = .{
            .log = parts.next() orelse return null,
            .words = parts.next() orelse return null,
            .event = parts.next() orelse return null,
        };
        return if (lines.log.len > 0 and lines.event.len > 0) lines else null;
    }

    fn write(self: Lines, writer: *std.Io.Writer, action: Action, attributes: []const u8, now: clock.Moment) std.Io.Writer.Error!void {
        var rest = self.event;
        while (rest.len > 0) {
            const plain = std.mem.indexOfAny(u8, rest, "\x01\x02\x03\x04") orelse rest.len;
            try writer.writeAll(rest[0..plain]);
            if (plain == rest.len) break;
            switch (rest[plain]) {
                1 => {
                    try writer.writeAll(action.text);
                    if (action.words) try writer.writeAll(self.words);
                },
                2 => try writer.writeAll(attributes),
                3 => try writer.print("{d}", .{now.seconds}),
                else => try writer.print("{d}{d:0>9}", .{ now.seconds, now.nanoseconds }),
            }
            rest = rest[plain + 1 ..];
        }
        try writer.writeByte('\n');
    }
};

fn appendLine(log: [:0]const u8, line: []const u8) void {
    const flags: linux.O = .{ .DIRECTORY = true, .CLOEXEC = true };
    var opened = linux.openat(linux.AT.FDCWD, log, flags, 0);
    if (linux.errno(opened) == .NOENT) {
        _ = linux.mkdir(log, 0o700);
        opened = linux.openat(linux.AT.FDCWD, log, flags, 0);
    }
    if (linux.errno(opened) != .SUCCESS) return;
    defer _ = linux.close(@intCast(opened));
    // Others may fill the newest one just before us; then there is a newer.
    for (0..3) |_| if (appendToNewest(@intCast(opened), line)) return;
}

/// False where it was full by then.
fn appendToNewest(log: i32, line: []const u8) bool {
    var numbers: Numbers = .{};
    numbers.read(log);
    var newest = numbers.newest();
    var name: [name_bytes_max:0]u8 = undefined;
    if (isFull(log, nameOf(&name, newest))) {
        for (numbers.old()) |number| _ = linux.unlinkat(log, nameOf(&name, number), 0);
        newest += 1;
    }
    const flags: linux.O = .{ .ACCMODE = .WRONLY, .APPEND = true, .CREAT = true, .NOFOLLOW = true, .NONBLOCK = true, .CLOEXEC = true };
    const opened = linux.openat(log, nameOf(&name, newest), flags, 0o600);
    if (linux.errno(opened) != .SUCCESS) return true;
    defer _ = linux.close(@intCast(opened));
    const info = linux_path.stat(@intCast(opened)) orelse return true;
    if (info.size >= file_bytes_max) return false;
    _ = linux.write(@intCast(opened), line.ptr, line.len);
    return true;
}

fn isFull(log: i32, name: [*:0]const u8) bool {
    const opened = linux.openat(log, name, .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return false;
    defer _ = linux.close(@intCast(opened));
    const info = linux_path.stat(@intCast(opened)) orelse return false;
    return info.size >= file_bytes_max;
}

const extension = ".jsonl";
const digits_max = 15;
const name_bytes_max = digits_max + 1 + extension.len;

fn nameOf(buffer: *[name_bytes_max:0]u8, number: u64) [*:0]const u8 {
    return std.fmt.bufPrintZ(buffer, "{d}" ++ extension, .{number}) catch unreachable; // one more than what is read
}

fn numberOf(name: []const u8) ?u64 {
    if (!std.mem.endsWith(u8, name, extension)) return null;
    const digits = name[0 .. name.len - extension.len];
    if (digits.len == 0 or digits.len > digits_max or digits[0] == '0') return null;
    for (digits) |digit| if (!std.ascii.isDigit(digit)) return null;
    return std.fmt.parseInt(u64, digits, 10) catch null;
}

/// The largest of those that are there, largest first; those beyond are seen another time.
const Numbers = struct {
    found: [16]u64 = @splat(0),
    count: usize = 0,

    fn read(self: *Numbers, log: i32) void {
        var listing: directories.Listing = undefined;
        listing.open(log);
        while (listing.next()) |name| if (numberOf(name)) |number| self.add(number);
    }

    fn add(self: *Numbers, number: u64) void {
        var at = self.count;
        while (at > 0 and self.found[at - 1] < number) at -= 1;
        if (at == self.found.len) return;
        const last: usize = @min(self.count, self.found.len - 1);
        std.mem.copyBackwards(u64, self.found[at + 1 .. last + 1], self.found[at..last]);
        self.found[at] = number;
        self.count = last + 1;
    }

    fn newest(self: *const Numbers) u64 {
        return if (self.count == 0) 1 else self.found[0];
    }

    /// What goes when another one begins.
    fn old(self: *const Numbers) []const u64 {
        return if (self.count < files_max) &.{} else self.found[files_max - 1 .. self.count];
    }
};

test "gaps are filled in" {
    const event = "{\"status\":\"\x01\",\"Attributes\":{\"image\":\"a\"\x02},\"time\":\x03,\"timeNano\":\x04}";
    const lines = Lines.of("{}\n/run/rt/events\nsh -c \\\"x\\\"\n" ++ event ++ "\n").?;
    try std.testing.expectEqualStrings("/run/rt/events", lines.log);
    var buffer: [256]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    try lines.write(&writer, .{ .text = "exec_start: ", .words = true }, ",\"execID\":\"1\"", .{ .seconds = 12, .nanoseconds = 34 });
    try std.testing.expectEqualStrings(
        "{\"status\":\"exec_start: sh -c \\\"x\\\"\",\"Attributes\":{\"image\":\"a\",\"execID\":\"1\"}," ++
            "\"time\":12,\"timeNano\":12000000034}\n",
        writer.buffered(),
    );
    var small: std.Io.Writer = .fixed(buffer[0..20]);
    try std.testing.expectError(error.WriteFailed, lines.write(&small, .{ .text = "x" }, "", .{ .seconds = 0, .nanoseconds = 0 }));
    for ([_][]const u8{ "", "{}\n", "{}\n/a\nb", "{}\n\nb\nc\n", "{}\na\nb\n\n" }) |bad| try std.testing.expectEqual(null, Lines.of(bad));
}

test numberOf {
    try std.testing.expectEqual(12, numberOf("12.jsonl"));
    for ([_][]const u8{ "", ".jsonl", "01.jsonl", "1.json", "x1.jsonl", "1234567890123456.jsonl", "+1.jsonl", "1_0.jsonl" }) |bad|
        try std.testing.expectEqual(null, numberOf(bad));
}

test Numbers {
    var numbers: Numbers = .{};
    try std.testing.expectEqual(1, numbers.newest());
    for ([_]u64{ 3, 1, 2 }) |number| numbers.add(number);
    try std.testing.expectEqual(3, numbers.newest());
    try std.testing.expectEqual(0, numbers.old().len);
    numbers.add(4);
    try std.testing.expectEqualSlices(u64, &.{1}, numbers.old());
    for (5..40) |number| numbers.add(number);
    try std.testing.expectEqual(39, numbers.newest());
    try std.testing.expectEqual(16, numbers.count);
    numbers.add(1);
    try std.testing.expectEqual(24, numbers.found[15]);
}
