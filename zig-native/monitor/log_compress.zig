//! Rotated files of a log are compressed by a process of its own, which is forked for that and ends with it: the monitor waits
//! for nothing, and stays as small as it is. `.1` becomes `.1.gz`:
//!
//!   the process                                          the monitor
//!   -----------                                          -----------
//!   locks <id>-json.log.gz, or somebody does it already
//!   a rotated file that is not compressed -> into it
//!   locks the directory                                  locks the directory (but waits no longer than a moment)
//!   finds what number the file has by now                renames all to the next number
//!   .gz -> .N.gz, removes .N                             unlocks
//!   unlocks, and looks for the next one
//!
//! In the gzip header's comment stands the inode of the file that it was, so that whoever has read that knows it again. Killed
//! at any moment, it leaves all lines where they were, or both files; the next one begins anew.
const std = @import("std");
const linux = std.os.linux;
const flate = std.compress.flate;
const files = @import("log_files.zig");
const linux_path = @import("../linux/path.zig");

const Files = files.Files;
const lock_exclusive = 2;
const lock_or_fail = 4;
/// So long the monitor waits for the names to be free, in steps of two milliseconds.
const attempts_max = 50;
const step_ns = 2 * std.time.ns_per_ms;
/// Where the process has its directory.
const directory_kept = 3;

var input: [64 * 1024]u8 = undefined;
var output: [64 * 1024]u8 = undefined;
var window: [flate.max_window_len]u8 = undefined;
var compressor: flate.Compress = undefined;

/// Whoever has this open may rename the log's files. -1: somebody holds it for too long, and has it in the midst of a file.
pub fn lockNames(directory: i32) i32 {
    const fd = openSelf(directory);
    if (fd < 0) return -1;
    for (0..attempts_max) |_| {
        if (linux.errno(linux.flock(fd, lock_exclusive | lock_or_fail)) != .AGAIN) return fd;
        const step: linux.timespec = .{ .sec = 0, .nsec = step_ns };
        _ = linux.nanosleep(&step, null);
    }
    _ = linux.close(fd);
    return -1;
}

