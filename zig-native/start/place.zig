//! The working directory, where there is none any more: it was deleted, or lies outside of our root.
const std = @import("std");
const linux = std.os.linux;

/// Says so to JavaScript (src/base/working-directory.ts), which then refuses relative paths.
pub const lost = "RT_NO_CWD=1";

/// Bun ends at once in a directory without a name. Only a relative path needs one, so the others are served from "/".
/// True when the working directory was such a one.
pub fn leaveLost() bool {
    var path: [linux.PATH_MAX]u8 = undefined;
    const result = linux.getcwd(&path, path.len);
    const is_lost = switch (linux.errno(result)) {
        .SUCCESS => path[0] != '/', // "(unreachable)/…"
        .NOENT => true,
        else => false,
    };
    if (is_lost) _ = linux.chdir("/");
    return is_lost;
}
