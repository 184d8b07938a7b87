//! The device rules of a group of cgroup v2: one program of ours among those of others (BPF_F_ALLOW_MULTI), all of which must agree
//! to what is wanted. It is known by its name, and replaced in one step: at no moment is there none, or a mixture. linux/bpf.h.
//! Who has CAP_SYS_ADMIN in the container can take it off his own group, as he could write to v1's files; no other capability is
//! enough for that, not BPF and NET_ADMIN together (6.18): a program to take off must be opened by its number.
//! What this needs is as old as all that containers need here: BPF_F_REPLACE is of Linux 5.6, locked memory counts until 5.10.
const std = @import("std");
const linux = std.os.linux;
const BPF = linux.BPF;
const device_rule = @import("../device_rule.zig");
const device_program = @import("device_program.zig");

/// Longer than any kernel's union: one that knows more writes its answers there too, whatever length it was told (6.17).
const Attributes = extern union {
    bytes: [256]u8,
    load: BPF.ProgLoadAttr,
    attach: BPF.ProgAttachAttr,
    query: BPF.QueryAttr,
    by_id: BPF.GetIdAttr,
    info: BPF.InfoAttr,

    const empty: Attributes = .{ .bytes = @splat(0) };
};

/// BPF_OBJ_NAME_LEN
const name: [16]u8 = "rt_devices".* ++ @as([6]u8, @splat(0));

/// A group holds no more programs of one kind (BPF_CGROUP_MAX_PROGS).
const programs_max = 64;

/// Somebody else changes the group's programs meanwhile.
const tries_max = 8;

/// Let `rules` hold in `group`, a descriptor of its directory, in place of what was put there before. Who is in it already, and
/// has a device open, keeps that.
pub fn set(arena: std.mem.Allocator, group: i32, rules: []const device_rule.Rule) error{OutOfMemory}!linux.E {
    if (rules.len > 0 and isOpen(rules)) return clear(group);
    const program = load(try device_program.compile(arena, rules));
    if (linux.errno(program) != .SUCCESS) return linux.errno(program);
    defer _ = linux.close(@intCast(program));
    for (0..tries_max) |_| {
        const old = find(group);
        defer if (old >= 0) {
            _ = linux.close(old);
        };
        const errno = put(group, @intCast(program), old);
        if (errno != .NOENT or old < 0) return errno;
    }
    return .BUSY;
}

/// All is allowed by the last rule: no program says that as well.
fn isOpen(rules: []const device_rule.Rule) bool {
    const last = rules[rules.len - 1];
    return last.allow and last.isWhole();
}

fn clear(group: i32) linux.E {
    const old = find(group);
    if (old < 0) return .SUCCESS;
    defer _ = linux.close(old);
    var attributes = Attributes.empty;
    attributes.attach = attachment(group, old, 0, 0);
    const errno = linux.errno(call(.prog_detach, &attributes));
    return if (errno == .NOENT) .SUCCESS else errno;
}

fn load(instructions: []const device_program.Instruction) usize {
    var attributes = Attributes.empty;
    attributes.load = std.mem.zeroInit(BPF.ProgLoadAttr, .{
        .prog_type = @intFromEnum(BPF.ProgType.cgroup_device),
        .insn_cnt = @as(u32, @intCast(instructions.len)),
        .insns = @as(u64, @intFromPtr(instructions.ptr)),
        .license = @as(u64, @intFromPtr("Apache-2.0")),
        .prog_name = name,
    });
    return call(.prog_load, &attributes);
}

fn put(group: i32, program: i32, old: i32) linux.E {
    var attributes = Attributes.empty;
    const flags: u32 = BPF.F_ALLOW_MULTI | if (old >= 0) @as(u32, BPF.F_REPLACE) else 0;
    attributes.attach = attachment(group, program, flags, @max(old, 0));
    return linux.errno(call(.prog_attach, &attributes));
}

fn attachment(group: i32, program: i32, flags: u32, old: i32) BPF.ProgAttachAttr {
    const kind = @intFromEnum(BPF.AttachType.cgroup_device);
    return .{ .target_fd = group, .attach_bpf_fd = program, .attach_type = kind, .attach_flags = flags, .replace_bpf_fd = old };
}

/// A descriptor of the group's program of ours; -1: it has none, or does not say.
fn find(group: i32) i32 {
    var ids: [programs_max]u32 = undefined;
    var attributes = Attributes.empty;
    attributes.query = std.mem.zeroInit(BPF.QueryAttr, .{
        .target_fd = group,
        .attach_type = @intFromEnum(BPF.AttachType.cgroup_device),
        .prog_ids = @as(u64, @intFromPtr(&ids)),
        .prog_cnt = ids.len,
    });
    if (linux.errno(call(.prog_query, &attributes)) != .SUCCESS) return -1;
    for (ids[0..@min(attributes.query.prog_cnt, ids.len)]) |id| {
        var asked = Attributes.empty;
        asked.by_id.id.prog_id = id;
        const opened = call(.prog_get_fd_by_id, &asked);
        if (linux.errno(opened) != .SUCCESS) continue;
        if (isOurs(@intCast(opened))) return @intCast(opened);
        _ = linux.close(@intCast(opened));
    }
    return -1;
}

fn isOurs(program: i32) bool {
    var info = std.mem.zeroes(Info);
    var attributes = Attributes.empty;
    attributes.info = .{ .bpf_fd = program, .info_len = @sizeOf(Info), .info = @intFromPtr(&info) };
    return linux.errno(call(.obj_get_info_by_fd, &attributes)) == .SUCCESS and std.mem.eql(u8, &info.name, &name);
}

/// The beginning of struct bpf_prog_info.
const Info = extern struct { before: [64]u8, name: [16]u8 };

fn call(command: BPF.Cmd, attributes: *Attributes) usize {
    return linux.syscall3(.bpf, @intFromEnum(command), @intFromPtr(attributes), @sizeOf(Attributes));
}

test {
    _ = device_program;
}