fn openSelf(directory: i32) i32 {
    const opened = linux.openat(directory, ".", .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
    return if (linux.errno(opened) == .SUCCESS) @intCast(opened) else -1;
}

/// Those that have been forked and not been waited for: one is at work, and the next looks whether it is still.
var children: [4]i32 = @splat(0);

/// It is not waited for, but with the next one. Where there are enough they see to what has come as well.
pub fn start(log: *const Files) void {
    const free = reap() orelse return;
    const forked = linux.fork();
    if (linux.errno(forked) != .SUCCESS) return;
    if (forked != 0) {
        free.* = @intCast(forked);
        return;
    }
    if (keepOnly(log.directory)) run(log);
    linux.exit_group(0);
}

/// Forget those that have ended. Answers a place that is free.
pub fn reap() ?*i32 {
    var free: ?*i32 = null;
    for (&children) |*child| {
        var status: u32 = 0;
        if (child.* != 0 and linux.waitpid(child.*, &status, linux.W.NOHANG) == 0) continue;
        child.* = 0;
        free = child;
    }
    return free;
}

/// Nothing of the monitor's may live on here, above all not its lock. And what is urgent goes first.
fn keepOnly(directory: i32) bool {
    _ = linux.prctl(@intFromEnum(linux.PR.SET_NAME), @intFromPtr("rt-log-gzip"), 0, 0, 0);
    _ = linux.syscall3(.setpriority, 0, 0, 19);
    const beyond: i32 = 4;
    const kept = linux.fcntl(directory, linux.F.DUPFD_CLOEXEC, beyond);
    if (linux.errno(kept) != .SUCCESS) return false;
    if (linux.errno(linux.dup3(@intCast(kept), directory_kept, 0o2000000)) != .SUCCESS) return false;
    _ = linux.syscall3(.close_range, 0, directory_kept - 1, 0);
    _ = linux.syscall3(.close_range, beyond, std.math.maxInt(i32), 0);
    return true;
}

fn run(log: *const Files) void {
    while (true) {
        const draft = openDraft(log) orelse return;
        const outcome = compressNext(log, draft);
        _ = linux.close(draft);
        switch (outcome) {
            .compressed => {},
            .failed => return,
            // Whoever came while we had the lock has left his file to us.
            .none => if (!anyLeft(log)) return,
        }
    }
}

fn anyLeft(log: *const Files) bool {
    for (1..log.files_max) |number| {
        const source = openRotated(log, @intCast(number)) orelse continue;
        defer _ = linux.close(source);
        if (inodeOf(source) != null) return true;
    }
    return false;
}

/// The file that is written to, with its lock. Null: somebody else is at work.
fn openDraft(log: *const Files) ?i32 {
    var buffer: files.NameBuffer = undefined;
    const name = log.name(&buffer, 0, true);
    const flags: linux.O = .{ .ACCMODE = .RDWR, .CREAT = true, .NOFOLLOW = true, .NONBLOCK = true, .CLOEXEC = true };
    const opened = linux.openat(directory_kept, name, flags, 0o600);
    if (linux.errno(opened) != .SUCCESS) return null;
    const draft: i32 = @intCast(opened);
    const locked = linux.errno(linux.flock(draft, lock_exclusive | lock_or_fail)) == .SUCCESS;
    // Whoever had it before may have given it its name meanwhile.
    if (locked and isAt(draft, name) and linux.errno(linux.ftruncate(draft, 0)) == .SUCCESS) return draft;
    _ = linux.close(draft);
    return null;
}

/// The file `.number`, where there is one.
fn openRotated(log: *const Files, number: u32) ?i32 {
    var buffer: files.NameBuffer = undefined;
    const flags: linux.O = .{ .NOFOLLOW = true, .NONBLOCK = true, .CLOEXEC = true };
    const opened = linux.openat(directory_kept, log.name(&buffer, number, false), flags, 0);
    return if (linux.errno(opened) == .SUCCESS) @intCast(opened) else null;
}

fn compressNext(log: *const Files, draft: i32) enum { compressed, none, failed } {
    for (1..log.files_max) |number| {
        const source = openRotated(log, @intCast(number)) orelse continue;
        defer _ = linux.close(source);
        const inode = inodeOf(source) orelse continue;
        if (compress(source, draft, inode) and settle(log, inode)) return .compressed;
        dropDraft(log);
        return .failed;
    }
    dropDraft(log);
    return .none;
}

fn dropDraft(log: *const Files) void {
    var buffer: files.NameBuffer = undefined;
    _ = linux.unlinkat(directory_kept, log.name(&buffer, 0, true), 0);
}

fn compress(source: i32, draft: i32, inode: u64) bool {
    var writer: FileWriter = .{ .fd = draft, .interface = .{ .buffer = &output, .vtable = &.{ .drain = FileWriter.drain } } };
    write(&writer.interface, source, inode) catch return false;
    return true;
}

/// RFC 1952, with a comment.
fn write(to: *std.Io.Writer, source: i32, inode: u64) error{ WriteFailed, ReadFailed }!void {
    try to.writeAll("\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\x03");
    try to.print("inode {d}\x00", .{inode});
    compressor = try .init(to, &window, .raw, .fastest);
    var crc: std.hash.crc.Crc32 = .init();
    var length: u32 = 0;
    while (true) {
        const result = linux.read(source, &input, input.len);
        if (linux.errno(result) == .INTR) continue;
        if (linux.errno(result) != .SUCCESS) return error.ReadFailed;
        if (result == 0) break;
        crc.update(input[0..result]);
        length +%= @intCast(result);
        try compressor.writer.writeAll(input[0..result]);
    }
    try compressor.finish();
    try to.writeInt(u32, crc.final(), .little);
    try to.writeInt(u32, length, .little);
    try to.flush();
}

/// A file's writer that needs nothing of the standard library's I/O.
const FileWriter = struct {
    fd: i32,
    interface: std.Io.Writer,

    fn drain(writer: *std.Io.Writer, data: []const []const u8, splat: usize) std.Io.Writer.Error!usize {
        const self: *FileWriter = @fieldParentPtr("interface", writer);
        try self.all(writer.buffer[0..writer.end]);
        writer.end = 0;
        var count: usize = 0;
        for (data[0 .. data.len - 1]) |part| {
            try self.all(part);
            count += part.len;
        }
        const last = data[data.len - 1];
        for (0..splat) |_| try self.all(last);
        return count + splat * last.len;
    }

    fn all(self: *FileWriter, bytes: []const u8) std.Io.Writer.Error!void {
        var rest = bytes;
        while (rest.len > 0) {
            const result = linux.write(self.fd, rest.ptr, rest.len);
            if (linux.errno(result) == .INTR) continue;
            if (linux.errno(result) != .SUCCESS) return error.WriteFailed;
            rest = rest[result..];
        }
    }
};

/// What was compressed gets its name in the place of the file that it was, which may be another than before, or none.
fn settle(log: *const Files, inode: u64) bool {
    const lock = openSelf(directory_kept);
    if (lock < 0) return false;
    defer _ = linux.close(lock);
    if (linux.errno(linux.flock(lock, lock_exclusive)) != .SUCCESS) return false;
    var draft: files.NameBuffer = undefined;
    var whole: files.NameBuffer = undefined;
    for (1..log.files_max) |number| {
        const source = openRotated(log, @intCast(number)) orelse continue;
        defer _ = linux.close(source);
        if (inodeOf(source) != inode) continue;
        const named = log.name(&whole, @intCast(number), true);
        if (linux.errno(linux.renameat(directory_kept, log.name(&draft, 0, true), directory_kept, named)) != .SUCCESS) return false;
        return linux.errno(linux.unlinkat(directory_kept, log.name(&draft, @intCast(number), false), 0)) == .SUCCESS;
    }
    return true;
}

/// Of a regular file.
fn inodeOf(fd: i32) ?u64 {
    const info = linux_path.stat(fd) orelse return null;
    return if (info.kind == .regular) info.inode else null;
}

fn isAt(fd: i32, name: [*:0]const u8) bool {
    const own = inodeOf(fd) orelse return false;
    const opened = linux.openat(directory_kept, name, .{ .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return false;
    defer _ = linux.close(@intCast(opened));
    return inodeOf(@intCast(opened)) == own;
}
