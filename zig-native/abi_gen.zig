//! Prints what TypeScript must know of Zig, from the Zig that is compiled, so that the two cannot differ:
//!
//!   abi-gen abi      src/native/abi.ts: of wire/abi.zig every enum, every number, the size and offsets of every struct; of
//!                    lib.zig every export with its types, for bun:ffi and for tsc
//!   abi-gen linux    src/base/linux.ts: names of the kernel's that both languages need
const std = @import("std");
const abi = @import("wire/abi.zig");
const errno = @import("linux/errno.zig");
const lib = @import("lib.zig");
const mount = @import("linux/mount.zig");

const Writer = std.Io.Writer;

const constant = "export const ";

pub fn main(init: std.process.Init) !void {
    var buffer: [4096]u8 = undefined;
    var file = std.Io.File.stdout().writer(init.io, &buffer);
    const out = &file.interface;
    if (std.mem.eql(u8, std.mem.span(init.minimal.args.vector[1]), "linux")) {
        try names(out);
        return out.flush();
    }
    try out.writeAll("// Generated from zig-native/wire/abi.zig and lib.zig by build.ts. Do not edit.\n");
    inline for (@typeInfo(abi).@"struct".decls) |decl| try declaration(out, decl.name, @field(abi, decl.name));
    try exports(out, init.gpa);
    try out.print(constant ++ "hash = {d};\n", .{lib.hash});
    try out.flush();
}

fn declaration(out: *Writer, comptime name: []const u8, value: anytype) !void {
    if (@TypeOf(value) != type) return out.print(constant ++ "{s} = {d};\n", .{ name, value });
    switch (@typeInfo(value)) {
        .@"enum" => |info| {
            try out.print(constant ++ "{s} = {{\n", .{name});
            inline for (info.fields) |field| try out.print("  {s}: {d},\n", .{ field.name, field.value });
            try out.writeAll("} as const;\n");
        },
        .@"struct" => |info| {
            try out.print("/** Byte offsets. */\n" ++ constant ++ "{s} = {{\n", .{name});
            inline for (info.fields) |field| try out.print("  {s}: {d},\n", .{ field.name, @offsetOf(value, field.name) });
            try out.print("  bytes: {d},\n}} as const;\n", .{@sizeOf(value)});
        },
        else => @compileError("abi_gen: cannot print " ++ name),
    }
}

/// The functions twice: as bun:ffi wants them, and as tsc does.
fn exports(out: *Writer, gpa: std.mem.Allocator) !void {
    @setEvalBranchQuota(10_000);
    try out.writeAll("/** For bun:ffi's dlopen. */\n" ++ constant ++ "declarations = {\n");
    inline for (@typeInfo(lib).@"struct".decls) |decl| if (comptime isExport(decl.name)) {
        const function = @typeInfo(@TypeOf(@field(lib, decl.name))).@"fn";
        try out.print("  {s}: {{ args: [", .{decl.name});
        inline for (function.params, 0..) |param, index| {
            try out.print("{s}\"{s}\"", .{ if (index == 0) "" else ", ", foreignType(param.type.?) });
        }
        try out.print("], returns: \"{s}\" }},\n", .{foreignType(function.return_type.?)});
    };
    try out.writeAll("} as const;\n/** librt's functions. */\nexport interface Exports {\n");
    var tree = try std.zig.Ast.parse(gpa, @embedFile("lib.zig"), .zig);
    defer tree.deinit(gpa);
    inline for (@typeInfo(lib).@"struct".decls) |decl| if (comptime isExport(decl.name)) {
        const function = @typeInfo(@TypeOf(@field(lib, decl.name))).@"fn";
        const source = find(&tree, decl.name) orelse unreachable; // it was compiled from there
        try documentation(out, &tree, source.node);
        try out.print("  {s}(", .{decl.name});
        inline for (function.params, 0..) |param, index| {
            try out.print("{s}{s}: {s}", .{ if (index == 0) "" else ", ", source.names[index], scriptType(param.type.?) });
        }
        try out.print("): {s};\n", .{scriptType(function.return_type.?)});
    };
    try out.writeAll("}\n");
}

fn isExport(name: []const u8) bool {
    return std.mem.startsWith(u8, name, "rt_");
}

fn foreignType(comptime T: type) []const u8 {
    return switch (T) {
        i32, u32, u64, usize => @typeName(T),
        noreturn, void => "void",
        else => if (@typeInfo(T) == .pointer) "ptr" else @compileError("no type of bun:ffi for " ++ @typeName(T)),
    };
}

