//! Images through both drivers: answers and trees must be the same, and nothing else may change.
const std = @import("std");
const linux = std.os.linux;
const Clock = @import("clock.zig").Clock;
const Comparison = @import("compare.zig").Comparison;
const Place = @import("../place.zig").Place;
const drivers = @import("drivers.zig");
const forms = @import("forms.zig");
const images = @import("images.zig");
const members = @import("members.zig");
const overlay = @import("../overlay.zig");
const place = @import("../place.zig");
const remove = @import("../remove.zig");
const report = @import("../report.zig");
const sys = @import("../sys.zig");
const tar = @import("../tar.zig");
const Listing = @import("../remove.zig").Listing;

const check = drivers.check;
const roots = [_][:0]const u8{ "/overlay", "/copy" };
const canary = [_][:0]const u8{ "/canary", "/canary/file", "/canary/secret", "/canary/sub", "/canary/sub/file", "/canary/link" };

var image: images.Image = .{};
var canaries: [canary.len]linux.Statx = undefined;
var since: i64 = 0;

pub const Mode = enum { apply, whiteouts };

pub fn run(clock: *Clock, directory: [:0]const u8, mode: Mode) void {
    begin(directory);
    while (clock.next()) |seed| {
        members.current_seed = seed;
        images.random(&image, seed, if (mode == .apply) .hostile else .honest);
        round();
    }
}

/// The layers below are the same for all, and applied once. Answers how many there were.
pub fn runForms(directory: [:0]const u8, first: u64) u64 {
    begin(directory);
    makeRoots();
    _ = forms.make(&image, 0);
    for (0..2) |index| if (!applied(index)) fail("the layers below are refused", .{});
    var index = first;
    while (forms.make(&image, index)) : (index += 1) {
        members.current_seed = index;
        if (applied(2)) compare(3);
        for (roots) |root| {
            removeIn(root, "tmp", "n");
            removeIn(root, "committed", "2");
        }
        checkCanary();
    }
    return index - first;
}

/// A world of our own: the tmpfs is our root.
fn begin(directory: [:0]const u8) void {
    _ = linux.syscall1(.umask, 0);
    // No archive has a time of these days, and the machine's clock may be put back while we run.
    since = @import("clock.zig").now() - 24 * 3600;
    overlay.privateNamespace();
    check(linux.mount("tmpfs", directory, "tmpfs", 0, @intFromPtr("mode=755,size=1g")), "mount a tmpfs");
    const root = place.openPath(directory);
    check(linux.fchdir(root), "enter the tmpfs");
    check(linux.chroot("."), "change the root");
    for ([_][:0]const u8{ "/canary", "/canary/sub" }) |path| check(linux.mkdir(path, 0o755), "plant the canary");
    for ([_][:0]const u8{ "/canary/file", "/canary/secret", "/canary/sub/file" }) |path| {
        const fd = linux.open(path, .{ .ACCMODE = .WRONLY, .CREAT = true }, 0o600);
        check(fd, "plant the canary");
        _ = linux.write(@intCast(fd), "the canary sings\n", 17);
        _ = linux.close(@intCast(fd));
    }
    check(linux.symlink("file", "/canary/link"), "plant the canary");
    for (canary, &canaries) |path, *seen| seen.* = sys.stat(linux.AT.FDCWD, path.ptr).?;
}

fn round() void {
    makeRoots();
    var count: usize = 0;
    while (count < image.count and applied(count)) count += 1;
    if (count > 0) compare(count);
    const root = place.openPath("/");
    for (roots) |path| remove.tree(root, path[1..]);
    _ = linux.close(root);
    checkCanary();
}

/// By both, or refused by both: which of several faults is met first is another matter, a diff cannot see all of them.
fn applied(index: usize) bool {
    var answers: [2]drivers.Answer = undefined;
    drivers.apply(&answers[0], .overlay, roots[0], index, image.layers[index]);
    drivers.apply(&answers[1], .copy, roots[1], index, image.layers[index]);
    for (&answers) |*answer| {
        const verdict = answer.verdict() orelse fail("layer {d}: no answer (status {x}): {s}", .{ index, answer.status, answer.text() });
        if (std.mem.eql(u8, verdict, "fault") or std.mem.eql(u8, verdict, "request")) fail("layer {d}: {s}", .{ index, answer.text() });
    }
    if (isGood(&answers[0]) != isGood(&answers[1])) fail("layer {d}: overlay {s}\ncopy {s}", .{ index, answers[0].text(), answers[1].text() });
    return isGood(&answers[0]);
}

