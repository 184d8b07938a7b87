//! What the kernel's security modules are told of the program: its labels, and its scope.
//!
//! The labels: its AppArmor profile, its SELinux context. They take effect when it is executed, and are written
//! while "/proc" is still the host's: to the kernel's own file beneath it, and we look whether it is a procfs. What an image has there,
//! or something that is mounted over the file, gets nothing (CVE-2019-16884, CVE-2025-52881).
const std = @import("std");
const linux = std.os.linux;
const fault = @import("../wire/fault.zig");
const landlock = @import("../linux/landlock.zig");
const path = @import("../linux/path.zig");
const request = @import("../wire/request.zig");

/// AppArmor's own, and what it was before Linux 5.8.
const profile_files = [_][:0]const u8{ "thread-self/attr/apparmor/exec", "thread-self/attr/exec" };
const current_files = [_][:0]const u8{ "thread-self/attr/apparmor/current", "thread-self/attr/current" };

/// While the host's /proc is still "/proc". What is born of us has them too.
pub fn prepare(arena: std.mem.Allocator, process: *const request.Process) fault.AllocError!void {
    const profile, const context = .{ process.apparmorProfile, process.selinuxLabel };
    if (profile.len + context.len == 0) return;
    const procfs = try openProc();
    defer _ = linux.close(procfs);
    if (profile.len > 0) try setProfile(procfs, try std.fmt.allocPrint(arena, "exec {s}", .{profile}), profile);
    if (context.len == 0) return;
    // Of the session keyring, which is made later, as well.
    for ([_][:0]const u8{ "thread-self/attr/keycreate", "thread-self/attr/exec" }) |file|
        try fault.ensure(write(procfs, file, context), .identity, "take the SELinux label {s}", .{context});
}

fn setProfile(procfs: i32, command: []const u8, profile: []const u8) fault.Error!void {
    var errno: linux.E = .NOENT;
    for (profile_files) |file| {
        if (errno == .NOENT) errno = write(procfs, file, command);
    }
    if (errno == .NOENT) return fault.fail(
        .identity,
        .SUCCESS,
        "AppArmor has no profile {s}: apparmor_parser -r FILE loads one",
        .{profile},
    );
    try fault.ensure(errno, .identity, "take the AppArmor profile {s}", .{profile});
}

/// Once everything of others has been looked at. A default: a kernel that cannot do it goes without.
pub fn scope() fault.Error!void {
    switch (landlock.scope()) {
        .SUCCESS, .NOSYS, .OPNOTSUPP, .@"2BIG", .INVAL => {},
        // Sixteen fences around us already, or a filter: what is around us is stricter.
        .PERM => {},
        else => |errno| return fault.fail(.identity, errno, "fence off the abstract sockets of the host", .{}),
    }
}

/// For a process of ours that stays and executes nothing: whoever holds this can go over by itself. -1: there is no profile.
pub fn openCurrent(process: *const request.Process) fault.Error!i32 {
    if (process.apparmorProfile.len == 0) return -1;
    const procfs = try openProc();
    defer _ = linux.close(procfs);
    for (current_files) |file| {
        const opened = path.open(procfs, file, .{ .ACCMODE = .WRONLY, .CLOEXEC = true }, 0, within);
        if (linux.errno(opened) == .SUCCESS) return @intCast(opened);
    }
    return -1;
}

/// `current` is of `openCurrent`, and goes. We have nothing left that the container could gain: that it does not work is no
/// reason to end it.
pub fn goOver(current: i32, profile: []const u8) void {
    if (current < 0) return;
    var buffer: [512]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    writer.print("changeprofile {s}", .{profile}) catch {};
    _ = linux.write(current, buffer[0..writer.end].ptr, writer.end);
    _ = linux.close(current);
}

/// The link "thread-self" is the kernel's own text, and no magic one.
const within = path.beneath | path.no_magic_links | path.no_cross_mount;

fn write(procfs: i32, file: [:0]const u8, text: []const u8) linux.E {
    return path.writeFile(procfs, file, text, within);
}

fn openProc() fault.Error!i32 {
    const opened = path.open(linux.AT.FDCWD, "/proc", path.directory_path, 0, path.no_magic_links);
    const fd: i32 = @intCast(try fault.check(opened, .identity, "open /proc", .{}));
    if (path.fileSystem(fd) == path.magic_proc) return fd;
    _ = linux.close(fd);
    return fault.fail(.identity, .SUCCESS, "/proc of the host is no procfs: labels cannot be set", .{});
}
