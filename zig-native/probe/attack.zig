//! What a hostile program would try. `try` makes one forbidden system call and says what the kernel answered; the others
//! are loops that race the engine from inside. All of them only report: none changes anything outside the container.
const std = @import("std");
const linux = std.os.linux;
const files = @import("files.zig");
const input = @import("input.zig");
const output = @import("output.zig");
const signals = @import("signals.zig");
const Args = input.Args;

const Attempt = struct { name: []const u8, run: *const fn (Args) usize };

const attempts = [_]Attempt{
    .{ .name = "mount-proc", .run = mountProc },
    .{ .name = "mount-tmpfs", .run = mountTmpfs },
    .{ .name = "mount-cgroup", .run = mountCgroup },
    .{ .name = "mount-cgroup2", .run = mountCgroup2 },
    .{ .name = "remount-rw", .run = remountWritable },
    .{ .name = "umount", .run = unmount },
    .{ .name = "unshare-user", .run = unshareUser },
    .{ .name = "unshare-mount", .run = unshareMount },
    .{ .name = "unshare-cgroup", .run = unshareCgroup },
    .{ .name = "release-agent", .run = releaseAgent },
    .{ .name = "setns", .run = setns },
    .{ .name = "chroot", .run = chroot },
    .{ .name = "mknod", .run = mknod },
    .{ .name = "ptrace", .run = ptrace },
    .{ .name = "tiocsti", .run = tiocsti },
    .{ .name = "open-for-read", .run = openForRead },
    .{ .name = "open-for-write", .run = openForWrite },
    .{ .name = "chown", .run = chown },
    .{ .name = "setuid", .run = setuid },
    .{ .name = "sethostname", .run = sethostname },
    .{ .name = "raise-nofile", .run = raiseNofile },
    .{ .name = "bind-port", .run = bindPort },
    .{ .name = "socket-raw", .run = socketRaw },
    .{ .name = "socket-packet", .run = socketPacket },
    .{ .name = "socket-alg", .run = socketAlg },
    .{ .name = "socket-vsock", .run = socketVsock },
    .{ .name = "ping-socket", .run = pingSocket },
    .{ .name = "io-uring", .run = ioUring },
    .{ .name = "bpf", .run = bpf },
    .{ .name = "perf-event", .run = perfEvent },
    .{ .name = "keyctl", .run = keyctl },
    .{ .name = "open-by-handle", .run = openByHandle },
};

/// try WHAT [ARGUMENT…]: "try WHAT ok" or "try WHAT EPERM".
pub fn attempt(args: Args) u8 {
    for (attempts) |each| {
        if (!input.argIs(args, 0, each.name)) continue;
        const result = each.run(args[1..]);
        output.text("try ");
        output.text(each.name);
        output.text(" ");
        output.errno(result);
        output.text("\n");
        return 0;
    }
    for (attempts) |each| output.line(&.{ "try ", each.name });
    return 2;
}

fn path(args: Args, index: usize, otherwise: [*:0]const u8) [*:0]const u8 {
    return if (index < args.len) args[index] else otherwise;
}

