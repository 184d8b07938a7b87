//! The five sets of capabilities of a process, as masks. capabilities(7), linux/capability.h.
const std = @import("std");
const linux = std.os.linux;

pub const Sets = struct {
    bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
};

const ambient_raise = 2;
const ambient_clear_all = 4;

/// capset(2)'s header and two 32-bit halves.
const Header = extern struct { version: u32 = 0x20080522, pid: i32 = 0 };
const Half = extern struct { effective: u32, permitted: u32, inheritable: u32 };

/// The sets that a process of `uid` starts with. Only root's execve keeps what it has, so a user gets no permitted or
/// effective set beyond the ambient one, as Docker does: what is bounding can still be gained through a file.
pub fn forUser(asked: Sets, uid: u32) Sets {
    if (uid == 0) return asked;
    return .{
        .bounding = asked.bounding,
        .effective = asked.ambient,
        .permitted = asked.ambient,
        .inheritable = asked.ambient,
        .ambient = asked.ambient,
    };
}

/// What we have of `permitted`: a host may have taken some from us (CAP_SYS_RESOURCE), and those cannot be handed on.
pub fn ours(permitted: *u64) linux.E {
    var header: Header = .{};
    var halves: [2]Half = undefined;
    const errno = linux.errno(linux.syscall2(.capget, @intFromPtr(&header), @intFromPtr(&halves)));
    if (errno == .SUCCESS) permitted.* = @as(u64, halves[1].permitted) << 32 | halves[0].permitted;
    return errno;
}

/// Drop what is not in `bounding`; `failed` is the one that it ends at. Needs CAP_SETPCAP, so before the user changes.
pub fn dropBounding(bounding: u64, failed: *usize) linux.E {
    for (0..64) |number| {
        if (bounding & (@as(u64, 1) << @intCast(number)) != 0) continue;
        failed.* = number;
        switch (linux.errno(prctl(.CAPBSET_DROP, number, 0))) {
            .SUCCESS => {},
            .INVAL => break, // beyond the kernel's last
            else => |errno| return errno,
        }
    }
    return .SUCCESS;
}

/// The effective, permitted and inheritable set; after the user changed with PR_SET_KEEPCAPS.
pub fn set(sets: Sets) linux.E {
    var header: Header = .{};
    var halves: [2]Half = undefined;
    for (&halves, [2]u6{ 0, 32 }) |*half, shift| half.* = .{
        .effective = @truncate(sets.effective >> shift),
        .permitted = @truncate(sets.permitted >> shift),
        .inheritable = @truncate(sets.inheritable >> shift),
    };
    return linux.errno(linux.syscall2(.capset, @intFromPtr(&header), @intFromPtr(&halves)));
}

/// The ambient set, once the others hold what is in it.
pub fn setAmbient(ambient: u64) linux.E {
    switch (linux.errno(prctl(.CAP_AMBIENT, ambient_clear_all, 0))) {
        // EINVAL: a kernel older than ambient capabilities, which then has none to clear.
        .SUCCESS, .INVAL => {},
        else => |errno| return errno,
    }
    for (0..64) |number| {
        if (ambient & (@as(u64, 1) << @intCast(number)) == 0) continue;
        const errno = linux.errno(prctl(.CAP_AMBIENT, ambient_raise, number));
        if (errno != .SUCCESS) return errno;
    }
    return .SUCCESS;
}

fn prctl(option: linux.PR, first: usize, second: usize) usize {
    return linux.prctl(@intFromEnum(option), first, second, 0, 0);
}

test "a user has no permitted capabilities, and only asked ambient ones" {
    const asked: Sets = .{ .bounding = 7, .effective = 7, .permitted = 7, .inheritable = 0, .ambient = 0 };
    try std.testing.expectEqual(asked, forUser(asked, 0));
    try std.testing.expectEqual(
        Sets{ .bounding = 7, .effective = 0, .permitted = 0, .inheritable = 0, .ambient = 0 },
        forUser(asked, 1000),
    );
}
