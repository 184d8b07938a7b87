//! Landlock (landlock(7)), as far as it is of use here: the kernel's fence for what has no other. An abstract unix socket belongs to a
//! network namespace; a container that has the host's could talk to every daemon there that listens at one.
const std = @import("std");
const linux = std.os.linux;

/// struct landlock_ruleset_attr; the last field since Linux 6.12.
const Rules = extern struct { handled_access_fs: u64 = 0, handled_access_net: u64 = 0, scoped: u64 };

/// LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
const abstract_sockets = 1;

/// From here on this process, and what it will start, reaches abstract sockets of its own alone: what was bound from within. It may
/// trace, and look into, nobody else either. Wants CAP_SYS_ADMIN, or no_new_privs. A kernel that has no such thing says
/// NOSYS, OPNOTSUPP (it is off), 2BIG or INVAL.
pub fn scope() linux.E {
    const rules: Rules = .{ .scoped = abstract_sockets };
    const made = linux.syscall3(.landlock_create_ruleset, @intFromPtr(&rules), @sizeOf(Rules), 0);
    if (linux.errno(made) != .SUCCESS) return linux.errno(made);
    defer _ = linux.close(@intCast(made));
    return linux.errno(linux.syscall2(.landlock_restrict_self, made, 0));
}
