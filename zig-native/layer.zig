const std = @import("std");
const Request = @import("layer/request.zig").Request;
const report = @import("layer/report.zig");
const unpack = @import("layer/unpack.zig");

const Verb = enum { unpack };

pub fn main(init: std.process.Init.Minimal) u8 {
    const arguments = init.args.vector;
    if (arguments.len < 2) report.fail(.request, "a verb is missing", .{});
    const request: Request = .{ .arguments = @ptrCast(arguments[2..]) };
    const verb = std.meta.stringToEnum(Verb, std.mem.span(arguments[1])) orelse report.fail(.request, "unknown verb", .{});
    switch (verb) {
        .unpack => unpack.run(request),
    }
}
