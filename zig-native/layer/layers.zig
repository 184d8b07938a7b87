//! A list of layers in the request: chainIDs, topmost first.
const std = @import("std");
const Place = @import("place.zig").Place;
const Request = @import("request.zig").Request;
const overlay = @import("overlay.zig");
const report = @import("report.zig");

/// As many as overlay takes.
pub const count_max = 500;

pub const Layers = struct {
    hexes: [count_max][]const u8,
    count: usize,

    pub fn slice(self: *const Layers) []const []const u8 {
        return self.hexes[0..self.count];
    }
};

pub fn of(request: Request, key: []const u8) Layers {
    var layers: Layers = .{ .hexes = undefined, .count = 0 };
    var hexes = std.mem.tokenizeScalar(u8, request.get(key) orelse "", ',');
    while (hexes.next()) |hex| {
        if (layers.count == count_max) report.fail(.limit, "an image of more than {d} layers", .{count_max});
        layers.hexes[layers.count] = hex;
        layers.count += 1;
    }
    return layers;
}

/// What `root=DIR leaf=LEAF` has of them, open to be read. In a mount namespace of our own, where they are more than one.
pub fn open(request: Request, layers: *const Layers) i32 {
    const leaf = request.need("leaf");
    const root = request.need("root");
    // Overlay wants two at least; one alone is what it would show.
    if (layers.count == 1) return Place.open(root).layer(layers.slice()[0], leaf);
    return overlay.mountLowers(root, leaf, layers.slice());
}
