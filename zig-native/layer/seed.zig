//! `seed`: an empty volume gets what an image has at the place where the volume will be mounted, and that directory's own
//! owner and mode ("copy up", as docker does). The layers are only read: overlay shows them without an upper directory.
const std = @import("std");
const linux = std.os.linux;
const Place = @import("place.zig").Place;
const Listing = @import("remove.zig").Listing;
const Request = @import("request.zig").Request;
const copy = @import("copy.zig");
const layers = @import("layers.zig");
const overlay = @import("overlay.zig");
const place = @import("place.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

pub fn run(request: Request) noreturn {
    const parents = layers.of(request, "layers");
    const path = request.need("path");
    // Before anything is opened: see there.
    if (parents.count > 1) overlay.privateNamespace();
    const target = place.openPath(request.need("to"));
    const source = find(rootOf(request, &parents), path) orelse answer(false);
    var listing: Listing = undefined;
    listing.open(target);
    // Somebody's files are in it: they stay as they are.
    if (listing.next() != null) answer(false);
    copy.treeInto(source, target);
    answer(true);
}

fn rootOf(request: Request, parents: *const layers.Layers) i32 {
    const leaf = request.need("leaf");
    const root = request.need("root");
    if (parents.count == 0) report.fail(.request, "layers= is empty", .{});
    // Overlay wants two at least; one alone is what it would show.
    if (parents.count == 1) return Place.open(root).layer(parents.slice()[0], leaf);
    return overlay.mountLowers(root, leaf, parents.slice());
}

/// The image's links are followed as in the container: they end inside the root. Null: no directory is there.
fn find(root: i32, path: [:0]const u8) ?i32 {
    const fd = sys.openInRoot(root, path.ptr);
    return switch (linux.errno(fd)) {
        .SUCCESS => @intCast(fd),
        .NOENT, .NOTDIR, .LOOP => null,
        else => |e| report.failErrno(e, "cannot open {f} of the image", .{report.shown(path)}),
    };
}

fn answer(seeded: bool) noreturn {
    report.succeed(",\"seeded\":{}", .{seeded});
}
