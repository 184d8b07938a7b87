//! Gives the kernel's part to ld.so: maps it from behind the program in rt's own file, as the kernel would, and lays out
//! what it preloads. Where the libraries come from is in detour.zig.
const std = @import("std");
const linux = std.os.linux;
const detour = @import("detour.zig");
const memory_file = @import("../linux/memfd.zig");
const say = @import("say.zig");

/// A PT_LOAD of ld.so; `offset` counts from the beginning of rt's file.
const Segment = extern struct { offset: u64, address: u64, file_size: u64, memory_size: u64, protection: u64 };

/// Where a library begins in rt's file, how many bytes at its beginning ld.so reads (its headers), and its name.
const Library = extern struct { offset: u64, head_size: u64, name: [32]u8 };

/// Filled in by build/static.ts, which knows this struct word by word; `magic` is how it finds it.
const Parameters = extern struct {
    magic: [16]u8,
    /// Where ld.so's mmap(2) is led to.
    detour: *const fn () callconv(.naked) void,
    /// Bun's own entry, and its program header table as it was before the build took PT_INTERP and PT_DYNAMIC out of
    /// the one that the kernel reads; its PT_PHDR says where this copy lies.
    program_entry: u64,
    program_header_count: u64,
    program_headers: [16]std.elf.Elf64_Phdr,
    /// ld.so: its size in memory, its entry, where it keeps "/etc/ld.so.preload", and what follows its mmap(2).
    interpreter_span: u64,
    interpreter_entry: u64,
    preload_path: u64,
    after_mmap: u64,
    segment_count: u64,
    segments: [6]Segment,
    library_count: u64,
    libraries: [6]Library,
    /// Of rt's file as it was built.
    file_size: u64,
};

/// Read as volatile: the compiler must not believe in the values that it sees here.
const filled_in_later: Parameters = blk: {
    var empty = std.mem.zeroInit(Parameters, .{ .detour = &detour.mmap });
    empty.magic = "rt-start-params1".*;
    break :blk empty;
};

fn parameters() *const volatile Parameters {
    return &filled_in_later;
}

pub const Interpreter = struct {
    base: usize,
    entry: usize,
    program_headers: usize,
    program_header_count: usize,
};

pub fn builtSize() u64 {
    return parameters().file_size;
}

/// The ELF header of rt's file, where the kernel has mapped it.
pub fn header() *const [64]u8 {
    const given = parameters();
    for (0..given.program_header_count) |index| {
        const segment = given.program_headers[index];
        if (segment.p_type == std.elf.PT_LOAD and segment.p_offset == 0) return @ptrFromInt(segment.p_vaddr);
    }
    say.die(&.{"cannot start: this file is damaged: copy it again"});
}

/// This executable's own file. /proc is mounted where it is missing, since Bun needs it as well.
pub fn openSelf() i32 {
    const path = "/proc/self/exe";
    if (!isProcMounted()) {
        _ = linux.mkdir("/proc", 0o555);
        const mounted = linux.mount("proc", "/proc", "proc", linux.MS.NOSUID | linux.MS.NODEV | linux.MS.NOEXEC, 0);
        _ = say.check(mounted, "/proc is not mounted, and mounting it");
    }
    const opened = linux.open(path, .{ .CLOEXEC = true }, 0);
    // Others live by that /proc: ours over it would be the end of them.
    if (linux.errno(opened) == .NOENT) say.die(
        &.{"cannot start: /proc belongs to another pid namespace: enter that one as well (nsenter --pid)"},
    );
    return aboveStandard(say.check(opened, "opening " ++ path));
}

/// By its magic: the tree of a guest whose root is another machine's may show that one's /proc/self/exe, as User-Mode Linux
/// on hostfs does.
fn isProcMounted() bool {
    const magic_proc = 0x9fa0;
    var buffer: [32]u64 = @splat(0); // struct statfs is 120 bytes; f_type comes first and is a long
    const result = linux.syscall2(.statfs, @intFromPtr("/proc"), @intFromPtr(&buffer));
    return linux.errno(result) == .SUCCESS and buffer[0] == magic_proc;
}

/// `file` is rt's own.
pub fn load(file: i32, page_size: usize) Interpreter {
    const given = parameters();
    const base = mapInterpreter(file, page_size);
    const table = detour.prepare(file, base + given.after_mmap, given.program_entry);
    pointPreload(base + given.preload_path, preloadList(file, table), page_size);
    return .{
        .base = base,
        .entry = base + given.interpreter_entry,
        .program_headers = @intFromPtr(&given.program_headers),
        .program_header_count = given.program_header_count,
    };
}

