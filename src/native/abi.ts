// Generated from zig-native/wire/abi.zig and lib.zig by build.ts. Do not edit.
export const frame_header_bytes = 8;
export const frame_payload_max = 32768;
export const Frame = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  stdin_eof: 3,
  resize: 4,
  created: 6,
  start: 7,
  started: 8,
  failed: 9,
  exit: 10,
  output_closed: 11,
  warning: 12,
  stdin_taken: 13,
  paused: 14,
  proceed: 15,
} as const;
export const failure_header_bytes = 8;
export const Stage = {
  request: 1,
  monitor: 2,
  namespace: 3,
  rootfs: 4,
  mount: 5,
  device: 6,
  settings: 7,
  identity: 8,
  cwd: 9,
  exec: 10,
  hook: 11,
} as const;
/** Byte offsets. */
export const AttachResult = {
  status: 0,
  ended: 4,
  stage: 8,
  errno: 12,
  message_bytes: 16,
  bytes: 20,
} as const;
/** Byte offsets. */
export const Interface = {
  index: 0,
  kind: 4,
  flags: 8,
  mtu: 12,
  name: 16,
  mac: 32,
  bytes: 40,
} as const;
/** Byte offsets. */
export const RouteDestination = {
  family: 0,
  prefix: 4,
  address: 8,
  bytes: 24,
} as const;
/** Byte offsets. */
export const PortsHeader = {
  request: 0,
  count: 4,
  bytes: 8,
} as const;
export const PortsRequest = {
  hold: 1,
  release: 2,
  repoint: 3,
} as const;
/** Byte offsets. */
export const PortEntry = {
  protocol: 0,
  family: 4,
  port: 8,
  target_family: 12,
  target_port: 16,
  address: 20,
  target: 36,
  bytes: 52,
} as const;
export const port_entries_max = 252;
export const Ended = {
  exit: 1,
  failed: 2,
  lost: 3,
  detached: 4,
} as const;
export const attach_stdin = 1;
export const attach_tty = 2;
export const attach_signals = 4;
export const attach_start = 8;
/** For bun:ffi's dlopen. */
export const declarations = {
  rt_abi_hash: { args: [], returns: "u32" },
  rt_sealed_file: { args: ["ptr", "ptr", "usize", "u32", "ptr"], returns: "i32" },
  rt_spawn: { args: ["i32", "ptr", "ptr", "ptr", "u32"], returns: "i32" },
  rt_execute: { args: ["i32", "ptr", "u32", "ptr", "u32"], returns: "i32" },
  rt_execute_apart: { args: ["ptr", "ptr", "u32", "ptr", "u32"], returns: "i32" },
  rt_mount: { args: ["ptr", "ptr", "ptr", "u32", "ptr"], returns: "i32" },
  rt_unmount: { args: ["ptr"], returns: "i32" },
  rt_load_module: { args: ["i32", "ptr", "u32"], returns: "i32" },
  rt_is_mount_root: { args: ["ptr"], returns: "i32" },
  rt_ended: { args: ["i32"], returns: "i32" },
  rt_socketpair: { args: ["ptr"], returns: "i32" },
  rt_packet_pair: { args: ["ptr"], returns: "i32" },
  rt_accept_from: { args: ["i32"], returns: "i32" },
  rt_notify: { args: ["ptr", "ptr", "usize"], returns: "i32" },
  rt_hold_port: { args: ["u32", "ptr", "usize", "u32", "u32"], returns: "i32" },
  rt_send_ports: { args: ["i32", "ptr", "usize", "ptr", "u32"], returns: "i32" },
  rt_ask_ports: { args: ["ptr", "ptr", "usize", "ptr", "u32"], returns: "i32" },
  rt_connect: { args: ["ptr"], returns: "i32" },
  rt_close: { args: ["i32"], returns: "i32" },
  rt_flock: { args: ["i32", "i32"], returns: "i32" },
  rt_attach: { args: ["i32", "ptr", "u32", "i32", "u64", "ptr", "usize", "ptr", "usize", "ptr"], returns: "i32" },
  rt_open_user_namespace: { args: ["i32", "u64", "u32"], returns: "i32" },
  rt_start_time: { args: ["i32"], returns: "u64" },
  rt_signal: { args: ["i32", "u64", "i32"], returns: "i32" },
  rt_open_inside: { args: ["i32", "u64", "ptr"], returns: "i32" },
  rt_window_size: { args: ["i32"], returns: "i32" },
  rt_remove_tree: { args: ["ptr", "u32"], returns: "i32" },
  rt_cgroup_remove: { args: ["ptr"], returns: "i32" },
  rt_cgroup_end: { args: ["ptr"], returns: "i32" },
  rt_cgroup_devices: { args: ["ptr", "ptr", "usize"], returns: "i32" },
  rt_cgroup_freeze: { args: ["ptr", "u32"], returns: "i32" },
  rt_network_apply: { args: ["i32", "u64", "ptr", "usize", "ptr", "ptr", "usize"], returns: "i32" },
  rt_firewall_replace: { args: ["ptr", "usize", "ptr", "usize"], returns: "i32" },
  rt_firewall_change: { args: ["ptr", "usize", "ptr", "usize"], returns: "i32" },
  rt_forget_flows: { args: ["u32", "ptr", "usize"], returns: "i32" },
  rt_forget_address: { args: ["ptr", "usize"], returns: "i32" },
  rt_firewall_keys: { args: ["u32", "ptr", "ptr", "ptr", "usize"], returns: "i32" },
  rt_firewall_comment: { args: ["u32", "ptr", "ptr", "usize"], returns: "i32" },
  rt_firewall_closed: { args: ["u32", "ptr", "usize"], returns: "i32" },
  rt_link_facts: { args: ["ptr", "ptr"], returns: "i32" },
  rt_network_world: { args: ["i32"], returns: "i32" },
  rt_route_destinations: { args: ["ptr", "usize"], returns: "i32" },
  rt_interfaces: { args: ["ptr", "usize"], returns: "i32" },
  rt_packet_open: { args: ["i32", "u32", "ptr"], returns: "i32" },
  rt_packet_broadcast: { args: ["i32", "i32", "ptr", "usize"], returns: "i32" },
  rt_packet_receive: { args: ["i32", "ptr", "usize"], returns: "i32" },
  rt_packet_unicast: { args: ["ptr", "ptr", "ptr", "usize"], returns: "i32" },
  rt_compile_filter: { args: ["ptr", "usize", "ptr", "usize", "ptr", "usize"], returns: "i32" },
  rt_exit: { args: ["i32"], returns: "void" },
} as const;
/** librt's functions. */
export interface Exports {
  /**
   * `hash`, of the library that is loaded.
   */
  rt_abi_hash(): number;
  /**
   * A sealed memfd holding `bytes`; `executable` when not 0 (then `directory` is where a fallback file may be made).
   */
  rt_sealed_file(name: Uint8Array, bytes: Uint8Array, length: number, executable: number, directory: Uint8Array): number;
  /**
   * Execute a helper with `descriptors` as its 0, 1, 2 …; answers its pid.
   */
  rt_spawn(executable: number, name: Uint8Array, role: Uint8Array, descriptors: Int32Array, count: number): number;
  /**
   * Become the file `executable`. `words` and `environment` are their strings one after the other, each with its NUL, and how
   * many. Answers -errno, or not at all.
   */
  rt_execute(executable: number, words: Uint8Array, word_count: number, environment: Uint8Array, variable_count: number): number;
  /**
   * The same of the program at `path`, in a mount namespace of its own.
   */
  rt_execute_apart(path: Uint8Array, words: Uint8Array, word_count: number, environment: Uint8Array, variable_count: number): number;
  /**
   * mount(2). An empty source, type or data is a null one.
   */
  rt_mount(source: Uint8Array, target: Uint8Array, kind: Uint8Array, flags: number, data: Uint8Array): number;
  /**
   * umount2(2), at once: whoever still looks there keeps what he sees.
   */
  rt_unmount(target: Uint8Array): number;
  /**
   * finit_module(2). `compressed`, when not 0: the kernel unpacks it.
   */
  rt_load_module(fd: number, parameters: Uint8Array, compressed: number): number;
  /**
   * Is what lies at `target` (a link at its end not followed) the root of a mount? 1 or 0.
   */
  rt_is_mount_root(target: Uint8Array): number;
  /**
   * Has a helper that we started ended? 1, and it is no zombie any more, or 0.
   */
  rt_ended(pid: number): number;
  /**
   * A connected pair of stream sockets, close-on-exec.
   */
  rt_socketpair(pair: Int32Array): number;
  /**
   * The same of sockets that keep packets apart.
   */
  rt_packet_pair(pair: Int32Array): number;
  /**
   * Connections of a socket that somebody else listens on: answers a socket from which their descriptors come, 4 bytes each.
   */
  rt_accept_from(listener: number): number;
  /**
   * One datagram to a unix socket; a path that begins with "@" is an abstract one.
   */
  rt_notify(path: Uint8Array, message: Uint8Array, length: number): number;
  /**
   * A socket that holds a port of the host, at an address of 4 bytes or 16; lets nothing in unless `open` is not 0.
   */
  rt_hold_port(protocol: number, address: Uint8Array, length: number, number: number, open: number): number;
  /**
   * What is said of ports (wire/abi.zig), with their sockets, to a monitor that is being started.
   */
  rt_send_ports(socket: number, message: Uint8Array, length: number, descriptors: Int32Array, count: number): number;
  /**
   * The same to the monitor whose socket is at `path`: 0 once it is so.
   */
  rt_ask_ports(path: Uint8Array, message: Uint8Array, length: number, descriptors: Int32Array, count: number): number;
  /**
   * Connect to a unix stream socket.
   */
  rt_connect(path: Uint8Array): number;
  rt_close(fd: number): number;
  /**
   * flock(2): `operation` is LOCK_SH 1, LOCK_EX 2, LOCK_UN 8, with LOCK_NB 4.
   */
  rt_flock(fd: number, operation: number): number;
  /**
   * Move bytes between `stdio` (input, output, error) and the monitor until the program ends. Signals go to the process `pid`
   * that started at `start`; `keys` detach.
   */
  rt_attach(socket: number, stdio: Int32Array, flags: number, pid: number, start: bigint, keys: Uint8Array, keys_length: number, message: Uint8Array, capacity: number, result: Uint32Array): number;
  /**
   * The user namespace of the process `pid` that started at `start`, if it is a child of ours and belongs to `owner`.
   */
  rt_open_user_namespace(pid: number, start: bigint, owner: number): number;
  /**
   * Start time of `pid` in clock ticks since boot (field 22 of /proc/PID/stat), 0 when there is no such process.
   */
  rt_start_time(pid: number): bigint;
  /**
   * Signal the process `pid` if its start time (clock ticks since boot) is `start`; otherwise -ESRCH.
   */
  rt_signal(pid: number, start: bigint, signal: number): number;
  /**
   * The file `file` in the root of the process `pid` that started at `start`, open for reading and writing; or -errno.
   */
  rt_open_inside(pid: number, start: bigint, file: Uint8Array): number;
  /**
   * Terminal size of `fd` as rows << 16 | columns; -ENOTTY when it is no terminal.
   */
  rt_window_size(fd: number): number;
  /**
   * Remove a directory and all below it without following a link; absent is fine. -EAGAIN: there were more than `names_max`
   * names, and some are left.
   */
  rt_remove_tree(path: Uint8Array, names_max: number): number;
  /**
   * Remove the cgroup `path` from every hierarchy.
   */
  rt_cgroup_remove(path: Uint8Array): number;
  /**
   * SIGKILL for everything in the cgroup `path` and below it; nothing of it stays frozen.
   */
  rt_cgroup_end(path: Uint8Array): number;
  /**
   * The device rules of a group of cgroup v2, `count` words in all (lib/devices.zig), instead of those that it has.
   */
  rt_cgroup_devices(directory: Uint8Array, words: Uint32Array, count: number): number;
  /**
   * Ask that everything in the cgroup `path` stands still (`wanted` not 0), or goes on.
   */
  rt_cgroup_freeze(path: Uint8Array, wanted: number): number;
  /**
   * Do the operations of `request` (lib/network.zig), some of them in the network namespace of the process `pid` that started at
   * `start` (0: none of them). -errno: `done` says how many were done before the one that failed; `words`, with a NUL, is what
   * the kernel says about it.
   */
  rt_network_apply(pid: number, start: bigint, request: Uint8Array, length: number, done: Uint32Array, words: Uint8Array, capacity: number): number;
  /**
   * Put the table of `request` (linux/net/nftables.zig) in the place of the one of its name. `words` as above.
   */
  rt_firewall_replace(request: Uint8Array, length: number, words: Uint8Array, capacity: number): number;
  /**
   * Elements of sets and maps of nftables come and go, as `request` says (linux/net/nftables.zig). `words` as above.
   */
  rt_firewall_change(request: Uint8Array, length: number, words: Uint8Array, capacity: number): number;
  /**
   * What the kernel knows of flows of a protocol to these ports is forgotten.
   */
  rt_forget_flows(protocol: number, numbers: Uint32Array, count: number): number;
  /**
   * What the kernel knows of flows that began at this address, or led to it, is forgotten.
   */
  rt_forget_address(address: Uint8Array, length: number): number;
  /**
   * The keys of a set of nftables, one behind the other: bytes of all, of which `into` has the first `capacity`.
   */
  rt_firewall_keys(family: number, table: Uint8Array, set: Uint8Array, into: Uint8Array, capacity: number): number;
  /**
   * The comment of a table of nftables: bytes of it; -ENOENT without such a table.
   */
  rt_firewall_comment(family: number, name: Uint8Array, into: Uint8Array, capacity: number): number;
  /**
   * A chain of nftables that drops what this host forwards, but for what its rules let through: bytes of "CHAIN of table TABLE"; 0: none.
   */
  rt_firewall_closed(family: number, into: Uint8Array, capacity: number): number;
  /**
   * The group of an interface, and how far it is (IF_OPER_*); -ENODEV without such an interface.
   */
  rt_link_facts(name: Uint8Array, into: Uint32Array): number;
  /**
   * From here on `world`, a descriptor of a network namespace, stands for the host's; -1: no more. 0, or -errno.
   */
  rt_network_world(world: number): number;
  /**
   * Where this host's routes lead, as `RouteDestination`s: how many there are, of which `into` has the first `capacity`.
   */
  rt_route_destinations(into: Uint32Array, capacity: number): number;
  /**
   * The interfaces of this network namespace, as `Interface`s: how many there are, of which `into` has the first `capacity`.
   */
  rt_interfaces(into: Uint32Array, capacity: number): number;
  /**
   * A socket for what a client of DHCP gets on the interface `index`: answers of the exchange `xid`, for the address `mac`.
   */
  rt_packet_open(index: number, xid: number, mac: Uint8Array): number;
  /**
   * Send a packet of IPv4 to everybody on the link.
   */
  rt_packet_broadcast(fd: number, index: number, bytes: Uint8Array, length: number): number;
  /**
   * The next packet: its length, which may be more than `capacity`; -EAGAIN: none is there.
   */
  rt_packet_receive(fd: number, into: Uint8Array, capacity: number): number;
  /**
   * Send bytes from port 68 of this host's address `from` to port 67 of `to`; each is four bytes.
   */
  rt_packet_unicast(from: Uint8Array, to: Uint8Array, bytes: Uint8Array, length: number): number;
  /**
   * The file of a filter of system calls, of `profile`, the runtime specification's in JSON: its bytes. -errno: `words`, with a
   * NUL, say why.
   */
  rt_compile_filter(profile: Uint8Array, length: number, into: Uint8Array, capacity: number, words: Uint8Array, words_capacity: number): number;
  /**
   * exit_group(2): no destructor of the runtime's runs.
   */
  rt_exit(status: number): never;
}
export const hash = 290450242;
