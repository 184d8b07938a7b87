//! Files as the prober sees them: contents, listings, full metadata, open descriptors, devices.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");
const Args = input.Args;

pub fn cat(args: Args) u8 {
    for (args) |path| {
        const fd = input.openRead(path);
        if (input.failed(fd)) return output.failure(fd, std.mem.span(path));
        defer _ = linux.close(@intCast(fd));
        output.flush();
        const result = copy(@intCast(fd), 1);
        if (input.failed(result)) return output.failure(result, std.mem.span(path));
    }
    return 0;
}

/// Until the end of `from`; 0 or the failed read's result.
pub fn copy(from: i32, to: i32) usize {
    const State = struct {
        var buffer: [65536]u8 = undefined;
    };
    while (true) {
        const count = linux.read(from, &State.buffer, State.buffer.len);
        if (linux.errno(count) == .INTR) continue;
        if (input.failed(count) or count == 0) return count;
        output.writeAll(to, State.buffer[0..count]);
    }
}

pub fn status(dir: i32, path: [*:0]const u8, flags: u32, result: *linux.Statx) usize {
    return linux.statx(dir, path, flags | linux.AT.NO_AUTOMOUNT, linux.STATX.BASIC_STATS, result);
}

fn kind(mode: u16) u8 {
    return "?pc?d?b?-?l?s???"[mode >> 12];
}

/// TYPE MODE UID GID SIZE NAME [-> LINK]; a device has MAJOR:MINOR for SIZE. Sorted by name.
pub fn ls(args: Args) u8 {
    const listing = input.list(if (args.len > 0) args[0] else ".") orelse return 1;
    defer listing.close();
    for (listing.names) |name| {
        var meta: linux.Statx = undefined;
        const result = status(listing.fd, name, linux.AT.SYMLINK_NOFOLLOW, &meta);
        if (input.failed(result)) {
            _ = output.failure(result, std.mem.span(name));
            continue;
        }
        output.text(&.{ kind(meta.mode), ' ' });
        output.octal(meta.mode & 0o7777);
        for ([_]u64{ meta.uid, meta.gid }) |value| {
            output.text(" ");
            output.decimal(value);
        }
        output.text(" ");
        if (isDevice(meta.mode)) output.device(meta.rdev_major, meta.rdev_minor) else output.decimal(meta.size);
        output.text(" ");
        output.escaped(std.mem.span(name));
        if (kind(meta.mode) == 'l') {
            output.text(" -> ");
            output.escaped(input.link(listing.fd, name));
        }
        output.text("\n");
    }
    return 0;
}

fn isDevice(mode: u16) bool {
    return kind(mode) == 'c' or kind(mode) == 'b';
}

/// One "key value" line for each fact of each file. Links are not followed unless -L comes first.
pub fn stat(args: Args) u8 {
    const follow = input.argIs(args, 0, "-L");
    for (args[@intFromBool(follow)..]) |path| {
        var meta: linux.Statx = undefined;
        const result = status(linux.AT.FDCWD, path, if (follow) 0 else linux.AT.SYMLINK_NOFOLLOW, &meta);
        if (input.failed(result)) return output.failure(result, std.mem.span(path));
        output.text("path ");
        output.escaped(std.mem.span(path));
        output.text("\ndev ");
        output.device(meta.dev_major, meta.dev_minor);
        output.text("\nrdev ");
        output.device(meta.rdev_major, meta.rdev_minor);
        output.line(&.{ "\ntype ", &.{kind(meta.mode)} });
        output.text("mode ");
        output.octal(meta.mode & 0o7777);
        output.text("\n");
        output.pair("ino", meta.ino);
        output.pair("uid", meta.uid);
        output.pair("gid", meta.gid);
        output.pair("nlink", meta.nlink);
        output.pair("size", meta.size);
        output.pair("blocks", meta.blocks);
        output.text("mtime ");
        output.decimal(@bitCast(meta.mtime.sec));
        output.text(".");
        output.number(meta.mtime.nsec, 10, 9);
        output.text("\n");
        if (kind(meta.mode) == 'l') output.line(&.{ "link ", input.link(linux.AT.FDCWD, path) }) else fileSystem(path);
        attributes(path);
    }
    return 0;
}

