//! Memory that is mapped for one purpose and given back as a whole; what is not touched of it costs nothing.
const std = @import("std");
const linux = std.os.linux;

/// There is one of each size at a time.
pub fn Region(comptime bytes_max: usize) type {
    return struct {
        const Self = @This();
        var fixed: std.heap.FixedBufferAllocator = undefined;

        pub fn map() error{OutOfMemory}!Self {
            const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
            const address = linux.mmap(null, bytes_max, .{ .READ = true, .WRITE = true }, flags, -1, 0);
            if (linux.errno(address) != .SUCCESS) return error.OutOfMemory;
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
