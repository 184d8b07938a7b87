//! Exports of librt.so, and nothing else: leaf calls of scalars and (pointer, length) that answer >= 0 or -errno. Buffers
//! belong to the caller and no pointer outlives its call. src/native/ffi.ts is the only caller; its declarations are generated
//! from here (abi_gen.zig), so that there is no second list.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("wire/abi.zig");
const activation = @import("lib/activation.zig");
const answer = @import("linux/answer.zig");
const attach = @import("lib/attach.zig");
const cgroup = @import("linux/cgroup.zig");
const devices = @import("lib/devices.zig");
const fault = @import("wire/fault.zig");
const inside = @import("linux/inside.zig");
const link = @import("linux/net/link.zig");
const memfd = @import("linux/memfd.zig");
const paths = @import("linux/path.zig");
const network = @import("lib/network.zig");
const packet = @import("linux/net/packet.zig");
const ports = @import("lib/ports.zig");
const process = @import("linux/process.zig");
const remove = @import("linux/remove.zig");
const seccomp = @import("lib/seccomp.zig");
const spawn = @import("lib/spawn.zig");
const tty = @import("linux/tty.zig");
const uplink = @import("linux/net/uplink.zig");
const user_namespace = @import("linux/user_namespace.zig");

pub const panic = fault.panic;
pub const std_options = fault.options;

/// A change in what crosses the boundary changes this number.
pub const hash: u32 = blk: {
    @setEvalBranchQuota(2_000_000);
    break :blk std.hash.Crc32.hash(@embedFile("wire/abi.zig") ++ @embedFile("lib.zig"));
};

/// `hash`, of the library that is loaded.
pub export fn rt_abi_hash() u32 {
    return hash;
}

/// A sealed memfd holding `bytes`; `executable` when not 0 (then `directory` is where a fallback file may be made).
pub export fn rt_sealed_file(name: [*:0]const u8, bytes: [*]const u8, length: usize, executable: u32, directory: [*:0]const u8) i32 {
    return memfd.sealed(name, bytes[0..length], executable != 0, directory);
}

/// Execute a helper with `descriptors` as its 0, 1, 2 …; answers its pid.
pub export fn rt_spawn(executable: i32, name: [*:0]const u8, role: [*:0]const u8, descriptors: [*]const i32, count: u32) i32 {
    if (count > spawn.descriptors_max) return answer.code(.INVAL);
    return spawn.spawn(executable, name, role, descriptors[0..count]);
}

/// Become the file `executable`. `words` and `environment` are their strings one after the other, each with its NUL, and how
/// many. Answers -errno, or not at all.
pub export fn rt_execute(executable: i32, words: [*]const u8, word_count: u32, environment: [*]const u8, variable_count: u32) i32 {
    return spawn.replace(executable, words, word_count, environment, variable_count);
}

/// The same of the program at `path`, in a mount namespace of its own.
pub export fn rt_execute_apart(
    path: [*:0]const u8,
    words: [*]const u8,
    word_count: u32,
    environment: [*]const u8,
    variable_count: u32,
) i32 {
    return spawn.replaceApart(path, words, word_count, environment, variable_count);
}

/// mount(2). An empty source, type or data is a null one.
pub export fn rt_mount(source: [*:0]const u8, target: [*:0]const u8, kind: [*:0]const u8, flags: u32, data: [*:0]const u8) i32 {
    return answer.of(linux.mount(orNull(source), target, orNull(kind), flags, @intFromPtr(orNull(data))));
}

/// umount2(2), at once: whoever still looks there keeps what he sees.
pub export fn rt_unmount(target: [*:0]const u8) i32 {
    return answer.of(linux.umount2(target, linux.MNT.DETACH | linux.UMOUNT_NOFOLLOW));
}

/// finit_module(2). `compressed`, when not 0: the kernel unpacks it.
pub export fn rt_load_module(fd: i32, parameters: [*:0]const u8, compressed: u32) i32 {
    const compressed_file = 4;
    const flags: u32 = if (compressed != 0) compressed_file else 0;
    return answer.of(linux.syscall3(.finit_module, @as(usize, @bitCast(@as(isize, fd))), @intFromPtr(parameters), flags));
}

