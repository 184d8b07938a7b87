//! Which names this layer has brought so far: what a second entry of the same name, a whiteout, or a pending file
//! must know. A keyed 64-bit hash of the canonical path stands for it, so a million entries take 16 MB.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");

pub const Kind = enum(u2) { file, directory, implied_directory, whiteout };

/// A layer of more entries is refused: names must not take the memory. Real ones have up to some 300,000.
pub const entries_max = 4 << 20;

pub const Seen = struct {
    seed: u64,
    /// Hash with the kind in the two lowest bits; 0 is free.
    slots: []u64,
    count: usize = 0,

    pub fn init(self: *Seen) void {
        var seed: u64 = undefined;
        // Not predictable, so that nobody makes collisions. It cannot fail for 8 bytes.
        _ = linux.getrandom(std.mem.asBytes(&seed), 8, 0);
        self.* = .{ .seed = seed, .slots = allocate(1 << 12) };
    }

    pub fn get(self: *const Seen, directory: []const u8, name: []const u8) ?Kind {
        const slot = self.find(self.hashOf(directory, name));
        return if (slot.* == 0) null else @enumFromInt(slot.* & 3);
    }

    pub fn put(self: *Seen, directory: []const u8, name: []const u8, kind: Kind) void {
        const hash = self.hashOf(directory, name);
        const slot = self.find(hash);
        const fresh = slot.* == 0;
        slot.* = hash | @intFromEnum(kind);
        if (!fresh) return;
        self.count += 1;
        if (self.count > entries_max) report.fail(.limit, "the layer has more than {d} entries", .{entries_max});
        if (self.count * 2 > self.slots.len) self.grow();
    }

    /// Of directory/name, the canonical path.
    fn hashOf(self: *const Seen, directory: []const u8, name: []const u8) u64 {
        var hasher = std.hash.Wyhash.init(self.seed);
        if (directory.len > 0) {
            hasher.update(directory);
            hasher.update("/");
        }
        hasher.update(name);
        const hash = hasher.final() & ~@as(u64, 3);
        return if (hash == 0) 4 else hash;
    }

    fn find(self: *const Seen, hash: u64) *u64 {
        const mask = self.slots.len - 1;
        var index: usize = @intCast(hash >> 2);
        while (true) : (index += 1) {
            const slot = &self.slots[index & mask];
            if (slot.* == 0 or slot.* & ~@as(u64, 3) == hash) return slot;
        }
    }

    fn grow(self: *Seen) void {
        const old = self.slots;
        self.slots = allocate(old.len * 2);
        for (old) |value| {
            if (value != 0) self.find(value & ~@as(u64, 3)).* = value;
        }
        std.heap.page_allocator.free(old);
    }
};

fn allocate(count: usize) []u64 {
    const slots = std.heap.page_allocator.alloc(u64, count) catch report.fail(.limit, "out of memory", .{});
    @memset(slots, 0);
    return slots;
}
