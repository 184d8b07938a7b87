//! Prints src/native/abi.ts from wire/abi.zig: every enum, every integer constant, and the size and offsets of every struct.
const std = @import("std");
const abi = @import("wire/abi.zig");

pub fn main(init: std.process.Init) !void {
    var buffer: [4096]u8 = undefined;
    var file = std.Io.File.stdout().writer(init.io, &buffer);
    const out = &file.interface;
    try out.writeAll("// Generated from zig-native/wire/abi.zig by build.ts. Do not edit.\n");
    inline for (@typeInfo(abi).@"struct".decls) |decl| try declaration(out, decl.name, @field(abi, decl.name));
    try out.flush();
}

fn declaration(out: *std.Io.Writer, comptime name: []const u8, value: anytype) !void {
    if (@TypeOf(value) != type) return out.print("export const {s} = {d};\n", .{ name, value });
    switch (@typeInfo(value)) {
        .@"enum" => |info| {
            try out.print("export const {s} = {{\n", .{name});
            inline for (info.fields) |field| try out.print("  {s}: {d},\n", .{ field.name, field.value });
            try out.writeAll("} as const;\n");
        },
        .@"struct" => |info| {
            try out.print("/** Byte offsets. */\nexport const {s} = {{\n", .{name});
            inline for (info.fields) |field| try out.print("  {s}: {d},\n", .{ field.name, @offsetOf(value, field.name) });
            try out.print("  bytes: {d},\n}} as const;\n", .{@sizeOf(value)});
        },
        else => @compileError("abi_gen: cannot print " ++ name),
    }
}
