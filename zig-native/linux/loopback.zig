//! The one interface that a new network namespace has: `lo`, brought up. The kernel adds 127.0.0.1 and ::1 by itself.
const linux = @import("std").os.linux;

const siocgifflags = 0x8913;
const siocsifflags = 0x8914;
const iff_up = 1;

const Request = extern struct { name: [16]u8 = @splat(0), flags: u16 = 0, rest: [22]u8 = @splat(0) };

pub fn up() linux.E {
    // Any socket takes these requests; a unix one needs no IPv4 in the kernel.
    const socket = linux.socket(linux.AF.UNIX, linux.SOCK.DGRAM | linux.SOCK.CLOEXEC, 0);
    if (linux.errno(socket) != .SUCCESS) return linux.errno(socket);
    const fd: i32 = @intCast(socket);
    defer _ = linux.close(fd);
    var request: Request = .{};
    @memcpy(request.name[0..2], "lo");
    const read = linux.errno(linux.ioctl(fd, siocgifflags, @intFromPtr(&request)));
    if (read != .SUCCESS) return read;
    request.flags |= iff_up;
    return linux.errno(linux.ioctl(fd, siocsifflags, @intFromPtr(&request)));
}
