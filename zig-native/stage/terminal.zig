//! The container's terminal: a pty of its own devpts, made by the stage; the monitor gets the master.
const linux = @import("std").os.linux;
const fault = @import("../wire/fault.zig");
const handshake = @import("handshake.zig");
const program = @import("program.zig");
const request = @import("../wire/request.zig");
const tty = @import("../linux/tty.zig");

pub const Terminal = struct { master: i32, slave: i32 };

/// `pts` is a directory that must be the root of a devpts.
pub fn open(pts: i32, size: ?tty.Size) fault.Error!Terminal {
    const master: i32 = @intCast(try fault.check(tty.openMaster(pts), .device, "open /dev/pts/ptmx", .{}));
    errdefer _ = linux.close(master);
    if (!tty.isMaster(master)) return fault.fail(.device, .INVAL, "/dev/pts of the container is not a devpts", .{});
    try fault.ensure(tty.unlock(master), .device, "unlock the terminal", .{});
    const slave: i32 = @intCast(try fault.check(tty.openPeer(master), .device, "open the terminal's other end", .{}));
    errdefer _ = linux.close(slave);
    if (size) |wanted| try fault.ensure(tty.setSize(master, wanted), .device, "set the terminal's size", .{});
    return .{ .master = master, .slave = slave };
}

/// 0-2 from a terminal, whose master goes to the monitor. With `controlling` it becomes our controlling terminal.
pub fn hand(sync: i32, terminal: Terminal, controlling: bool) fault.Error!void {
    for (0..3) |number| try program.place(terminal.slave, @intCast(number));
    if (controlling) try control();
    try handshake.sendDescriptor(sync, 'T', terminal.master);
    for ([_]i32{ terminal.master, terminal.slave }) |fd| _ = linux.close(fd);
}

/// Make 0 our controlling terminal. We lead a session without one.
pub fn control() fault.Error!void {
    try fault.ensure(tty.control(0), .device, "take the controlling terminal", .{});
}

pub fn sizeOf(process: *const request.Process) ?tty.Size {
    const size = process.consoleSize orelse return null;
    return .{ .rows = size.height, .columns = size.width };
}
