//! Files without a name: what is executed or loaded from one cannot be replaced, nor, once it is sealed, written to.
const std = @import("std");
const linux = std.os.linux;
const answer = @import("answer.zig");

const noexec_seal = 0x8; // MFD_NOEXEC_SEAL
const exec = 0x10; // MFD_EXEC
const add_seals = 1033; // F_ADD_SEALS
const all_seals = 0x1 | 0x2 | 0x4 | 0x8; // F_SEAL_SEAL | SHRINK | GROW | WRITE

/// Close-on-exec. The raw result. One that is not `executable` is also had where vm.memfd_noexec=2.
pub fn create(name: [*:0]const u8, executable: bool, flags: u32) usize {
    const wanted = linux.MFD.CLOEXEC | flags;
    const fd = linux.memfd_create(name, wanted | @as(u32, if (executable) exec else noexec_seal));
    // Before Linux 6.3 neither flag is known, and every memfd is executable.
    return if (linux.errno(fd) == .INVAL) linux.memfd_create(name, wanted) else fd;
}

/// A sealed, close-on-exec memfd with `bytes`. `executable`: may be executed; where vm.memfd_noexec=2 forbids that, an
/// unlinked file in `directory` takes its place. Answers the descriptor or -errno.
pub fn sealed(name: [*:0]const u8, bytes: []const u8, executable: bool, directory: [*:0]const u8) i32 {
    const fd = create(name, executable, linux.MFD.ALLOW_SEALING);
    if (linux.errno(fd) == .ACCES and executable) return unlinkedFile(bytes, directory);
    if (linux.errno(fd) != .SUCCESS) return answer.of(fd);
    const result = fill(@intCast(fd), bytes);
    if (result != 0) return result;
    const closed = linux.fcntl(@intCast(fd), add_seals, all_seals);
    if (linux.errno(closed) != .SUCCESS) {
        _ = linux.close(@intCast(fd));
        return answer.of(closed);
    }
    return @intCast(fd);
}

fn unlinkedFile(bytes: []const u8, directory: [*:0]const u8) i32 {
    const writer = linux.openat(
        linux.AT.FDCWD,
        directory,
        .{ .ACCMODE = .RDWR, .TMPFILE = true, .DIRECTORY = true, .CLOEXEC = true },
        0o500,
    );
    if (linux.errno(writer) != .SUCCESS) return answer.of(writer);
    const result = fill(@intCast(writer), bytes);
    if (result != 0) return result;
    // Executing needs that nobody has it open for writing.
    var path: [32]u8 = undefined;
    const self = std.fmt.bufPrintZ(&path, "/proc/self/fd/{d}", .{writer}) catch unreachable;
    // Says no for a directory of a mount with `noexec`, which execve(2) would only say later.
    const executable = linux.access(self, linux.X_OK);
    const reader = linux.openat(linux.AT.FDCWD, self, .{ .CLOEXEC = true }, 0);
    _ = linux.close(@intCast(writer));
    if (linux.errno(reader) != .SUCCESS) return answer.of(reader);
    if (linux.errno(executable) == .SUCCESS) return @intCast(reader);
    _ = linux.close(@intCast(reader));
    return answer.of(executable);
}

/// Write all of `bytes`; closes `fd` on failure. Answers 0 or -errno.
fn fill(fd: i32, bytes: []const u8) i32 {
    var rest = bytes;
    while (rest.len > 0) {
        const result = linux.write(fd, rest.ptr, rest.len);
        if (linux.errno(result) == .INTR) continue;
        if (linux.errno(result) != .SUCCESS) {
            _ = linux.close(fd);
            return answer.of(result);
        }
        rest = rest[result..];
    }
    return 0;
}
