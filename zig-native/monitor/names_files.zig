//! What the answers are made of (names.zig): files that rt renames into place, read again when they are others than before.
//!
//!   <state directory>/resolver     network 0123…(64) NAME      a network that the container is in, in their order
//!                                  link ALIAS 0123456789ab     another container, by a name of this one's own
//!                                  server host|container ADDRESS SCOPE     to be asked for what is not known here, and from where
//!                                  egress, egress-names, allow     where it may go: egress.zig
//!                                  ndots                       names without a dot are not asked of them
//!   <networks>/0123…(64)           ADDRESS[,ADDRESS] 0123456789ab NAME NAME…     a container that runs there
//!
//! Addresses are hexadecimal digits, 8 or 32; names are in small letters, the first one its own. What is no such line is none.
const std = @import("std");
const memory = @import("../linux/memory.zig");
const linux = std.os.linux;

/// More than a network has containers.
pub const addresses_max = 1024;
pub const networks_max = 32;

const file_bytes_max = 1 << 20;
const id_digits = 64;

/// One file, as it was when it was last looked at.
const File = struct {
    bytes: []align(std.heap.page_size_min) u8 = &.{},
    length: usize = 0,
    inode: u64 = 0,
    changed: linux.statx_timestamp = std.mem.zeroes(linux.statx_timestamp),
    size: u64 = 0,

    fn read(self: *File, directory: i32, name: [*:0]const u8) linksection(memory.serving) []const u8 {
        var info: linux.Statx = undefined;
        const mask: linux.STATX = .{ .TYPE = true, .INO = true, .MTIME = true, .SIZE = true };
        const seen = linux.statx(directory, name, linux.AT.SYMLINK_NOFOLLOW, mask, &info);
        const regular = linux.errno(seen) == .SUCCESS and info.mode & linux.S.IFMT == linux.S.IFREG;
        if (!regular) {
            self.forget();
            return "";
        }
        const same = info.ino == self.inode and info.size == self.size and
            info.mtime.sec == self.changed.sec and info.mtime.nsec == self.changed.nsec;
        if (same) return self.bytes[0..self.length];
        self.forget();
        self.load(directory, name, @intCast(@min(info.size, file_bytes_max)));
        self.inode = info.ino;
        self.size = info.size;
        self.changed = info.mtime;
        return self.bytes[0..self.length];
    }

    fn load(self: *File, directory: i32, name: [*:0]const u8, size: usize) linksection(memory.serving) void {
        if (size == 0) return;
        const flags: linux.O = .{ .CLOEXEC = true, .NOFOLLOW = true, .NONBLOCK = true };
        const opened = linux.openat(directory, name, flags, 0);
        if (linux.errno(opened) != .SUCCESS) return;
        defer _ = linux.close(@intCast(opened));
        const rounded = std.mem.alignForward(usize, size, std.heap.page_size_min);
        const mapped = linux.mmap(null, rounded, .{ .READ = true, .WRITE = true }, .{ .TYPE = .PRIVATE, .ANONYMOUS = true }, -1, 0);
        if (linux.errno(mapped) != .SUCCESS) return;
        const pointer: [*]align(std.heap.page_size_min) u8 = @ptrFromInt(mapped);
        self.bytes = pointer[0..rounded];
        const count = linux.read(@intCast(opened), pointer, size);
        if (linux.errno(count) != .SUCCESS) return;
        // A line that is not there to its end is none.
        const last = std.mem.lastIndexOfScalar(u8, self.bytes[0..count], '\n');
        self.length = if (last) |at| at + 1 else 0;
    }

    fn forget(self: *File) linksection(memory.serving) void {
        if (self.bytes.len > 0) _ = linux.munmap(self.bytes.ptr, self.bytes.len);
        self.* = .{};
    }
};

