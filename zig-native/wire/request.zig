//! What the monitor is asked to do: the JSON that src/runtime/native/decide.ts makes of src/runtime/native/request.ts, which
//! documents each field. Unknown fields are refused, so the files cannot drift apart unseen.
const std = @import("std");
const linux = std.os.linux;
const capability = @import("../linux/capability.zig");
const device = @import("../linux/device.zig");
const device_rule = @import("../linux/device_rule.zig");
const fault = @import("fault.zig");
const idmap = @import("../linux/idmap.zig");
const memory = @import("../linux/memory.zig");
const time_namespace = @import("../linux/time_namespace.zig");

pub const Request = union(enum) {
    create: Create,
    exec: Exec,
};

pub const Create = struct {
    kind: []const u8,
    id: []const u8,
    spec: Spec,
    rootfs: Rootfs,
    stateDirectory: []const u8,
    user: []const u8,
    groupAdd: []const []const u8,
    /// Of the abstract sockets of its network it reaches its own alone (linux/landlock.zig), where the kernel can do that.
    scoped: bool,
    reaper: bool,
    stdin: bool,
    filter: Filter,
    cgroup: ?Cgroup,
    /// The client stays until the program has ended, and sees to what is left.
    attended: bool,
    successor: ?Successor,
    log: ?Log,
    restart: ?Restart,
    health: ?Health,
    ports: ?Ports,
    names: ?Names,
    hooks: ?Hooks,
};

/// OCI hooks (stage/hooks.zig), but for those that clients run. `pauses`: they have some for the moment before the root's change.
/// `state`: what each hook is given, up to the words of where the container is.
pub const Hooks = struct {
    state: []const u8,
    pauses: bool,
    createContainer: []const Hook,
    startContainer: []const Hook,
    poststart: []const Hook,

    /// The container's files are to be seen at its place in the state directory.
    pub fn needRoot(self: *const Hooks) bool {
        return self.pauses or self.createContainer.len > 0;
    }
};

/// `args` with the program's own name; `timeout` in milliseconds.
pub const Hook = struct { path: []const u8, args: []const []const u8, env: []const []const u8, timeout: u32 };

/// What a client has done by a process of ours that is no monitor (monitor/hook.zig). `state` is whole.
pub const HookRun = struct { stage: []const u8, state: []const u8, hook: Hook };

/// It is in a network, and may have ports of the host. `given`: their sockets come through a descriptor behind the successor's.
pub const Ports = struct { given: bool };

/// monitor/names.zig. The directory of the networks' files.
pub const Names = struct { networks: []const u8 };

/// Whether the program is started again when it has ended: in any case, or after a failure and not more than `retries` times
/// (0: as often as it takes). `count` times it has been so far, the last time `delay` milliseconds after its end.
/// `never`: it is only counted, for nobody has asked for a policy.
pub const Restart = struct { never: bool, always: bool, retries: u32, count: u32, delay: u32 };

/// What is done about a program that is not well.
pub const Action = enum { none, kill, restart, stop };

/// monitor/health.zig. Milliseconds.
pub const Health = struct {
    /// The check: an `Exec` as JSON, up to its pid and its start time, which come last.
    probe: []const u8,
    interval: u64,
    timeout: u64,
    startPeriod: u64,
    startInterval: u64,
    retries: u32,
    /// What is said of a check that takes too long; as it stands in JSON.
    late: []const u8,
    onFailure: Action,
    stopSignal: u32,
    /// From that to SIGKILL; below zero that never comes.
    stopTimeout: i64,
};

/// What becomes of what the program writes: it is kept in files, or sent away, or both.
pub const Log = struct { files: ?LogFiles, remote: ?LogRemote };

/// In `directory`/<id>: at most `files` files of at most `bytes` (0: no limit).
pub const LogFiles = struct {
    directory: []const u8,
    format: enum { json, local },
    bytes: u64,
    files: u32,
    /// Those that have been rotated.
    compress: bool,
    /// A member of each line's object, with a comma behind it; or nothing.
    attributes: []const u8,
};

