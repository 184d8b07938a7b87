//! rt-layer: what touches trees and archives that strangers made, in a small static process that can be killed, holds
//! nothing of the engine's, and works with its new tree as its root directory.
//!
//!   rt-layer VERB key=value …      one JSON line on standard output, the last: {"ok":true,…} or
//!                                  {"ok":false,"kind":"…","errno":"ENOSPC","message":"…"}
//!
//!   copy from=DIR to=DIR           a whole tree into an empty directory
//!     root=DIR leaf=LEAF layers=HEX,HEX…    instead of `from`: what an image has
//!     uids=… gids=…                for a container with these maps (owners.zig): what is its own in `from` is the host's in `to`
//!   remove parent=DIR name=NAME    rm -rf
//!   usage path=DIR                 "bytes" and "inodes" of what is below
//!   owners path=DIR                "uid" and "gid", the highest of what is there and below, "uidPath" and "gidPath" that have them
//!   settle committed=DIR           sync, and mark each tree `durable`
//!   seed parent=DIR name=NAME      what PATH of an image has, into an empty directory; "seeded": was there anything to do?
//!     path=PATH                    without layers: put right what a crash has left of that
//!     uids=… gids=…                as of `copy`, where the volume cannot be seen through a container's maps
//!     root=DIR leaf=LEAF layers=HEX,HEX…    the image: a driver's directory, committed layers of it, topmost first
//!   send ROOT path=PATH as=NAME      a file or a tree as an archive, to descriptor 3; "bytes" of it. send.zig
//!     directory=1                  it must be one; follow=1: a link at PATH is followed
//!   receive ROOT path=PATH base=NAME  such an archive from descriptor 3 into a tree that others may change. receive.zig
//!     raw=1 stdin=1                anybody's archive, into the directory PATH; it is on standard input
//!     uid=N gid=N plain=1 readonly-root=1   whose it will be; without devices and set-id bits; only volumes take anything
//!   changes ROOT new=DIR             what a container's top changed of ROOT, before the answer: "A/path" and a NUL, … changes.zig
//!     overlay=1 given=PATH…        `new` is an upper directory of overlay; what is no change where it is new
//!   commit ROOT new=DIR overlay=1 given=PATH…   the same as a layer, to the file at descriptor 3: commit.zig
//!     limit=BYTES                    "bytes", "digest", and "leftOut": names that no layer can have
//!     uids=… gids=…                  the top has the host's numbers: owners.zig
//!   verify found=DIR wanted=DIR      a committed tree against a new one of the same layer, as `changes` tells it: verify.zig
//!   ROOT                             a tree: root.zig
//!   mount at=DIR device=TEXT       a volume's own file system, in the caller's mount namespace; "errno" is "" where it is there now
//!     type=TEXT flags=N propagation=N data=TEXT
//!   probe-overlay directory=DIR    "works": does overlay, here?
//!   probe-mapped directory=DIR     "works": does it, on layers that are seen through the maps of another user namespace?
//!   unpack …                       one layer onto disk:
//!
//!     root=DIR                     a driver's directory, with tmp/ and committed/
//!     name=NAME leaf=LEAF          make tmp/NAME/LEAF, which must not exist
//!     commit=HEX diffid=HEX        and rename it to committed/HEX if the stream's SHA-256 is `diffid`
//!     parents=HEX,HEX…             committed below, topmost first
//!     mode=diff|merged             this layer alone in overlay's form, or on top of its parents,
//!     via=none|overlay|copy        which are shown there by a mount, or a copy
//!     input=file|pipe              descriptor 3: a blob that may still grow, or a stream
//!     format=gzip|tar limit=BYTES  of the uncompressed stream
//!     threads=N                    for small files; default: half of the processors
//!
//!   The two sides of an unpack; the caller speaks on standard input, one byte each:
//!
//!     engine                                  rt-layer
//!       |  '.'   the file has grown  ---------->  |  reads on whenever it had come to the end
//!       |  '$'   that is all of it   ---------->  |
//!       |  <------------ {"event":"streamed"}     |  all applied, digest right
//!       |  'p'   parents are committed --------->  |  (any time) looks at them for directories that the layer implies
//!       |  <------------ {"ok":true,…}            |  committed: "committed":false if another process was first
//!
//!   The end of standard input without '$' means that the engine died, and ends us. On any failure nothing is cleaned up
//!   here: the engine removes tmp/NAME, as it must when it had to kill us. "conflict" means: again, in merged mode.
const std = @import("std");
const linux = std.os.linux;
const Request = @import("layer/request.zig").Request;
const Usage = @import("layer/usage.zig").Usage;
const fault = @import("wire/fault.zig");
const changes = @import("layer/changes.zig");
const commit = @import("layer/commit.zig");
const confine = @import("layer/confine.zig");
const copy = @import("layer/copy.zig");
const highest = @import("layer/highest.zig");
const ids = @import("layer/ids.zig");
const mounting = @import("layer/mounting.zig");
const place = @import("layer/place.zig");
const probe = @import("layer/probe.zig");
const remove = @import("layer/remove.zig");
const receive = @import("layer/receive.zig");
const report = @import("layer/report.zig");
const seed = @import("layer/seed.zig");
const send = @import("layer/send.zig");
const settle = @import("layer/settle.zig");
const unpack = @import("layer/unpack.zig");
const verify = @import("layer/verify.zig");

