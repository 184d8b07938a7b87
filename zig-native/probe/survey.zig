//! What a container may do, found by trying: a fact a line, for test/survey/ to compare engines by. Files are opened and nothing
//! more. With "host" only namespaces and what can be read are printed, and nothing is done; the rest is for a container to be thrown away.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const calls = @import("calls.zig");
const input = @import("input.zig");
const output = @import("output.zig");
const see = @import("see.zig");
const Args = input.Args;

pub const panic = std.debug.no_panic;

const nobody: Args = &.{};
const clone_new_user = 0x1000_0000;

pub fn main(init: std.process.Init.Minimal) u8 {
    const args = init.args.vector;
    if (input.argIs(args, 1, "host")) {
        _ = see.namespaces(nobody);
        for ([_][:0]const u8{ "/proc", "/sys" }) |root| tree(root, false);
        output.flush();
        return 0;
    }
    _ = see.caps(nobody);
    _ = see.namespaces(nobody);
    _ = see.rlimits(nobody);
    _ = see.mounts(nobody);
    _ = see.process(nobody);
    label();
    tree("/proc", true);
    tree("/sys", true);
    devices();
    nodes();
    calls.begin();
    calls.all();
    conditions();
    output.flush();
    return 0;
}

/// "label NAME" of a security module; "label -" where none has one.
fn label() void {
    var name: [256]u8 = undefined;
    const length = input.read("/proc/self/attr/current", &name);
    output.text("label ");
    if (input.failed(length) or length == 0) output.text("-") else output.escaped(std.mem.trimEnd(u8, name[0..length], "\n\x00"));
    output.text("\n");
}

/// What a filter decides by arguments.
fn conditions() void {
    const number = struct {
        fn of(which: linux.SYS) usize {
            return @intFromEnum(which);
        }
    }.of;
    const stream = 1;
    const raw = 3;
    calls.ask(.native, "clone-user", number(.clone), .{ clone_new_user | @intFromEnum(linux.SIG.CHLD), 0, 0, 0, 0, 0 });
    calls.ask(.native, "unshare-user", number(.unshare), .{ clone_new_user, 0, 0, 0, 0, 0 });
    inline for (.{ "inet", "netlink", "packet", "alg", "vsock" }, .{ 2, 16, 17, 38, 40 }) |family, value| {
        const kind = switch (value) {
            38 => 5, // seqpacket
            2, 40 => stream,
            else => raw,
        };
        calls.ask(.native, "socket-" ++ family, number(.socket), .{ value, kind, 0, 0, 0, 0 });
        calls.ask(.native, "socket-" ++ family ++ "-high-bits", number(.socket), .{ value | 1 << 32, kind, 0, 0, 0, 0 });
    }
    calls.ask(.native, "socket-raw", number(.socket), .{ 2, raw, 1, 0, 0, 0 });
    calls.ask(.native, "personality-read-implies-exec", number(.personality), .{ 0x0040_0000, 0, 0, 0, 0, 0 });
    calls.ask(.native, "personality-addr-no-randomize", number(.personality), .{ 0x0004_0000, 0, 0, 0, 0, 0 });
    calls.ask(.native, "ptrace-traceme", number(.ptrace), @splat(0));
    if (builtin.cpu.arch != .x86_64) return;
    calls.ask(.i386, "i386-socket-alg", 359, .{ 38, 5, 0, 0, 0, 0 });
    // Its arguments are in memory, where no filter looks.
    const State = struct {
        var alg = [3]u32{ 38, 5, 0 };
        var inet = [3]u32{ 2, 1, 0 };
    };
    calls.ask(.i386, "i386-socketcall-alg", 102, .{ 1, @intFromPtr(&State.alg), 0, 0, 0, 0 });
    calls.ask(.i386, "i386-socketcall-inet", 102, .{ 1, @intFromPtr(&State.inet), 0, 0, 0, 0 });
}

