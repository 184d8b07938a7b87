//! Device nodes: how they are numbered, and made.
const std = @import("std");
const linux = std.os.linux;
const path = @import("path.zig");

pub const Node = struct {
    /// S_IFCHR, S_IFBLK or S_IFIFO, and the permissions.
    mode: u32,
    major: u32,
    minor: u32,
    uid: u32 = 0,
    gid: u32 = 0,

    /// Is it that what was looked at?
    pub fn is(self: Node, info: path.Stat) bool {
        return switch (self.mode & linux.S.IFMT) {
            linux.S.IFCHR => info.isDevice(.character, self.major, self.minor),
            linux.S.IFBLK => info.isDevice(.block, self.major, self.minor),
            else => info.kind == .fifo,
        };
    }
};

/// A new node `name` in `parent`, with its owner.
pub fn make(parent: i32, name: [*:0]const u8, node: Node) linux.E {
    const made = linux.mknodat(parent, name, node.mode & (linux.S.IFMT | 0o7777), number(node.major, node.minor));
    if (linux.errno(made) != .SUCCESS or (node.uid == 0 and node.gid == 0)) return linux.errno(made);
    return linux.errno(linux.fchownat(parent, name, node.uid, node.gid, linux.AT.SYMLINK_NOFOLLOW));
}

/// mknod(2)'s form of a device number: 12 bits of major, 20 of minor.
pub fn number(major: u32, minor: u32) u32 {
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~@as(u32, 0xff)) << 12;
}

test "device numbers" {
    try std.testing.expectEqual(@as(u32, 0x103), number(1, 3));
    try std.testing.expectEqual(@as(u32, 0x10000500), number(5, 0x10000));
    try std.testing.expectEqual(@as(u32, 0xfff00), number(0xfff, 0));
}
