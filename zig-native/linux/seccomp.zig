//! Loading the filter of system calls. The filters themselves, and what makes them, are in seccomp/.
const std = @import("std");
const linux = std.os.linux;
const bpf = @import("seccomp/bpf.zig");
const fence = @import("seccomp/fence.zig");

const set_mode_filter = 1;
/// Our filters hide nothing that could be read by speculation: without this, older kernels slow the whole process down.
const flag_spec_allow = 4;

/// struct sock_fprog
const Program = extern struct { length: u16, instructions: [*]const bpf.Instruction };

/// For this process and all that it becomes. With no_new_privs anybody may; without, only who has CAP_SYS_ADMIN. `bounding`
/// is what the program can ever have. INVAL or NOSYS: a kernel without filters.
pub fn load(bounding: u64) linux.E {
    const admin = bounding & (1 << linux.CAP.SYS_ADMIN) != 0;
    const instructions = if (admin) fence.with_admin else fence.without_admin;
    const program: Program = .{ .length = @intCast(instructions.len), .instructions = instructions.ptr };
    const errno = linux.errno(linux.syscall3(.seccomp, set_mode_filter, flag_spec_allow, @intFromPtr(&program)));
    if (errno != .INVAL) return errno;
    return linux.errno(linux.syscall3(.seccomp, set_mode_filter, 0, @intFromPtr(&program)));
}

test {
    _ = @import("seccomp/oracle.zig");
    _ = fence;
}
