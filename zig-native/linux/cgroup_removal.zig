//! Takes away a control group with all groups below it, however deep a container nested them and whatever their names add up
//! to: no recursion, no path, one descriptor at a time. It walks by name and "..", which in a cgroup file system lead where
//! they led before, as nothing in it can be renamed or linked.
const std = @import("std");
const linux = std.os.linux;

/// Doubled from try to try: half a second in all.
const pause_first_ns = 1 * std.time.ns_per_ms;
const tries = 10;

/// Remove `directory`; absent is fine. The last processes may still be on their way out: what is busy is tried again for a
/// moment, and then left to the next cleanup.
pub fn remove(directory: [*:0]const u8) void {
    var pause_ns: isize = pause_first_ns;
    for (0..tries) |_| {
        if (linux.errno(linux.rmdir(directory)) != .BUSY) return;
        removeBelow(directory);
        if (linux.errno(linux.rmdir(directory)) != .BUSY) return;
        const pause: linux.timespec = .{ .sec = 0, .nsec = pause_ns };
        _ = linux.nanosleep(&pause, null);
        pause_ns *= 2;
    }
}

/// Everything below, up to the first group that still has a process in it.
fn removeBelow(directory: [*:0]const u8) void {
    var here = open(linux.AT.FDCWD, directory) orelse return;
    defer _ = linux.close(here);
    var depth: usize = 0;
    var arrived = false;
    while (true) {
        var name: [linux.NAME_MAX + 1]u8 = undefined;
        switch (removeChildren(here, &name)) {
            // We came down because it could not be removed, and it is not for groups of its own.
            .none => if (arrived) return,
            .removed => {},
            .left => {
                here = replace(here, open(here, @ptrCast(&name)) orelse return);
                depth += 1;
                arrived = true;
                continue;
            },
        }
        if (depth == 0) return;
        here = replace(here, open(here, "..") orelse return);
        depth -= 1;
        arrived = false;
    }
}

fn open(parent: i32, name: [*:0]const u8) ?i32 {
    const opened = linux.openat(parent, name, .{ .DIRECTORY = true, .CLOEXEC = true, .NOFOLLOW = true }, 0);
    return if (linux.errno(opened) == .SUCCESS) @intCast(opened) else null;
}

fn replace(old: i32, new: i32) i32 {
    _ = linux.close(old);
    return new;
}

const Outcome = enum { none, removed, left };

/// Remove the empty groups right below an open directory that has not been read yet, up to one that cannot be removed:
/// `left`, with its name.
fn removeChildren(directory: i32, name: *[linux.NAME_MAX + 1]u8) Outcome {
    var outcome: Outcome = .none;
    var buffer: [4096]u8 align(@alignOf(linux.dirent64)) = undefined;
    while (true) {
        const count = linux.getdents64(directory, &buffer, buffer.len);
        if (linux.errno(count) != .SUCCESS or count == 0) return outcome;
        var offset: usize = 0;
        while (offset < count) {
            const entry: *align(1) const linux.dirent64 = @ptrCast(&buffer[offset]);
            const child: [*:0]const u8 = @ptrCast(buffer[offset + @offsetOf(linux.dirent64, "name") ..].ptr);
            offset += entry.reclen;
            if (entry.type != linux.DT.DIR or isDots(child)) continue;
            switch (linux.errno(linux.unlinkat(directory, child, linux.AT.REMOVEDIR))) {
                .SUCCESS => outcome = .removed,
                .BUSY => {
                    const text = std.mem.span(child);
                    if (text.len > linux.NAME_MAX) continue; // no file system has one
                    @memcpy(name[0 .. text.len + 1], text[0 .. text.len + 1]);
                    return .left;
                },
                else => {},
            }
        }
    }
}

fn isDots(name: [*:0]const u8) bool {
    return name[0] == '.' and (name[1] == 0 or (name[1] == '.' and name[2] == 0));
}
