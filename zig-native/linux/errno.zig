//! What an errno means, in the words that people know from their shells. TypeScript has them from here (abi_gen.zig).
const linux = @import("std").os.linux;

/// Null where nobody has needed words yet: then its name has to do.
pub fn text(errno: linux.E) ?[]const u8 {
    return switch (errno) {
        .PERM => "operation not permitted",
        .NOENT => "no such file or directory",
        .ACCES => "permission denied",
        .BUSY => "device or resource busy",
        .EXIST => "file exists",
        .NOTDIR => "not a directory",
        .ISDIR => "is a directory",
        .INVAL => "invalid argument",
        .MFILE => "too many open files: raise ulimit -n",
        .FBIG => "file too large: raise ulimit -f",
        .NOSPC => "no space left on device",
        .ROFS => "read-only file system",
        .NOMEM => "out of memory",
        .LOOP => "too many levels of symbolic links",
        .NODEV => "no such device",
        .NOSYS => "function not implemented",
        .NOEXEC => "exec format error",
        .NAMETOOLONG => "file name too long",
        .AGAIN => "resource temporarily unavailable",
        // Of openat2(2), which is where we have it from.
        .XDEV => "a path leads out of the container",
        .SRCH => "no such process",
        .@"2BIG" => "argument list too long",
        // Of mount(2).
        .NOTBLK => "block device required",
        .CONNREFUSED => "connection refused",
        .HOSTUNREACH => "no route to host",
        .TIMEDOUT => "connection timed out",
        .TXTBSY => "text file busy",
        else => null,
    };
}