pub const panic = fault.panic;
pub const std_options = fault.options;

/// The standard library puts the thread's control block right behind thread-local data, of whatever alignment that is (its
/// own allocator has four bytes); it checks for that of a pointer before there is anything that could tell of a fault.
threadlocal var aligned: u64 align(16) = 0;

const Verb = enum {
    unpack,
    copy,
    remove,
    usage,
    owners,
    seed,
    settle,
    send,
    receive,
    changes,
    commit,
    mount,
    verify,
    @"probe-overlay",
    @"probe-mapped",
};

pub fn main(init: std.process.Init.Minimal) u8 {
    @as(*volatile u64, &aligned).* = 1; // or it would not be there
    fault.tell = &report.tellFault;
    fault.program = "rt-layer";
    const arguments = init.args.vector;
    if (arguments.len < 2) report.fail(.request, "a verb is missing", .{});
    const request: Request = .{ .arguments = @ptrCast(arguments[2..]) };
    const verb = std.meta.stringToEnum(Verb, std.mem.span(arguments[1])) orelse report.fail(.request, "unknown verb", .{});
    confine.settle();
    ids.look();
    switch (verb) {
        .unpack => unpack.run(request),
        .copy => copy.run(request),
        .remove => {
            const parent = place.openPath(request.need("parent"));
            confine.enter(parent, &confine.removing);
            remove.tree(parent, request.need("name").ptr);
            report.succeed("", .{});
        },
        .usage => {
            var usage: Usage = .{};
            const tree = place.openPath(request.need("path"));
            confine.enter(tree, &confine.looking);
            usage.add(tree);
            report.succeed(",\"bytes\":{d},\"inodes\":{d}", .{ usage.bytes, usage.inodes });
        },
        .owners => highest.run(request),
        .seed => seed.run(request),
        .send => send.run(request),
        .receive => receive.run(request),
        .changes => changes.run(request),
        .commit => commit.run(request),
        .mount => mounting.run(request),
        .verify => verify.run(request),
        .settle => {
            const committed = place.openPath(request.need("committed"));
            confine.enter(committed, &confine.marking);
            settle.run(committed);
        },
        .@"probe-overlay" => probe.run(request.need("directory"), .plain),
        .@"probe-mapped" => probe.run(request.need("directory"), .mapped),
    }
}

test {
    _ = @import("layer/crc32.zig");
    _ = @import("layer/ids.zig");
    _ = @import("layer/links.zig");
    _ = @import("layer/names.zig");
    _ = @import("layer/owners.zig");
    _ = @import("layer/pax.zig");
    _ = @import("layer/sha256.zig");
    _ = @import("layer/sorted_names.zig");
    _ = @import("layer/sparse.zig");
    _ = @import("layer/tar.zig");
    _ = @import("layer/tar_writer.zig");
    _ = @import("layer/whiteout.zig");
}