/// "file rw PATH" for each regular file below that opens so; a w only where its mode has one, as root opens any. What is covered
/// by a device is no file.
/// The directories of processes are left out, and the cgroups, which are no two hosts' the same.
fn tree(path: [:0]const u8, writes: bool) void {
    var at = Path{};
    at.push(path);
    const fd = linux.open(path, .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (!input.failed(fd)) walk(@intCast(fd), &at, writes, true);
}

const Path = struct {
    bytes: [4096]u8 = undefined,
    length: usize = 0,

    fn push(path: *Path, name: []const u8) void {
        @memcpy(path.bytes[path.length..][0..name.len], name);
        path.length += name.len;
    }

    fn text(path: *const Path) []const u8 {
        return path.bytes[0..path.length];
    }
};

/// Takes the descriptor over.
fn walk(fd: i32, path: *Path, writes: bool, is_root: bool) void {
    defer _ = linux.close(fd);
    var entries: [8192]u8 = undefined;
    while (true) {
        const got = linux.getdents64(fd, &entries, entries.len);
        if (input.failed(got) or got == 0) return;
        var at: usize = 0;
        // struct linux_dirent64: ino u64, off i64, reclen u16, type u8, name.
        while (at < got) : (at += std.mem.readInt(u16, entries[at + 16 ..][0..2], .native)) {
            const name: [*:0]const u8 = @ptrCast(entries[at + 19 ..].ptr);
            const bare = std.mem.span(name);
            if (bare[0] == '.' and (bare.len == 1 or std.mem.eql(u8, bare, ".."))) continue;
            if (is_root and isProcess(bare)) continue;
            const before = path.length;
            if (before + bare.len + 1 > path.bytes.len) continue;
            path.push("/");
            path.push(bare);
            defer path.length = before;
            if (!std.mem.eql(u8, path.text(), "/sys/fs/cgroup")) entry(fd, name, path, entries[at + 18], writes);
        }
    }
}

fn isProcess(name: []const u8) bool {
    return name[0] >= '0' and name[0] <= '9' or std.mem.eql(u8, name, "self") or std.mem.eql(u8, name, "thread-self");
}

fn entry(dir: i32, name: [*:0]const u8, path: *Path, kind: u8, writes: bool) void {
    if (kind == linux.DT.DIR) {
        const fd = linux.openat(dir, name, .{ .DIRECTORY = true, .NOFOLLOW = true, .CLOEXEC = true }, 0);
        if (!input.failed(fd)) walk(@intCast(fd), path, writes, false);
        return;
    }
    var meta: linux.Statx = undefined;
    const found = linux.statx(dir, name, linux.AT.SYMLINK_NOFOLLOW, linux.STATX.BASIC_STATS, &meta);
    if (input.failed(found) or meta.mode & linux.S.IFMT != linux.S.IFREG) return;
    const reads = opens(dir, name, .RDONLY);
    const written = writes and meta.mode & 0o222 != 0 and opens(dir, name, .WRONLY);
    if (!reads and !written) return;
    output.text(if (reads) "file r" else "file -");
    output.text(if (written) "w " else "- ");
    output.escaped(path.text());
    output.text("\n");
}

fn opens(dir: i32, name: [*:0]const u8, access: @FieldType(linux.O, "ACCMODE")) bool {
    const flags: linux.O = .{ .ACCMODE = access, .NONBLOCK = true, .NOCTTY = true, .NOFOLLOW = true, .CLOEXEC = true };
    const fd = linux.openat(dir, name, flags, 0);
    if (input.failed(fd)) return false;
    _ = linux.close(@intCast(fd));
    return true;
}

/// "device PATH ANSWER" for the devices in /dev.
fn devices() void {
    const listing = input.list("/dev") orelse return;
    defer listing.close();
    for (listing.names) |name| {
        var meta: linux.Statx = undefined;
        const found = linux.statx(listing.fd, name, linux.AT.SYMLINK_NOFOLLOW, linux.STATX.BASIC_STATS, &meta);
        if (input.failed(found) or meta.mode & linux.S.IFMT != linux.S.IFCHR and meta.mode & linux.S.IFMT != linux.S.IFBLK) continue;
        output.line(&.{ "device ", std.mem.span(name), " ", if (opens(listing.fd, name, .RDONLY)) "opens" else "-" });
    }
}

const Node = struct { name: [:0]const u8, kind: u32, major: u32, minor: u32 };
const character = linux.S.IFCHR;
const block = linux.S.IFBLK;
const made = [_]Node{
    .{ .name = "mem", .kind = character, .major = 1, .minor = 1 },
    .{ .name = "null", .kind = character, .major = 1, .minor = 3 },
    .{ .name = "port", .kind = character, .major = 1, .minor = 4 },
    .{ .name = "kmsg", .kind = character, .major = 1, .minor = 11 },
    .{ .name = "console", .kind = character, .major = 5, .minor = 1 },
    .{ .name = "tun", .kind = character, .major = 10, .minor = 200 },
    .{ .name = "fuse", .kind = character, .major = 10, .minor = 229 },
    .{ .name = "kvm", .kind = character, .major = 10, .minor = 232 },
    .{ .name = "loop-control", .kind = character, .major = 10, .minor = 237 },
    .{ .name = "loop0", .kind = block, .major = 7, .minor = 0 },
    .{ .name = "sda", .kind = block, .major = 8, .minor = 0 },
    .{ .name = "vda", .kind = block, .major = 254, .minor = 0 },
};

/// "node NAME MKNOD OPEN" for devices that a container could make for itself.
fn nodes() void {
    const path = "/survey-node";
    for (made) |node| {
        const result = linux.mknod(path, node.kind | 0o666, node.major << 8 | node.minor);
        output.text("node ");
        output.text(node.name);
        output.text(" ");
        output.errno(result);
        if (!input.failed(result)) {
            output.text(" ");
            const fd = linux.open(path, .{ .NONBLOCK = true, .NOCTTY = true, .CLOEXEC = true }, 0);
            output.errno(fd);
            if (!input.failed(fd)) _ = linux.close(@intCast(fd));
            _ = linux.unlink(path);
        }
        output.text("\n");
    }
}
