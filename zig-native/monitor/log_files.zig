//! The files of a log: <directory>/<id>/<id>-json.log, or -local.log, is made with the first line, becomes `.1` when it would be
//! larger than it may be, and the oldest goes; what has been rotated may be compressed (log_compress.zig). What is written ends
//! with a whole line, in a single write: whoever follows sees no half ones. On a full disk lines are lost.
const std = @import("std");
const linux = std.os.linux;
const memory = @import("../linux/memory.zig");
const compress = @import("log_compress.zig");
const fault = @import("../wire/fault.zig");
const formats = @import("log_format.zig");
const linux_path = @import("../linux/path.zig");
const request = @import("../wire/request.zig");

const path_bytes_max = 4096;
const name_bytes_max = 64 + "-local.log".len + ".4294967295.gz".len;
pub const NameBuffer = [name_bytes_max + 1]u8;

pub const Files = struct {
    format: formats.Format,
    /// -1: nothing is open, be it that nothing has been written yet.
    directory: i32,
    file: i32,
    size: u64,
    /// 0: as large as it gets.
    bytes_max: u64,
    files_max: u32,
    compressed: bool,
    id: [64]u8,
    parent: [path_bytes_max]u8,
    parent_length: usize,

    /// In place, and no more of it is touched than is used.
    pub fn init(self: *Files, wanted: request.LogFiles, id: []const u8) fault.Error!void {
        if (id.len != self.id.len or wanted.files == 0) return fault.fail(.request, .INVAL, "log", .{});
        if (wanted.directory.len >= path_bytes_max) return fault.fail(.request, .NAMETOOLONG, "log", .{});
        self.format = switch (wanted.format) {
            .json => .json,
            .local => .local,
        };
        self.directory = -1;
        self.file = -1;
        self.size = 0;
        self.bytes_max = wanted.bytes;
        self.files_max = wanted.files;
        self.compressed = wanted.compress;
        @memcpy(&self.id, id);
        @memcpy(self.parent[0..wanted.directory.len], wanted.directory);
        self.parent[wanted.directory.len] = 0;
        self.parent_length = wanted.directory.len;
    }

    /// In a stage, whose memory is a copy of ours.
    pub fn forget(self: *Files) void {
        @memset(self.parent[0..self.parent_length], 0);
    }

    /// Is there room for `length` bytes more, in the file that is open or to be?
    pub fn takes(self: *const Files, length: usize) bool {
        return self.bytes_max == 0 or self.size + length <= self.bytes_max;
    }

    /// Lines, of which the file gets as many whole ones as it takes.
    pub fn append(self: *Files, bytes: []const u8) linksection(memory.serving) linux.E {
        if (bytes.len == 0 or self.file < 0) return .SUCCESS;
        const result = linux.write(self.file, bytes.ptr, bytes.len);
        const errno = linux.errno(result);
        if (errno != .SUCCESS) return errno;
        const whole = if (result == bytes.len) result else formats.whole(self.format, bytes[0..result]);
        self.size += whole;
        if (whole == bytes.len) return .SUCCESS;
        _ = linux.ftruncate(self.file, @intCast(self.size));
        return .NOSPC;
    }

    pub fn open(self: *Files) linux.E {
        if (self.file >= 0) return .SUCCESS;
        if (self.directory < 0) {
            const errno = self.openDirectory();
            if (errno != .SUCCESS) return errno;
        }
        var buffer: NameBuffer = undefined;
        const flags: linux.O = .{ .ACCMODE = .RDWR, .CREAT = true, .APPEND = true, .NOFOLLOW = true, .NONBLOCK = true, .CLOEXEC = true };
        const opened = linux.openat(self.directory, self.name(&buffer, 0, false), flags, 0o600);
        if (linux.errno(opened) != .SUCCESS) return linux.errno(opened);
        self.file = @intCast(opened);
        const info = linux_path.stat(self.file);
        if (info == null or info.?.kind != .regular) {
            _ = linux.close(self.file);
            self.file = -1;
            return .INVAL;
        }
        self.size = info.?.size;
        if (self.format != .json) return .SUCCESS;
        var last: [1]u8 = undefined;
        // What a power failure has cut short ends here.
        if (self.size > 0 and linux.pread(self.file, &last, 1, @intCast(self.size - 1)) == 1 and last[0] != '\n') return self.append("\n");
        return .SUCCESS;
    }

    /// Ours is beside those of other containers, and no link.
    fn openDirectory(self: *Files) linux.E {
        const flags: linux.O = .{ .DIRECTORY = true, .PATH = true, .CLOEXEC = true };
        const path: [*:0]const u8 = self.parent[0..self.parent_length :0];
        var opened = linux.openat(linux.AT.FDCWD, path, flags, 0);
        if (linux.errno(opened) == .NOENT) {
            _ = linux.mkdir(path, 0o700); // another monitor's is as good
            opened = linux.openat(linux.AT.FDCWD, path, flags, 0);
        }
        if (linux.errno(opened) != .SUCCESS) return linux.errno(opened);
        const parent: i32 = @intCast(opened);
        defer _ = linux.close(parent);
        var own: [self.id.len:0]u8 = undefined;
        @memcpy(&own, &self.id);
        own[own.len] = 0;
        const made = linux.errno(linux.mkdirat(parent, &own, 0o700));
        if (made != .SUCCESS and made != .EXIST) return made;
        const result = linux.openat(parent, &own, .{ .DIRECTORY = true, .PATH = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
        if (linux.errno(result) == .SUCCESS) self.directory = @intCast(result);
        return linux.errno(result);
    }

    /// Each file becomes the next older one, the oldest goes. Readers know a file by its inode.
    pub fn rotate(self: *Files) linux.E {
        if (self.file < 0) return .SUCCESS;
        _ = linux.close(self.file);
        self.file = -1;
        self.size = 0;
        const lock = if (self.compressed) compress.lockNames(self.directory) else -1;
        self.shift();
        if (lock >= 0) _ = linux.close(lock);
        if (self.compressed and self.files_max > 1) compress.start(self);
        return self.open();
    }

    /// Nothing comes any more.
    pub fn finish(self: *const Files) void {
        if (self.compressed) _ = compress.reap();
    }

    fn shift(self: *Files) void {
        var from: NameBuffer = undefined;
        var to: NameBuffer = undefined;
        const oldest = self.files_max - 1;
        _ = linux.unlinkat(self.directory, self.name(&from, oldest, false), 0);
        if (self.compressed) _ = linux.unlinkat(self.directory, self.name(&from, oldest, true), 0);
        var number = oldest;
        // Of most there are none yet.
        while (number > 0) : (number -= 1) for ([_]bool{ false, true }) |compressed| {
            if (compressed and !self.compressed) continue;
            const older = self.name(&to, number, compressed);
            _ = linux.renameat(self.directory, self.name(&from, number - 1, compressed), self.directory, older);
        };
    }

    /// Of the newest, or of what was before it.
    pub fn name(self: *const Files, buffer: *NameBuffer, number: u32, compressed: bool) [*:0]const u8 {
        var writer: std.Io.Writer = .fixed(buffer);
        writer.print("{s}-{s}.log", .{ self.id, @tagName(self.format) }) catch unreachable; // it has room for the largest number
        if (number > 0) writer.print(".{d}", .{number}) catch unreachable;
        if (compressed) writer.writeAll(".gz") catch unreachable;
        writer.writeByte(0) catch unreachable;
        return buffer[0 .. writer.end - 1 :0];
    }
};
