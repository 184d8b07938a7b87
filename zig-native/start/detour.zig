//! How ld.so maps libraries from the middle of rt's file.
//!
//! ld.so opens a library by a path and maps it from its beginning, so each would have to be a file: copying glibc into
//! memory makes `rt --version` a third slower. Instead each library has a stand-in, a memfd that holds its headers alone.
//! In them the segments' offsets are those within rt's file, with a mark (build/static.ts). ld.so opens the stand-in and
//! reads the headers; but its mmap(2), two instructions of it that the build has changed, leads here:
//!
//!   ld.so:  mmap(address, length, protection, flags, the stand-in, mark + offset)
//!   here:   mmap(address, length, protection, flags, rt's file, offset)
//!
//! When ld.so has loaded everything it jumps to what the auxiliary vector calls the program's entry: `finish`, which takes
//! the descriptors back and leaves the detour without effect for libraries that are opened later.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const say = @import("say.zig");

/// A bit that no real offset has.
const mark_bit = 46;

/// The assembly below knows `file` and `back` by their offsets.
pub const Table = extern struct {
    file: i32,
    /// Where ld.so goes on after mmap(2).
    back: usize,
    program_entry: usize,
    lent: [lent_max]i32,
    lent_count: u32,

    /// A descriptor that `finish` closes.
    pub fn lend(table: *Table, descriptor: i32) void {
        table.lent[table.lent_count] = descriptor;
        table.lent_count += 1;
    }
};

const lent_max = 8;

/// The stub has no writable data, for the kernel maps no more than two segments of it: its variables are a page of their
/// own, at an address that `mmap` below can name. Read-only once ld.so is done.
const table_address = 0x4100_0000;
const file_address = table_address + @offsetOf(Table, "file");
const back_address = table_address + @offsetOf(Table, "back");

fn theTable() *Table {
    return @ptrFromInt(table_address);
}

pub fn prepare(file: i32, back: usize, program_entry: usize) *Table {
    const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .FIXED_NOREPLACE = true };
    const page: [*]u8 = @ptrFromInt(table_address);
    const mapped = linux.mmap(page, @sizeOf(Table), .{ .READ = true, .WRITE = true }, flags, -1, 0);
    _ = say.check(mapped, "memory for the loader's table");
    theTable().* = .{ .file = file, .back = back, .program_entry = program_entry, .lent = undefined, .lent_count = 0 };
    theTable().lend(file);
    return theTable();
}

/// Instead of ld.so's `mmap` system call. It changes what a system call may: rax, rcx and r11; x0 and x8. No stack is
/// touched, for ld.so's function may keep values below its end.
pub fn mmap() callconv(.naked) void {
    switch (builtin.cpu.arch) {
        // descriptor r8d, offset r9
        .x86_64 => asm volatile (
            \\    btrq %[mark], %%r9
            \\    jnc 1f
            \\    movl %[file], %%ecx
            \\    movl (%%rcx), %%r8d
            \\ 1: movl $9, %%eax
            \\    syscall
            \\    movl %[back], %%ecx
            \\    jmpq *(%%rcx)
            :
            : [mark] "i" (mark_bit),
              [file] "i" (file_address),
              [back] "i" (back_address),
        ),
        // descriptor w4, offset x5. The comparison is an instruction of ld.so that the way here took the place of.
        .aarch64 => asm volatile (
            \\    movz x8, %[table], lsl #16
            \\    tbz x5, %[mark], 1f
            \\    and x5, x5, %[unmarked]
            \\    ldr w4, [x8, %[file]]
            \\ 1: mov x8, #222
            \\    svc #0
            \\    movz x8, %[table], lsl #16
            \\    ldr x8, [x8, %[back]]
            \\    cmn x0, #1, lsl #12
            \\    br x8
            :
            : [table] "i" (table_address >> 16),
              [mark] "i" (mark_bit),
              [unmarked] "i" (~@as(i64, 1 << mark_bit)),
              [file] "i" (file_address - table_address),
              [back] "i" (back_address - table_address),
        ),
        else => unreachable,
    }
}

/// What ld.so takes for the program's entry: as at any entry, the stack pointer is at argc, and a register holds what the
/// program calls when it ends.
pub fn finish() callconv(.naked) noreturn {
    switch (builtin.cpu.arch) {
        .x86_64 => asm volatile (
            \\ pushq %%rdx
            \\ subq $8, %%rsp
            \\ callq %[takeBack:P]
            \\ addq $8, %%rsp
            \\ popq %%rdx
            \\ jmpq *%%rax
            :
            : [takeBack] "X" (&takeBack),
        ),
        .aarch64 => asm volatile (
            \\ str x0, [sp, #-16]!
            \\ bl %[takeBack]
            \\ mov x1, x0
            \\ ldr x0, [sp], #16
            \\ br x1
            :
            : [takeBack] "X" (&takeBack),
        ),
        else => unreachable,
    }
}

/// The program's entry.
fn takeBack() callconv(.c) usize {
    const table = theTable();
    for (table.lent[0..table.lent_count]) |descriptor| _ = linux.close(descriptor);
    table.file = -1;
    const page: [*]u8 = @ptrFromInt(table_address);
    _ = say.check(linux.mprotect(page, @sizeOf(Table), .{ .READ = true }), "protecting the loader's table");
    return table.program_entry;
}
