//! rt-fuzz-layer: what rt-layer does with archives, met with archives that nobody would write, with every safety check.
//!
//!   rt-fuzz-layer TARGET directory=DIR seed=N (seconds=N | rounds=N)
//!
//!   tar, pax     the parsers alone: fields that are written and read again, damage
//!   apply        damaged and hostile archives, as layers of images
//!   whiteouts    images whose layers delete and replace what is below
//!   forms        every pair of deletions, files, directories and links on top of the same two layers; takes no seed
//!   fault        fails a safety check, to show how rt-layer ends then
//!
//! Images go through rt-layer's own unpack, for both drivers: it must end with an answer, both answers must be the same, and so
//! must the trees, entry by entry; the canary beside them stays as it is. All of it is on a tmpfs at DIR, in a mount namespace of
//! ours. A failure tells the target and the seed, from which the same run follows, and what was in the archives.
const std = @import("std");
const fault = @import("wire/fault.zig");
const ids = @import("layer/ids.zig");
const report = @import("layer/report.zig");
const Request = @import("layer/request.zig").Request;
const Clock = @import("layer/fuzz/clock.zig").Clock;
const members = @import("layer/fuzz/members.zig");
const parsers = @import("layer/fuzz/parsers.zig");
const trees = @import("layer/fuzz/trees.zig");

pub const panic = fault.panic;
pub const std_options = fault.options;

/// See layer.zig.
threadlocal var aligned: u64 align(16) = 0;

const Target = enum { tar, pax, apply, whiteouts, forms, fault };

pub fn main(init: std.process.Init.Minimal) u8 {
    @as(*volatile u64, &aligned).* = 1;
    fault.program = "rt-fuzz-layer";
    fault.tell = &tellSeed;
    ids.look();
    const arguments = init.args.vector;
    if (arguments.len < 2) report.fail(.request, "a target is missing", .{});
    const request: Request = .{ .arguments = @ptrCast(arguments[2..]) };
    const target = std.meta.stringToEnum(Target, std.mem.span(arguments[1])) orelse report.fail(.request, "unknown target", .{});
    var clock: Clock = .init(request.number("seed", 1), request.number("seconds", 0), request.number("rounds", 0));
    switch (target) {
        .tar => while (clock.next()) |seed| parsers.tarRound(seed),
        .pax => while (clock.next()) |seed| parsers.paxRound(seed),
        .apply => trees.run(&clock, request.need("directory"), .apply),
        .whiteouts => trees.run(&clock, request.need("directory"), .whiteouts),
        .forms => clock.rounds = trees.runForms(request.need("directory"), request.number("first", 0)),
        .fault => {
            fault.tell = &report.tellFault;
            var empty: [0]u8 = .{};
            std.mem.doNotOptimizeAway(@as([]u8, &empty)[request.number("index", 1)]);
        },
    }
    report.succeed(",\"rounds\":{d}", .{clock.rounds});
}

fn tellSeed(line: []const u8) void {
    var buffer: [512]u8 = undefined;
    const text = std.fmt.bufPrint(&buffer, "seed {d}: {s}\n", .{ members.current_seed, line }) catch line;
    _ = std.os.linux.write(2, text.ptr, text.len);
}