/// Is what lies at `target` (a link at its end not followed) the root of a mount? 1 or 0.
pub export fn rt_is_mount_root(target: [*:0]const u8) i32 {
    var yes = false;
    const errno = paths.isMountRoot(target, &yes);
    return if (errno == .SUCCESS) @intFromBool(yes) else answer.code(errno);
}

fn orNull(text: [*:0]const u8) ?[*:0]const u8 {
    return if (text[0] == 0) null else text;
}

/// Has a helper that we started ended? 1, and it is no zombie any more, or 0.
pub export fn rt_ended(pid: i32) i32 {
    var status: u32 = 0;
    const result = linux.waitpid(pid, &status, linux.W.NOHANG);
    return if (linux.errno(result) == .SUCCESS) @intFromBool(result != 0) else answer.of(result);
}

/// A connected pair of stream sockets, close-on-exec.
pub export fn rt_socketpair(pair: *[2]i32) i32 {
    return answer.of(linux.socketpair(linux.AF.UNIX, linux.SOCK.STREAM | linux.SOCK.CLOEXEC, 0, pair));
}

/// The same of sockets that keep packets apart.
pub export fn rt_packet_pair(pair: *[2]i32) i32 {
    return answer.of(linux.socketpair(linux.AF.UNIX, linux.SOCK.SEQPACKET | linux.SOCK.CLOEXEC, 0, pair));
}

/// Connections of a socket that somebody else listens on: answers a socket from which their descriptors come, 4 bytes each.
pub export fn rt_accept_from(listener: i32) i32 {
    return activation.acceptFrom(listener);
}

/// One datagram to a unix socket; a path that begins with "@" is an abstract one.
pub export fn rt_notify(path: [*:0]const u8, message: [*]const u8, length: usize) i32 {
    return activation.notify(std.mem.span(path), message[0..length]);
}

/// A socket that holds a port of the host, at an address of 4 bytes or 16; lets nothing in unless `open` is not 0.
pub export fn rt_hold_port(protocol: u32, address: [*]const u8, length: usize, number: u32, open: u32) i32 {
    return ports.hold(protocol, address[0..length], number, open != 0);
}

/// What is said of ports (wire/abi.zig), with their sockets, to a monitor that is being started.
pub export fn rt_send_ports(socket: i32, message: [*]const u8, length: usize, descriptors: [*]const i32, count: u32) i32 {
    return ports.send(socket, message[0..length], descriptors[0..count]);
}

/// The same to the monitor whose socket is at `path`: 0 once it is so.
pub export fn rt_ask_ports(path: [*:0]const u8, message: [*]const u8, length: usize, descriptors: [*]const i32, count: u32) i32 {
    return ports.ask(std.mem.span(path), message[0..length], descriptors[0..count]);
}

/// Connect to a unix stream socket.
pub export fn rt_connect(path: [*:0]const u8) i32 {
    return process.connectUnix(std.mem.span(path));
}

pub export fn rt_close(fd: i32) i32 {
    return answer.of(linux.close(fd));
}

/// flock(2): `operation` is LOCK_SH 1, LOCK_EX 2, LOCK_UN 8, with LOCK_NB 4.
pub export fn rt_flock(fd: i32, operation: i32) i32 {
    while (true) {
        const result = linux.flock(fd, operation);
        if (linux.errno(result) != .INTR) return answer.of(result);
    }
}

/// Move bytes between `stdio` (input, output, error) and the monitor until the program ends. Signals go to the process `pid`
/// that started at `start`; `keys` detach.
pub export fn rt_attach(
    socket: i32,
    stdio: *const [3]i32,
    flags: u32,
    pid: i32,
    start: u64,
    keys: [*]const u8,
    keys_length: usize,
    message: [*]u8,
    capacity: usize,
    result: *abi.AttachResult,
) i32 {
    const pidfd = process.open(pid, start);
    defer if (pidfd >= 0) {
        _ = linux.close(pidfd);
    };
    return attach.attach(socket, stdio.*, flags, pidfd, keys[0..keys_length], message[0..capacity], result);
}

/// The user namespace of the process `pid` that started at `start`, if it is a child of ours and belongs to `owner`.
pub export fn rt_open_user_namespace(pid: i32, start: u64, owner: u32) i32 {
    return user_namespace.openChild(pid, start, owner) orelse answer.code(.SRCH);
}

