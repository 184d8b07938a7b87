//! What the monitor is asked to do: the JSON of src/runtime/request.ts, which documents each field. Unknown fields are
//! refused, so the two files cannot drift apart unseen.
const std = @import("std");
const linux = std.os.linux;
const device = @import("../linux/device.zig");
const fault = @import("fault.zig");
const memory = @import("../linux/memory.zig");

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
    reaper: bool,
    stdin: bool,
    confined: bool,
    cgroup: ?Cgroup,
};

pub const Exec = struct {
    kind: []const u8,
    id: []const u8,
    pid: i32,
    startTime: []const u8,
    process: Process,
    user: []const u8,
    groupAdd: []const []const u8,
    stdin: bool,
    confined: bool,
    cgroup: ?struct { path: []const u8 },
};

pub const Rootfs = struct {
    type: enum { overlay, bind },
    lower: []const []const u8 = &.{},
    upper: []const u8 = "",
    work: []const u8 = "",
    @"volatile": bool = false,
    source: []const u8 = "",
};

pub const Cgroup = struct {
    path: []const u8,
    files: []const CgroupFile,
    above: []const CgroupFile = &.{},
};

pub const CgroupFile = struct { controller: []const u8, name: []const u8, value: []const u8, required: bool = false };

/// src/oci/runtime-spec.ts
pub const Spec = struct {
    ociVersion: []const u8,
    hostname: []const u8 = "",
    root: struct { path: []const u8, readonly: bool },
    process: Process,
    mounts: []const Mount,
    annotations: std.json.Value = .null,
    linux: Linux,
};

pub const Process = struct {
    terminal: bool,
    consoleSize: ?struct { height: u16, width: u16 } = null,
    user: struct { uid: u32, gid: u32, umask: ?u32 = null, additionalGids: []const u32 = &.{} },
    args: []const []const u8,
    env: []const []const u8,
    cwd: []const u8,
    capabilities: struct {
        bounding: []const []const u8,
        effective: []const []const u8,
        permitted: []const []const u8,
        inheritable: []const []const u8,
        ambient: []const []const u8,
    },
    rlimits: []const Limit,
    noNewPrivileges: bool,
    oomScoreAdj: ?i32 = null,
};

pub const Limit = struct { type: []const u8, hard: i64, soft: i64 };

pub const Mount = struct {
    destination: []const u8,
    type: []const u8,
    source: []const u8,
    options: []const []const u8,
};

pub const Linux = struct {
    namespaces: []const struct {
        type: enum { mount, pid, network, ipc, uts, user, cgroup, time },
        path: []const u8 = "",
    },
    devices: []const Device,
    cgroupsPath: []const u8,
    resources: struct { devices: []const DeviceRule },
    sysctl: std.json.ArrayHashMap([]const u8),
    maskedPaths: []const []const u8,
    readonlyPaths: []const []const u8,
    rootfsPropagation: []const u8 = "",
};

pub const Device = struct {
    path: []const u8,
    type: enum { c, b, p },
    major: u32,
    minor: u32,
    fileMode: u32,
    uid: u32,
    gid: u32,

    pub fn node(self: Device) device.Node {
        const kind: u32 = switch (self.type) {
            .c => linux.S.IFCHR,
            .b => linux.S.IFBLK,
            .p => linux.S.IFIFO,
        };
        return .{ .mode = kind | (self.fileMode & 0o7777), .major = self.major, .minor = self.minor, .uid = self.uid, .gid = self.gid };
    }
};

pub const DeviceRule = struct {
    allow: bool,
    type: enum { a, c, b } = .a,
    major: ?u32 = null,
    minor: ?u32 = null,
    access: []const u8,
};

/// The request and everything made from it: a monitor must not cost more than a few pages for as long as its container
/// lives.
pub const Memory = memory.Region(16 * 1024 * 1024);

/// Descriptor 0.
pub fn read(arena: std.mem.Allocator) fault.Error!Request {
    const size = try fault.check(linux.lseek(0, 0, linux.SEEK.END), .request, "request", .{});
    const text = arena.alloc(u8, size) catch return fault.fail(.request, .NOMEM, "request of {d} bytes", .{size});
    const count = try fault.check(linux.pread(0, text.ptr, text.len, 0), .request, "request", .{});
    if (count != size) return fault.fail(.request, .IO, "request", .{});
    return parse(arena, text) catch |err| fault.fail(.request, .INVAL, "request: {s}", .{@errorName(err)});
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
