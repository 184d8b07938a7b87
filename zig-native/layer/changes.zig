//! `changes`: what a container changed of its image, on standard output before the answer: a letter, the path and a NUL for
//! each; A, C or D as docker's diff has them.
const std = @import("std");
const linux = std.os.linux;
const Comparer = @import("compare.zig").Comparer;
const Request = @import("request.zig").Request;
const Root = @import("root.zig").Root;
const Sink = @import("tar_writer.zig").Sink;
const confine = @import("confine.zig");
const place = @import("place.zig");
const report = @import("report.zig");

// Large, and one of each: not on a stack.
var sink: Sink = .{ .fd = 1 };
var lister: Lister = .{};
var comparer: Comparer(Lister) = undefined;

pub fn run(request: Request) noreturn {
    confine.outliveReader();
    const image: ?i32 = if (request.get("lower") != null or request.get("tree") != null) Root.open(request).fd else null;
    const new = place.openPath(request.need("new"));
    // For reading trusted.overlay.opaque.
    confine.enter(new, &(confine.looking ++ [_]u5{linux.CAP.SYS_ADMIN}));
    const old: ?i32 = if (image) |fd| reopened(fd) else null;
    comparer.init(&lister, request);
    comparer.all(old, new);
    finish();
}

pub fn finish() noreturn {
    sink.flush();
    report.succeed("", .{});
}

pub fn reopened(fd: i32) i32 {
    const opened = linux.openat(fd, ".", .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) report.failErrno(linux.errno(opened), "cannot open the image", .{});
    return @intCast(opened);
}

const Lister = struct {
    pub fn directory(_: *Lister, path: []const u8, _: i32, _: linux.Statx, is_new: bool) void {
        write(if (is_new) 'A' else 'C', path);
    }

    pub fn entry(_: *Lister, path: []const u8, _: i32, _: [*:0]const u8, _: linux.Statx, is_new: bool) void {
        write(if (is_new) 'A' else 'C', path);
    }

    pub fn deleted(_: *Lister, path: []const u8) void {
        write('D', path);
    }

    pub fn differs(_: *Lister, _: []const u8, _: i32, _: linux.Statx, _: i32, _: linux.Statx, _: [*:0]const u8) bool {
        return false;
    }

    pub fn leavesOut(_: *Lister, _: []const u8, _: []const u8, _: linux.Statx) bool {
        return false;
    }
};

/// Nothing but whole ones go out: a failure may come behind them.
pub fn write(kind: u8, path: []const u8) void {
    if (sink.buffer.len - sink.used < path.len + 2) sink.flush();
    sink.write(&.{kind});
    sink.write(path);
    sink.write("\x00");
}