fn mountProc(args: Args) usize {
    return linux.mount("proc", path(args, 0, "/proc"), "proc", 0, 0);
}
fn mountTmpfs(args: Args) usize {
    return linux.mount("tmpfs", path(args, 0, "/"), "tmpfs", 0, 0);
}
fn mountCgroup(args: Args) usize {
    return linux.mount("cgroup", path(args, 0, "/"), "cgroup", 0, @intFromPtr("memory"));
}
fn mountCgroup2(args: Args) usize {
    return linux.mount("cgroup2", path(args, 0, "/"), "cgroup2", 0, 0);
}
fn remountWritable(args: Args) usize {
    return linux.mount(null, path(args, 0, "/proc/sys"), null, linux.MS.REMOUNT | linux.MS.BIND, 0);
}
fn unmount(args: Args) usize {
    return linux.umount2(path(args, 0, "/proc"), linux.MNT.DETACH);
}
fn unshareUser(_: Args) usize {
    return linux.unshare(linux.CLONE.NEWUSER);
}
fn unshareMount(_: Args) usize {
    return linux.unshare(linux.CLONE.NEWNS);
}
/// CVE-2022-0492: a user namespace of one's own gives the right to mount cgroups where nothing forbids it.
fn unshareCgroup(args: Args) usize {
    const result = linux.unshare(linux.CLONE.NEWUSER | linux.CLONE.NEWNS | linux.CLONE.NEWCGROUP);
    return if (input.failed(result)) result else mountCgroup(args);
}
/// The file that a cgroup of its own would run a program of the host's with; mounted at a directory that must be there.
fn releaseAgent(args: Args) usize {
    const mounted = unshareCgroup(args);
    if (input.failed(mounted)) return mounted;
    var buffer: [1024]u8 = undefined;
    const name = signals.join(&buffer, &.{ std.mem.span(path(args, 0, "/")), "/release_agent" });
    return linux.open(name, .{ .ACCMODE = .WRONLY, .CREAT = true, .CLOEXEC = true }, 0o644);
}
fn setns(args: Args) usize {
    const fd = input.openRead(path(args, 0, "/proc/1/ns/mnt"));
    return if (input.failed(fd)) fd else linux.setns(@intCast(fd), 0);
}
fn chroot(args: Args) usize {
    return linux.chroot(path(args, 0, "/"));
}
/// mknod [PATH [MAJOR MINOR]]: a block device, by default the first disk.
fn mknod(args: Args) usize {
    const major: u32 = @intCast(input.parse(input.arg(args, 1), 254));
    const minor: u32 = @intCast(input.parse(input.arg(args, 2), 0));
    return linux.mknod(path(args, 0, "/tmp/disk"), linux.S.IFBLK | 0o600, major << 8 | minor);
}
fn ptrace(args: Args) usize {
    return linux.ptrace(linux.PTRACE.SEIZE, @intCast(input.parse(input.arg(args, 0), 1)), 0, 0, 0);
}
fn tiocsti(_: Args) usize {
    const request = 0x5412;
    return linux.ioctl(0, request, @intFromPtr("!"));
}
fn openForRead(args: Args) usize {
    return input.openRead(path(args, 0, "/proc/kcore"));
}
fn openForWrite(args: Args) usize {
    return linux.open(path(args, 0, "/proc/sysrq-trigger"), .{ .ACCMODE = .WRONLY, .CLOEXEC = true }, 0);
}
fn chown(args: Args) usize {
    return linux.chown(path(args, 0, "/"), @truncate(input.parse(input.arg(args, 1), 0)), @truncate(input.parse(input.arg(args, 1), 0)));
}
fn setuid(args: Args) usize {
    return linux.setuid(@truncate(input.parse(input.arg(args, 0), 0)));
}
fn sethostname(_: Args) usize {
    return linux.syscall2(.sethostname, @intFromPtr("taken"), 5);
}
fn raiseNofile(_: Args) usize {
    var limit: linux.rlimit = undefined;
    _ = linux.getrlimit(.NOFILE, &limit);
    limit.max += 1;
    return linux.setrlimit(.NOFILE, &limit);
}
/// bind-port PORT: on the loopback address, as ip_unprivileged_port_start lets anyone.
fn bindPort(args: Args) usize {
    const socket = linux.socket(linux.AF.INET, linux.SOCK.STREAM, 0);
    if (input.failed(socket)) return socket;
    const port: u16 = @truncate(input.parse(input.arg(args, 0), 80));
    const address = linux.sockaddr.in{ .port = std.mem.nativeToBig(u16, port), .addr = std.mem.nativeToBig(u32, 0x7f000001) };
    return linux.bind(@intCast(socket), @ptrCast(&address), @sizeOf(@TypeOf(address)));
}
fn socketRaw(_: Args) usize {
    return linux.socket(linux.AF.INET, linux.SOCK.RAW, linux.IPPROTO.ICMP);
}
fn socketPacket(_: Args) usize {
    return linux.socket(linux.AF.PACKET, linux.SOCK.RAW, 0);
}
fn socketAlg(_: Args) usize {
    return linux.socket(linux.AF.ALG, linux.SOCK.SEQPACKET, 0);
}
fn socketVsock(_: Args) usize {
    return linux.socket(linux.AF.VSOCK, linux.SOCK.STREAM, 0);
}
fn pingSocket(_: Args) usize {
    return linux.socket(linux.AF.INET, linux.SOCK.DGRAM, linux.IPPROTO.ICMP);
}
fn ioUring(_: Args) usize {
    var parameters = std.mem.zeroes([120]u8);
    return linux.syscall2(.io_uring_setup, 1, @intFromPtr(&parameters));
}
fn bpf(_: Args) usize {
    var map = [_]u32{ 1, 4, 4, 1 } ++ [_]u32{0} ** 14;
    return linux.syscall3(.bpf, 0, @intFromPtr(&map), @sizeOf(@TypeOf(map)));
}
fn perfEvent(_: Args) usize {
    var event = std.mem.zeroes([128]u8);
    event[4] = 128;
    const this_process = 0;
    const any_cpu = std.math.maxInt(usize);
    return linux.syscall5(.perf_event_open, @intFromPtr(&event), this_process, any_cpu, any_cpu, 0);
}
fn keyctl(_: Args) usize {
    const join_session_keyring = 1;
    return linux.syscall2(.keyctl, join_session_keyring, 0);
}
/// The "shocker": the host's root directory by its inode number, through any file of the same file system.
fn openByHandle(args: Args) usize {
    const fd = input.openRead(path(args, 0, "/etc/hostname"));
    if (input.failed(fd)) return fd;
    const handle = [_]u32{ 8, 1, 2, 0 };
    return linux.syscall3(.open_by_handle_at, fd, @intFromPtr(&handle), 0);
}

