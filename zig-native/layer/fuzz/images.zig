//! Images by chance: few names, so that layers meet each other, and every kind of member on them.
const std = @import("std");
const tar = @import("../tar.zig");
const members = @import("members.zig");

const Writer = std.Io.Writer;

pub const layers_max = 3;
const layer_bytes_max = 512 * 1024;

pub const Image = struct {
    layers: [layers_max][]u8 = undefined,
    count: usize = 0,
};

var memory: [layers_max][layer_bytes_max]u8 = undefined;

pub const Kind = enum {
    /// What decent tools write.
    honest,
    /// Everything, and damage.
    hostile,
};

pub fn random(image: *Image, seed: u64, kind: Kind) void {
    var prng = std.Random.DefaultPrng.init(seed);
    const dice: Dice = .{ .random = prng.random(), .hostile = kind == .hostile };
    image.count = dice.random.intRangeAtMost(usize, 1, layers_max);
    for (0..image.count) |index| {
        var writer = Writer.fixed(&memory[index]);
        for (0..dice.random.intRangeAtMost(usize, 1, 9)) |_| dice.member(&writer) catch break;
        writer.splatByteAll(0, 2 * tar.block_bytes) catch {};
        image.layers[index] = writer.buffered();
        if (dice.hostile and dice.one(3)) image.layers[index] = dice.damage(image.layers[index]);
    }
}

/// A layer of these members.
pub fn set(image: *Image, index: usize, list: []const members.Member) void {
    var writer = Writer.fixed(&memory[index]);
    for (list) |m| members.writeLong(&writer, m) catch unreachable; // few and small
    writer.splatByteAll(0, 2 * tar.block_bytes) catch unreachable;
    image.layers[index] = writer.buffered();
    image.count = @max(image.count, index + 1);
}

