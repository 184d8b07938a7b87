//! The memory of a request: read at the monitor's start, given back before the program runs.
const std = @import("std");
const linux = std.os.linux;
const request = @import("request.zig");
const stage = @import("../stage/sync.zig");

/// One mapping that is given back as a whole; what is not touched of it costs nothing.
fn Region(comptime bytes_max: usize) type {
    return struct {
        const Self = @This();
        /// There is one of each size at a time.
        var fixed: std.heap.FixedBufferAllocator = undefined;

        pub fn map() stage.Error!Self {
            const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
            const address = try stage.check(linux.mmap(null, bytes_max, .{ .READ = true, .WRITE = true }, flags, -1, 0), .monitor, "mmap", .{});
            const pointer: [*]align(std.heap.page_size_min) u8 = @ptrFromInt(address);
            fixed = .init(pointer[0..bytes_max]);
            return .{};
        }

        pub fn allocator(_: Self) std.mem.Allocator {
            return fixed.allocator();
        }

        pub fn unmap(_: Self) void {
            _ = linux.munmap(@alignCast(fixed.buffer.ptr), fixed.buffer.len);
        }
    };
}

/// What is read of the host's /proc (4 MiB at most for each file), and made from it.
pub const Scratch = Region(12 * 1024 * 1024);

/// The request and everything made from it: a monitor must not cost more than a few pages for as long as its container
/// lives.
pub const Memory = Region(16 * 1024 * 1024);

pub fn read(memory: Memory) stage.Error!request.Request {
    const size = try stage.check(linux.lseek(0, 0, linux.SEEK.END), .request, "request", .{});
    const text = memory.allocator().alloc(u8, size) catch return stage.fail(.request, .NOMEM, "request of {d} bytes", .{size});
    const count = try stage.check(linux.pread(0, text.ptr, text.len, 0), .request, "request", .{});
    if (count != size) return stage.fail(.request, .IO, "request", .{});
    return request.parse(memory.allocator(), text) catch |err| stage.fail(.request, .INVAL, "request: {s}", .{@errorName(err)});
}