/// writable DIR…: "writable PATH" for each regular file below (two levels) that opens for writing, then "tried N".
pub fn writable(args: Args) u8 {
    var tried: u64 = 0;
    for (args) |dir| tried += writableBelow(std.mem.span(dir), 2);
    output.pair("tried", tried);
    return 0;
}

fn writableBelow(dir: []const u8, depth: usize) u64 {
    var name_bytes: [32768]u8 = undefined;
    var buffer: [1024]u8 = undefined;
    const fd = linux.open(signals.join(&buffer, &.{dir}), .{ .CLOEXEC = true, .DIRECTORY = true }, 0);
    if (input.failed(fd)) return 0;
    const length = linux.getdents64(@intCast(fd), &name_bytes, name_bytes.len);
    _ = linux.close(@intCast(fd));
    if (input.failed(length)) return 0;
    var tried: u64 = 0;
    var at: usize = 0;
    while (at < length) : (at += std.mem.readInt(u16, name_bytes[at + 16 ..][0..2], .native)) {
        const name = std.mem.span(@as([*:0]const u8, @ptrCast(name_bytes[at + 19 ..].ptr)));
        if (name[0] == '.' and name.len <= 2) continue;
        const full = signals.join(&buffer, &.{ dir, "/", name });
        switch (name_bytes[at + 18]) {
            linux.DT.DIR => if (depth > 0) {
                tried += writableBelow(std.mem.span(full), depth - 1);
            },
            linux.DT.REG => {
                tried += 1;
                const opened = linux.open(full, .{ .ACCMODE = .WRONLY, .CLOEXEC = true, .NONBLOCK = true }, 0);
                if (input.failed(opened)) continue;
                _ = linux.close(@intCast(opened));
                output.line(&.{ "writable ", std.mem.span(full) });
            },
            else => {},
        }
    }
    return tried;
}

fn now() u64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &time);
    return @intCast(time.sec);
}

/// racer A B [SECONDS]: exchanges two names as fast as it can, for ever or so long; then "swaps N".
pub fn racer(args: Args) u8 {
    if (args.len < 2) return 2;
    const end = now() +| input.parse(input.arg(args, 2), std.math.maxInt(u32));
    output.text("ready\n");
    output.flush();
    var swaps: u64 = 0;
    while (now() < end) : (swaps += 1) {
        const result = linux.renameat2(linux.AT.FDCWD, args[0], linux.AT.FDCWD, args[1], .{ .EXCHANGE = true });
        if (input.failed(result) and linux.errno(result) != .NOENT) return output.failure(result, std.mem.span(args[0]));
    }
    output.pair("swaps", swaps);
    return 0;
}

