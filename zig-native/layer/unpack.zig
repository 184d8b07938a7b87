//! `unpack`: one layer stream becomes a committed tree. Protocol and arguments: layer.zig.
//!
//!   blob file --source--> inflate --ring--> SHA-256                      (a thread each)
//!                                    \----> archive -> apply -> pool     (this thread; the pool writes small files)
const std = @import("std");
const linux = std.os.linux;
const Apply = @import("apply.zig").Apply;
const Mode = @import("apply.zig").Mode;
const Archive = @import("archive.zig").Archive;
const Control = @import("control.zig").Control;
const Gunzip = @import("gzip.zig").Gunzip;
const Layers = @import("layers.zig").Layers;
const Place = @import("place.zig").Place;
const Pool = @import("pool.zig").Pool;
const Request = @import("request.zig").Request;
const Ring = @import("ring.zig").Ring;
const Sha256 = @import("sha256.zig").Sha256;
const Source = @import("source.zig").Source;
const confine = @import("confine.zig");
const copy = @import("copy.zig");
const gzip = @import("gzip.zig");
const ids = @import("ids.zig");
const layers = @import("layers.zig");
const lower = @import("lower.zig");
const overlay = @import("overlay.zig");
const report = @import("report.zig");
const xattrs = @import("xattrs.zig");

const Format = enum { gzip, tar };
const Input = enum { file, pipe };
/// How a merged tree comes to show its parents.
const Via = enum { none, overlay, copy };

// Large, and one of each: not on a stack.
var ring: Ring = undefined;
var pool: Pool = .{ .ring = undefined };
var archive: Archive = undefined;
var apply: Apply = undefined;
var gunzip: Gunzip(Source, Ring) = undefined;
var control: Control = .{};
var source: Source = undefined;
var digest: [32]u8 = undefined;

pub fn run(request: Request) noreturn {
    const format = request.choice(Format, "format");
    const mode = request.choice(Mode, "mode");
    const via = request.choice(Via, "via");
    const name = request.need("name");
    const leaf = request.need("leaf");
    const hex = request.need("commit");
    const parents = layers.of(request, "parents");
    source = openSource(request);
    if (via == .overlay) overlay.privateNamespace();
    const place = Place.open(request.need("root"));
    var root = place.create(name, leaf);
    if (mode == .merged and parents.count > 0) {
        control.awaitParents();
        switch (via) {
            .none => {},
            .overlay => root = overlay.mountMerged(place, name, leaf, parents.slice()),
            .copy => {
                const parent = place.layer(parents.slice()[0], leaf);
                confine.enter(root, &confine.unpacking);
                copy.treeInto(parent, root, .copied, null);
            },
        }
    }
    confine.enter(root, &confine.unpacking);

    ring.init(request.number("limit", std.math.maxInt(u63)));
    const threads = request.number("threads", (std.Thread.getCpuCount() catch 1) / 2);
    pool.init(&ring, @intCast(threads));
    archive.init(&ring, &pool);
    prepareApply(mode, parents.count > 0, root);
    const hashing = spawn(hash, .{});
    const inflating = spawn(inflate, .{format});
    apply.run();
    inflating.join();
    hashing.join();
    verify(request.need("diffid"));
    report.say("{{\"event\":\"streamed\"}}\n", .{});

    if (parents.count > 0) control.awaitParents();
    if (mode == .diff and parents.count > 0) fillFrom(place, parents, leaf);
    apply.setTimes();
    control.awaitComplete();
    if (mode == .merged and via == .overlay and parents.count > 0) leaveMount(place, name);
    const first = place.commit(name, hex);
    const counts = ",\"streamBytes\":{d},\"fileBytes\":{d},\"entries\":{d},\"xattrsSkipped\":{d},\"devicesLeftOut\":{d},\"ownersLost\":{d}";
    report.succeed(counts ++ ",\"committed\":{}", .{
        ring.streamBytes(),     apply.file_bytes,          apply.entries, xattrs.skipped.load(.monotonic),
        apply.devices_left_out, ids.lost.load(.monotonic), first,
    });
}

fn prepareApply(mode: Mode, has_parents: bool, root: i32) void {
    apply = .{
        .mode = mode,
        .has_parents = has_parents,
        .archive = &archive,
        .pool = &pool,
        .seen = undefined,
        .directories = .{
            .root = root,
            .pool = &pool,
            .seen = &apply.seen,
            .on_implied = noteImplied,
            .on_change = noteChange,
            .blind = mode == .diff and has_parents,
            // Those below may have some.
            .default_acls = mode == .merged and has_parents,
        },
        .arena = .init(std.heap.page_allocator),
    };
    apply.seen.init();
}

fn noteImplied(path: []const u8) void {
    if (apply.mode == .merged) return;
    apply.implied.append(apply.arena.allocator(), apply.keep(path)) catch report.fail(.limit, "out of memory", .{});
}

fn noteChange(fd: i32, canonical: []const u8) void {
    apply.touchOpen(fd, canonical);
}

/// Always descriptor 3. A blob may be renamed while it arrives, so it comes open.
fn openSource(request: Request) Source {
    return switch (request.choice(Input, "input")) {
        .file => .{ .fd = 3, .growing = &control },
        .pipe => .{ .fd = 3, .growing = null },
    };
}

fn spawn(comptime function: anytype, arguments: anytype) std.Thread {
    return std.Thread.spawn(.{ .stack_size = 256 * 1024 }, function, arguments) catch report.fail(.limit, "cannot start a thread", .{});
}

fn inflate(format: Format) void {
    switch (format) {
        .gzip => gunzip.run(&source, &ring) catch |e| report.fail(.malformed, "{s}", .{gzip.describe(e)}),
        .tar => while (true) {
            const span = ring.reserve();
            const got = source.read(span);
            if (got == 0) break;
            ring.commit(span[0..got]);
        },
    }
    ring.close();
}

fn hash() void {
    var hasher: Sha256 = .{};
    var position: u64 = 0;
    while (true) {
        const bytes = ring.some(position, 512 * 1024);
        if (bytes.len == 0) break;
        hasher.update(bytes);
        position += bytes.len;
        ring.setHashed(position);
    }
    digest = hasher.final();
}

fn verify(expected: []const u8) void {
    const found = std.fmt.bytesToHex(digest, .lower);
    if (!std.mem.eql(u8, &found, expected))
        report.fail(.digest, "its uncompressed digest is sha256:{s}, and sha256:{s} was promised", .{ &found, expected });
}

fn fillFrom(place: Place, parents: Layers, leaf: []const u8) void {
    if (apply.root_listed and apply.implied.items.len == 0 and apply.whiteouts.items.len == 0) return;
    var lowers: [layers.count_max]i32 = undefined;
    for (parents.slice(), 0..) |hex, index| lowers[index] = place.layer(hex, leaf);
    lower.fill(&apply, lowers[0..parents.count]);
}

fn leaveMount(place: Place, name: [*:0]const u8) void {
    apply.directories.forget();
    confine.enter(place.tmp, &confine.unpacking);
    _ = linux.close(apply.directories.root);
    overlay.removeMounted(place, name);
}
