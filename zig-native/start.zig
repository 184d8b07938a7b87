//! What the kernel starts: rt's own executable file, as a static program.
//!
//! dist/rt is Bun's program, which wants glibc and its loader. Both travel in the same file, behind the program, and this
//! stub starts them without a byte written to disk (build/static.ts lays the file out and fills in `parameters`):
//!
//!   [ Bun's program ][ this stub ][ ld.so ][ libc.so.6 ][ libm.so.6 ] … [ header table ]   an app: [ layout ][ trailer ]
//!
//!   kernel -> _start: are we a machine's or a namespace's process 1?  (start/first.zig: then this becomes rt-init)
//!             is this kernel, is this CPU new enough?       (one line and 125 if not)
//!             do the caller's limits leave enough to start?         (start/limits.zig)
//!             signals that we need are ignored no longer            (start/signals.zig)
//!             an ordinary user's namespace is joined                (start/user.zig)
//!             the environment is reduced to what may steer us       (start/environment.zig)
//!             ld.so is mapped from the file                         (start/loader.zig)
//!             the stack's auxiliary vector says what it would say had the kernel started ld.so itself
//!          -> ld.so: preloads the libraries, which satisfies every need of the program by soname
//!             maps them from the file too, through a detour         (start/detour.zig)
//!          -> finish: all that was lent to ld.so is taken back      (start/detour.zig)
//!          -> Bun's own entry
//!
//! ld.so takes the list of the libraries from the file that it would else take for /etc/ld.so.preload, so no LD_PRELOAD is
//! ever in an environment. When the program begins nothing of this is left: no descriptor, no variable.
//! Hot commands could be answered in `prepare`, before JavaScript starts.
const std = @import("std");
const builtin = @import("builtin");
const app = @import("start/app.zig");
const Block = @import("start/block.zig").Block;
const environment = @import("start/environment.zig");
const first = @import("start/first.zig");
const limits = @import("start/limits.zig");
const loader = @import("start/loader.zig");
const machine = @import("start/machine.zig");
const place = @import("start/place.zig");
const say = @import("start/say.zig");
const signals = @import("start/signals.zig");
const user = @import("start/user.zig");

pub const panic = std.debug.no_panic;

/// The kernel leaves argc at the stack pointer. 4 KiB stay free between that and our frames, for the new block may begin
/// a little lower. Then: the new stack pointer, and ld.so's entry.
pub export fn _start() callconv(.naked) noreturn {
    asm volatile (switch (builtin.cpu.arch) {
            .x86_64 =>
            \\ xorl %%ebp, %%ebp
            \\ movq %%rsp, %%rdi
            \\ subq $4096, %%rsp
            \\ andq $-16, %%rsp
            \\ callq %[prepare:P]
            \\ movq %%rax, %%rsp
            \\ xorl %%ebp, %%ebp
            \\ movq %%rdx, %%rax
            \\ xorl %%edx, %%edx
            \\ jmpq *%%rax
            ,
            .aarch64 =>
            \\ mov fp, #0
            \\ mov lr, #0
            \\ mov x0, sp
            \\ sub sp, sp, #4096
            \\ bl %[prepare]
            \\ mov sp, x0
            \\ mov x0, #0
            \\ br x1
            ,
            else => @compileError("rt is built for x86_64 and aarch64"),
        }
        :
        : [prepare] "X" (&prepare),
    );
}

/// Two registers: rax and rdx, x0 and x1.
const Jump = extern struct { stack: usize, entry: usize };

fn prepare(stack: [*]usize) callconv(.c) Jump {
    var block: Block = .find(stack);
    first.becomeInit(stack, block.envp);
    signals.heed();
    machine.check(block.auxiliary);
    limits.check(block.auxiliary);
    const file = loader.openSelf();
    var value: [app.value_size_max]u8 = undefined;
    const packed_image = app.variable(file, loader.builtSize(), loader.header(), &value);
    var caller: [user.value_size_max]u8 = undefined;
    const rootless = user.enter(block.auxiliary, block.stack + 1, block.envp, &caller);
    const interpreter = loader.load(file, block.pageSize());
    var added: [4][:0]const u8 = .{ environment.runtime, undefined, undefined, undefined };
    var count: usize = 1;
    for ([_]?[:0]const u8{ packed_image, rootless, place.leaveLost() }) |variable| {
        added[count] = variable orelse continue;
        count += 1;
    }
    const rebuilt = block.rebuild(added[0..count], interpreter);
    return .{ .stack = @intFromPtr(rebuilt), .entry = interpreter.entry };
}
