//! `mount`: a volume's own file system at its directory on the host, where all containers that have it take it from. It is
//! here, in a process that can be killed, because a server that does not answer keeps mount(2) waiting for minutes.
const std = @import("std");
const linux = std.os.linux;
const Request = @import("request.zig").Request;
const report = @import("report.zig");

pub fn run(request: Request) noreturn {
    const at = request.need("at");
    const flags: u32 = @truncate(request.number("flags", 0));
    const propagation: u32 = @truncate(request.number("propagation", 0));
    const data = request.get("data") orelse "";
    const device = request.need("device");
    const kind = request.need("type");
    const data_pointer: usize = if (data.len == 0) 0 else @intFromPtr(data.ptr);
    answer(linux.mount(device.ptr, at.ptr, kind.ptr, flags, data_pointer), null);
    const wanted_of_bind = linux.MS.RDONLY | linux.MS.NOSUID | linux.MS.NODEV | linux.MS.NOEXEC;
    // The kernel looks at a bind's other flags only when it is mounted again.
    if (flags & linux.MS.BIND != 0 and flags & wanted_of_bind != 0)
        answer(linux.mount(null, at.ptr, null, (flags & ~@as(u32, linux.MS.REC)) | linux.MS.REMOUNT, 0), at);
    if (propagation != 0) answer(linux.mount(null, at.ptr, null, propagation, 0), at);
    report.succeed(",\"errno\":\"\"", .{});
}

/// A failure is told, and what was mounted `at` goes again.
fn answer(result: usize, at: ?[:0]const u8) void {
    const errno = linux.errno(result);
    if (errno == .SUCCESS) return;
    if (at) |place| _ = linux.umount2(place, linux.MNT.DETACH | linux.UMOUNT_NOFOLLOW);
    report.succeed(",\"errno\":\"E{s}\"", .{std.enums.tagName(linux.E, errno) orelse "UNKNOWN"});
}
