//! What crosses the boundary between TypeScript and Zig: numbers, frame types, result structs.
//! `abi_gen.zig` prints this file as src/native/abi.ts.

/// One frame of the attach protocol: this header, then `length` bytes. It is Docker's stream header (type, three zero
/// bytes, big-endian length) with more types. The protocol is drawn in monitor.zig.
pub const frame_header_bytes = 8;
pub const frame_payload_max = 32 * 1024;

pub const Frame = enum(u8) {
    stdin = 0,
    stdout = 1,
    stderr = 2,
    /// Client: no more stdin follows.
    stdin_eof = 3,
    /// Client: payload is rows u16, columns u16, big-endian.
    resize = 4,
    /// Monitor: the process is built and waits; payload is its pid in the monitor's namespace, u32 big-endian.
    created = 6,
    /// Client: execute the program.
    start = 7,
    /// Monitor: the program was executed.
    started = 8,
    /// Monitor: it failed; payload is a `Failure` header and a message. The monitor ends after it.
    failed = 9,
    /// Monitor: the program ended; payload is the exit status, u32 big-endian (128+n for signal n).
    exit = 10,
    /// Client: its own stdout (payload 1) or stderr (payload 2) was closed by the reader; one byte.
    output_closed = 11,
    /// Monitor: something asked for could not be had, and it goes on without; payload is text for a person.
    warning = 12,
    /// Monitor: your stdin frame has been taken; send the next. A client has one on its way at a time, so that what it says
    /// besides never waits behind stdin that the program does not read.
    stdin_taken = 13,
    /// Monitor: the container is built but for the change of its root, and waits for hooks; payload as of `created`, of its
    /// process as it is now.
    paused = 14,
    /// Client: they have run.
    proceed = 15,
    _,
};

/// Payload of `failed`: this, big-endian, then the message ("mount /proc").
pub const failure_header_bytes = 8; // stage u32, errno u32

/// Where a failure happened. The number crosses the pipe; the message names the object.
pub const Stage = enum(u32) {
    /// The request was not understood.
    request = 1,
    /// The monitor's own resources: sockets, cgroup, clone.
    monitor = 2,
    /// Namespaces: join or create.
    namespace = 3,
    rootfs = 4,
    mount = 5,
    device = 6,
    /// Hostname, sysctls, loopback, rlimits.
    settings = 7,
    /// User, groups, capabilities.
    identity = 8,
    /// The working directory.
    cwd = 9,
    /// The program could not be executed: the exit status is 127 (ENOENT) or 126.
    exec = 10,
    /// An OCI hook failed: the message says all.
    hook = 11,
    _,
};

/// What `rt_attach` answers.
pub const AttachResult = extern struct {
    /// Exit status of the program when `ended` is `exit`.
    status: u32,
    ended: Ended,
    stage: u32,
    /// For `failed`; for `exit` it is why our stdout or stderr took no more, 0 when it did or its reader just went.
    errno: u32,
    /// Bytes of message written to the caller's buffer, for `failed`.
    message_bytes: u32,
};

comptime {
    // TypeScript reads it as words, without holes.
    if (@sizeOf(AttachResult) != 5 * @sizeOf(u32)) @compileError("AttachResult is not five words");
}

/// What `rt_interfaces` answers: `kind` is 1 for Ethernet (ARPHRD_*), `flags` are IFF_*. The name ends with a NUL.
pub const Interface = extern struct { index: u32, kind: u32, flags: u32, mtu: u32, name: [16]u8, mac: [8]u8 };

/// What `rt_route_destinations` answers. An address of IPv4 (family 2) has twelve zeros behind it.
pub const RouteDestination = extern struct { family: u32, prefix: u32, address: [16]u8 };

/// What is said of ports to a container's monitor (monitor/ports.zig draws it): this, then so many `PortEntry`s.
pub const PortsHeader = extern struct { request: PortsRequest, count: u32 };

pub const PortsRequest = enum(u32) {
    /// Hold these, each of which has its socket beside it.
    hold = 1,
    /// Let these go.
    release = 2,
    /// What comes to these is handed on to other targets.
    repoint = 3,
    _,
};

/// A port of the host. Numbers are the machine's, addresses the network's; those of IPv4 have twelve zeros behind them.
pub const PortEntry = extern struct {
    /// IPPROTO_*
    protocol: u32,
    /// 4 or 6
    family: u32,
    port: u32,
    /// Where what comes to the socket is handed on to: 4 or 6; 0 where nothing comes, as the firewall leads it there.
    target_family: u32,
    target_port: u32,
    address: [16]u8,
    target: [16]u8,
};

/// So many in one message, with their sockets and one more descriptor.
pub const port_entries_max: u32 = 252;

pub const Ended = enum(u32) {
    /// An `exit` frame came.
    exit = 1,
    /// A `failed` frame came.
    failed = 2,
    /// The monitor's end was closed without either: it was killed.
    lost = 3,
    /// The user typed the detach keys.
    detached = 4,
};

/// Flags of `rt_attach`.
pub const attach_stdin: u32 = 1;
/// The program has a terminal: its size is ours, and with stdin our own is raw meanwhile.
pub const attach_tty: u32 = 2;
/// Hand the signals that we get on to the program.
pub const attach_signals: u32 = 4;
/// Send `start` once signals are looked after, so that none can end us and leave the program alone.
pub const attach_start: u32 = 8;
