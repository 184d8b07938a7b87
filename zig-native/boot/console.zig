//! The console: where the session's output goes, and our own few lines.
const std = @import("std");
const linux = std.os.linux;

/// Descriptors 0, 1 and 2. The kernel opens them for us from the initramfs, if that has a /dev/console; the node that
/// devtmpfs has is always there.
pub fn open() void {
    const flags: linux.O = .{ .ACCMODE = .RDWR, .NOCTTY = true, .CLOEXEC = true };
    const opened = linux.open("/dev/console", flags, 0);
    if (linux.errno(opened) != .SUCCESS) return;
    const fd: i32 = @intCast(opened);
    for (0..3) |target| _ = linux.dup3(fd, @intCast(target), 0);
    _ = linux.close(fd);
}

/// One line. A console that takes none is nothing that could be helped.
pub fn say(comptime format: []const u8, arguments: anytype) void {
    var buffer: [512]u8 = undefined;
    var writer: std.Io.Writer = .fixed(buffer[0 .. buffer.len - 1]);
    writer.print("rt: " ++ format, arguments) catch {}; // cut when too long
    buffer[writer.end] = '\n';
    _ = linux.write(2, &buffer, writer.end + 1);
}
