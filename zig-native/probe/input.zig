//! What the prober reads: whole small files, directories, and numbers from its arguments.
const std = @import("std");
const linux = std.os.linux;
const output = @import("output.zig");

pub const Args = []const [*:0]const u8;

pub fn arg(args: Args, index: usize) []const u8 {
    return if (index < args.len) std.mem.span(args[index]) else "";
}

pub fn argIs(args: Args, index: usize, expected: []const u8) bool {
    return std.mem.eql(u8, arg(args, index), expected);
}

/// A decimal number; anything else reads as `otherwise`.
pub fn parse(digits: []const u8, otherwise: u64) u64 {
    if (digits.len == 0) return otherwise;
    var value: u64 = 0;
    for (digits) |digit| {
        if (digit < '0' or digit > '9') return otherwise;
        value = value *% 10 +% (digit - '0');
    }
    return value;
}

pub fn failed(result: usize) bool {
    return linux.errno(result) != .SUCCESS;
}

pub fn openRead(path: [*:0]const u8) usize {
    return linux.open(path, .{ .CLOEXEC = true }, 0);
}

var file_buffer: [1 << 18]u8 = undefined;

/// The file's contents (at most 256 KiB), until the next call; null, with the error printed, when it cannot be read.
pub fn contents(path: [*:0]const u8) ?[]u8 {
    const result = read(path, &file_buffer);
    if (!failed(result)) return file_buffer[0..result];
    _ = output.failure(result, std.mem.span(path));
    return null;
}

/// Bytes read into `buffer`, or the failed system call's result.
pub fn read(path: [*:0]const u8, buffer: []u8) usize {
    const fd = openRead(path);
    if (failed(fd)) return fd;
    defer _ = linux.close(@intCast(fd));
    var used: usize = 0;
    while (used < buffer.len) {
        const count = linux.read(@intCast(fd), buffer[used..].ptr, buffer.len - used);
        if (failed(count)) return count;
        if (count == 0) break;
        used += count;
    }
    return used;
}

pub const Lines = std.mem.SplitIterator(u8, .scalar);

pub fn lines(bytes: []const u8) Lines {
    return std.mem.splitScalar(u8, std.mem.trimEnd(u8, bytes, "\n"), '\n');
}

/// Names of a directory in byte order, without "." and ".."; they live until the next call.
pub const Listing = struct {
    var bytes: [1 << 17]u8 = undefined;
    var sorted: [4096][*:0]const u8 = undefined;

    fd: i32,
    names: []const [*:0]const u8,

    pub fn close(listing: Listing) void {
        _ = linux.close(listing.fd);
    }
};

pub fn list(path: [*:0]const u8) ?Listing {
    const fd = linux.open(path, .{ .CLOEXEC = true, .DIRECTORY = true }, 0);
    if (failed(fd)) {
        _ = output.failure(fd, std.mem.span(path));
        return null;
    }
    var used: usize = 0;
    var count: usize = 0;
    while (true) {
        const got = linux.getdents64(@intCast(fd), Listing.bytes[used..].ptr, Listing.bytes.len - used);
        if (failed(got) or got == 0) break;
        var at = used;
        used += got;
        // struct linux_dirent64: ino u64, off i64, reclen u16, type u8, name.
        while (at < used) : (at += std.mem.readInt(u16, Listing.bytes[at + 16 ..][0..2], .native)) {
            const name: [*:0]const u8 = @ptrCast(Listing.bytes[at + 19 ..].ptr);
            if (name[0] == '.' and (name[1] == 0 or (name[1] == '.' and name[2] == 0))) continue;
            if (count == Listing.sorted.len) break;
            insert(name, count);
            count += 1;
        }
    }
    return .{ .fd = @intCast(fd), .names = Listing.sorted[0..count] };
}

fn insert(name: [*:0]const u8, count: usize) void {
    var at = count;
    while (at > 0 and std.mem.orderZ(u8, name, Listing.sorted[at - 1]) == .lt) : (at -= 1) Listing.sorted[at] = Listing.sorted[at - 1];
    Listing.sorted[at] = name;
}

var link_buffer: [4096]u8 = undefined;

/// Target of a symbolic link, until the next call; empty when there is none.
pub fn link(dir: i32, name: [*:0]const u8) []const u8 {
    const length = linux.readlinkat(dir, name, &link_buffer, link_buffer.len);
    return if (failed(length)) "" else link_buffer[0..length];
}