fn isGood(answer: *const drivers.Answer) bool {
    return std.mem.eql(u8, answer.verdict().?, "ok");
}

fn makeRoots() void {
    inline for (roots) |root| {
        for ([_][:0]const u8{ root, root ++ "/tmp", root ++ "/committed" }) |path| check(linux.mkdir(path, 0o700), "make a driver's directory");
    }
}

fn removeIn(root: []const u8, directory: []const u8, name: [*:0]const u8) void {
    var buffer: [64]u8 = undefined;
    const fd = place.openPath(std.fmt.bufPrintZ(&buffer, "{s}/{s}", .{ root, directory }) catch unreachable); // short
    remove.tree(fd, name);
    _ = linux.close(fd);
}

fn checkCanary() void {
    const root = place.openPath("/");
    defer _ = linux.close(root);
    for (canary, &canaries) |path, *before| {
        const now = sys.stat(linux.AT.FDCWD, path.ptr) orelse fail("the canary {s} is gone", .{path});
        const same = now.ino == before.ino and now.mode == before.mode and now.uid == before.uid and now.nlink == before.nlink and now.size == before.size and
            now.ctime.sec == before.ctime.sec and now.ctime.nsec == before.ctime.nsec;
        if (!same) fail("the canary {s} was touched", .{path});
    }
    var listing: Listing = undefined;
    listing.open(root);
    while (listing.next()) |name| {
        const known = for ([_][]const u8{ "canary", roots[0][1..], roots[1][1..] }) |known| {
            if (std.mem.eql(u8, name, known)) break true;
        } else false;
        if (!known) fail("{f} was made outside", .{report.shown(name)});
    }
}

fn compare(count: usize) void {
    var answer: drivers.Answer = .{};
    drivers.inChild(&answer, -1, count, compareNow);
    if (!std.mem.eql(u8, answer.verdict() orelse "", "ok")) fail("the trees differ: {s}", .{answer.text()});
}

fn compareNow(count: usize) noreturn {
    if (count > 1) overlay.privateNamespace();
    const layers = [_][]const u8{ "2", "1", "0" };
    const other = Place.open(roots[1]).layer(layers[layers.len - count], "fs");
    const own = if (count == 1) Place.open(roots[0]).layer("0", "fs") else overlay.mountLowers(roots[0], "fs", layers[layers.len - count ..]);
    var comparison: Comparison = .{ .since = since };
    comparison.metadata(sys.statFd(own), sys.statFd(other));
    comparison.directories(own, other, 0);
    report.succeed("", .{});
}

fn fail(comptime format: []const u8, values: anytype) noreturn {
    var buffer: [64 * 1024]u8 = undefined;
    var writer = std.Io.Writer.fixed(&buffer);
    writer.print("seed {d}: " ++ format ++ "\n", .{members.current_seed} ++ values) catch {};
    for (image.layers[0..image.count], 0..) |layer, index| {
        writer.print("layer {d}:\n", .{index}) catch {};
        describe(&writer, layer) catch {};
    }
    const text = writer.buffered();
    _ = linux.write(2, text.ptr, text.len);
    linux.exit_group(1);
}

fn describe(writer: *std.Io.Writer, layer: []const u8) std.Io.Writer.Error!void {
    var at: usize = 0;
    while (at + tar.block_bytes <= layer.len) : (at += tar.block_bytes) {
        const block = layer[at..][0..tar.block_bytes];
        const header = tar.parse(block) catch continue;
        if (header.name.len == 0) continue;
        try writer.print("  {c} {f} -> {f} {o} {d} {d} bytes\n", .{ if (std.ascii.isPrint(header.typeflag)) header.typeflag else '?', report.shown(header.name), report.shown(header.linkname), header.mode, header.uid, header.size });
        if (std.mem.indexOfScalar(u8, "xgLK", header.typeflag) != null) try writer.print("      {f}\n", .{report.shown(layer[at + tar.block_bytes ..][0..@min(400, header.size, layer.len - at - tar.block_bytes)])});
    }
}
