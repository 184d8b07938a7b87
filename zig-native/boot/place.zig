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
        if (inInitialNamespace()) return .machine;
        if (linux.errno(linux.unshare(linux.CLONE.NEWNS | linux.CLONE.NEWUTS)) != .SUCCESS) return .guest;
        const alone = linux.mount(null, "/", null, linux.MS.REC | linux.MS.SLAVE, 0);
        return if (linux.errno(alone) == .SUCCESS) .namespace else .guest;
    }
};

/// The initial pid namespace has this inode by the kernel's ABI (linux/nsfs.h).
const initial_name = "pid:[4026531836]";

fn inInitialNamespace() bool {
    if (linux.getpid() != 1) return false;
    var buffer: [64]u8 = undefined;
    const length = linux.readlink("/proc/self/ns/pid", &buffer, buffer.len);
    // Bun does not start without /proc, so it is there; without it nothing is certain, and the mild way is right.
    return linux.errno(length) == .SUCCESS and std.mem.eql(u8, buffer[0..length], initial_name);
}
