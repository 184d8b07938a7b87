//! The console: where the session's output goes, and our own few lines.
//!
//! Nobody may read there, or somebody has typed ctrl-s: what waits for a console waits for ever. So ours is one that never
//! lets us wait; the session has another, as programs expect it.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");

pub const Mode = enum { blocking, nonblocking };

/// Descriptors 0, 1 and 2. The kernel opens them for us from the initramfs, if that has a /dev/console; the node that
/// devtmpfs has is always there.
pub fn open(mode: Mode) void {
    const flags: linux.O = .{ .ACCMODE = .RDWR, .NOCTTY = true, .CLOEXEC = true, .NONBLOCK = mode == .nonblocking };
    const opened = linux.open("/dev/console", flags, 0);
    if (linux.errno(opened) != .SUCCESS) return;
    const fd: i32 = @intCast(opened);
    for (0..3) |target| _ = linux.dup3(fd, @intCast(target), 0);
    _ = linux.close(fd);
}

/// Of 0 to 2, what the caller has closed: else the next that is opened would be taken for it.
pub fn fill() void {
    while (true) {
        const opened = linux.open("/dev/null", .{ .ACCMODE = .RDWR }, 0);
        if (linux.errno(opened) != .SUCCESS) return;
        if (opened <= 2) continue;
        _ = linux.close(@intCast(opened));
        return;
    }
}

/// What a terminal was told to hold back comes out, and nobody tells it again: what ctrl-s has stopped goes on when ctrl-s
/// means nothing any more, what tcflow(3) has stopped when it is told so.
pub fn release() void {
    var attributes: linux.termios = undefined;
    if (linux.errno(linux.tcgetattr(2, &attributes)) != .SUCCESS) return; // no terminal
    attributes.iflag.IXON = false;
    _ = linux.tcsetattr(2, .NOW, &attributes);
    const tcxonc = 0x540A;
    const tcoon = 1;
    _ = linux.ioctl(2, tcxonc, tcoon);
}

/// How long a line of ours is worth waiting for.
const patience_ms = 1000;

/// One line. A console that takes none is nothing that could be helped.
pub fn say(comptime format: []const u8, arguments: anytype) void {
    var buffer: [512]u8 = undefined;
    var writer: std.Io.Writer = .fixed(buffer[0 .. buffer.len - 1]);
    writer.print("rt: " ++ format, arguments) catch {}; // cut when too long
    buffer[writer.end] = '\n';
    write(buffer[0 .. writer.end + 1]);
}

fn write(bytes: []const u8) void {
    const deadline = clock.now_ms() + patience_ms;
    var rest = bytes;
    while (rest.len > 0) {
        const left = deadline - clock.now_ms();
        if (left <= 0) return;
        var entry = [_]linux.pollfd{.{ .fd = 2, .events = linux.POLL.OUT, .revents = 0 }};
        if (linux.poll(&entry, 1, @intCast(left)) != 1) continue;
        const written = linux.write(2, rest.ptr, rest.len);
        switch (linux.errno(written)) {
            .SUCCESS => rest = rest[written..],
            .INTR => {},
            // A terminal may say that there is room, and have none for us.
            .AGAIN => clock.sleep(10),
            else => return,
        }
    }
}

/// Until what was written is out: a machine's end would take it along.
pub fn drain() void {
    const deadline = clock.now_ms() + patience_ms;
    while (clock.now_ms() < deadline) : (clock.sleep(10)) {
        var queued: i32 = 0;
        if (linux.errno(linux.ioctl(2, linux.T.IOCOUTQ, @intFromPtr(&queued))) != .SUCCESS or queued == 0) return;
    }
}
