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

/// The program's own code and constants go out of its memory: they are in its file, and what is needed again comes back by
/// itself, page by page. For who has done most of what it will ever do, and lives on.
pub noinline fn releaseProgram() linksection(serving) void {
    const headers: [*]const std.elf.Elf64_Phdr = @ptrFromInt(linux.getauxval(std.elf.AT_PHDR));
    for (headers[0..linux.getauxval(std.elf.AT_PHNUM)]) |*header| {
        // What can be written to is not as it is in the file. Ours lies at the addresses that its headers say.
        if (header.p_type != std.elf.PT_LOAD or header.p_flags & std.elf.PF_W != 0) continue;
        const start = std.mem.alignBackward(usize, header.p_vaddr, std.heap.page_size_min);
        const end = std.mem.alignForward(usize, header.p_vaddr + header.p_memsz, std.heap.page_size_min);
        _ = linux.madvise(@ptrFromInt(start), end - start, linux.MADV.DONTNEED);
    }
}

/// The section of what a monitor does as long as its program runs. The kernel brings the pages around one that is needed along, 64 KiB
/// of them: so these functions lie side by side, and not each beside some that never runs again.
pub const serving = ".text.serving";

/// The same of what it does until its program runs: its memory is largest then.
pub const starting = ".text.starting";

/// What functions that have returned have left of the stack.
pub noinline fn releaseStack() linksection(serving) void {
    const page = std.heap.page_size_min;
    // Our own frame, and what may lie just below it.
    const end = std.mem.alignBackward(usize, @frameAddress(), page) - page;
    // Where it has not been that deep nothing is mapped, and nothing is done.
    _ = linux.madvise(@ptrFromInt(end - stack_bytes_max), stack_bytes_max, linux.MADV.DONTNEED);
}

/// Nothing is left of what they had there, for one who may look into our memory, or into that of a child.
pub noinline fn wipeStack() linksection(starting) void {
    var below: [32 * 1024]u8 = undefined;
    @memset(&below, 0);
    std.mem.doNotOptimizeAway(&below);
}

const stack_bytes_max = 256 * 1024;