const Dice = struct {
    random: std.Random,
    hostile: bool,

    fn one(self: Dice, of: u32) bool {
        return self.random.uintLessThan(u32, of) == 0;
    }

    fn pick(self: Dice, comptime T: type, list: []const T) T {
        return list[self.random.uintLessThan(usize, list.len)];
    }

    fn member(self: Dice, writer: *Writer) Writer.Error!void {
        var name_buffer: [1024]u8 = undefined;
        var link_buffer: [2048]u8 = undefined;
        var m: members.Member = .{
            .name = self.path(&name_buffer),
            .mode = self.pick(u32, &.{ 0o644, 0o755, 0o4711, 0o1777, 0o2770, 0 }),
            .uid = self.pick(u32, &.{ 0, 0, 5 }),
            .mtime = 1_000_000 + self.random.uintLessThan(u64, 1000),
        };
        switch (self.random.uintLessThan(u8, 20)) {
            0...5 => m.type = '5',
            6...9 => m.content = self.pick([]const u8, &.{ "", "x", "content", "c" ** 513 }),
            10, 11 => {
                m.type = '2';
                m.link = self.target(&link_buffer);
            },
            12, 13 => {
                m.type = '1';
                m.link = self.path(&link_buffer);
            },
            14 => m.type = '6',
            15 => {
                m.type = self.pick(u8, "34");
                m.device = if (self.hostile) .{ self.random.int(u8), self.random.int(u8) } else .{ 1, 3 };
            },
            else => m.name = self.deletion(&name_buffer, m.name),
        }
        if (self.one(6)) try self.extended(writer);
        if (self.hostile and self.one(10)) m.size = self.random.int(u64) >> self.random.int(u6);
        try members.writeLong(writer, m);
    }

    /// One to three of few names, now and then written oddly.
    fn path(self: Dice, buffer: []u8) []u8 {
        var writer = Writer.fixed(buffer);
        const up = "../../../../../../../..";
        if (self.hostile and self.one(8)) writer.writeAll(self.pick([]const u8, &.{ up ++ "/canary/", "/canary/", up ++ "/", "canary/../../" })) catch unreachable;
        if (self.one(8)) writer.writeAll(self.pick([]const u8, &.{ "./", "/", ".//", "a/../", ".wh..wh.plnk/" })) catch unreachable;
        const depth = self.pick(usize, &.{ 1, 1, 2, 2, 3, 4 });
        for (0..depth) |level| {
            if (level > 0) writer.writeByte('/') catch unreachable;
            writer.writeAll(self.pick([]const u8, &.{ "a", "b", "c", "a", "b", "l" ** 120 })) catch unreachable;
        }
        if (self.one(12)) writer.writeByte('/') catch unreachable;
        return writer.buffered();
    }

    fn target(self: Dice, buffer: []u8) []u8 {
        var writer = Writer.fixed(buffer);
        writer.writeAll(self.pick([]const u8, &.{ "", "", "/", "../", "../../", "/canary/", "../../../../../../canary/" })) catch unreachable;
        var name: [1024]u8 = undefined;
        if (!self.one(5)) writer.writeAll(self.path(&name)) catch unreachable else writer.writeAll(".") catch unreachable;
        return writer.buffered()[0..@min(100, writer.end)];
    }

    fn deletion(self: Dice, buffer: []u8, name: []const u8) []u8 {
        const clean = std.mem.trimEnd(u8, name, "/");
        if (self.one(4)) {
            @memcpy(buffer[clean.len..][0..13], "/.wh..wh..opq");
            return buffer[0 .. clean.len + 13];
        }
        const at = if (std.mem.lastIndexOfScalar(u8, clean, '/')) |slash| slash + 1 else 0;
        std.mem.copyBackwards(u8, buffer[at + 4 ..][0 .. clean.len - at], clean[at..]);
        @memcpy(buffer[at..][0..4], ".wh.");
        return buffer[0 .. clean.len + 4];
    }

    fn extended(self: Dice, writer: *Writer) Writer.Error!void {
        var bytes: [2048]u8 = undefined;
        var records = Writer.fixed(&bytes);
        const honest = [_][2][]const u8{ .{ "mtime", "1000.25" }, .{ "SCHILY.xattr.user.a", "1" }, .{ "SCHILY.xattr.trusted.overlay.opaque", "y" }, .{ "uid", "3000000000" } };
        const odd = [_][2][]const u8{
            .{ "path", "a/b" },                           .{ "path", "/canary/file" },            .{ "linkpath", "../../canary/file" }, .{ "size", "0" },
            .{ "size", "9223372036854775807" },           .{ "mtime", "-9223372036854775807.5" }, .{ "GNU.sparse.map", "0,1,5,0" },     .{ "GNU.sparse.size", "9" },
            .{ "GNU.sparse.major", "1" },                 .{ "GNU.sparse.realsize", "600" },      .{ "GNU.sparse.name", "b/c" },        .{ "GNU.sparse.offset", "4" },
            .{ "GNU.sparse.numbytes", "1" },              .{ "mtime", "99999999999" },            .{ "SCHILY.xattr.user.a\x00", "1" },  .{ "SCHILY.xattr.system.posix_acl_default", "x" },
            .{ "SCHILY.xattr.security.capability", "x" }, .{ "gid", "4294967295" },
        };
        for (0..self.random.intRangeAtMost(usize, 1, 3)) |_| {
            const chosen = if (self.hostile and self.one(2)) self.pick([2][]const u8, &odd) else self.pick([2][]const u8, &honest);
            try members.record(&records, chosen[0], chosen[1]);
        }
        try members.write(writer, .{ .name = "pax", .type = if (self.hostile and self.one(8)) 'g' else 'x', .content = records.buffered() });
    }

    /// Bytes of headers with the checksum put right, or anything; or the end is missing.
    fn damage(self: Dice, bytes: []u8) []u8 {
        for (0..self.random.intRangeAtMost(usize, 1, 3)) |_| {
            const start = tar.block_bytes * self.random.uintLessThan(usize, bytes.len / tar.block_bytes);
            const block = bytes[start..][0..tar.block_bytes];
            block[self.random.uintLessThan(usize, tar.block_bytes)] = self.pick(u8, &.{ 0, ' ', '/', '.', '0', '7', 0x80, 0xff, self.random.int(u8) });
            if (!self.one(5)) members.seal(block);
        }
        return if (self.one(8)) bytes[0..self.random.uintLessThan(usize, bytes.len)] else bytes;
    }
};
