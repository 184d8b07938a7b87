//! The one interface that a new network namespace has: `lo`, brought up. The kernel adds 127.0.0.1 and ::1 by itself.
const std = @import("std");
const linux = std.os.linux;
const stage = @import("../stage/sync.zig");

const siocgifflags = 0x8913;
const siocsifflags = 0x8914;
const iff_up = 1;

const Request = extern struct { name: [16]u8 = @splat(0), flags: u16 = 0, rest: [22]u8 = @splat(0) };

pub fn up() stage.Error!void {
    // Any socket takes these requests; a unix one needs no IPv4 in the kernel.
    const socket = try stage.check(linux.socket(linux.AF.UNIX, linux.SOCK.DGRAM | linux.SOCK.CLOEXEC, 0), .settings, "open a socket", .{});
    const fd: i32 = @intCast(socket);
    defer _ = linux.close(fd);
    var request: Request = .{};
    @memcpy(request.name[0..2], "lo");
    _ = try stage.check(linux.ioctl(fd, siocgifflags, @intFromPtr(&request)), .settings, "read the loopback interface", .{});
    request.flags |= iff_up;
    _ = try stage.check(linux.ioctl(fd, siocsifflags, @intFromPtr(&request)), .settings, "bring the loopback interface up", .{});
}