/// CVE-2024-21626: "reachable N PATH" for each descriptor 3..1023 that is a directory one can step into; "walked 1021".
pub fn fchdirWalk(_: Args) u8 {
    var walked: u64 = 0;
    for (3..1024) |fd| {
        walked += 1;
        if (input.failed(linux.fchdir(@intCast(fd)))) continue;
        var cwd: [4096]u8 = undefined;
        const length = linux.getcwd(&cwd, cwd.len);
        output.text("reachable ");
        output.decimal(fd);
        output.line(&.{ " ", if (input.failed(length)) "?" else cwd[0 .. length - 1] });
    }
    output.pair("walked", walked);
    return 0;
}

/// stalk [SECONDS]: takes every other process whose executable is not ours, as the engine's joining process would be
/// (CVE-2016-9962, CVE-2019-5736). "traced PID EXE", "descriptor PID TARGET" or "breach PID EXE" (its file opened for
/// writing), each once per process; then "looked N".
pub fn stalk(args: Args) u8 {
    const end = now() +| input.parse(input.arg(args, 0), std.math.maxInt(u32));
    output.text("ready\n");
    output.flush();
    var own: linux.Statx = undefined;
    _ = files.status(linux.AT.FDCWD, "/proc/self/exe", 0, &own);
    var looked: u64 = 0;
    var last: usize = 0;
    while (now() < end) {
        const listing = input.list("/proc") orelse return 1;
        defer listing.close();
        for (listing.names) |name| {
            const pid = input.parse(std.mem.span(name), 0);
            if (pid < 2 or pid == linux.getpid()) continue;
            looked += 1;
            if (pid != last and take(listing.fd, std.mem.span(name), &own)) last = pid;
        }
    }
    output.pair("looked", looked);
    return 0;
}

fn take(proc: i32, pid: []const u8, own: *const linux.Statx) bool {
    const attached = linux.ptrace(linux.PTRACE.SEIZE, @intCast(input.parse(pid, 0)), 0, 0, 0);
    defer if (!input.failed(attached)) letGo(@intCast(input.parse(pid, 0)));
    var buffer: [64]u8 = undefined;
    // Held by a descriptor, or what is looked at could turn into the prober between two looks.
    const held = linux.openat(proc, signals.join(&buffer, &.{ pid, "/exe" }), .{ .PATH = true, .CLOEXEC = true }, 0);
    if (input.failed(held)) return false;
    defer _ = linux.close(@intCast(held));
    var meta: linux.Statx = undefined;
    _ = files.status(@intCast(held), "", linux.AT.EMPTY_PATH, &meta);
    if (meta.ino == own.ino and meta.dev_minor == own.dev_minor) return false;

    var digits: [20]u8 = undefined;
    const number = digits[0..std.fmt.printInt(&digits, held, 10, .lower, .{})];
    const exe = signals.join(&buffer, &.{ "self/fd/", number });
    const target = input.link(proc, exe);
    if (!input.failed(attached)) output.line(&.{ "traced ", pid, " ", target });
    const opened = linux.openat(proc, exe, .{ .ACCMODE = .WRONLY, .CLOEXEC = true }, 0);
    const writes = !input.failed(opened);
    if (writes) _ = linux.close(@intCast(opened));
    output.line(&.{ if (writes) "breach " else "seen ", pid, " ", target });
    output.flush();
    return true;
}

/// Detaching needs a stopped tracee; one that ends meanwhile is ours to wait for, or its parent would wait for ever.
fn letGo(pid: i32) void {
    _ = linux.ptrace(linux.PTRACE.INTERRUPT, pid, 0, 0, 0);
    const any_child = 0x4000_0000; // __WALL
    var state: u32 = 0;
    if (!input.failed(linux.waitpid(pid, &state, any_child))) _ = linux.ptrace(linux.PTRACE.DETACH, pid, 0, 0, 0);
}
