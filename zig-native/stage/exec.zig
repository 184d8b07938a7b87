//! Finding and executing the program, inside the container and with its identity. Messages and errno follow Go's
//! exec.LookPath, which is what users of Docker know: ENOENT is exit status 127, anything else 126.
const std = @import("std");
const linux = std.os.linux;
const errnos = @import("../linux/errno.zig");
const fault = @import("../wire/fault.zig");
const filters = @import("filter.zig");
const path = @import("../linux/path.zig");
const paths = @import("paths.zig");
const signals = @import("../linux/signals.zig");

pub const Program = struct {
    file: [:0]const u8,
    arguments: [*:null]const ?[*:0]const u8,
    environment: [*:null]const ?[*:0]const u8,
    filter: ?filters.Pending,
};

/// The file that `name` means with this environment's PATH.
pub fn find(arena: std.mem.Allocator, name: []const u8, environment: []const []const u8) fault.AllocError![:0]const u8 {
    const text = try paths.terminated(arena, name, .exec, "the program's name");
    if (std.mem.indexOfScalar(u8, name, '/') != null) {
        const errno = executable(text);
        if (errno == .SUCCESS) return text;
        if (errno == .NOENT) return fault.fail(.exec, errno, "exec: \"{s}\": stat {s}: no such file or directory", .{ name, name });
        return fault.fail(.exec, errno, "exec: \"{s}\": {s}", .{ name, describe(errno) });
    }
    var candidates: Candidates = .{ .directories = std.mem.splitScalar(u8, variable(environment, "PATH") orelse "", ':'), .name = name };
    while (try candidates.next(arena)) |candidate| switch (executable(candidate)) {
        .SUCCESS => return candidate,
        // It may well be there.
        .MFILE, .NFILE, .NOMEM, .IO => |errno| return fault.fail(.exec, errno, "exec: \"{s}\": {s}", .{ name, describe(errno) }),
        else => {},
    };
    return fault.fail(.exec, .NOENT, "exec: \"{s}\": executable file not found in $PATH", .{name});
}

/// Where a name without a slash is looked for. An empty element of PATH is the working directory, from which, as in Go,
/// nothing is executed by accident.
const Candidates = struct {
    directories: std.mem.SplitIterator(u8, .scalar),
    name: []const u8,

    fn next(self: *Candidates, arena: std.mem.Allocator) error{OutOfMemory}!?[:0]const u8 {
        if (self.name.len == 0) return null;
        while (self.directories.next()) |directory| {
            if (directory.len == 0 or directory[0] != '/') continue;
            return try std.fmt.allocPrintSentinel(arena, "{s}/{s}", .{ std.mem.trimEnd(u8, directory, "/"), self.name }, 0);
        }
        return null;
    }
};

/// The value of the last "NAME=value".
pub fn variable(environment: []const []const u8, name: []const u8) ?[]const u8 {
    var value: ?[]const u8 = null;
    for (environment) |entry| {
        if (entry.len > name.len and entry[name.len] == '=' and std.mem.startsWith(u8, entry, name)) value = entry[name.len + 1 ..];
    }
    return value;
}

/// SUCCESS when we may execute it. A magic link (/proc/self/exe is our own helper) is no program of the container.
fn executable(file: [:0]const u8) linux.E {
    const opened = path.open(linux.AT.FDCWD, file, path.file_path, 0, path.no_magic_links);
    if (linux.errno(opened) == .LOOP) return .ACCES;
    if (linux.errno(opened) != .SUCCESS) return linux.errno(opened);
    const fd: i32 = @intCast(opened);
    defer _ = linux.close(fd);
    const info = path.stat(fd) orelse return .IO;
    if (info.kind == .directory) return .ISDIR;
    const effective = 0x200; // AT_EACCESS
    const allowed = linux.syscall4(.faccessat2, path.fdArgument(linux.AT.FDCWD), @intFromPtr(file.ptr), linux.X_OK, effective);
    return switch (linux.errno(allowed)) {
        .NOSYS => .SUCCESS, // Linux before 5.8: execve itself will say
        else => |errno| errno,
    };
}

