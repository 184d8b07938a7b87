//! Process 1 is never the runtime. Where a kernel starts us, or somebody calls us /init in a pid namespace, this stub becomes
//! rt-init (boot.zig), which travels inside it; the runtime comes as that one's child, and whatever ends it (a processor that
//! is too old, a limit, its own abort) is a line on the console and a power-off, where the end of process 1 is a panic.
const std = @import("std");
const linux = std.os.linux;
const loader = @import("loader.zig");
const place = @import("../boot/place.zig");
const say = @import("say.zig");
const memfd = @import("../linux/memfd.zig");

const program = @embedFile("rt-init");
const words_max = 1024;

/// Where an unlinked file stands in for a memfd on hosts that forbid to execute those (vm.memfd_noexec=2).
const directories = [_][*:0]const u8{ "/run", "/var/lib", "/dev/shm", "/tmp", "/" };

/// `stack` is what the kernel left: argc, argv…, 0, `environment`… Answers when this is to be an ordinary command.
pub fn becomeInit(stack: [*]const usize, environment: [*]const usize) void {
    if (linux.getpid() != 1) return;
    const arguments: []const usize = (stack + 1)[0..stack[0]];
    const name = if (arguments.len > 0) std.mem.span(@as([*:0]const u8, @ptrFromInt(arguments[0]))) else "";
    if (arguments.len > 1 and std.mem.eql(u8, std.mem.span(@as([*:0]const u8, @ptrFromInt(arguments[1]))), "init")) holdRequests();
    // Without /proc we do not know where we are, and cannot hand over our own file.
    const file = loader.openSelf();
    if (!isInit(name) and !place.isMachine()) {
        _ = linux.close(file);
        return;
    }
    // What is sent from here on waits until rt-init asks for it.
    const all = linux.sigfillset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &all, null);
    var digits: [20:0]u8 = @splat(0);
    _ = say.decimal(&digits, @intCast(file));
    var words: [words_max + 1]usize = @splat(0);
    if (arguments.len + 2 > words_max) say.die(&.{"cannot start: too many arguments"});
    words[0] = @intFromPtr("rt-init");
    words[1] = @intFromPtr(&digits);
    for (1..@max(1, arguments.len)) |index| words[index + 1] = arguments[index];
    _ = linux.fcntl(file, linux.F.SETFD, 0);
    const result = linux.execveat(
        memory(),
        "",
        @ptrCast(&words),
        @ptrCast(environment),
        .{ .SYMLINK_NOFOLLOW = false, .EMPTY_PATH = true },
    );
    _ = say.check(result, "rt-init");
}

/// `rt init` is read by the runtime before it comes back to us as rt-init. What asks for the end meanwhile would be nothing
/// to a process 1 without handlers: blocked, it waits, also for the next program.
fn holdRequests() void {
    var requests = linux.sigemptyset();
    for ([_]linux.SIG{ .TERM, .INT, .HUP }) |signal| linux.sigaddset(&requests, signal);
    _ = linux.sigprocmask(linux.SIG.BLOCK, &requests, null);
}

/// "/init" is what a kernel calls the first program of an initramfs; rt-init what `rt init` calls itself as process 1.
fn isInit(name: []const u8) bool {
    const base = name[if (std.mem.lastIndexOfScalar(u8, name, '/')) |slash| slash + 1 else 0..];
    for ([_][]const u8{ "init", "linuxrc", "rt-init" }) |known| if (std.mem.eql(u8, base, known)) return true;
    return false;
}

fn memory() i32 {
    var fd: i32 = -1;
    for (directories) |directory| {
        fd = memfd.sealed("rt-init", program, true, directory);
        if (fd >= 0) return fd;
    }
    _ = say.check(@bitCast(@as(isize, fd)), "memory for rt-init");
    unreachable; // a negative number is an errno
}

test isInit {
    for ([_][]const u8{ "/init", "init", "/sbin/init", "/linuxrc", "rt-init" }) |name| try std.testing.expect(isInit(name));
    for ([_][]const u8{ "", "/", "rt", "/usr/bin/rt", "/init/rt", "initx" }) |name| try std.testing.expect(!isInit(name));
}
