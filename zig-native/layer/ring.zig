//! The uncompressed stream between the threads: one writer (inflate, or a plain tar being read) and two readers (the
//! hash, and the archive reader with its file writers), in a ring whose memory is mapped twice in a row, so that any
//! span of it is contiguous. Positions count bytes of the stream from its beginning and never wrap.
//!
//!      released ............. hashed ............. head
//!      (files written)        (SHA-256)            (inflated)
//!
//! The writer waits while the slowest reader is a ring behind. Memory is bounded whatever the archive says.
const std = @import("std");
const linux = std.os.linux;
const inflate = @import("inflate.zig");
const report = @import("report.zig");
const sync = @import("sync.zig");

pub const size = 8 * 1024 * 1024;
/// What the writer fills before it tells the others.
const span_bytes = 128 * 1024;
/// What a reader may ask to see at once.
pub const view_bytes_max = 4 * 1024 * 1024;

pub const Ring = struct {
    memory: [*]u8,
    size_max: u64,
    mutex: sync.Mutex = .{},
    readable: sync.Condition = .{},
    writable: sync.Condition = .{},
    head: u64 = 0,
    hashed: u64 = 0,
    released: u64 = 0,
    closed: bool = false,

    pub fn init(self: *Ring, size_max: u64) void {
        self.* = .{ .memory = mapTwice(), .size_max = size_max };
    }

    // --- writer (a sink of inflate) ---

    pub fn reserve(self: *Ring) []u8 {
        self.mutex.lock();
        // The window behind the head stays readable for matches, and the slack ahead may be scribbled on.
        while (self.head + span_bytes + inflate.slack + inflate.window_bytes - @min(self.hashed, self.released) > size)
            self.writable.wait(&self.mutex);
        const head = self.head;
        self.mutex.unlock();
        var offset: usize = @intCast(head % size);
        // The second mapping for the beginning: there is room for the window below it.
        if (offset < inflate.window_bytes) offset += size;
        return self.memory[offset..][0..span_bytes];
    }

    pub fn commit(self: *Ring, bytes: []const u8) void {
        if (bytes.len == 0) return;
        self.mutex.lock();
        self.head += bytes.len;
        const over = self.head > self.size_max;
        self.readable.broadcast();
        self.mutex.unlock();
        if (over) report.fail(.limit, "the uncompressed layer is larger than the limit of {d} bytes", .{self.size_max});
    }

    pub fn close(self: *Ring) void {
        self.mutex.lock();
        self.closed = true;
        self.readable.broadcast();
        self.mutex.unlock();
    }

    // --- readers ---

    /// Wait until `length` bytes from `position` on are there; fewer are answered only at the end of the stream.
    pub fn wait(self: *Ring, position: u64, length: usize) []const u8 {
        std.debug.assert(length <= view_bytes_max);
        self.mutex.lock();
        while (self.head < position + length and !self.closed) self.readable.wait(&self.mutex);
        // A reader may have skipped past the end of a stream that was cut.
        const there = self.head -| position;
        self.mutex.unlock();
        return self.view(position, @intCast(@min(there, length)));
    }

    /// Bytes that are there already. At least one is waited for; none means the end of the stream.
    pub fn some(self: *Ring, position: u64, length_max: usize) []const u8 {
        self.mutex.lock();
        while (self.head <= position and !self.closed) self.readable.wait(&self.mutex);
        // A reader may have skipped past the end of a stream that was cut.
        const there = self.head -| position;
        self.mutex.unlock();
        return self.view(position, @intCast(@min(there, length_max)));
    }

    pub fn streamBytes(self: *Ring) u64 {
        self.mutex.lock();
        defer self.mutex.unlock();
        return self.head;
    }

    fn view(self: *Ring, position: u64, length: usize) []const u8 {
        return self.memory[@intCast(position % size)..][0..length];
    }

    pub fn setHashed(self: *Ring, position: u64) void {
        self.mutex.lock();
        self.hashed = position;
        self.writable.signal();
        self.mutex.unlock();
    }

    pub fn setReleased(self: *Ring, position: u64) void {
        self.mutex.lock();
        self.released = position;
        self.writable.signal();
        self.mutex.unlock();
    }
};

fn mapTwice() [*]u8 {
    const fd = linux.memfd_create("layer", linux.MFD.CLOEXEC);
    if (linux.errno(fd) != .SUCCESS) report.failErrno(linux.errno(fd), "cannot allocate memory", .{});
    const handle: i32 = @intCast(fd);
    defer _ = linux.close(handle);
    check(linux.ftruncate(handle, size));
    const shared: linux.PROT = .{ .READ = true, .WRITE = true };
    const place = linux.mmap(null, 2 * size, .{}, .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true }, -1, 0);
    check(place);
    for (0..2) |half| {
        const address: [*]u8 = @ptrFromInt(place + half * size);
        check(linux.mmap(address, size, shared, .{ .TYPE = .SHARED, .FIXED = true }, handle, 0));
    }
    return @ptrFromInt(place);
}

fn check(rc: usize) void {
    if (linux.errno(rc) != .SUCCESS) report.failErrno(linux.errno(rc), "cannot map memory", .{});
}
