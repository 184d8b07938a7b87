//! What a process knows about itself: identity, names, mounts, capabilities, limits, namespaces.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");
const Args = input.Args;

pub fn ids(_: Args) u8 {
    var real: linux.uid_t = 0;
    var effective: linux.uid_t = 0;
    var saved: linux.uid_t = 0;
    output.pair("pid", @intCast(linux.getpid()));
    output.pair("ppid", @intCast(linux.getppid()));
    output.pair("pgid", linux.getpgid(0));
    output.pair("sid", linux.getsid(0));
    _ = linux.getresuid(&real, &effective, &saved);
    output.pair("uid", real);
    output.pair("euid", effective);
    output.pair("suid", saved);
    _ = linux.getresgid(&real, &effective, &saved);
    output.pair("gid", real);
    output.pair("egid", effective);
    output.pair("sgid", saved);
    groups();
    fileLines("uid_map", "/proc/self/uid_map");
    fileLines("gid_map", "/proc/self/gid_map");
    return 0;
}

fn groups() void {
    var list: [4096]linux.gid_t = undefined;
    const count = linux.getgroups(list.len, &list);
    output.text("groups");
    if (!input.failed(count)) for (list[0..count]) |group| {
        output.text(" ");
        output.decimal(group);
    };
    output.text("\n");
}

/// Each line of a file with runs of blanks made one, after `key`.
fn fileLines(key: []const u8, path: [*:0]const u8) void {
    var lines = input.lines(input.contents(path) orelse return);
    while (lines.next()) |line| {
        output.text(key);
        var words = std.mem.tokenizeAny(u8, line, " \t");
        while (words.next()) |word| {
            output.text(" ");
            output.escaped(word);
        }
        output.text("\n");
    }
}

pub fn hostname(_: Args) u8 {
    var names: linux.utsname = undefined;
    _ = linux.uname(&names);
    inline for (.{
        "hostname",
        "domainname",
        "sysname",
        "release",
        "machine",
    }, .{ "nodename", "domainname", "sysname", "release", "machine" }) |key, field| {
        output.text(key ++ " ");
        output.escaped(std.mem.sliceTo(&@field(names, field), 0));
        output.text("\n");
    }
    return 0;
}

/// mount TARGET FSTYPE OPTIONS SOURCE SUPER-OPTIONS PROPAGATION, in the kernel's order. proc_pid_mountinfo(5).
pub fn mounts(_: Args) u8 {
    var lines = input.lines(input.contents("/proc/self/mountinfo") orelse return 1);
    while (lines.next()) |line| {
        var words = std.mem.splitScalar(u8, line, ' ');
        for (0..4) |_| _ = words.next();
        const target = words.next() orelse continue;
        const options = words.next() orelse continue;
        const propagation_at = words.index orelse continue;
        while (words.next()) |word| if (std.mem.eql(u8, word, "-")) break;
        const propagation_end = (words.index orelse continue) - 2;
        const fstype = words.next() orelse continue;
        const source = words.next() orelse continue;
        const propagation = std.mem.trim(u8, line[propagation_at..propagation_end], " ");
        output.line(
            &.{
                "mount ",
                target,
                " ",
                fstype,
                " ",
                options,
                " ",
                source,
                " ",
                words.rest(),
                " ",
                if (propagation.len > 0) propagation else "private",
            },
        );
    }
    return 0;
}

const capability_names = "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable " ++
    "net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot " ++
    "sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease " ++
    "audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read " ++
    "perfmon bpf checkpoint_restore";

/// "CapEff 00000000800405fb chown,dac_override,…", then NoNewPrivs, Seccomp and Seccomp_filters.
pub fn caps(_: Args) u8 {
    var lines = input.lines(input.contents("/proc/self/status") orelse return 1);
    while (lines.next()) |line| {
        const colon = std.mem.indexOfScalar(u8, line, ':') orelse continue;
        const key = line[0..colon];
        const value = std.mem.trim(u8, line[colon + 1 ..], " \t");
        if (std.mem.startsWith(u8, key, "Cap")) {
            output.line(&.{ key, " ", value, " ", capabilityList(value) });
        } else if (std.mem.startsWith(u8, key, "Seccomp") or std.mem.eql(u8, key, "NoNewPrivs")) {
            output.line(&.{ key, " ", value });
        }
    }
    return 0;
}

fn capabilityList(digits: []const u8) []const u8 {
    const State = struct {
        var names: [1024]u8 = undefined;
    };
    var used: usize = 0;
    for (0..41) |capability| {
        const digit = digits[digits.len - 1 - capability / 4];
        const nibble = if (digit >= 'a') digit - 'a' + 10 else digit - '0';
        if (nibble >> @intCast(capability % 4) & 1 == 0) continue;
        const name = output.word(capability_names, capability);
        if (used > 0) {
            State.names[used] = ',';
            used += 1;
        }
        @memcpy(State.names[used..][0..name.len], name);
        used += name.len;
    }
    return if (used > 0) State.names[0..used] else "none";
}

const limit_files = [_][*:0]const u8{
    "/sys/fs/cgroup/memory.max",                         "/sys/fs/cgroup/memory.low",
    "/sys/fs/cgroup/memory.swap.max",                    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu.weight",                         "/sys/fs/cgroup/cpuset.cpus",
    "/sys/fs/cgroup/pids.max",                           "/sys/fs/cgroup/io.max",
    "/sys/fs/cgroup/cgroup.freeze",                      "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "/sys/fs/cgroup/cpu/cpu.shares",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",               "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
    "/sys/fs/cgroup/cpuset/cpuset.cpus",                 "/sys/fs/cgroup/pids/pids.max",
    "/sys/fs/cgroup/blkio/blkio.weight",                 "/sys/fs/cgroup/devices/devices.list",
};

