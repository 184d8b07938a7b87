//! The container's terminal: a pty of the container's own devpts. The peer comes from TIOCGPTPEER on the master, never from
//! a path, so nothing in the container can offer another one.
const std = @import("std");
const linux = std.os.linux;
const stage = @import("../stage/sync.zig");
const path = @import("path.zig");

const tiocsptlck = 0x40045431;
const tiocgptpeer = 0x5441;
const tiocswinsz = 0x5414;
const tiocsctty = 0x540e;

pub const Size = struct { rows: u16, columns: u16 };
const WindowSize = extern struct { rows: u16, columns: u16, x_pixels: u16 = 0, y_pixels: u16 = 0 };

pub const Terminal = struct { master: i32, slave: i32 };

/// `pts` is a directory that must be the root of a devpts; "ptmx" in it is the multiplexer.
pub fn open(pts: i32, size: ?Size) stage.Error!Terminal {
    const flags: linux.O = .{ .ACCMODE = .RDWR, .NOCTTY = true, .CLOEXEC = true };
    const opened = path.open(pts, "ptmx", flags, 0, path.beneath | path.no_symlinks | path.no_cross_mount);
    const master: i32 = @intCast(try stage.check(opened, .device, "open /dev/pts/ptmx", .{}));
    errdefer _ = linux.close(master);
    const info = path.stat(master) orelse return stage.fail(.device, .IO, "stat /dev/pts/ptmx", .{});
    if (path.fileSystem(master) != path.magic_devpts or !info.isDevice(.character, 5, 2))
        return stage.fail(.device, .INVAL, "/dev/pts of the container is not a devpts", .{});
    const unlock: u32 = 0;
    _ = try stage.check(linux.ioctl(master, tiocsptlck, @intFromPtr(&unlock)), .device, "unlock the terminal", .{});
    const peer = linux.ioctl(master, tiocgptpeer, @as(u32, @bitCast(flags)));
    const slave: i32 = @intCast(try stage.check(peer, .device, "open the terminal's other end", .{}));
    errdefer _ = linux.close(slave);
    if (size) |wanted| {
        const window: WindowSize = .{ .rows = wanted.rows, .columns = wanted.columns };
        _ = try stage.check(linux.ioctl(master, tiocswinsz, @intFromPtr(&window)), .device, "set the terminal's size", .{});
    }
    return .{ .master = master, .slave = slave };
}

/// Make `slave` the controlling terminal. The caller leads a session without one.
pub fn control(slave: i32) stage.Error!void {
    _ = try stage.check(linux.ioctl(slave, tiocsctty, 0), .device, "take the controlling terminal", .{});
}
