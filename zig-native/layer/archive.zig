//! The entries of an archive, one after the other, out of the ring: long names, extended headers and sparse maps are
//! folded into the entry that they belong to. Nothing here touches a file system.
const std = @import("std");
const report = @import("report.zig");
const Ring = @import("ring.zig").Ring;
const view_bytes_max = @import("ring.zig").view_bytes_max;
const Pool = @import("pool.zig").Pool;
const pax = @import("pax.zig");
const sparse = @import("sparse.zig");
const tar = @import("tar.zig");

const shown = report.shown;

/// 2^32-1 means "leave as it is" to chown(2), so it is nobody's number.
const id_max = std.math.maxInt(u32) - 1;
/// What mknod(2) can hold: twelve bits and twenty.
const device_major_max = 0xfff;
const device_minor_max = 0xfffff;
/// Longer GNU names cannot be paths.
const long_name_bytes_max = 64 * 1024;

pub const Entry = struct {
    type: tar.Type,
    /// As in the archive, not cleaned.
    name: []const u8,
    linkname: []const u8,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: pax.Time,
    device_major: u32,
    device_minor: u32,
    /// Bytes of data that follow in the archive.
    stored_bytes: u64,
    /// Bytes of the file: more than `stored_bytes` if it is sparse.
    real_size: u64,
    /// Null: not sparse.
    map: ?[]const pax.Pair,
    xattrs: []const pax.Xattr,
};