pub const LogRemote = struct {
    protocol: enum { journald, syslog },
    /// Of a unix socket; "": `address` and `port` are IP's, four bytes or sixteen.
    path: []const u8,
    address: []const u8,
    port: u16,
    /// SOCK_STREAM, not SOCK_DGRAM.
    stream: bool,
    /// Wait for a moment where nobody takes it.
    patient: bool,
    /// syslog's: 0 to 23, and how its line begins.
    facility: u8,
    style: enum { unix, rfc3164, rfc5424, rfc5424micro },
    hostname: []const u8,
    /// Seconds that the clocks here are ahead of UTC.
    offset: i32,
    /// What is said with each line: the journal's fields with line ends, or syslog's tag.
    constant: []const u8,
};

/// What becomes of the monitor where no client sees to the end: descriptor 3, executed with these words.
pub const Successor = struct {
    conclude: []const []const u8,
    /// With the lock as descriptor 4: the program is started again.
    restart: []const []const u8,
    environment: []const []const u8,
};

pub const Exec = struct {
    kind: []const u8,
    id: []const u8,
    pid: i32,
    startTime: []const u8,
    process: Process,
    user: []const u8,
    groupAdd: []const []const u8,
    scoped: bool,
    stdin: bool,
    filter: Filter,
    cgroup: ?struct { path: []const u8, delegated: bool },
    /// It ends with its client.
    tied: bool,
    /// 64 hex digits: in the directory that is descriptor 2 its end is written down as <session>.exit. "": nowhere.
    session: []const u8,
};

/// The host's file with the filter of its system calls (linux/seccomp.zig); "": none. `asked`: it is no default, and must be had.
pub const Filter = struct { path: []const u8, asked: bool };

pub const Rootfs = struct {
    type: enum { overlay, bind },
    lower: []const []const u8 = &.{},
    upper: []const u8 = "",
    work: []const u8 = "",
    @"volatile": bool = false,
    source: []const u8 = "",
    /// SELinux's, of all files in an overlay. "": those that they have.
    label: []const u8 = "",
    /// Owners in the layers below are the container's numbers: each is mounted with the maps of its user namespace. Not so: they
    /// are the host's.
    mapped: bool = false,
};

pub const Cgroup = struct {
    path: []const u8,
    /// In the unified hierarchy alone: no other is a user's.
    delegated: bool,
    files: []const CgroupFile,
    above: []const CgroupAbove = &.{},
};

pub const CgroupFile = struct {
    controller: []const u8,
    name: []const u8,
    value: []const u8,
    /// Who asked for it.
    flag: []const u8,
    /// Where there is no such file.
    instead: ?struct { name: []const u8, value: []const u8 },
    required: bool,
};

/// It is written where the file says `unset`, and nothing else but a line's end.
pub const CgroupAbove = struct { controller: []const u8, name: []const u8, value: []const u8, unset: []const u8 };

/// What the runtime specification says, decided: numbers of the kernel's where that has names.
pub const Spec = struct {
    hostname: []const u8,
    domainname: []const u8,
    /// The root is mounted read-only.
    readonly: bool,
    process: Process,
    mounts: []const Mount,
    /// One of each kind that is not the host's.
    namespaces: []const Namespace,
    /// The maps of its own user namespace: the container's number, the host's, how many.
    uids: []const idmap.Range,
    gids: []const idmap.Range,
    devices: []const Device,
    deviceRules: []const device_rule.Rule,
    /// Of a new time namespace.
    timeOffsets: []const time_namespace.Offset,
    sysctl: std.json.ArrayHashMap([]const u8),
    maskedPaths: []const []const u8,
    readonlyPaths: []const []const u8,
};

pub const Namespace = struct {
    /// CLONE_NEW*
    flag: u32,
    /// One that is joined: where the user has it on the host, or whose it is.
    path: []const u8,
    process: ?ProcessName,

    pub fn isNew(self: Namespace) bool {
        return self.path.len == 0 and self.process == null;
    }
};

/// The init of another container, and its start time: field 22 of /proc/PID/stat.
pub const ProcessName = struct { pid: i32, startTime: []const u8 };