pub const Addresses = struct {
    /// Of the family that is asked for: 4 or 16; 0: of neither.
    bytes_each: usize,
    count: usize = 0,
    /// Somebody has the name, be it without such an address.
    known: bool = false,
    all: [addresses_max][16]u8,

    pub fn reset(self: *Addresses, bytes_each: usize) linksection(memory.serving) void {
        self.bytes_each = bytes_each;
        self.count = 0;
        self.known = false;
    }

    pub fn of(self: *const Addresses, number: usize) linksection(memory.serving) []const u8 {
        return self.all[number][0..self.bytes_each];
    }

    /// Those of a line's first word.
    fn add(self: *Addresses, word: []const u8) linksection(memory.serving) void {
        self.known = true;
        var parts = std.mem.splitScalar(u8, word, ',');
        while (parts.next()) |digits| {
            if (self.bytes_each == 0 or digits.len != 2 * self.bytes_each or self.count == self.all.len) continue;
            _ = std.fmt.hexToBytes(&self.all[self.count], digits) catch continue;
            self.count += 1;
        }
    }
};

pub const Server = struct {
    address: [16]u8,
    bytes: usize,
    scope: u32,
    /// Asked from the container's network, not from the host's.
    inside: bool,
};

pub const Files = struct {
    /// The container's state directory, and that of the networks' files.
    state: i32,
    networks: i32,
    own: File = .{},
    tables: [networks_max]File = @splat(.{}),
    /// Whose they are.
    ids: [networks_max][id_digits]u8 = undefined,

    /// As they are now, for one question.
    pub fn settings(self: *Files) linksection(memory.serving) Settings {
        return .{ .text = self.own.read(self.state, "resolver") };
    }

    pub fn forget(self: *Files) linksection(memory.serving) void {
        self.own.forget();
        for (&self.tables) |*table| table.forget();
    }

    fn tableOf(self: *Files, number: usize, id: []const u8) linksection(memory.serving) []const u8 {
        const table = &self.tables[number];
        if (!std.mem.eql(u8, id, &self.ids[number])) table.forget();
        self.ids[number] = id[0..id_digits].*;
        var name: [id_digits:0]u8 = undefined;
        @memcpy(&name, id);
        name[id_digits] = 0;
        return table.read(self.networks, &name);
    }

    /// Who has the name, in the first network where somebody has it; true where somebody has it at all.
    pub fn find(self: *Files, config: Settings, name: []const u8, into: *Addresses) linksection(memory.serving) bool {
        var networks = config.networks();
        while (networks.next()) |network| {
            const table = self.tableOf(network.number, network.id);
            collect(table, name, into);
            if (withoutNetwork(name, network.name)) |short| if (into.count == 0) collect(table, short, into);
            if (config.linked(name)) |id| if (into.count == 0) collect(table, id, into);
            if (into.count > 0) return true;
        }
        return into.known;
    }

    /// `name.network` of who has this address, in `buffer`.
    pub fn nameOf(self: *Files, config: Settings, address: []const u8, buffer: []u8) linksection(memory.serving) ?[]const u8 {
        const digits: []const u8 = if (address.len == 4)
            &std.fmt.bytesToHex(address[0..4].*, .lower)
        else
            &std.fmt.bytesToHex(address[0..16].*, .lower);
        var networks = config.networks();
        while (networks.next()) |network| {
            const name = nameIn(self.tableOf(network.number, network.id), digits) orelse continue;
            return std.fmt.bufPrint(buffer, "{s}.{s}", .{ name, network.name }) catch null;
        }
        return null;
    }
};

