//! `send`: a file, or a directory and what is below it, as an archive on descriptor 3. The tree may be a running container's,
//! which changes it meanwhile and means no good: every name is looked at in the directory that is held open, nothing is
//! followed, a file is never longer than its header says, and what else is mounted there is an empty directory.
const std = @import("std");
const linux = std.os.linux;
const Entries = @import("entries.zig").Entries;
const Listing = @import("remove.zig").Listing;
const Request = @import("request.zig").Request;
const Root = @import("root.zig").Root;
const Sink = @import("tar_writer.zig").Sink;
const confine = @import("confine.zig");
const names = @import("names.zig");
const path = @import("../linux/path.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

const shown = report.shown;
const output = 3;

// Large, and one of each: not on a stack.
var root: Root = undefined;
var sink: Sink = .{ .fd = output };
var sender: Sender = .{ .entries = .{ .writer = .{ .sink = &sink } } };

pub fn run(request: Request) noreturn {
    confine.outliveReader();
    root = .ofContainer(request);
    root.enter(&confine.looking);
    const source = request.need("path");
    const name = request.get("as") orelse "";
    const follow = request.get("follow") != null;
    sender.entries.push(name);
    if (std.mem.trim(u8, source, "/").len == 0) sender.top(root.fd) else sender.find(source, follow, request.get("directory") != null);
    sender.entries.writer.end();
    report.succeed(",\"bytes\":{d}", .{sink.total});
}

const Level = struct { fd: i32, path_bytes: usize, listing: Listing };

const Sender = struct {
    entries: Entries,
    levels: std.ArrayList(Level) = .empty,

    /// The root itself.
    fn top(self: *Sender, fd: i32) void {
        const opened = linux.openat(fd, ".", .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
        if (linux.errno(opened) != .SUCCESS) report.failErrno(linux.errno(opened), "cannot open the root", .{});
        self.directory(@intCast(opened), sys.statFd(@intCast(opened)));
        self.below();
    }

    fn find(self: *Sender, source: [:0]const u8, follow: bool, directory_only: bool) void {
        const split = path.splitLast(source);
        var buffer: [names.path_bytes_max]u8 = undefined;
        const parent_path = std.fmt.bufPrintZ(&buffer, "{s}", .{split.parent}) catch missing(source);
        const opened = sys.openContained(root.fd, parent_path.ptr, .{ .PATH = true, .DIRECTORY = true }, true);
        if (linux.errno(opened) != .SUCCESS) missing(source);
        const parent: i32 = @intCast(opened);
        const is_dots = path.isDots(split.name);
        if (split.name.len > names.name_bytes_max) missing(source);
        const name = names.NameZ.init(split.name);
        const found = sys.stat(parent, name.ptr()) orelse missing(source);
        const is_link = found.mode & linux.S.IFMT == linux.S.IFLNK;
        if (!is_dots and !(is_link and (follow or directory_only))) {
            if (!root.has(found)) missing(source);
            if (directory_only and !sys.isDirectory(found)) report.fail(.refused, "{f} is not a directory", .{shown(source)});
            self.entry(parent, name.ptr());
            return self.below();
        }
        const full = std.fmt.bufPrintZ(&buffer, "{s}", .{std.mem.trimEnd(u8, source, "/")}) catch missing(source);
        const s = lookAt(source, full);
        if (!sys.isDirectory(s) and (directory_only or s.mode & linux.S.IFMT != linux.S.IFREG))
            report.fail(.refused, "{f} is not a directory", .{shown(source)});
        const end = sys.openContained(root.fd, full.ptr, .{ .NONBLOCK = true, .NOCTTY = true }, true);
        if (linux.errno(end) != .SUCCESS) report.failErrno(linux.errno(end), "cannot open {f}", .{shown(source)});
        const now = sys.statFd(@intCast(end));
        if (!root.has(now) or now.mode & linux.S.IFMT != s.mode & linux.S.IFMT) missing(source);
        if (!sys.isDirectory(now)) return self.contents(@intCast(end), now);
        self.directory(@intCast(end), now);
        self.below();
    }

    /// What is in the directories that are open.
    fn below(self: *Sender) void {
        while (self.levels.items.len > 0) {
            const level = &self.levels.items[self.levels.items.len - 1];
            self.entries.path_bytes = level.path_bytes;
            if (level.listing.next()) |name| {
                const name_z = names.NameZ.init(name);
                self.entries.push(name);
                self.entry(level.fd, name_z.ptr());
            } else _ = linux.close(self.levels.pop().?.fd);
        }
    }

    fn entry(self: *Sender, parent: i32, name: [*:0]const u8) void {
        const s = sys.stat(parent, name) orelse return; // gone since it was listed
        switch (s.mode & linux.S.IFMT) {
            linux.S.IFDIR => {
                const opened = sys.openDirectory(parent, name);
                switch (linux.errno(opened)) {
                    .SUCCESS => {},
                    .NOENT, .NOTDIR, .LOOP => return, // something else by now
                    else => |e| report.failErrno(e, "cannot open {f}", .{shown(self.entries.here())}),
                }
                // What was opened decides, and not what stood there before.
                self.directory(@intCast(opened), sys.statFd(@intCast(opened)));
            },
            linux.S.IFREG => if (self.entries.openFile(parent, name)) |fd| self.contents(fd, sys.statFd(fd)),
            linux.S.IFLNK => self.entries.symbolicLink(parent, name, s),
            linux.S.IFSOCK => {}, // nobody listens on a copy
            else => if (!sys.isWhiteout(s)) self.entries.special(s),
        }
    }

    /// The directory `fd`, ours to close: an entry, and one more to look into.
    fn directory(self: *Sender, fd: i32, s: linux.Statx) void {
        if (self.entries.path_bytes > 0) self.entries.directory(fd, s);
        if (!root.has(s)) {
            _ = linux.close(fd);
            return;
        }
        if (self.levels.items.len > names.depth_max) report.fail(.limit, "directories are more than {d} deep", .{names.depth_max});
        const level = self.levels.addOne(std.heap.smp_allocator) catch report.fail(.limit, "out of memory", .{});
        level.fd = fd;
        level.path_bytes = self.entries.path_bytes;
        level.listing.open(fd);
    }

    /// The open regular file, ours to close.
    fn contents(self: *Sender, fd: i32, s: linux.Statx) void {
        defer _ = linux.close(fd);
        // A mount on a single file is somebody else's.
        self.entries.contents(fd, s, if (root.has(s)) s.size else 0);
    }
};

/// Of what the path leads to, in a tree of ours.
fn lookAt(source: []const u8, full: [:0]const u8) linux.Statx {
    const found = sys.openContained(root.fd, full.ptr, .{ .PATH = true }, true);
    switch (linux.errno(found)) {
        .SUCCESS => {},
        .NOENT, .NOTDIR, .LOOP => missing(source),
        else => |e| report.failErrno(e, "cannot open {f}", .{shown(source)}),
    }
    defer _ = linux.close(@intCast(found));
    const s = sys.statFd(@intCast(found));
    if (!root.has(s)) missing(source);
    return s;
}

fn missing(source: []const u8) noreturn {
    report.fail(.missing, "{f}", .{shown(source)});
}
