//! Calls that a container's filter answers, made for real, by a program of the architecture that this is built for: natively
//! and for i386. "NAME ok" or "NAME ERRNO" for each. Nothing is changed that would be seen outside of this process.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const output = @import("output.zig");

pub const panic = std.debug.no_panic;

const bad = std.math.maxInt(usize) - 4095; // an address, or a descriptor, that is none

pub fn main() u8 {
    say("getpid", linux.syscall0(.getpid));
    say("add_key", linux.syscall5(.add_key, bad, bad, 0, 0, 0));
    say("request_key", linux.syscall4(.request_key, bad, bad, 0, 0));
    say("keyctl", linux.syscall2(.keyctl, 1000, 0));
    say("mount", linux.syscall5(.mount, 0, bad, bad, 0, 0));
    say("umount2", linux.syscall2(.umount2, bad, 0));
    say("pivot_root", linux.syscall2(.pivot_root, bad, bad));
    say("fsopen", linux.syscall2(.fsopen, bad, 0));
    say("fsconfig", linux.syscall5(.fsconfig, bad, 1000, 0, 0, 0));
    say("fsmount", linux.syscall3(.fsmount, bad, 0, 0));
    say("fspick", linux.syscall3(.fspick, bad, bad, 0));
    say("open_tree", linux.syscall3(.open_tree, bad, bad, 0));
    say("move_mount", linux.syscall5(.move_mount, bad, bad, bad, bad, 0));
    say("mount_setattr", linux.syscall5(.mount_setattr, bad, bad, 0, bad, 0));
    say("io_uring_setup", linux.syscall2(.io_uring_setup, 1, bad));
    say("userfaultfd", linux.syscall1(.userfaultfd, bad));
    say("bpf", linux.syscall3(.bpf, 1000, bad, 0));
    say("perf_event_open", linux.syscall5(.perf_event_open, bad, 0, 0, bad, 0));
    say("kexec_load", linux.syscall4(.kexec_load, bad, bad, bad, bad));
    say("socket-unix", closed(socket(1)));
    say("socket-alg", closed(socket(38)));
    say("socket-vsock", closed(socket(40)));
    say("personality", linux.syscall1(.personality, 0xffff_ffff) & 0);
    say("personality-odd", linux.syscall1(.personality, 0x0400000));
    say("newer", newer());
    say("unshare-user", inChild(unshare, 0x1000_0000));
    say("unshare-mount", inChild(unshare, 0x0002_0000));
    say("unshare-time", inChild(unshare, 0x80));
    say("unshare-files", inChild(unshare, 0x400));
    say("clone-user", clone(0x1000_0000));
    say("clone-cgroup", clone(0x0200_0000));
    say("clone", clone(0));
    say("clone3", linux.syscall2(.clone3, bad, 0));
    if (builtin.cpu.arch == .x86_64) {
        say("x32-getpid", x32(39));
        say("unshare-high-bits", linux.syscall1(.unshare, 0x1_1000_0000));
        say("clone-high-bits", clone(0x1_1000_0000));
        say("socket-alg-high-bits", closed(socket(1 << 32 | 38)));
        say("socket-vsock-high-bits", closed(socket(1 << 32 | 40)));
    }
    if (builtin.cpu.arch == .x86) {
        // SYS_SOCKET: its arguments are in memory.
        const vsock = [3]usize{ 40, 1, 0 };
        say("socketcall-vsock", closed(linux.syscall2(.socketcall, 1, @intFromPtr(&vsock))));
    }
    output.flush();
    return 0;
}

fn say(name: []const u8, result: usize) void {
    output.text(name);
    output.text(" ");
    output.errno(result);
    output.text("\n");
}

fn socket(family: usize) usize {
    return linux.syscall3(.socket, family, 1, 0);
}

/// As a success or the error.
fn closed(result: usize) usize {
    if (linux.errno(result) != .SUCCESS) return result;
    return linux.close(@intCast(result));
}

/// A call that no kernel has yet.
fn newer() usize {
    var number: usize = 600;
    std.mem.doNotOptimizeAway(&number);
    return linux.syscall0(@enumFromInt(number));
}

fn unshare(flags: usize) usize {
    return linux.syscall1(.unshare, flags);
}

fn inChild(comptime call: fn (usize) usize, argument: usize) usize {
    const pid = linux.fork();
    if (pid == 0) linux.exit_group(@intCast(@intFromEnum(linux.errno(call(argument)))));
    return ended(pid);
}

/// The child ends at once.
fn clone(flags: usize) usize {
    const pid = linux.syscall5(.clone, flags | @intFromEnum(linux.SIG.CHLD), 0, 0, 0, 0);
    if (pid == 0) linux.exit_group(0);
    return if (linux.errno(pid) == .SUCCESS) ended(pid) else pid;
}

fn ended(pid: usize) usize {
    var status: u32 = 0;
    _ = linux.waitpid(@intCast(pid), &status, 0);
    return 0 -% @as(usize, linux.W.EXITSTATUS(status));
}

fn x32(number: usize) usize {
    if (builtin.cpu.arch != .x86_64) unreachable;
    return asm volatile ("syscall"
        : [ret] "={rax}" (-> usize),
        : [number] "{rax}" (number | 0x4000_0000),
        : .{ .rcx = true, .r11 = true, .memory = true });
}