/// The container's own file.
pub const Settings = struct {
    text: []const u8,

    pub fn networks(self: Settings) linksection(memory.serving) Networks {
        return .{ .lines = .{ .rest = self.text } };
    }

    /// The one that is asked as number `wanted`.
    pub fn server(self: Settings, wanted: usize) linksection(memory.serving) ?Server {
        var lines: Lines = .{ .rest = self.text };
        var number: usize = 0;
        while (lines.next()) |line| {
            var words = std.mem.splitScalar(u8, line, ' ');
            if (!std.mem.eql(u8, words.first(), "server")) continue;
            const from = words.next() orelse continue;
            const digits = words.next() orelse continue;
            if (digits.len != 8 and digits.len != 32) continue;
            const inside = std.mem.eql(u8, from, "container");
            var found: Server = .{ .address = undefined, .bytes = digits.len / 2, .scope = 0, .inside = inside };
            _ = std.fmt.hexToBytes(&found.address, digits) catch continue;
            found.scope = std.fmt.parseInt(u32, words.next() orelse "0", 10) catch continue;
            if (number == wanted) return found;
            number += 1;
        }
        return null;
    }

    /// Names without a dot are not for servers.
    pub fn keepsDotless(self: Settings) linksection(memory.serving) bool {
        var lines: Lines = .{ .rest = self.text };
        while (lines.next()) |line| if (std.mem.eql(u8, line, "ndots")) return true;
        return false;
    }

    /// It may go to some destinations alone: then it is egress.zig's business, too, whose code is not needed for others.
    pub fn isRestrained(self: Settings) linksection(memory.serving) bool {
        return std.mem.indexOf(u8, self.text, "egress ") != null;
    }

    fn linked(self: Settings, name: []const u8) linksection(memory.serving) ?[]const u8 {
        var lines: Lines = .{ .rest = self.text };
        while (lines.next()) |line| {
            var words = std.mem.splitScalar(u8, line, ' ');
            if (!std.mem.eql(u8, words.first(), "link")) continue;
            if (std.mem.eql(u8, words.next() orelse "", name)) return words.next();
        }
        return null;
    }
};

const Networks = struct {
    lines: Lines,
    number: usize = 0,

    fn next(self: *Networks) linksection(memory.serving) ?struct { number: usize, id: []const u8, name: []const u8 } {
        while (self.lines.next()) |line| {
            var words = std.mem.splitScalar(u8, line, ' ');
            if (!std.mem.eql(u8, words.first(), "network")) continue;
            const id = words.next() orelse continue;
            if (id.len != id_digits or std.mem.indexOfScalar(u8, id, '/') != null or self.number == networks_max) continue;
            defer self.number += 1;
            return .{ .number = self.number, .id = id, .name = words.rest() };
        }
        return null;
    }
};

const Lines = struct {
    rest: []const u8,

    fn next(self: *Lines) linksection(memory.serving) ?[]const u8 {
        const end = std.mem.indexOfScalar(u8, self.rest, '\n') orelse return null;
        defer self.rest = self.rest[end + 1 ..];
        return self.rest[0..end];
    }
};

/// "web" of "web.net" in the network "net".
fn withoutNetwork(name: []const u8, network: []const u8) linksection(memory.serving) ?[]const u8 {
    if (network.len == 0 or name.len < network.len + 2) return null;
    const dot = name.len - network.len - 1;
    return if (name[dot] == '.' and std.ascii.eqlIgnoreCase(name[dot + 1 ..], network)) name[0..dot] else null;
}

/// The addresses of all who have the name in a network's file.
fn collect(table: []const u8, name: []const u8, into: *Addresses) linksection(memory.serving) void {
    if (name.len == 0) return;
    var at: usize = 0;
    while (std.mem.indexOfPos(u8, table, at, name)) |found| {
        at = found + 1;
        if (found == 0 or table[found - 1] != ' ') continue;
        const end = found + name.len;
        if (end < table.len and table[end] != ' ' and table[end] != '\n') continue;
        const start = if (std.mem.lastIndexOfScalar(u8, table[0..found], '\n')) |line| line + 1 else 0;
        into.add(table[start..std.mem.indexOfScalarPos(u8, table, start, ' ').?]);
        // It may stand there twice.
        at = std.mem.indexOfScalarPos(u8, table, end, '\n') orelse return;
    }
}

