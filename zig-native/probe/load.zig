//! Two ends of a connection that carries much, and of many that carry little, to see how fast a way is.
const linux = @import("std").os.linux;
const connection = @import("connection.zig");
const input = @import("input.zig");
const output = @import("output.zig");
const Args = input.Args;

var block: [1 << 17]u8 = @splat(0);

/// PORT: "draining", then whoever connects is told at his end how much came from him, "BYTES\n".
pub fn drain(args: Args) u8 {
    const socket = connection.listen(args, 0);
    if (input.failed(socket)) return output.failure(socket, "listen");
    output.text("draining\n");
    output.flush();
    while (true) {
        const accepted = linux.accept4(@intCast(socket), null, null, linux.SOCK.CLOEXEC);
        if (input.failed(accepted)) continue;
        const fd: i32 = @intCast(accepted);
        var total: u64 = 0;
        while (true) {
            const count = linux.read(fd, &block, block.len);
            if (input.failed(count) or count == 0) break;
            total += count;
        }
        var digits: [24]u8 = undefined;
        var at = digits.len - 1;
        digits[at] = '\n';
        while (total != 0 or at == digits.len - 1) : (total /= 10) {
            at -= 1;
            digits[at] = '0' + @as(u8, @intCast(total % 10));
        }
        _ = linux.sendto(fd, digits[at..].ptr, digits.len - at, linux.MSG.NOSIGNAL, null, 0);
        _ = linux.close(fd);
    }
}

/// ADDRESS PORT BYTES: sends so many, and prints what whoever drains them says of them.
pub fn pour(args: Args) u8 {
    const socket = connection.connect(args);
    if (input.failed(socket)) return output.failure(socket, "connect");
    const fd: i32 = @intCast(socket);
    var rest = input.parse(input.arg(args, 2), 0);
    while (rest > 0) {
        const count = linux.sendto(fd, &block, @min(rest, block.len), linux.MSG.NOSIGNAL, null, 0);
        if (input.failed(count)) return output.failure(count, "send");
        rest -= count;
    }
    _ = linux.shutdown(fd, linux.SHUT.WR);
    while (true) {
        const count = linux.read(fd, &block, block.len);
        if (input.failed(count)) return output.failure(count, "read");
        if (count == 0) return 0;
        output.text(block[0..count]);
    }
}

/// ADDRESS PORT COUNT: so many connections, one after another, each up to the end of what is said there; then "connects N".
pub fn connects(args: Args) u8 {
    const count = input.parse(input.arg(args, 2), 1);
    for (0..count) |_| {
        const socket = connection.connect(args);
        if (input.failed(socket)) return output.failure(socket, "connect");
        const fd: i32 = @intCast(socket);
        const length = linux.read(fd, &block, block.len);
        if (input.failed(length)) return output.failure(length, "read");
        if (length == 0) return output.failure(0, "nobody has said anything");
        // The other end closes first: it is the one that waits, and no port of ours is used up.
        while (true) {
            const more = linux.read(fd, &block, block.len);
            if (input.failed(more)) return output.failure(more, "read");
            if (more == 0) break;
        }
        _ = linux.close(fd);
    }
    output.pair("connects", count);
    return 0;
}
