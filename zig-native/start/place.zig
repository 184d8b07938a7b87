//! The working directory, where there is none that has a name.
const std = @import("std");
const linux = std.os.linux;

/// Bun ends at once in such a directory. Only a relative path needs one, so the others are served from "/". Answers what is to
/// be said to JavaScript (src/base/working-directory.ts), which then refuses relative paths; null where all is well.
pub fn leaveLost() ?[:0]const u8 {
    var path: [linux.PATH_MAX]u8 = undefined;
    const result = linux.getcwd(&path, path.len);
    const said: [:0]const u8 = switch (linux.errno(result)) {
        .SUCCESS => if (path[0] == '/') return null else "RT_NO_CWD=lies outside of the root", // "(unreachable)/…"
        .NOENT => "RT_NO_CWD=was deleted",
        .RANGE, .NAMETOOLONG => "RT_NO_CWD=is too deep to have a name",
        else => return null,
    };
    _ = linux.chdir("/");
    return said;
}
