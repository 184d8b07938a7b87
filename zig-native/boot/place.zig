//! What we are process 1 of. Everything that would outlast us hangs on this answer: only of a whole machine are file
//! systems unmounted and the power switched.
const std = @import("std");
const linux = std.os.linux;

pub const Place = enum {
    /// The initial pid namespace: the kernel has started us, and panics when we end.
    machine,
    /// A pid namespace of its own, with mounts and a host name of its own: what we mount is gone with us.
    namespace,
    /// A pid namespace whose mounts are not ours to change.
    guest,

    /// In a namespace this also leaves the mounts and the host name of whoever made it.
    pub fn detect() Place {
        if (isMachine()) return .machine;
        if (linux.errno(linux.unshare(linux.CLONE.NEWNS | linux.CLONE.NEWUTS)) != .SUCCESS) return .guest;
        const alone = linux.mount(null, "/", null, linux.MS.REC | linux.MS.SLAVE, 0);
        return if (linux.errno(alone) == .SUCCESS) .namespace else .guest;
    }
};

/// The initial pid namespace has this inode by the kernel's ABI (linux/nsfs.h).
const initial_name = "pid:[4026531836]";

/// Are we process 1 of a whole machine? Without a procfs nothing is certain, and the mild answer is right.
pub fn isMachine() bool {
    if (linux.getpid() != 1) return false;
    if (isInitial(linux.AT.FDCWD, "/proc/self/ns/pid")) |answer| return answer;
    // Nothing is mounted yet, and on a read-only root there may be no place for it: one that nobody sees.
    const procfs = detachedProc() orelse return false;
    defer _ = linux.close(procfs);
    return isInitial(procfs, "self/ns/pid") orelse false;
}

fn isInitial(directory: i32, link: [*:0]const u8) ?bool {
    var buffer: [64]u8 = undefined;
    const length = linux.readlinkat(directory, link, &buffer, buffer.len);
    return if (linux.errno(length) == .SUCCESS) std.mem.eql(u8, buffer[0..length], initial_name) else null;
}

fn detachedProc() ?i32 {
    const close_on_exec = 1; // of both
    const create = 6; // FSCONFIG_CMD_CREATE
    const context = linux.syscall2(.fsopen, @intFromPtr("proc"), close_on_exec);
    if (linux.errno(context) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(context));
    if (linux.errno(linux.syscall5(.fsconfig, context, create, 0, 0, 0)) != .SUCCESS) return null;
    const mounted = linux.syscall3(.fsmount, context, close_on_exec, 0);
    return if (linux.errno(mounted) == .SUCCESS) @intCast(mounted) else null;
}
