//! Sockets that somebody else listens on, and hands over: systemd's socket activation (sd_listen_fds(3), sd_notify(3)).
//!
//! Bun takes a connection by its descriptor, but no listener. So a thread of ours waits for connections, and says their numbers to
//! a socket that Bun reads:
//!
//!   listener --accept4--> thread --4 bytes, a descriptor--> socket --> Bun
//!
//! The thread is none of libc's: it makes system calls and nothing else, with every signal blocked, so that no handler of the
//! runtime's ever runs on it. It ends when the other end of its socket is closed.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../linux/answer.zig");

const stack_bytes = 64 << 10;

const thread_flags: u32 = linux.CLONE.VM | linux.CLONE.FS | linux.CLONE.FILES | linux.CLONE.SIGHAND |
    linux.CLONE.THREAD | linux.CLONE.SYSVSEM;

/// While no descriptor is left, until one is.
const pause_ms = 100;

/// Accept from `listener`, of which we keep a copy. Answers the socket that tells of connections, or -errno; EAFNOSUPPORT: it is no
/// unix socket.
pub fn acceptFrom(listener: i32) i32 {
    var domain: i32 = 0;
    var length: linux.socklen_t = @sizeOf(i32);
    const asked = linux.getsockopt(listener, linux.SOL.SOCKET, linux.SO.DOMAIN, std.mem.asBytes(&domain), &length);
    if (linux.errno(asked) != .SUCCESS) return answer.of(asked);
    if (domain != linux.AF.UNIX) return answer.code(.AFNOSUPPORT);
    var pair: [2]i32 = undefined;
    const paired = linux.socketpair(linux.AF.UNIX, linux.SOCK.STREAM | linux.SOCK.CLOEXEC, 0, &pair);
    if (linux.errno(paired) != .SUCCESS) return answer.of(paired);
    const result = begin(listener, pair[1]);
    if (result < 0) {
        _ = linux.close(pair[0]);
        _ = linux.close(pair[1]);
        return result;
    }
    return pair[0];
}

fn begin(listener: i32, teller: i32) i32 {
    const copied = linux.fcntl(listener, linux.F.DUPFD_CLOEXEC, 0);
    if (linux.errno(copied) != .SUCCESS) return answer.of(copied);
    const copy: i32 = @intCast(copied);
    const result = setNonBlocking(copy) orelse start(copy, teller);
    if (result < 0) _ = linux.close(copy);
    return result;
}

/// Others may accept from it too, and be faster: then accept4 must not wait.
fn setNonBlocking(fd: i32) ?i32 {
    const flags = linux.fcntl(fd, linux.F.GETFL, 0);
    if (linux.errno(flags) != .SUCCESS) return answer.of(flags);
    const set = linux.fcntl(fd, linux.F.SETFL, flags | @as(u32, @bitCast(linux.O{ .NONBLOCK = true })));
    return if (linux.errno(set) == .SUCCESS) null else answer.of(set);
}

fn start(listener: i32, teller: i32) i32 {
    const mapped = linux.mmap(
        null,
        stack_bytes,
        .{ .READ = true, .WRITE = true },
        .{ .TYPE = .PRIVATE, .ANONYMOUS = true },
        -1,
        0,
    );
    if (linux.errno(mapped) != .SUCCESS) return answer.of(mapped);
    const both = (@as(usize, @intCast(listener)) << 32) | @as(usize, @intCast(teller));
    const all = linux.sigfillset();
    var before: linux.sigset_t = undefined;
    _ = linux.sigprocmask(linux.SIG.BLOCK, &all, &before);
    const result = linux.clone(thread, mapped + stack_bytes, thread_flags, both, null, 0, null);
    _ = linux.sigprocmask(linux.SIG.SETMASK, &before, null);
    if (linux.errno(result) == .SUCCESS) return 0;
    _ = linux.munmap(@ptrFromInt(mapped), stack_bytes);
    return answer.of(result);
}

/// Its stack stays mapped when it has ended: it stands on it until then.
fn thread(both: usize) callconv(.c) u8 {
    const listener: i32 = @intCast(both >> 32);
    const teller: i32 = @intCast(both & 0xffff_ffff);
    while (tell(listener, teller)) {}
    _ = linux.close(listener);
    _ = linux.close(teller);
    return 0;
}

/// One connection. False: nobody listens to us any more, or there is no listener.
fn tell(listener: i32, teller: i32) bool {
    var watched = [_]linux.pollfd{
        .{ .fd = listener, .events = linux.POLL.IN, .revents = 0 },
        .{ .fd = teller, .events = 0, .revents = 0 },
    };
    _ = linux.poll(&watched, watched.len, -1);
    if (watched[1].revents != 0) return false;
    const accepted = linux.accept4(listener, null, null, linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK);
    switch (linux.errno(accepted)) {
        .SUCCESS => {},
        .AGAIN, .INTR, .CONNABORTED, .PROTO, .NETDOWN, .NETUNREACH, .HOSTDOWN, .HOSTUNREACH, .OPNOTSUPP, .PERM => return true,
        .MFILE, .NFILE, .NOBUFS, .NOMEM => {
            _ = linux.poll(watched[1..].ptr, 1, pause_ms);
            return true;
        },
        else => return false,
    }
    const fd: i32 = @intCast(accepted);
    const sent = linux.sendto(teller, std.mem.asBytes(&fd).ptr, @sizeOf(i32), linux.MSG.NOSIGNAL, null, 0);
    if (linux.errno(sent) == .SUCCESS) return true;
    _ = linux.close(fd);
    return false;
}

/// One datagram to the socket at `path`; a path that begins with "@" is an abstract one.
pub fn notify(path: []const u8, message: []const u8) i32 {
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    if (path.len == 0 or path.len >= address.path.len) return answer.code(.NAMETOOLONG);
    @memcpy(address.path[0..path.len], path);
    if (path[0] == '@') address.path[0] = 0;
    const made = linux.socket(linux.AF.UNIX, linux.SOCK.DGRAM | linux.SOCK.CLOEXEC, 0);
    if (linux.errno(made) != .SUCCESS) return answer.of(made);
    const fd: i32 = @intCast(made);
    defer _ = linux.close(fd);
    const length: u32 = @intCast(@offsetOf(linux.sockaddr.un, "path") + path.len);
    const sent = linux.sendto(fd, message.ptr, message.len, linux.MSG.NOSIGNAL, @ptrCast(&address), length);
    return if (linux.errno(sent) == .SUCCESS) 0 else answer.of(sent);
}
