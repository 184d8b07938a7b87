//! Abstract unix sockets, for tests: "listen NAME" takes one connection after the other until it is killed, and says "listening" first;
//! "connect NAME" says "ok" or the errno.
const std = @import("std");
const linux = std.os.linux;
const output = @import("output.zig");

pub const panic = std.debug.no_panic;

pub fn main(init: std.process.Init.Minimal) u8 {
    var arguments = init.args.iterate();
    _ = arguments.next();
    const verb = arguments.next() orelse return 2;
    const name = arguments.next() orelse return 2;
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    @memcpy(address.path[1..][0..name.len], name);
    const length: u32 = @intCast(@sizeOf(linux.sa_family_t) + 1 + name.len);
    const fd: i32 = @intCast(linux.socket(linux.AF.UNIX, linux.SOCK.STREAM, 0));
    if (verb[0] == 'c') {
        say(linux.errno(linux.connect(fd, &address, length)));
        return 0;
    }
    const bound = linux.errno(linux.bind(fd, @ptrCast(&address), length));
    if (bound != .SUCCESS or linux.errno(linux.listen(fd, 8)) != .SUCCESS) return 1;
    output.text("listening\n");
    output.flush();
    while (true) {
        const taken = linux.accept(fd, null, null);
        if (linux.errno(taken) == .SUCCESS) _ = linux.close(@intCast(taken));
    }
}

fn say(errno: linux.E) void {
    output.text(if (errno == .SUCCESS) "ok" else @tagName(errno));
    output.text("\n");
    output.flush();
}