pub const Process = struct {
    terminal: bool,
    consoleSize: ?struct { height: u16, width: u16 },
    user: struct { uid: u32, gid: u32, umask: u32, additionalGids: []const u32 },
    args: []const []const u8,
    env: []const []const u8,
    cwd: []const u8,
    capabilities: capability.Sets,
    rlimits: []const Limit,
    noNewPrivileges: bool,
    oomScoreAdj: ?i32,
    /// stage/label.zig. "": none.
    apparmorProfile: []const u8,
    selinuxLabel: []const u8,
};

/// `resource` is an RLIMIT_*; -1 is no limit.
pub const Limit = struct { resource: u32, hard: i64, soft: i64 };

pub const Mount = struct {
    destination: []const u8,
    type: []const u8,
    source: []const u8,
    bind: bool,
    /// A bind with all that is mounted below.
    recursive: bool,
    /// MOUNT_ATTR_*
    set: u32,
    clear: u32,
    /// Of all mounts below too.
    setRecursive: u32,
    /// One of MS_PRIVATE and its kin; 0: nothing was said.
    propagation: u32,
    propagationRecursive: bool,
    /// For the file system: "size=64m".
    data: []const []const u8,
    /// What this process has mounted at the destination is mounted here too: a file where it is a bind, else a directory.
    process: ?ProcessName,
    /// Not `source`, but what overlay shows of these, topmost first; what is written goes to `upper`, where there is one.
    lower: []const []const u8 = &.{},
    upper: []const u8 = "",
    work: []const u8 = "",
    /// Within that, relative and never out of it; "": all.
    subpath: []const u8 = "",
    /// All in it is to belong to the container's user.
    chown: bool = false,
    /// Owners on disk are the container's numbers: it is mounted with the maps of the container's user namespace.
    mapped: bool = false,
    /// Other owners than on disk.
    uids: []const idmap.Range = &.{},
    gids: []const idmap.Range = &.{},

    /// The attributes of a new file system's mount.
    pub fn attributes(self: Mount) u32 {
        return self.set | self.setRecursive;
    }
};

pub const Device = struct {
    path: []const u8,
    /// S_IFCHR, S_IFBLK or S_IFIFO, and the permissions.
    mode: u32,
    major: u32,
    minor: u32,
    uid: u32,
    gid: u32,

    pub fn node(self: Device) device.Node {
        return .{ .mode = self.mode, .major = self.major, .minor = self.minor, .uid = self.uid, .gid = self.gid };
    }
};

/// The request and everything made from it: a monitor must not cost more than a few pages for as long as its container
/// lives.
pub const Memory = memory.Region(16 * 1024 * 1024);

/// Descriptor 0.
pub fn read(arena: std.mem.Allocator) fault.Error!Request {
    return parse(arena, try readText(arena)) catch |err| fail(err);
}

/// Descriptor 0 of a process that is to run a hook.
pub fn readHook(arena: std.mem.Allocator) fault.Error!HookRun {
    const options: std.json.ParseOptions = .{ .allocate = .alloc_if_needed };
    return std.json.parseFromSliceLeaky(HookRun, arena, try readText(arena), options) catch |err| fail(err);
}

fn fail(err: anyerror) fault.Error {
    return fault.fail(.request, .INVAL, "request: {s}", .{@errorName(err)});
}

fn readText(arena: std.mem.Allocator) fault.Error![]const u8 {
    const size = try fault.check(linux.lseek(0, 0, linux.SEEK.END), .request, "request", .{});
    const text = arena.alloc(u8, size) catch return fault.fail(.request, .NOMEM, "request of {d} bytes", .{size});
    const count = try fault.check(linux.pread(0, text.ptr, text.len, 0), .request, "request", .{});
    if (count != size) return fault.fail(.request, .IO, "request", .{});
    return text;
}

/// Strings point into `text`, which must outlive the result.
fn parse(arena: std.mem.Allocator, text: []const u8) !Request {
    const options: std.json.ParseOptions = .{ .allocate = .alloc_if_needed };
    const Kind = struct { kind: enum { create, exec } };
    const kind = try std.json.parseFromSliceLeaky(Kind, arena, text, .{ .ignore_unknown_fields = true });
    return switch (kind.kind) {
        .create => .{ .create = try std.json.parseFromSliceLeaky(Create, arena, text, options) },
        .exec => .{ .exec = try std.json.parseFromSliceLeaky(Exec, arena, text, options) },
    };
}
