//! Removes a directory tree through descriptors, so that a link put in the way leads nowhere.
const std = @import("std");
const linux = std.os.linux;

const at_removedir = 0x200;

/// Deeper than this, a subtree is first moved up to the top: a container may nest directories without end, and neither our
/// stack nor our descriptors may depend on that.
const depth_max = 64;

const Removal = struct {
    top: i32 = -1,
    moved: u32 = 0,
    /// How many more names may be looked at.
    names_left: u32,
};

/// Remove `path` and all below it. Absent is fine. Answers 0, -EAGAIN when there is more below it than `names_max`, of which
/// some is left, or -errno of the first thing that could not be removed.
pub fn remove(path: [*:0]const u8, names_max: u32) i32 {
    var removal: Removal = .{ .names_left = names_max };
    return -@as(i32, @intFromEnum(removeAt(&removal, linux.AT.FDCWD, path, 0)));
}

fn removeAt(removal: *Removal, parent: i32, name: [*:0]const u8, depth: u32) linux.E {
    if (removal.names_left == 0) return .AGAIN;
    removal.names_left -= 1;
    const plain = linux.errno(linux.unlinkat(parent, name, 0));
    switch (plain) {
        .SUCCESS, .NOENT => return .SUCCESS,
        .ISDIR, .PERM => {},
        else => return plain,
    }
    // Most are empty: overlay's work directories, a fresh upper.
    switch (linux.errno(linux.unlinkat(parent, name, at_removedir))) {
        .SUCCESS, .NOENT => return .SUCCESS,
        .NOTEMPTY, .EXIST => {},
        .NOTDIR => return plain,
        else => |errno| return errno,
    }
    if (depth == depth_max) return moveUp(removal, parent, name);
    const opened = linux.openat(parent, name, .{ .DIRECTORY = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
    // Two may remove the same tree: what the other has taken is done.
    if (linux.errno(opened) == .NOENT) return .SUCCESS;
    if (linux.errno(opened) != .SUCCESS) return linux.errno(opened);
    const directory: i32 = @intCast(opened);
    defer _ = linux.close(directory);
    if (depth == 0) removal.top = directory;
    // Once more after a pass that left something: deeper subtrees have moved to the top, and a directory that shrinks while
    // it is read may hide entries.
    while (true) {
        var removed: usize = 0;
        const errno = removeEntries(removal, directory, depth, &removed);
        if (errno != .SUCCESS) return errno;
        const result = linux.errno(linux.unlinkat(parent, name, at_removedir));
        if (result == .NOENT) return .SUCCESS;
        if (result != .NOTEMPTY and result != .EXIST or removed == 0) return result;
        _ = linux.lseek(directory, 0, linux.SEEK.SET);
    }
}

fn moveUp(removal: *Removal, parent: i32, name: [*:0]const u8) linux.E {
    while (true) {
        var buffer: [32]u8 = undefined;
        const unique = std.fmt.bufPrintZ(&buffer, ".rt-deep-{d}", .{removal.moved}) catch return .NAMETOOLONG;
        removal.moved += 1;
        const result = linux.errno(linux.renameat2(parent, name, removal.top, unique, .{ .NOREPLACE = true }));
        if (result != .EXIST) return result;
    }
}

fn removeEntries(removal: *Removal, directory: i32, depth: u32, removed: *usize) linux.E {
    var buffer: [8192]u8 align(@alignOf(linux.dirent64)) = undefined;
    while (true) {
        const length = linux.getdents64(directory, &buffer, buffer.len);
        if (linux.errno(length) == .NOENT) return .SUCCESS; // the directory itself was removed meanwhile
        if (linux.errno(length) != .SUCCESS) return linux.errno(length);
        if (length == 0) return .SUCCESS;
        var offset: usize = 0;
        while (offset < length) {
            const entry: *align(1) linux.dirent64 = @ptrCast(buffer[offset..]);
            const name: [*:0]const u8 = @ptrCast(&entry.name);
            offset += entry.reclen;
            const text = std.mem.span(name);
            if (std.mem.eql(u8, text, ".") or std.mem.eql(u8, text, "..")) continue;
            const errno = removeAt(removal, directory, name, depth + 1);
            if (errno != .SUCCESS) return errno;
            removed.* += 1;
        }
    }
}