/// A pointer is an array of what it points to; our structs are words.
fn scriptType(comptime T: type) []const u8 {
    return switch (T) {
        i32, u32, usize => "number",
        u64 => "bigint",
        noreturn => "never",
        void => "void",
        else => switch (element(@typeInfo(T).pointer.child)) {
            u8 => "Uint8Array",
            i32 => "Int32Array",
            u32, abi.AttachResult => "Uint32Array",
            else => |child| @compileError("no array for a pointer to " ++ @typeName(child)),
        },
    };
}

fn element(comptime T: type) type {
    return if (@typeInfo(T) == .array) @typeInfo(T).array.child else T;
}

const Function = struct { node: std.zig.Ast.Node.Index, names: [16][]const u8 };

/// What reflection does not tell: the parameters' names.
fn find(tree: *const std.zig.Ast, name: []const u8) ?Function {
    for (tree.rootDecls()) |node| {
        var one: [1]std.zig.Ast.Node.Index = undefined;
        const proto = tree.fullFnProto(&one, node) orelse continue;
        if (!std.mem.eql(u8, tree.tokenSlice(proto.name_token orelse continue), name)) continue;
        var found: Function = .{ .node = node, .names = undefined };
        var params = proto.iterate(tree);
        var index: usize = 0;
        while (params.next()) |param| : (index += 1) found.names[index] = tree.tokenSlice(param.name_token.?);
        return found;
    }
    return null;
}

/// The `///` lines before a function.
fn documentation(out: *Writer, tree: *const std.zig.Ast, node: std.zig.Ast.Node.Index) !void {
    const first = tree.firstToken(node);
    var token = first;
    while (token > 0 and tree.tokenTag(token - 1) == .doc_comment) token -= 1;
    if (token == first) return;
    try out.writeAll("  /**\n");
    while (token < first) : (token += 1) try out.print("   *{s}\n", .{tree.tokenSlice(token)[3..]});
    try out.writeAll("   */\n");
}

/// Numbers of the kernel's by name. The standard library has most of them.
fn names(out: *Writer) !void {
    @setEvalBranchQuota(100_000);
    try out.writeAll("// Generated from zig-native/linux and Zig's own tables by build.ts (zig-native/abi_gen.zig). Do not edit.\n");
    const linux = std.os.linux;
    const capabilities = linux.CAP.LAST_CAP + 1;
    try out.writeAll(
        "/** capabilities(7), at their numbers, without \"CAP_\". */\n" ++ constant ++ "capabilityNames: readonly string[] = [",
    );
    inline for (0..capabilities) |number| inline for (@typeInfo(linux.CAP).@"struct".decls) |decl| {
        const is_name = comptime !std.mem.eql(u8, decl.name, "LAST_CAP");
        const value = @field(linux.CAP, decl.name);
        if (is_name and @TypeOf(value) == comptime_int and value == number) try out.print("\"{s}\",", .{decl.name});
    };
    try out.writeAll(
        "];\n/** Resources of getrlimit(2), at their numbers, without \"RLIMIT_\". */\n" ++ constant ++ "limitNames: readonly string[] = [",
    );
    inline for (@typeInfo(linux.rlimit_resource).@"enum".fields, 0..) |field, index| {
        comptime std.debug.assert(field.value == index);
        try out.print("\"{s}\",", .{field.name});
    }
    try out.writeAll("];\n/** What an errno means. */\n" ++ constant ++ "errnoTexts: Readonly<Record<string, string>> = {");
    inline for (@typeInfo(linux.E).@"enum".fields) |field| {
        if (errno.text(@enumFromInt(field.value))) |text| try out.print("E{s}:\"{s}\",", .{ field.name, text });
    }
    try out.writeAll("};\n/** mount_setattr(2) */\n" ++ constant ++ "mountAttributes = {");
    inline for (@typeInfo(mount).@"struct".decls) |decl| {
        const prefix = "attribute_";
        if (comptime std.mem.startsWith(u8, decl.name, prefix)) try out.print(
            "{s}:{d},",
            .{ decl.name[prefix.len..], @field(mount, decl.name) },
        );
    }
    try out.writeAll("} as const;\n/** mount(2) */\n" ++ constant ++ "mountFlags = {");
    inline for (@typeInfo(linux.MS).@"struct".decls) |decl| try out.print(
        "{s}:{d},",
        .{ decl.name, @as(u32, @field(linux.MS, decl.name)) },
    );
    try out.writeAll("} as const;\n/** clone(2) */\n" ++ constant ++ "namespaceFlags = {");
    inline for (.{ "NEWNS", "NEWPID", "NEWNET", "NEWIPC", "NEWUTS", "NEWUSER", "NEWCGROUP", "NEWTIME" }) |name| {
        try out.print("{s}:{d},", .{ name, @as(u32, @field(linux.CLONE, name)) });
    }
    try out.writeAll("} as const;\n");
}
