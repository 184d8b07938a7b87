//! The kinds of namespaces, as /proc/PID/ns names them.
const linux = @import("std").os.linux;

pub const Kind = struct { name: []const u8, flag: u32 };

pub const kinds = [_]Kind{
    .{ .name = "user", .flag = linux.CLONE.NEWUSER },
    .{ .name = "mnt", .flag = linux.CLONE.NEWNS },
    .{ .name = "pid", .flag = linux.CLONE.NEWPID },
    .{ .name = "net", .flag = linux.CLONE.NEWNET },
    .{ .name = "ipc", .flag = linux.CLONE.NEWIPC },
    .{ .name = "uts", .flag = linux.CLONE.NEWUTS },
    .{ .name = "cgroup", .flag = linux.CLONE.NEWCGROUP },
    .{ .name = "time", .flag = linux.CLONE.NEWTIME },
};

pub fn nameOf(flag: u32) []const u8 {
    for (kinds) |kind| if (kind.flag == flag) return kind.name;
    return "unknown";
}
