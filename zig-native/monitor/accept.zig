//! Somebody comes to a socket where we listen: a client, a connection for a port or for a name. Where all descriptors that we, or
//! all of this machine, may have are in use they wait in the kernel, and none of these sockets is looked at all the time meanwhile.
const std = @import("std");
const linux = std.os.linux;

/// It is so since poll(2) was last asked.
pub var deaf = false;
/// For so long nobody is listened to then.
pub const deaf_ms = 100;

/// `flags`: SOCK_NONBLOCK or nothing. Null: there is nobody, or no room for anybody.
pub fn take(listener: i32, flags: u32) ?i32 {
    const socket = linux.accept4(listener, null, null, linux.SOCK.CLOEXEC | flags);
    switch (linux.errno(socket)) {
        .SUCCESS => return @intCast(socket),
        .MFILE, .NFILE, .NOBUFS, .NOMEM => deaf = true,
        else => {},
    }
    return null;
}
