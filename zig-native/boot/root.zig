//! pivot_root(2) refuses a root without a parent, which is what the initial ramfs is. So it is bound over itself: the same
//! files, but a mount that has a parent, as every container's pivot_root wants to find it.
const std = @import("std");
const linux = std.os.linux;
const console = @import("console.zig");
const mountinfo = @import("../linux/mountinfo.zig");

/// Where the bind is made before it moves on top of "/".
const staging = "/run";

pub fn giveParent() void {
    // So early there are two mounts or three.
    var buffer: [4096]u8 = undefined;
    const table = mountinfo.read(&buffer) orelse return;
    if (!mountinfo.hasOrphanRoot(table)) return;
    // Where it cannot be had, containers take the way around that stage/rootfs.zig has.
    move() catch {};
}

fn move() error{Failed}!void {
    const made = linux.mkdir(staging, 0o755);
    if (linux.errno(made) != .EXIST) try check(made, "make " ++ staging);
    try check(linux.mount("/", staging, null, linux.MS.BIND | linux.MS.REC, 0), "bind the root");
    try check(linux.chdir(staging), "enter the bound root");
    try check(linux.mount(".", "/", null, linux.MS.MOVE, 0), "move the bound root");
    try check(linux.chroot("."), "change the root");
    try check(linux.chdir("/"), "enter the new root");
}

fn check(result: usize, comptime what: []const u8) error{Failed}!void {
    const errno = linux.errno(result);
    if (errno == .SUCCESS) return;
    console.say("cannot " ++ what ++ ": {s}", .{@tagName(errno)});
    return error.Failed;
}