/// Start time of `pid` in clock ticks since boot (field 22 of /proc/PID/stat), 0 when there is no such process.
pub export fn rt_start_time(pid: i32) u64 {
    return process.startTime(pid) orelse 0;
}

/// Signal the process `pid` if its start time (clock ticks since boot) is `start`; otherwise -ESRCH.
pub export fn rt_signal(pid: i32, start: u64, signal: i32) i32 {
    return process.signal(pid, start, signal);
}

/// The file `file` in the root of the process `pid` that started at `start`, open for reading and writing; or -errno.
pub export fn rt_open_inside(pid: i32, start: u64, file: [*:0]const u8) i32 {
    return inside.open(pid, start, file);
}

/// Terminal size of `fd` as rows << 16 | columns; -ENOTTY when it is no terminal.
pub export fn rt_window_size(fd: i32) i32 {
    var size: tty.Size = undefined;
    const errno = tty.getSize(fd, &size);
    if (errno != .SUCCESS) return answer.code(errno);
    return (@as(i32, size.rows & 0x7fff) << 16) | size.columns;
}

/// Remove a directory and all below it without following a link; absent is fine. -EAGAIN: there were more than `names_max`
/// names, and some are left.
pub export fn rt_remove_tree(path: [*:0]const u8, names_max: u32) i32 {
    const failure = remove.tree(std.heap.page_allocator, linux.AT.FDCWD, path, names_max) orelse return 0;
    return answer.code(failure.errno);
}

/// Remove the cgroup `path` from every hierarchy.
pub export fn rt_cgroup_remove(path: [*:0]const u8) i32 {
    cgroup.remove(std.mem.span(path));
    return 0;
}

/// SIGKILL for everything in the cgroup `path` and below it; nothing of it stays frozen.
pub export fn rt_cgroup_end(path: [*:0]const u8) i32 {
    cgroup.end(std.mem.span(path));
    return 0;
}

/// The device rules of a group of cgroup v2, `count` words in all (lib/devices.zig), instead of those that it has.
pub export fn rt_cgroup_devices(directory: [*:0]const u8, words: [*]const u32, count: usize) i32 {
    return devices.set(directory, words[0..count]);
}

/// Ask that everything in the cgroup `path` stands still (`wanted` not 0), or goes on.
pub export fn rt_cgroup_freeze(path: [*:0]const u8, wanted: u32) i32 {
    return answer.code(cgroup.freeze(std.mem.span(path), wanted != 0));
}

/// Do the operations of `request` (lib/network.zig), some of them in the network namespace of the process `pid` that started at
/// `start` (0: none of them). -errno: `done` says how many were done before the one that failed; `words`, with a NUL, is what
/// the kernel says about it.
pub export fn rt_network_apply(
    pid: i32,
    start: u64,
    request: [*]const u8,
    length: usize,
    done: *[1]u32,
    words: [*]u8,
    capacity: usize,
) i32 {
    return network.apply(pid, start, request[0..length], &done[0], words[0..capacity]);
}

/// Put the table of `request` (linux/net/nftables.zig) in the place of the one of its name. `words` as above.
pub export fn rt_firewall_replace(request: [*]const u8, length: usize, words: [*]u8, capacity: usize) i32 {
    return network.replaceTable(request[0..length], words[0..capacity]);
}

/// Elements of sets and maps of nftables come and go, as `request` says (linux/net/nftables.zig). `words` as above.
pub export fn rt_firewall_change(request: [*]const u8, length: usize, words: [*]u8, capacity: usize) i32 {
    return network.changeElements(request[0..length], words[0..capacity]);
}

/// What the kernel knows of flows of a protocol to these ports is forgotten.
pub export fn rt_forget_flows(protocol: u32, numbers: [*]const u32, count: usize) i32 {
    return network.forgetFlows(@truncate(protocol), numbers[0..count]);
}

/// What the kernel knows of flows that began at this address, or led to it, is forgotten.
pub export fn rt_forget_address(address: [*]const u8, length: usize) i32 {
    return network.forgetAddress(address[0..length]);
}

/// The keys of a set of nftables, one behind the other: bytes of all, of which `into` has the first `capacity`.
pub export fn rt_firewall_keys(family: u32, table: [*:0]const u8, set: [*:0]const u8, into: [*]u8, capacity: usize) i32 {
    return network.elementKeys(@truncate(family), std.mem.span(table), std.mem.span(set), into[0..capacity]);
}