/// Replace this process. Returns only with a failure.
pub fn run(program: Program) fault.Error {
    signals.reset();
    // From here on only 0-2 survive; the end of `sync` tells the monitor that execve took place.
    const mark_only = 4; // CLOSE_RANGE_CLOEXEC
    const marked = linux.syscall3(.close_range, 3, std.math.maxInt(u32), mark_only);
    if (linux.errno(marked) != .SUCCESS) return fault.fail(.exec, linux.errno(marked), "close descriptors", .{});
    if (program.filter) |pending| {
        const pointers = .{ @intFromPtr(program.file.ptr), @intFromPtr(program.arguments), @intFromPtr(program.environment) };
        try pending.loadLast(pointers ++ .{ 0, 0, 0 });
    }
    const errno = linux.errno(linux.execve(program.file, program.arguments, program.environment));
    return fault.fail(.exec, errno, "exec: \"{s}\": {s}", .{ program.file, describe(errno) });
}

/// Go's words where they are its own.
fn describe(errno: linux.E) []const u8 {
    return switch (errno) {
        .PERM => "permission denied",
        .NOMEM => "cannot allocate memory",
        .MFILE => "too many open files",
        .NFILE => "too many open files in system",
        else => errnos.text(errno) orelse @tagName(errno),
    };
}

/// NULL-ended, as execve(2) wants it.
pub fn strings(
    arena: std.mem.Allocator,
    list: []const []const u8,
    comptime what: []const u8,
) fault.AllocError![*:null]const ?[*:0]const u8 {
    const out = try arena.allocSentinel(?[*:0]const u8, list.len, null);
    for (out, list) |*slot, text| slot.* = try paths.terminated(arena, text, .exec, what);
    return out.ptr;
}

test "the last PATH counts" {
    const environment = [_][]const u8{ "PATHS=/x", "PATH=/a", "HOME=/", "PATH=/b:/c" };
    try std.testing.expectEqualStrings("/b:/c", variable(&environment, "PATH").?);
    try std.testing.expectEqual(null, variable(&environment, "HOM"));
}

test "candidates of a name" {
    var memory: [512]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var candidates: Candidates = .{ .directories = std.mem.splitScalar(u8, "/bin/::relative:/usr/bin", ':'), .name = "sh" };
    try std.testing.expectEqualStrings("/bin/sh", (try candidates.next(fixed.allocator())).?);
    try std.testing.expectEqualStrings("/usr/bin/sh", (try candidates.next(fixed.allocator())).?);
    try std.testing.expectEqual(null, try candidates.next(fixed.allocator()));
}

test "what cannot be found or executed" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const environment = [_][]const u8{"PATH=/nonexistent:/proc"};
    const cases = [_]struct { []const u8, linux.E, []const u8 }{
        .{ "no-such", .NOENT, "exec: \"no-such\": executable file not found in $PATH" },
        .{ "", .NOENT, "exec: \"\": executable file not found in $PATH" },
        .{ "/no/such", .NOENT, "exec: \"/no/such\": stat /no/such: no such file or directory" },
        .{ "/proc", .ISDIR, "exec: \"/proc\": is a directory" },
        .{ "/proc/self/exe", .ACCES, "exec: \"/proc/self/exe\": permission denied" },
        .{ "/proc/version", .ACCES, "exec: \"/proc/version\": permission denied" },
        .{ "/proc/version/x", .NOTDIR, "exec: \"/proc/version/x\": not a directory" },
    };
    for (cases) |case| {
        try std.testing.expectError(error.Failed, find(fixed.allocator(), case[0], &environment));
        try std.testing.expectEqual(case[1], fault.failure.errno);
        try std.testing.expectEqualStrings(case[2], fault.failure.message());
    }
}

test "a limit that keeps us from looking is not a program that is missing" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    const before = try std.posix.getrlimit(.NOFILE);
    try std.posix.setrlimit(.NOFILE, .{ .cur = 0, .max = before.max });
    const found = find(fixed.allocator(), "sh", &.{"PATH=/bin"});
    try std.posix.setrlimit(.NOFILE, before);
    try std.testing.expectError(error.Failed, found);
    try std.testing.expectEqual(.MFILE, fault.failure.errno);
    try std.testing.expectEqualStrings("exec: \"sh\": too many open files", fault.failure.message());
}