/// fsmagic: f_type of statfs(2), its first word. 0x1cd1 is devpts, 0x9fa0 proc, 0x1021994 tmpfs, 0x794c7630 overlay.
fn fileSystem(path: [*:0]const u8) void {
    var info: [64]usize = undefined;
    const result = linux.syscall2(.statfs, @intFromPtr(path), @intFromPtr(&info));
    output.text("fsmagic 0x");
    if (input.failed(result)) output.errno(result) else output.number(info[0], 16, 1);
    output.text("\n");
}

fn attributes(path: [*:0]const u8) void {
    var names: [4096]u8 = undefined;
    const length = linux.llistxattr(path, &names, names.len);
    if (input.failed(length)) return;
    var each = std.mem.tokenizeScalar(u8, names[0..length], 0);
    while (each.next()) |name| {
        var value: [4096]u8 = undefined;
        const size = linux.lgetxattr(path, @ptrCast(name.ptr), &value, value.len);
        output.text("xattr ");
        output.escaped(name);
        output.text(" ");
        if (input.failed(size)) output.errno(size) else output.hex(value[0..size]);
        output.text("\n");
    }
}

/// write FILE TEXT: makes or truncates it.
pub fn write(args: Args) u8 {
    if (args.len < 2) return 2;
    const fd = linux.open(args[0], .{ .ACCMODE = .WRONLY, .CREAT = true, .TRUNC = true, .CLOEXEC = true }, 0o644);
    if (input.failed(fd)) return output.failure(fd, std.mem.span(args[0]));
    const text = std.mem.span(args[1]);
    const result = linux.write(@intCast(fd), text.ptr, text.len);
    if (input.failed(result)) return output.failure(result, std.mem.span(args[0]));
    return 0;
}

pub fn mkdir(args: Args) u8 {
    for (args) |path| {
        const result = linux.mkdir(path, 0o755);
        if (input.failed(result)) return output.failure(result, std.mem.span(path));
    }
    return 0;
}

pub fn symlink(args: Args) u8 {
    if (args.len < 2) return 2;
    const result = linux.symlink(args[0], args[1]);
    return if (input.failed(result)) output.failure(result, std.mem.span(args[1])) else 0;
}

pub fn unlink(args: Args) u8 {
    for (args) |path| {
        const result = linux.unlink(path);
        if (input.failed(result)) return output.failure(result, std.mem.span(path));
    }
    return 0;
}

/// fd NUMBER TARGET for each open descriptor but the one that this listing itself needs.
pub fn fds(_: Args) u8 {
    const listing = input.list("/proc/self/fd") orelse return 1;
    defer listing.close();
    for (listing.names) |name| {
        if (input.parse(std.mem.span(name), 0) == listing.fd) continue;
        output.text("fd ");
        output.text(std.mem.span(name));
        output.text(" ");
        output.escaped(input.link(listing.fd, name));
        output.text("\n");
    }
    return 0;
}

/// Of /dev: "device NAME TYPE MAJOR:MINOR MODE UID:GID", "link NAME TARGET", "other NAME TYPE MODE".
pub fn devices(_: Args) u8 {
    const listing = input.list("/dev") orelse return 1;
    defer listing.close();
    for (listing.names) |name| {
        var meta: linux.Statx = undefined;
        if (input.failed(status(listing.fd, name, linux.AT.SYMLINK_NOFOLLOW, &meta))) continue;
        const text = std.mem.span(name);
        if (kind(meta.mode) == 'l') {
            output.line(&.{ "link ", text, " ", input.link(listing.fd, name) });
            continue;
        }
        output.text(if (isDevice(meta.mode)) "device " else "other ");
        output.text(text);
        output.text(&.{ ' ', kind(meta.mode), ' ' });
        if (isDevice(meta.mode)) {
            output.device(meta.rdev_major, meta.rdev_minor);
            output.text(" ");
        }
        output.octal(meta.mode & 0o7777);
        output.text(" ");
        output.device(meta.uid, meta.gid);
        output.text("\n");
    }
    return 0;
}
