//! /proc/self/mountinfo (proc_pid_mountinfo(5)): "36 35 0:34 /root /mount/point rw,relatime shared:5 - ext4 /dev/vda rw".
const std = @import("std");
const linux = std.os.linux;

pub const Mount = struct {
    id: []const u8,
    parent: []const u8,
    /// As the kernel writes it: see `unescape`.
    point: []const u8,
    kind: []const u8,
};

/// The table as text, or null where it cannot be read or does not fit.
pub fn read(buffer: []u8) ?[]const u8 {
    const opened = linux.open("/proc/self/mountinfo", .{ .CLOEXEC = true }, 0);
    if (linux.errno(opened) != .SUCCESS) return null;
    defer _ = linux.close(@intCast(opened));
    var length: usize = 0;
    while (length < buffer.len) {
        const count = linux.read(@intCast(opened), buffer[length..].ptr, buffer.len - length);
        switch (linux.errno(count)) {
            .SUCCESS => if (count == 0) return buffer[0..length],
            .INTR => continue,
            else => return null,
        }
        length += count;
    }
    return null;
}

/// One line of the table.
pub fn parse(line: []const u8) ?Mount {
    var fields = std.mem.splitScalar(u8, line, ' ');
    const id = fields.next() orelse return null;
    const parent = fields.next() orelse return null;
    for (0..2) |_| _ = fields.next() orelse return null;
    const point = fields.next() orelse return null;
    const dash = std.mem.indexOf(u8, fields.rest(), " - ") orelse return null;
    const kind = std.mem.sliceTo(fields.rest()[dash + 3 ..], ' ');
    return .{ .id = id, .parent = parent, .point = point, .kind = kind };
}

/// The path that `point` means: space, tab, line end and backslash stand there as \ooo. Null when it does not fit.
pub fn unescape(point: []const u8, buffer: []u8) ?[:0]const u8 {
    var length: usize = 0;
    var index: usize = 0;
    while (index < point.len) : (length += 1) {
        if (length + 1 >= buffer.len) return null;
        const escaped = point[index] == '\\' and index + 4 <= point.len;
        buffer[length] = if (escaped) std.fmt.parseInt(u8, point[index + 1 .. index + 4], 8) catch return null else point[index];
        index += if (escaped) 4 else 1;
    }
    buffer[length] = 0;
    return buffer[0..length :0];
}

/// True when "/" is a mount without a parent, as a system that never left its initramfs has it.
pub fn hasOrphanRoot(table: []const u8) bool {
    var lines = std.mem.splitScalar(u8, table, '\n');
    while (lines.next()) |line| {
        const mount = parse(line) orelse continue;
        if (std.mem.eql(u8, mount.point, "/") and std.mem.eql(u8, mount.id, mount.parent)) return true;
    }
    return false;
}

test "a root without a parent" {
    try std.testing.expect(hasOrphanRoot("1 1 0:2 / / rw - rootfs rootfs rw\n22 1 0:21 / /proc rw - proc proc rw\n"));
    try std.testing.expect(!hasOrphanRoot("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"));
}

test "a line with optional fields, and a path with a blank" {
    const mount = parse("36 35 0:34 /a /mnt/my\\040disk rw shared:5 master:1 - ext4 /dev/vda rw").?;
    try std.testing.expectEqualStrings("ext4", mount.kind);
    var buffer: [32]u8 = undefined;
    try std.testing.expectEqualStrings("/mnt/my disk", unescape(mount.point, &buffer).?);
    try std.testing.expectEqual(@as(?[:0]const u8, null), unescape(mount.point, buffer[0..12]));
    try std.testing.expectEqual(@as(?Mount, null), parse("36 35 0:34 /a"));
}
