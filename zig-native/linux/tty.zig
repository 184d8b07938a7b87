//! Terminals: a pty of a devpts, its two ends, its size. The peer comes from TIOCGPTPEER on the master, never from a path, so
//! nothing in a container can offer another one.
const std = @import("std");
const linux = std.os.linux;
const path = @import("path.zig");

const tiocsptlck = 0x40045431;
const tiocgptn = 0x80045430;
const tiocgptpeer = 0x5441;
const tiocsctty = 0x540e;

pub const Size = struct { rows: u16, columns: u16 };

const end_flags: linux.O = .{ .ACCMODE = .RDWR, .NOCTTY = true, .CLOEXEC = true };

/// `pts` is a directory that should be the root of a devpts: see `isMaster`. "ptmx" in it is the multiplexer. The raw result.
pub fn openMaster(pts: i32) usize {
    return path.open(pts, "ptmx", end_flags, 0, path.beneath | path.no_symlinks | path.no_cross_mount);
}

/// Is this the multiplexer's node in a devpts, opened?
pub fn isMaster(descriptor: i32) bool {
    if (descriptor < 0 or path.fileSystem(descriptor) != path.magic_devpts) return false;
    const info = path.stat(descriptor) orelse return false;
    var number: u32 = undefined;
    return info.isDevice(.character, 5, 2) and linux.errno(linux.ioctl(descriptor, tiocgptn, @intFromPtr(&number))) == .SUCCESS;
}

/// So that its peer may be opened.
pub fn unlock(master: i32) linux.E {
    const unlocked: u32 = 0;
    return linux.errno(linux.ioctl(master, tiocsptlck, @intFromPtr(&unlocked)));
}

/// The other end. The raw result. Linux 4.13.
pub fn openPeer(master: i32) usize {
    return linux.ioctl(master, tiocgptpeer, @as(u32, @bitCast(end_flags)));
}

pub fn setSize(terminal: i32, size: Size) linux.E {
    const window: std.posix.winsize = .{ .row = size.rows, .col = size.columns, .xpixel = 0, .ypixel = 0 };
    return linux.errno(linux.ioctl(terminal, linux.T.IOCSWINSZ, @intFromPtr(&window)));
}

pub fn getSize(terminal: i32, size: *Size) linux.E {
    var window: std.posix.winsize = undefined;
    const errno = linux.errno(linux.ioctl(terminal, linux.T.IOCGWINSZ, @intFromPtr(&window)));
    if (errno == .SUCCESS) size.* = .{ .rows = window.row, .columns = window.col };
    return errno;
}

/// Make `slave` the controlling terminal. The caller leads a session without one.
pub fn control(slave: i32) linux.E {
    return linux.errno(linux.ioctl(slave, tiocsctty, 0));
}
