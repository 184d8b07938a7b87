//! Builds the native side of rt, all of it without libc:
//!   librt.so     leaf system calls for the TypeScript side (lib.zig), and abi.ts generated from wire/abi.zig
//!   rt-monitor   static helper: one per running container or exec (monitor, init stage, rt-reaper for --init)
//!   rt-init      static helper: process 1 of a machine or a pid namespace
//!   rt-holder    static helper: the process that keeps an ordinary user's namespace
//!   rt-layer     static helper: layer archives to directories, tree copies (threads, hot loops)
//!   rt-start     the stub that the kernel starts: brings ld.so and libc out of rt's own file (build/static.ts)
//!   rt-probe     the prober: prints what a container sees; the embedded image, and the tests' eyes
const std = @import("std");

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{ .default_target = .{ .cpu_arch = .x86_64, .os_tag = .linux, .abi = .none } });

    const lib = b.addLibrary(.{
        .name = "rt",
        .linkage = .dynamic,
        .root_module = module(b, "lib.zig", target, .ReleaseSafe, .multi),
    });
    lib.root_module.pic = true;
    b.getInstallStep().dependOn(&b.addInstallArtifact(lib, .{ .dest_dir = .{ .override = .prefix }, .dest_sub_path = "librt.so" }).step);

    // What reads the words of others keeps its checks: an index that is wrong is one line and the end (wire/fault.zig).
    _ = executable(b, target, "rt-monitor", "monitor.zig", .ReleaseSafe, .single);
    const init = executable(b, target, "rt-init", "boot.zig", .ReleaseSafe, .single);
    _ = executable(b, target, "rt-layer", "layer.zig", .ReleaseSafe, .multi);
    _ = executable(b, target, "rt-probe", "probe.zig", .ReleaseSmall, .single);
    _ = executable(b, target, "rt-holder", "holder.zig", .ReleaseSmall, .single);

    // At an address that is far from Bun's program (which ends below 256 MiB) and within reach of the small code model.
    const start = executable(b, target, "rt-start", "start.zig", .ReleaseSmall, .single);
    start.image_base = 0x4000_0000;
    start.bundle_compiler_rt = true;
    start.root_module.addAnonymousImport("rt-init", .{ .root_source_file = init.getEmittedBin() });

    // What TypeScript knows of us is written by a program that imports it, so that the two cannot differ.
    const generator = b.addExecutable(.{ .name = "abi-gen", .root_module = module(b, "abi_gen.zig", b.graph.host, .Debug, .single) });
    for ([_][]const u8{ "abi", "linux" }) |name| {
        const generate = b.addRunArtifact(generator);
        generate.addArg(name);
        b.getInstallStep().dependOn(&b.addInstallFile(generate.captureStdOut(.{}), b.fmt("{s}.ts", .{name})).step);
    }

    // For test/fuzz: with every safety check.
    const fuzz = b.step("fuzz", "Build the fuzzing targets");
    for ([_][2][]const u8{ .{ "rt-fuzz", "fuzz_inflate.zig" }, .{ "rt-fuzz-layer", "fuzz_layer.zig" }, .{
        "rt-fuzz-frames",
        "fuzz_frames.zig",
    }, .{ "rt-fuzz-names", "fuzz_names.zig" }, .{ "rt-fuzz-seccomp", "fuzz_seccomp.zig" } }) |each| {
        const exe = b.addExecutable(
            .{ .name = each[0], .linkage = .static, .root_module = module(b, each[1], target, .ReleaseSafe, .multi) },
        );
        fuzz.dependOn(&b.addInstallArtifact(exe, .{ .dest_dir = .{ .override = .prefix } }).step);
    }

    const tests = b.step("test", "Run the Zig unit tests");
    for ([_][]const u8{ "lib.zig", "monitor.zig", "boot.zig", "layer.zig", "start_tests.zig" }) |root| {
        // LLVM also for Debug: Zig's own backend does not know the SHA and CRC instructions.
        const unit = b.addTest(.{ .root_module = module(b, root, target, .Debug, .multi), .use_llvm = true });
        unit.root_module.addAnonymousImport("rt-init", .{ .root_source_file = init.getEmittedBin() });
        tests.dependOn(&b.addRunArtifact(unit).step);
    }
}

const Threads = enum { single, multi };

fn module(
    b: *std.Build,
    root: []const u8,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    threads: Threads,
) *std.Build.Module {
    return b.createModule(.{
        .root_source_file = b.path(root),
        .target = target,
        .optimize = optimize,
        .strip = optimize != .Debug,
        .single_threaded = threads == .single,
        // Nothing here unwinds: a third of the small programs' size.
        .unwind_tables = if (optimize == .Debug) null else .none,
    });
}

fn executable(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    name: []const u8,
    root: []const u8,
    optimize: std.builtin.OptimizeMode,
    threads: Threads,
) *std.Build.Step.Compile {
    const exe = b.addExecutable(.{ .name = name, .linkage = .static, .root_module = module(b, root, target, optimize, threads) });
    // Otherwise the start code raises RLIMIT_STACK to 16 MiB, and every container inherits that.
    exe.stack_size = 1 << 20;
    b.getInstallStep().dependOn(&b.addInstallArtifact(exe, .{ .dest_dir = .{ .override = .prefix } }).step);
    return exe;
}
