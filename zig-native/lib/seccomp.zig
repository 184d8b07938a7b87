//! From a profile, as the runtime specification has it in JSON, to the file that a stage loads (linux/seccomp.zig).
const std = @import("std");
const linux = std.os.linux;
const answer = @import("../linux/answer.zig");
const bpf = @import("../linux/seccomp/bpf.zig");
const calls = @import("../linux/seccomp/calls.zig");
const compiler = @import("../linux/seccomp/compile.zig");
const profile = @import("../linux/seccomp/profile.zig");
const seccomp = @import("../linux/seccomp.zig");

/// The file's bytes in `into`, and how many; or -errno, and in `words`, with a NUL, why.
pub fn compile(text: []const u8, into: []u8, words: []u8) i32 {
    var arena: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena.deinit();
    var subject: []const u8 = "";
    const length = write(arena.allocator(), text, into, &subject) catch |err| {
        // Cut where it is too long.
        var writer: std.Io.Writer = .fixed(words[0 .. words.len - 1]);
        explain(&writer, err, subject) catch {};
        words[writer.end] = 0;
        return answer.code(if (err == error.OutOfMemory) .NOMEM else .INVAL);
    };
    return @intCast(length);
}

fn write(arena: std.mem.Allocator, text: []const u8, into: []u8, subject: *[]const u8) !usize {
    const options: std.json.ParseOptions = .{ .ignore_unknown_fields = true };
    const document = std.json.parseFromSliceLeaky(profile.Document, arena, text, options) catch |err| {
        if (err == error.OutOfMemory) return error.OutOfMemory;
        subject.* = @errorName(err);
        return error.NoProfile;
    };
    const resolved = try profile.resolve(arena, &document, calls.here, subject);
    var builder: bpf.Builder = .{ .space = try arena.alloc(bpf.Instruction, bpf.instructions_max) };
    try compiler.compile(&builder, resolved.sections);
    const header: seccomp.Header = .{ .flags = resolved.flags };
    const instructions = std.mem.sliceAsBytes(builder.instructions());
    const length = @sizeOf(seccomp.Header) + instructions.len;
    if (length > into.len) return error.ProgramTooLong;
    @memcpy(into[0..@sizeOf(seccomp.Header)], std.mem.asBytes(&header));
    @memcpy(into[@sizeOf(seccomp.Header)..length], instructions);
    return length;
}

const Failure = @typeInfo(@typeInfo(@TypeOf(write)).@"fn".return_type.?).error_union.error_set;

fn explain(writer: *std.Io.Writer, failure: Failure, subject: []const u8) std.Io.Writer.Error!void {
    switch (failure) {
        error.NoProfile => try writer.print("it is no profile ({s})", .{subject}),
        error.UnknownAction => try writer.print("unknown action {s}", .{subject}),
        error.Notify => try writer.print("{s} needs a program that listens, which rt does not start", .{subject}),
        error.UnknownOperator => try writer.print("unknown comparison {s}", .{subject}),
        error.UnknownArchitecture => try writer.print("unknown architecture {s}", .{subject}),
        error.UnknownFlag => try writer.print("unknown flag {s}", .{subject}),
        error.BadErrno => try writer.print("{s} with an errnoRet that is too large", .{subject}),
        error.BadIndex => try writer.print("{s} of an argument after the sixth: index is 0 to 5", .{subject}),
        error.ProgramTooLong => try writer.print("it needs more than the {d} instructions that the kernel takes", .{bpf.instructions_max}),
        error.OutOfMemory => try writer.writeAll("not enough memory"),
    }
}