/// The comment of a table of nftables: bytes of it; -ENOENT without such a table.
pub export fn rt_firewall_comment(family: u32, name: [*:0]const u8, into: [*]u8, capacity: usize) i32 {
    return network.tableComment(@truncate(family), std.mem.span(name), into[0..capacity]);
}

/// A chain of nftables that drops what this host forwards, but for what its rules let through: bytes of "CHAIN of table TABLE"; 0: none.
pub export fn rt_firewall_closed(family: u32, into: [*]u8, capacity: usize) i32 {
    return network.closedForward(@truncate(family), into[0..capacity]);
}

/// The group of an interface, and how far it is (IF_OPER_*); -ENODEV without such an interface.
pub export fn rt_link_facts(name: [*:0]const u8, into: *[2]u32) i32 {
    return network.linkFacts(std.mem.span(name), into);
}

/// From here on `world`, a descriptor of a network namespace, stands for the host's; -1: no more. 0, or -errno.
pub export fn rt_network_world(world: i32) i32 {
    return network.enterWorld(world);
}

comptime {
    // linux/ knows no one, so they are written down twice.
    for ([_][2]type{ .{ link.Destination, abi.RouteDestination }, .{ uplink.Interface, abi.Interface } }) |pair| {
        for (@typeInfo(pair[0]).@"struct".fields, @typeInfo(pair[1]).@"struct".fields) |a, b| {
            if (!std.mem.eql(u8, a.name, b.name) or a.type != b.type) @compileError("abi.zig is not what linux/net answers");
        }
    }
}

/// Where this host's routes lead, as `RouteDestination`s: how many there are, of which `into` has the first `capacity`.
pub export fn rt_route_destinations(into: [*]u32, capacity: usize) i32 {
    return network.destinations(@as([*]link.Destination, @ptrCast(into))[0..capacity]);
}

/// The interfaces of this network namespace, as `Interface`s: how many there are, of which `into` has the first `capacity`.
pub export fn rt_interfaces(into: [*]u32, capacity: usize) i32 {
    return network.interfaces(@as([*]uplink.Interface, @ptrCast(into))[0..capacity]);
}

/// A socket for what a client of DHCP gets on the interface `index`: answers of the exchange `xid`, for the address `mac`.
pub export fn rt_packet_open(index: i32, xid: u32, mac: *const [6]u8) i32 {
    return packet.open(index, .{ .xid = xid, .mac = mac.* });
}

/// Send a packet of IPv4 to everybody on the link.
pub export fn rt_packet_broadcast(fd: i32, index: i32, bytes: [*]const u8, length: usize) i32 {
    return packet.broadcast(fd, index, bytes[0..length]);
}

/// The next packet: its length, which may be more than `capacity`; -EAGAIN: none is there.
pub export fn rt_packet_receive(fd: i32, into: [*]u8, capacity: usize) i32 {
    return packet.receive(fd, into[0..capacity]);
}

/// Send bytes from port 68 of this host's address `from` to port 67 of `to`; each is four bytes.
pub export fn rt_packet_unicast(from: *const [4]u8, to: *const [4]u8, bytes: [*]const u8, length: usize) i32 {
    return packet.unicast(from.*, to.*, bytes[0..length]);
}

/// The file of a filter of system calls, of `profile`, the runtime specification's in JSON: its bytes. -errno: `words`, with a
/// NUL, say why.
pub export fn rt_compile_filter(
    profile: [*]const u8,
    length: usize,
    into: [*]u8,
    capacity: usize,
    words: [*]u8,
    words_capacity: usize,
) i32 {
    return seccomp.compile(profile[0..length], into[0..capacity], words[0..words_capacity]);
}

/// exit_group(2): no destructor of the runtime's runs.
pub export fn rt_exit(status: i32) noreturn {
    linux.exit_group(status);
}

test {
    _ = network;
    _ = packet;
    _ = uplink;
    _ = ports;
    _ = @import("linux/seccomp.zig");
    _ = @import("linux/net/port.zig");
    _ = @import("linux/net/rights.zig");
    _ = @import("linux/net/namespace.zig");
}