/// The first name of who has the address with these digits.
fn nameIn(table: []const u8, digits: []const u8) linksection(memory.serving) ?[]const u8 {
    var at: usize = 0;
    while (std.mem.indexOfPos(u8, table, at, digits)) |found| {
        at = found + 1;
        const end = found + digits.len;
        if (found > 0 and table[found - 1] != '\n' and table[found - 1] != ',') continue;
        if (end >= table.len or (table[end] != ' ' and table[end] != ',')) continue;
        const line = std.mem.sliceTo(table[end..], '\n');
        var words = std.mem.splitScalar(u8, line, ' ');
        for (0..2) |_| _ = words.next();
        const name = words.next() orelse continue;
        if (name.len > 0) return name;
    }
    return null;
}

const example =
    "ac120002,fd000000000000000000000000000002 0123456789ab web www ab\n" ++
    "ac120003 0123456789ac web2 www\nfd000000000000000000000000000004 0123456789ad six web2\nx y z\n\n ac\n";

fn exampleOf(name: []const u8, bytes_each: usize) linksection(memory.serving) !struct { usize, bool } {
    var addresses: Addresses = undefined;
    addresses.reset(bytes_each);
    collect(example, name, &addresses);
    return .{ addresses.count, addresses.known };
}

test collect {
    for ([_]struct { []const u8, usize, usize, bool }{
        .{ "web", 4, 1, true },          .{ "www", 4, 2, true }, .{ "www", 16, 1, true }, .{ "web2", 4, 1, true },
        .{ "0123456789ac", 4, 1, true }, .{ "six", 4, 0, true }, .{ "we", 4, 0, false },  .{ "b", 4, 0, false },
        .{ "ac120003", 4, 0, false },    .{ "www", 0, 0, true }, .{ "z", 4, 0, true },    .{ "web2 www", 4, 1, true },
        .{ "ac", 4, 0, true },
    }) |case| {
        const count, const known = try exampleOf(case[0], case[1]);
        try std.testing.expectEqual(case[2], count);
        try std.testing.expectEqual(case[3], known);
    }
}

test nameIn {
    try std.testing.expectEqualStrings("web", nameIn(example, "ac120002").?);
    try std.testing.expectEqualStrings("web", nameIn(example, "fd000000000000000000000000000002").?);
    for ([_][]const u8{ "ac120004", "20003 01", "c120002" }) |none| try std.testing.expectEqual(null, nameIn(example, none));
}

test Settings {
    const id = "0" ** 64;
    const config: Settings = .{ .text = "network " ++ id ++ " Net\nnetwork short x\nlink db 0123456789ab\n" ++
        "server host 7f000035 0\nserver nowhere\nserver container zz\nserver container fe80000000000000000000000000000a 3\nndots\n" };
    var networks = config.networks();
    const network = networks.next().?;
    try std.testing.expectEqualStrings(id, network.id);
    try std.testing.expectEqualStrings("Net", network.name);
    try std.testing.expectEqual(null, networks.next());
    try std.testing.expectEqual(false, config.server(0).?.inside);
    try std.testing.expectEqual(3, config.server(1).?.scope);
    try std.testing.expectEqual(null, config.server(2));
    try std.testing.expectEqualStrings("0123456789ab", config.linked("db").?);
    try std.testing.expect(config.keepsDotless());
    try std.testing.expectEqualStrings("web.1", withoutNetwork("web.1.net", "Net").?);
    for ([_][]const u8{ "web", "net", ".net", "webnet", "" }) |name| try std.testing.expectEqual(null, withoutNetwork(name, "Net"));
}

test "anything may stand in the files" {
    var random: std.Random.DefaultPrng = .init(3);
    var bytes: [200]u8 = undefined;
    var addresses: Addresses = undefined;
    for (0..20_000) |_| {
        for (&bytes) |*byte| byte.* = "server network host ab,0123456789\n\n  "[random.random().uintLessThan(usize, 37)];
        const config: Settings = .{ .text = bytes[0..random.random().uintAtMost(usize, bytes.len)] };
        addresses.reset(4);
        collect(config.text, "ab", &addresses);
        _ = nameIn(config.text, "01234567");
        _ = config.server(1);
        _ = config.linked("ab");
        var networks = config.networks();
        while (networks.next()) |_| {}
    }
}
