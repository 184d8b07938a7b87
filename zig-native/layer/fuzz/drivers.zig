//! rt-layer's unpack in processes of their own, as the two drivers call it.
const std = @import("std");
const linux = std.os.linux;
const Request = @import("../request.zig").Request;
const confine = @import("../confine.zig");
const fault = @import("../../wire/fault.zig");
const place = @import("../place.zig");
const remove = @import("../remove.zig");
const report = @import("../report.zig");
const unpack = @import("../unpack.zig");

pub const Driver = enum { overlay, copy };

pub const Answer = struct {
    bytes: [16 * 1024]u8 = undefined,
    length: usize = 0,
    status: u32 = 0,

    pub fn text(self: *const Answer) []const u8 {
        return self.bytes[0..self.length];
    }

    /// "ok", or the kind of the failure. Null: there was no answer.
    pub fn verdict(self: *const Answer) ?[]const u8 {
        if (std.mem.indexOf(u8, self.text(), "{\"ok\":true") != null) return "ok";
        const key = "\"kind\":\"";
        const start = (std.mem.indexOf(u8, self.text(), key) orelse return null) + key.len;
        const end = std.mem.indexOfScalarPos(u8, self.text(), start, '"') orelse return null;
        return self.text()[start..end];
    }
};

/// Layer `index` of an image, on top of those before it, in `root`. As OverlayDriver and CopyDriver do it.
pub fn apply(answer: *Answer, driver: Driver, root: []const u8, index: usize, tar: []const u8) void {
    switch (driver) {
        .copy => attempt(answer, root, index, tar, "merged", "copy"),
        .overlay => {
            attempt(answer, root, index, tar, "diff", "none");
            if (!std.mem.eql(u8, answer.verdict() orelse "", "conflict")) return;
            clear(root);
            attempt(answer, root, index, tar, "merged", "overlay");
        },
    }
}

/// What a failure leaves, which is the caller's to remove.
fn clear(root: []const u8) void {
    var buffer: [64]u8 = undefined;
    const fd = place.openPath(std.fmt.bufPrintZ(&buffer, "{s}/tmp", .{root}) catch unreachable); // short
    remove.tree(fd, "n");
    _ = linux.close(fd);
}

fn attempt(answer: *Answer, root: []const u8, index: usize, tar: []const u8, mode: []const u8, via: []const u8) void {
    const archive = linux.memfd_create("layer", 0);
    check(archive, "make a memfd");
    defer _ = linux.close(@intCast(archive));
    if (linux.write(@intCast(archive), tar.ptr, tar.len) != tar.len) fatal("write an archive");
    var words: Arguments = .{};
    words.add("root={s}", .{root});
    words.add("name=n", .{});
    words.add("leaf=fs", .{});
    words.add("commit={d}", .{index});
    var digest: [32]u8 = undefined;
    std.crypto.hash.sha2.Sha256.hash(tar, &digest, .{});
    words.add("diffid={s}", .{&std.fmt.bytesToHex(digest, .lower)});
    words.add("mode={s}", .{mode});
    words.add("via={s}", .{via});
    words.add("parents={s}", .{([_][]const u8{ "", "0", "1,0" })[index]});
    for ([_][]const u8{ "input=file", "format=tar", "threads=1", "limit=1000000000" }) |word| words.add("{s}", .{word});
    inChild(answer, @intCast(archive), &words, unpackNow);
}

const Arguments = struct {
    memory: [4096]u8 = undefined,
    used: usize = 0,
    list: [16][*:0]const u8 = undefined,
    count: usize = 0,

    fn add(self: *Arguments, comptime format: []const u8, values: anytype) void {
        const text = std.fmt.bufPrintZ(self.memory[self.used..], format, values) catch fatal("write arguments");
        self.list[self.count] = text.ptr;
        self.count += 1;
        self.used += text.len + 1;
    }
};

fn unpackNow(arguments: *const Arguments) noreturn {
    fault.program = "rt-layer";
    fault.tell = &report.tellFault;
    confine.settle();
    unpack.run(.{ .arguments = arguments.list[0..arguments.count] });
}

/// `body` in a child whose standard output is the answer, with the archive as descriptor 3.
pub fn inChild(answer: *Answer, archive: i32, context: anytype, comptime body: fn (@TypeOf(context)) noreturn) void {
    var said: [2]i32 = undefined;
    var asked: [2]i32 = undefined;
    check(linux.pipe2(&said, .{}), "make a pipe");
    check(linux.pipe2(&asked, .{}), "make a pipe");
    _ = linux.write(asked[1], "$p", 2);
    const pid = linux.fork();
    check(pid, "fork");
    if (pid == 0) {
        _ = linux.dup2(asked[0], 0);
        _ = linux.dup2(said[1], 1);
        if (archive >= 0) _ = linux.dup2(archive, 3);
        body(context);
    }
    _ = linux.close(said[1]);
    _ = linux.close(asked[0]);
    answer.length = 0;
    while (answer.length < answer.bytes.len) {
        const got = linux.read(said[0], answer.bytes[answer.length..].ptr, answer.bytes.len - answer.length);
        if (linux.errno(got) == .INTR) continue;
        check(got, "read an answer");
        if (got == 0) break;
        answer.length += got;
    }
    _ = linux.close(said[0]);
    _ = linux.close(asked[1]);
    check(linux.waitpid(@intCast(pid), &answer.status, 0), "wait");
}

pub fn check(rc: usize, comptime what: []const u8) void {
    const e = linux.errno(rc);
    if (e != .SUCCESS) report.failErrno(e, "cannot " ++ what, .{});
}

pub fn fatal(comptime what: []const u8) noreturn {
    report.fail(.request, "cannot " ++ what, .{});
}