fn mapInterpreter(file: i32, page_size: usize) usize {
    const given = parameters();
    const reserved: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
    const base = say.check(linux.mmap(null, given.interpreter_span, .{}, reserved, -1, 0), "memory for the loader");
    for (0..given.segment_count) |index| {
        const segment = given.segments[index];
        const inset = segment.address % page_size;
        const start = base + segment.address - inset;
        const protection: linux.PROT = @bitCast(@as(u32, @intCast(segment.protection)));
        const from_file: linux.MAP = .{ .TYPE = .PRIVATE, .FIXED = true };
        const mapped = linux.mmap(
            @ptrFromInt(start),
            segment.file_size + inset,
            protection,
            from_file,
            file,
            @intCast(segment.offset - inset),
        );
        _ = say.check(mapped, "mapping the loader");
        if (!protection.WRITE) continue;
        // ld.so's first allocator takes what is left of its last page, and trusts that it is zero.
        const file_end = base + segment.address + segment.file_size;
        const page_end = std.mem.alignForward(usize, file_end, page_size);
        @memset(@as([*]u8, @ptrFromInt(file_end))[0 .. page_end - file_end], 0);
        const memory_end = std.mem.alignForward(usize, base + segment.address + segment.memory_size, page_size);
        if (memory_end == page_end) continue;
        const zeroes: linux.MAP = .{ .TYPE = .PRIVATE, .FIXED = true, .ANONYMOUS = true };
        _ = say.check(linux.mmap(@ptrFromInt(page_end), memory_end - page_end, protection, zeroes, -1, 0), "memory for the loader");
    }
    return base;
}

/// A memfd that names a stand-in of each library, in the form of /etc/ld.so.preload.
fn preloadList(file: i32, table: *detour.Table) i32 {
    const given = parameters();
    var text: [given.libraries.len * (descriptor_path.len + 12)]u8 = undefined;
    var used: usize = 0;
    for (0..given.library_count) |index| {
        const library = given.libraries[index];
        const memory = memfd(@ptrCast(&library.name));
        copyHead(file, library, memory);
        table.lend(memory);
        used += describe(text[used..], memory);
        text[used] = '\n';
        used += 1;
    }
    const list = memfd("ld.so.preload");
    table.lend(list);
    _ = say.check(linux.write(list, &text, used), "writing the list of libraries");
    // ld.so opens what is on it one by one, and would say something else of a limit.
    _ = linux.close(@intCast(say.check(linux.fcntl(list, linux.F.DUPFD_CLOEXEC, 0), "opening a library")));
    return list;
}

fn copyHead(file: i32, library: Library, memory: i32) void {
    var head: [4096]u8 = undefined;
    const count = say.check(linux.pread(file, &head, library.head_size, @intCast(library.offset)), "reading a library");
    if (count < library.head_size) say.die(&.{"cannot start: this file is cut short: copy it again"});
    _ = say.check(linux.write(memory, &head, count), "memory for a library's headers");
}

/// Not the path by which the engine opens libraries of its own: ld.so would take one for the other when a number returns.
const descriptor_path = "/proc/thread-self/fd/";

/// Bytes written.
fn describe(buffer: []u8, descriptor: i32) usize {
    @memcpy(buffer[0..descriptor_path.len], descriptor_path);
    return descriptor_path.len + say.decimal(buffer[descriptor_path.len..], @intCast(descriptor));
}

/// ld.so reads the list of what to preload from a file whose name is a constant of it: here it becomes `list`.
fn pointPreload(path: usize, list: i32, page_size: usize) void {
    var name: [descriptor_path.len + 12]u8 = undefined;
    const length = describe(&name, list);
    name[length] = 0;
    const start = std.mem.alignBackward(usize, path, page_size);
    const end = std.mem.alignForward(usize, path + name.len, page_size);
    const pages: [*]u8 = @ptrFromInt(start);
    _ = say.check(linux.mprotect(pages, end - start, .{ .READ = true, .WRITE = true }), "preparing the loader");
    @memcpy(@as([*]u8, @ptrFromInt(path)), name[0 .. length + 1]);
    _ = say.check(linux.mprotect(pages, end - start, .{ .READ = true }), "preparing the loader");
}

/// Without the right to be executed, which is not needed, and which vm.memfd_noexec=2 would refuse.
fn memfd(name: [*:0]const u8) i32 {
    const result = memory_file.create(name, false, 0);
    return aboveStandard(say.check(result, "memory for a library's headers"));
}

/// A caller may have closed the standard streams, and ours must not take their place.
fn aboveStandard(result: usize) i32 {
    if (result > 2) return @intCast(result);
    const moved = say.check(linux.fcntl(@intCast(result), linux.F.DUPFD_CLOEXEC, 3), "moving a descriptor");
    _ = linux.close(@intCast(result));
    return @intCast(moved);
}