pub const Archive = struct {
    ring: *Ring,
    pool: *Pool,
    position: u64 = 0,
    /// Where the current entry's data (with padding) ends.
    data_end: u64 = 0,
    overrides: pax.Overrides = .{},
    global: pax.Overrides = .{},
    map: sparse.Map = .{},
    pax_bytes: [pax.header_bytes_max]u8 = undefined,
    /// Of its own: what an extended header before it said lies in the other until the entry comes.
    global_bytes: [pax.header_bytes_max]u8 = undefined,
    name_bytes: [long_name_bytes_max]u8 = undefined,
    link_bytes: [long_name_bytes_max]u8 = undefined,
    block: [tar.block_bytes]u8 = undefined,

    pub fn init(self: *Archive, ring: *Ring, pool: *Pool) void {
        self.ring = ring;
        self.pool = pool;
        self.position = 0;
        self.data_end = 0;
        self.global = .{};
        self.map = .{};
    }

    /// Null at the end of the archive. The entry is valid until the next call; `position` is where its data begins.
    pub fn next(self: *Archive) ?Entry {
        self.position = self.data_end;
        self.pool.advance(self.position);
        self.overrides = .{};
        self.map.clear();
        var long_name: ?[]const u8 = null;
        var long_link: ?[]const u8 = null;
        while (true) {
            const header = self.readHeader() orelse return null;
            switch (header.type) {
                .gnu_long_name => long_name = tar.text(self.readSpecial(header.size, &self.name_bytes)),
                .gnu_long_link => long_link = tar.text(self.readSpecial(header.size, &self.link_bytes)),
                .pax => self.readPax(header.size),
                .pax_global => {
                    const bytes = self.readSpecial(header.size, &self.global_bytes);
                    pax.parseGlobal(bytes, &self.global) catch |e| fail(e, "a global extended header");
                },
                .volume_label => self.skip(header.size),
                else => return self.complete(&header, long_name, long_link),
            }
        }
    }

    /// What follows the end of the archive counts for the digest and means nothing.
    pub fn drain(self: *Archive) void {
        while (true) {
            const bytes = self.ring.some(self.position, view_bytes_max);
            if (bytes.len == 0) return;
            self.position += bytes.len;
            self.pool.advance(self.position);
        }
    }

    /// Some of the current entry's data, at least one byte; the archive may not end inside it.
    pub fn data(self: *Archive, length_max: u64) []const u8 {
        const bytes = self.ring.some(self.position, @intCast(@min(length_max, view_bytes_max)));
        if (bytes.len == 0) report.fail(.malformed, "the archive ends in the middle of a file", .{});
        return bytes;
    }

    // --- headers -----------------------------------------------------------------------------------------------

    fn readHeader(self: *Archive) ?tar.Header {
        const first = self.readBlock() orelse return null;
        if (tar.isZero(first)) {
            const second = self.readBlock() orelse return null;
            if (!tar.isZero(second)) report.fail(.malformed, "the archive goes on after an empty block", .{});
            return null;
        }
        // Names point into it until the entry is done with, and the ring moves on before that.
        self.block = first.*;
        return tar.parse(&self.block) catch |e| switch (e) {
            error.BadChecksum => report.fail(
                .malformed,
                "not a tar archive, or a damaged one (bad header checksum at byte {d})",
                .{self.position - tar.block_bytes},
            ),
            error.BadNumber => report.fail(.malformed, "an invalid number in the header at byte {d}", .{self.position - tar.block_bytes}),
        };
    }

    fn readBlock(self: *Archive) ?*const [tar.block_bytes]u8 {
        const bytes = self.ring.wait(self.position, tar.block_bytes);
        if (bytes.len == 0 and self.ring.streamBytes() == self.position) return null;
        if (bytes.len < tar.block_bytes) report.fail(.malformed, "the archive ends too early", .{});
        self.position += tar.block_bytes;
        return bytes[0..tar.block_bytes];
    }

    fn readSpecial(self: *Archive, size: u64, into: []u8) []const u8 {
        if (size > into.len) report.fail(
            .malformed,
            "an extended header of {d} bytes is larger than the limit of {d}",
            .{ size, into.len },
        );
        const length: usize = @intCast(size);
        const bytes = self.ring.wait(self.position, length);
        if (bytes.len < length) report.fail(.malformed, "the archive ends in the middle of an extended header", .{});
        @memcpy(into[0..length], bytes);
        self.skip(size);
        return into[0..length];
    }

    fn readPax(self: *Archive, size: u64) void {
        // A second one replaces the first: its bytes lie in the same place.
        self.overrides = .{};
        self.map.clear();
        const bytes = self.readSpecial(size, &self.pax_bytes);
        var pairs: pax.Pairs = .{ .context = &self.map, .add = sparse.Map.addOpaque };
        pax.parse(bytes, &self.overrides, &pairs) catch |e| fail(e, "an extended header");
    }

    /// Over `size` bytes and the padding after them, and give the room in the ring back.
    fn skip(self: *Archive, size: u64) void {
        const padded = std.math.add(u64, size, tar.paddingOf(size)) catch report.fail(.malformed, "an impossible size", .{});
        self.position = std.math.add(u64, self.position, padded) catch report.fail(.malformed, "an impossible size", .{});
        self.pool.advance(self.position);
    }

    fn complete(self: *Archive, header: *const tar.Header, long_name: ?[]const u8, long_link: ?[]const u8) Entry {
        const o = &self.overrides;
        const name = o.path orelse long_name orelse self.joined(header);
        const linkname = o.linkpath orelse long_link orelse header.linkname;
        var entry: Entry = .{
            // Before directories had a type, they were files with a slash at the end: of the whole name, for a header's own may
            // be the first 100 bytes of a longer one.
            .type = if (header.type == .regular and std.mem.endsWith(u8, name, "/")) .directory else header.type,
            .name = name,
            .linkname = linkname,
            .mode = header.mode,
            .uid = checkId(o.uid orelse self.global.uid orelse header.uid, "owner", name),
            .gid = checkId(o.gid orelse self.global.gid orelse header.gid, "group", name),
            .mtime = o.mtime orelse self.global.mtime orelse .{ .seconds = header.mtime, .nanoseconds = 0 },
            .device_major = 0,
            .device_minor = 0,
            .stored_bytes = o.size orelse header.size,
            .real_size = 0,
            .map = null,
            .xattrs = o.xattrs[0..o.xattr_count],
        };
        switch (entry.type) {
            .regular, .gnu_sparse => self.completeFile(&entry),
            .character_device, .block_device => {
                if (header.device_major > device_major_max or header.device_minor > device_minor_max)
                    report.fail(
                        .malformed,
                        "device number {d}:{d} of {f} is out of range",
                        .{ header.device_major, header.device_minor, shown(name) },
                    );
                entry.device_major = @intCast(header.device_major);
                entry.device_minor = @intCast(header.device_minor);
                entry.stored_bytes = 0;
            },
            // Whatever their size field says, they have no data (as for Go's reader, hence docker's and containerd's), but for
            // what says that it is a file.
            .directory => if (header.type == .directory or header.typeflag == 0) {
                entry.stored_bytes = 0;
            },
            .hard_link, .symbolic_link, .fifo => entry.stored_bytes = 0,
            else => report.fail(.malformed, "{f} is of unknown type {d}", .{ shown(name), header.typeflag }),
        }
        if (entry.stored_bytes > std.math.maxInt(i64)) report.fail(.malformed, "{f} has an impossible size", .{shown(name)});
        self.data_end = std.math.add(u64, self.position, entry.stored_bytes + tar.paddingOf(entry.stored_bytes)) catch
            report.fail(.malformed, "{f} has an impossible size", .{shown(name)});
        return entry;
    }

    fn joined(self: *Archive, header: *const tar.Header) []const u8 {
        if (header.prefix.len == 0) return header.name;
        const length = header.prefix.len + 1 + header.name.len;
        @memcpy(self.name_bytes[0..header.prefix.len], header.prefix);
        self.name_bytes[header.prefix.len] = '/';
        @memcpy(self.name_bytes[header.prefix.len + 1 .. length], header.name);
        return self.name_bytes[0..length];
    }

    fn completeFile(self: *Archive, entry: *Entry) void {
        const o = &self.overrides.sparse;
        entry.real_size = entry.stored_bytes;
        if (entry.type == .gnu_sparse) {
            self.readOldGnu(entry);
        } else if (o.major == 1) {
            self.readDecimalMap(entry);
        } else if (o.map) |text| {
            self.map.clear();
            self.map.addText(text) catch |e| fail(e, "a sparse file");
        } else if (!o.pairs) return;
        if (entry.type != .gnu_sparse) entry.real_size = o.real_size orelse report.fail(
            .malformed,
            "{f} is sparse and has no size",
            .{shown(entry.name)},
        );
        entry.type = .regular;
        self.map.check(entry.stored_bytes, entry.real_size) catch |e| fail(e, "a sparse file");
        entry.map = self.map.spans.items;
    }

    fn readOldGnu(self: *Archive, entry: *Entry) void {
        self.map.clear();
        self.map.addOldGnu(self.block[386..482]) catch |e| fail(e, "a sparse file");
        entry.real_size = tar.number(self.block[483..495]) catch |e| fail(e, "a sparse file");
        var more = self.block[482] != 0;
        while (more) {
            const block = self.readBlock() orelse report.fail(.malformed, "the archive ends in the middle of a sparse map", .{});
            self.map.addOldGnu(block[0..504]) catch |e| fail(e, "a sparse file");
            more = block[504] != 0;
            self.pool.advance(self.position);
        }
    }

    fn readDecimalMap(self: *Archive, entry: *Entry) void {
        self.map.clear();
        var decimal: sparse.Decimal = .{};
        while (!decimal.done) {
            if (entry.stored_bytes < tar.block_bytes) report.fail(
                .malformed,
                "the sparse map of {f} is longer than its data",
                .{shown(entry.name)},
            );
            const block = self.readBlock() orelse report.fail(.malformed, "the archive ends in the middle of a sparse map", .{});
            decimal.feed(&self.map, block) catch |e| fail(e, "a sparse file");
            entry.stored_bytes -= tar.block_bytes;
            self.pool.advance(self.position);
        }
    }
};

fn checkId(value: u64, what: []const u8, name: []const u8) u32 {
    if (value > id_max) report.fail(.malformed, "{s} {d} of {f} is out of range", .{ what, value, shown(name) });
    return @intCast(value);
}

fn fail(problem: anyerror, what: []const u8) noreturn {
    report.fail(.malformed, "{s} of the archive is invalid ({s})", .{ what, @errorName(problem) });
}