/// cgroup HIERARCHY:CONTROLLERS:PATH, then "limit FILE VALUE" for each limit that can be read.
pub fn cgroup(_: Args) u8 {
    fileLines("cgroup", "/proc/self/cgroup");
    for (limit_files) |path| {
        var value: [256]u8 = undefined;
        const length = input.read(path, &value);
        if (input.failed(length)) continue;
        var lines = input.lines(value[0..length]);
        while (lines.next()) |text| {
            output.line(&.{ "limit ", std.mem.span(path)["/sys/fs/cgroup/".len..], " ", text });
        }
    }
    return 0;
}

pub fn cwd(_: Args) u8 {
    var path: [4096]u8 = undefined;
    const length = linux.getcwd(&path, path.len);
    if (input.failed(length)) return output.failure(length, "getcwd");
    output.text("cwd ");
    output.escaped(path[0 .. length - 1]);
    output.text("\n");
    return 0;
}

pub fn namespaces(_: Args) u8 {
    const listing = input.list("/proc/self/ns") orelse return 1;
    defer listing.close();
    for (listing.names) |name| output.line(&.{ "ns ", std.mem.span(name), " ", input.link(listing.fd, name) });
    return 0;
}

const limit_names = "cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime";

pub fn rlimits(_: Args) u8 {
    for (0..16) |resource| {
        var limit: linux.rlimit = undefined;
        _ = linux.getrlimit(@enumFromInt(resource), &limit);
        output.text("rlimit ");
        output.text(output.word(limit_names, resource));
        for ([_]u64{ limit.cur, limit.max }) |value| {
            output.text(" ");
            if (value == std.math.maxInt(u64)) output.text("unlimited") else output.decimal(value);
        }
        output.text("\n");
    }
    return 0;
}

pub fn sysctl(args: Args) u8 {
    for (args) |name| {
        var path = [_]u8{0} ** 256;
        const prefix = "/proc/sys/";
        const length = @min(std.mem.len(name), path.len - prefix.len - 1);
        @memcpy(path[0..prefix.len], prefix);
        for (path[prefix.len..][0..length], name[0..length]) |*byte, from| byte.* = if (from == '.') '/' else from;
        const value = input.contents(path[0 .. prefix.len + length :0]) orelse return 1;
        output.line(&.{ "sysctl ", name[0..length], " ", std.mem.trimEnd(u8, value, "\n") });
    }
    return 0;
}

/// What a parent may have left behind in us: signal masks, parent-death signal, dumpability, umask, keyring.
pub fn process(_: Args) u8 {
    var signal: i32 = 0;
    _ = linux.prctl(@intFromEnum(linux.PR.GET_PDEATHSIG), @intFromPtr(&signal), 0, 0, 0);
    output.pair("pdeathsig", @intCast(signal));
    output.pair("dumpable", linux.prctl(@intFromEnum(linux.PR.GET_DUMPABLE), 0, 0, 0, 0));
    output.pair("subreaper", subreaper());
    output.pair("securebits", linux.prctl(@intFromEnum(linux.PR.GET_SECUREBITS), 0, 0, 0, 0));
    output.pair("personality", linux.syscall1(.personality, 0xffffffff));
    const mask = linux.syscall1(.umask, 0o22);
    output.text("umask ");
    output.octal(mask);
    output.text("\n");
    fileLines("oom_score_adj", "/proc/self/oom_score_adj");
    // The raw call answers 20 less the niceness.
    output.pair("priority", linux.syscall2(.getpriority, 0, 0));
    output.pair("policy", linux.syscall1(.sched_getscheduler, 0));
    output.pair("ioprio", linux.syscall2(.ioprio_get, 1, 0));
    output.pair("timer_slack_ns", linux.prctl(@intFromEnum(linux.PR.GET_TIMERSLACK), 0, 0, 0, 0));
    var lines = input.lines(input.contents("/proc/self/status") orelse return 1);
    while (lines.next()) |line| {
        if (!std.mem.startsWith(u8, line, "Sig") or line[3] == 'Q') continue;
        output.line(&.{ line[0..6], " ", std.mem.trim(u8, line[7..], " \t") });
    }
    return keyring();
}

fn subreaper() u32 {
    var value: u32 = 0;
    _ = linux.prctl(@intFromEnum(linux.PR.GET_CHILD_SUBREAPER), @intFromPtr(&value), 0, 0, 0);
    return value;
}

/// keyring ID TYPE;UID;GID;PERMISSIONS;NAME of the session, or the error. keyctl(2).
fn keyring() u8 {
    const get_keyring_id = 0;
    const describe = 6;
    const session: usize = @bitCast(@as(isize, -3));
    output.text("keyring ");
    const id = linux.syscall3(.keyctl, get_keyring_id, session, 0);
    if (input.failed(id)) {
        output.errno(id);
    } else {
        output.decimal(id);
        var text: [256]u8 = undefined;
        const length = linux.syscall4(.keyctl, describe, id, @intFromPtr(&text), text.len);
        output.text(" ");
        if (input.failed(length)) output.errno(length) else output.escaped(text[0..@min(length - 1, text.len)]);
    }
    output.text("\n");
    return 0;
}
