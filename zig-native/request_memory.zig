//! The memory of a request: read at the monitor's start, given back before the program runs.
const std = @import("std");
const linux = std.os.linux;
const request = @import("request.zig");
const stage = @import("stage.zig");

/// The request and everything made from it, in one mapping that is given back before the program runs: a monitor must not
/// cost more than a few pages for as long as its container lives.
pub const Memory = struct {
    const bytes_max = 16 * 1024 * 1024;
    var fixed: std.heap.FixedBufferAllocator = undefined;

    region: []align(std.heap.page_size_min) u8,

    pub fn map() stage.Error!Memory {
        const address = try stage.check(
            linux.mmap(null, bytes_max, .{ .READ = true, .WRITE = true }, .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true }, -1, 0),
            .monitor,
            "mmap",
            .{},
        );
        const pointer: [*]align(std.heap.page_size_min) u8 = @ptrFromInt(address);
        fixed = .init(pointer[0..bytes_max]);
        return .{ .region = pointer[0..bytes_max] };
    }

    pub fn allocator(_: Memory) std.mem.Allocator {
        return fixed.allocator();
    }

    pub fn unmap(self: Memory) void {
        _ = linux.munmap(self.region.ptr, self.region.len);
    }

    pub fn readRequest(self: Memory) stage.Error!request.Request {
        const size = try stage.check(linux.lseek(0, 0, linux.SEEK.END), .request, "request", .{});
        const text = self.allocator().alloc(u8, size) catch return stage.fail(.request, .NOMEM, "request of {d} bytes", .{size});
        const count = try stage.check(linux.pread(0, text.ptr, text.len, 0), .request, "request", .{});
        if (count != size) return stage.fail(.request, .IO, "request", .{});
        return request.parse(self.allocator(), text) catch |err| stage.fail(.request, .INVAL, "request: {s}", .{@errorName(err)});
    }
};
