//! The session keyring: a container gets a fresh one, so that it cannot read the keys of whoever started it.
const std = @import("std");
const linux = std.os.linux;
const stage = @import("../stage/sync.zig");

const join_session_keyring = 1;

pub fn fresh() stage.Error!void {
    const result = linux.syscall2(.keyctl, join_session_keyring, 0);
    switch (linux.errno(result)) {
        // No keyrings in this kernel, or a seccomp filter around us hides them: the container has no way to them either.
        .SUCCESS, .NOSYS, .PERM, .ACCES => {},
        else => |errno| return stage.fail(.settings, errno, "make a session keyring", .{}),
    }
}
