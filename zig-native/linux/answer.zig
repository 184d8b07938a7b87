//! What leaf calls answer to TypeScript: a number that is not negative, or -errno.
const linux = @import("std").os.linux;

/// Of a raw result.
pub fn of(result: usize) i32 {
    const errno = linux.errno(result);
    return if (errno == .SUCCESS) @intCast(result) else code(errno);
}

/// 0 or -errno.
pub fn code(errno: linux.E) i32 {
    return -@as(i32, @intFromEnum(errno));
}
