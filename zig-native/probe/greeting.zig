//! What `rt run embed:hello` says: what just happened, with the facts of this very container.
const std = @import("std");
const linux = std.os.linux;
const input = @import("input.zig");
const output = @import("output.zig");

pub fn greet() u8 {
    var names: linux.utsname = undefined;
    _ = linux.uname(&names);
    output.text(
        \\Hello from a container made by rt.
        \\
        \\This is what just happened, without a daemon and without the network:
        \\ 1. rt took an image out of its own executable, checked its digest, and unpacked its one layer.
        \\ 2. The image's configuration became an OCI runtime specification.
        \\ 3. A static monitor of a few KB cloned new namespaces, built this root in them and pivoted into it.
        \\ 4. It dropped privileges and executed /probe, the program that is speaking.
        \\
        \\
    );
    output.text("Here it has pid ");
    output.decimal(@intCast(linux.getpid()));
    output.text(", uid ");
    output.decimal(linux.getuid());
    output.text(" and the hostname ");
    output.escaped(std.mem.sliceTo(&names.nodename, 0));
    output.text(", and sees ");
    output.decimal(count("/proc/self/mountinfo"));
    output.text(
        \\ mounts.
        \\
        \\Look around:           rt run embed:hello ids      (also: mounts, caps, env, fds, devices, net; all: help)
        \\Run something larger:  rt run -it alpine sh
        \\
    );
    return 0;
}

fn count(path: [*:0]const u8) u64 {
    var buffer: [65536]u8 = undefined;
    const length = input.read(path, &buffer);
    return if (input.failed(length)) 0 else std.mem.count(u8, buffer[0..length], "\n");
}
