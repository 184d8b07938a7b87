//! Every ordered pair of what a layer can say of a small tree, on top of two layers that have it.
const images = @import("images.zig");
const Member = @import("members.zig").Member;

const below = [_]Member{
    dir("d", 0o700), file("d/x"),                                dir("d/e", 0o711), file("d/e/y"),
    dir("r", 0o755), file("r/x"),                                link("l", "r"),    link("d/up", "../r"),
    file("f"),       dir("gone", 0o755),                         file("gone/x"),    dir("opq", 0o755),
    file("opq/x"),   .{ .name = "h", .type = '1', .link = "f" },
};

const middle = [_]Member{
    file(".wh.gone"), dir("opq", 0o750), file("opq/.wh..wh..opq"), file("opq/new"), file("d/m"), file("none/.wh.x"),
};

const said = [_]Member{
    // Deletions.
    file(".wh.d"),          file("d/.wh.x"),                              file("d/.wh.e"),                            file("d/e/.wh.y"),         file(".wh.f"),          file("f/.wh.x"),
    file(".wh.l"),          file("l/.wh.x"),                              file("d/up/.wh.x"),                         file(".wh.none"),          file("none/.wh.n"),     file("none/deep/.wh.n"),
    file("d/none/.wh.n"),   file(".wh.gone"),                             file("gone/.wh.x"),                         file("gone/.wh..wh..opq"), file("opq/.wh.x"),      file("opq/.wh.new"),
    file("d/.wh..wh..opq"), file("d/e/.wh..wh..opq"),                     file("l/.wh..wh..opq"),                     file("none/.wh..wh..opq"), file("f/.wh..wh..opq"), file(".wh..wh..opq"),
    // What comes back, or anew.
    dir("d", 0o755),        file("d/x"),                                  dir("d/e", 0o755),                          file("d/e/n"),             file("d/e/y"),          file("d"),
    file("f"),              dir("f", 0o755),                              file("f/n"),                                dir("l", 0o755),           link("l", "d"),         file("l/n"),
    dir("none", 0o755),     file("none/n"),                               file("gone/n"),                             dir("gone", 0o755),        file("opq/x"),          dir("opq", 0o755),
    file("d/up/n"),         .{ .name = "k", .type = '1', .link = "d/x" }, .{ .name = "k", .type = '1', .link = "f" }, link("d/e", "../r"),       link("none", "d/e"),    file("none/x"),
};

/// False: that was all.
pub fn make(image: *images.Image, index: u64) bool {
    if (index >= said.len * said.len) return false;
    images.set(image, 0, &below);
    images.set(image, 1, &middle);
    images.set(image, 2, &.{ said[index / said.len], said[index % said.len] });
    return true;
}

fn dir(name: []const u8, mode: u32) Member {
    return .{ .name = name, .type = '5', .mode = mode };
}

fn file(name: []const u8) Member {
    return .{ .name = name, .content = name };
}

fn link(name: []const u8, target: []const u8) Member {
    return .{ .name = name, .type = '2', .link = target };
}
