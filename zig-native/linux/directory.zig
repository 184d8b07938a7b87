//! The names in a directory, as getdents64(2) gives them.
const std = @import("std");
const linux = std.os.linux;

/// Without "." and "..". Reads a page at a time from its own offset, so that entries may be removed while listing.
pub const Listing = struct {
    fd: i32,
    buffer: [2048]u8 align(8),
    start: usize,
    end: usize,
    /// Why it ended early.
    errno: linux.E,

    pub fn open(self: *Listing, fd: i32) void {
        self.fd = fd;
        self.start = 0;
        self.end = 0;
        self.errno = .SUCCESS;
        _ = linux.lseek(fd, 0, linux.SEEK.SET);
    }

    /// Null at the end, or where it cannot be read: see `errno`. The name lives until the next one.
    pub fn next(self: *Listing) ?[:0]const u8 {
        while (true) {
            if (self.start == self.end) {
                const got = linux.getdents64(self.fd, &self.buffer, self.buffer.len);
                self.errno = linux.errno(got);
                // The directory itself was removed meanwhile: nothing is in it.
                if (self.errno == .NOENT) self.errno = .SUCCESS;
                if (linux.errno(got) != .SUCCESS or got == 0) return null;
                self.start = 0;
                self.end = got;
            }
            const found: *align(1) linux.dirent64 = @ptrCast(&self.buffer[self.start]);
            const name: [*:0]const u8 = @ptrCast(&self.buffer[self.start + @offsetOf(linux.dirent64, "name")]);
            self.start += found.reclen;
            const text = std.mem.span(name);
            if (!std.mem.eql(u8, text, ".") and !std.mem.eql(u8, text, "..")) return text;
        }
    }
};
