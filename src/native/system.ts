import { existsSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { check, cstring, errnoName, native } from "./ffi.ts";

/** Leaf system calls that neither node:fs nor Bun have. */

const lock = { shared: 1, exclusive: 2, unlock: 8 } as const;
const lockNonBlocking = 4;
const [ENOENT, ESRCH, EAGAIN, EEXIST, ENODEV] = [2, 3, 11, 17, 19];

/** flock(2). False when `wait` is false and somebody else holds it. */
export function flock(fd: number, mode: keyof typeof lock, wait: boolean): boolean {
  const result = native().rt_flock(fd, lock[mode] | (wait ? 0 : lockNonBlocking));
  if (result === -EAGAIN) return false;
  check(result, "flock");
  return true;
}

/**
 * Remove a directory tree without following links; absent is fine. False: it has more than `namesMax` names, of which some are
 * left.
 */
export function removeSmallTree(path: string, namesMax: number): boolean {
  const result = native().rt_remove_tree(cstring(path), namesMax);
  if (result === -EAGAIN) return false;
  check(result, `cannot remove ${path}`);
  return true;
}

export function closeDescriptor(fd: number): void {
  check(native().rt_close(fd), "close");
}

/** Two connected stream sockets. */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  check(native().rt_socketpair(pair), "socketpair");
  return [pair[0]!, pair[1]!];
}

/**
 * The connections of a socket that somebody else listens on. @returns a socket from which their descriptors come, 4 bytes each in
 * this machine's order; what is made for it goes when that is closed
 * @throws RtError invalid-argument: it is no unix socket
 */
export function acceptFrom(listener: number): number {
  const result = native().rt_accept_from(listener);
  if (result < 0 && errnoName(-result) === "EAFNOSUPPORT")
    throw new RtError(
      "invalid-argument",
      "it is no unix socket, and whoever connects is root on this host: use -H tcp://HOST:PORT",
    );
  return check(result, `cannot accept from descriptor ${listener}`);
}

/** One datagram to a unix socket; a path that begins with "@" is an abstract one. */
export function sendDatagram(path: string, message: Uint8Array): void {
  check(native().rt_notify(cstring(path), message, message.length), `cannot write to ${path}`);
}

export function connectUnix(path: string): number {
  return check(native().rt_connect(cstring(path)), `cannot connect to ${path}`);
}

/** A sealed memfd holding `bytes`. */
export function sealedFile(name: string, bytes: Uint8Array): number {
  return check(
    native().rt_sealed_file(cstring(name), bytes, bytes.length, 0, cstring("")),
    `cannot hold ${name}`,
  );
}

/** Rows and columns of the terminal at `fd`, or undefined when it is none. */
export function windowSize(fd: number): { rows: number; columns: number } | undefined {
  const packed = native().rt_window_size(fd);
  return packed < 0 ? undefined : { rows: packed >> 16, columns: packed & 0xffff };
}

/** Signal `pid` if it still is the process that started at `startTime`. False when it is gone. */
export function signalProcess(pid: number, startTime: string, signal: number): boolean {
  const result = native().rt_signal(pid, BigInt(startTime), signal);
  if (result === -ESRCH) return false;
  check(result, `cannot signal process ${pid}`);
  return true;
}

/** A file in the root of another process, open for reading and writing; undefined where there is none, or no such process. */
export function openInside(pid: number, startTime: bigint, path: string): number | undefined {
  const result = native().rt_open_inside(pid, startTime, cstring(path));
  if (result === -ENOENT || result === -ESRCH) return undefined;
  return check(result, `cannot open ${path} of process ${pid}`);
}

/**
 * The user namespace of the process `pid` that started at `startTime`, if it is a child of ours and belongs to `owner`; undefined
 * where it is not, or there is no such process.
 */
export function openUserNamespace(pid: number, startTime: bigint, owner: number): number | undefined {
  const result = native().rt_open_user_namespace(pid, startTime, owner);
  return result < 0 ? undefined : result;
}

/** Remove an empty cgroup, given by its path below each hierarchy's root; absent is fine. */
export function removeCgroup(path: string): void {
  check(native().rt_cgroup_remove(cstring(path)), `cannot remove cgroup ${path}`);
}

/** SIGKILL for all that is in a cgroup and below, frozen or not; absent is fine. */
export function endCgroup(path: string): void {
  check(native().rt_cgroup_end(cstring(path)), `cannot end cgroup ${path}`);
}

/** The device rules of a group of cgroup v2, five words each (zig-native/lib/devices.zig), instead of those that it has. */
export function setCgroupDevices(directory: string, words: Uint32Array): void {
  const result = native().rt_cgroup_devices(cstring(directory), words, words.length);
  check(result, `cannot change the device rules of ${directory}`);
}

/** Ask that everything in a cgroup stands still; it takes its time (runtime/cgroup.ts tells). */
export function freezeCgroup(path: string): void {
  check(native().rt_cgroup_freeze(cstring(path), 1), `cannot freeze cgroup ${path}`);
}

/** Let everything in a cgroup go on; absent is fine. */
export function thawCgroup(path: string): void {
  const result = native().rt_cgroup_freeze(cstring(path), 0);
  if (result !== -ENOENT) check(result, `cannot thaw cgroup ${path}`);
}

/** mount(2); `flags` are its MS_ bits, `data` the file system's own options. */
export function mount(source: string, target: string, type: string, flags: number, data: string): void {
  const result = native().rt_mount(cstring(source), cstring(target), cstring(type), flags, cstring(data));
  const what = `cannot mount ${source || type} on ${target}`;
  // The errno's own words would be taken for the disk's.
  if (result === -ENODEV)
    throw new RtError(
      "unsupported",
      `${what}: this kernel has no file system ${type}, or as a module (ENODEV)`,
    );
  if (result === -ENOENT && !existsSync(source))
    throw new RtError("not-found", `${what}: ${source} does not exist (ENOENT)`);
  check(result, what);
}

/** finit_module(2), of a file that the kernel unpacks where it is `compressed`; one that is there already is fine. */
export function loadModule(fd: number, parameters: string, compressed: boolean, what: string): void {
  const result = native().rt_load_module(fd, cstring(parameters), compressed ? 1 : 0);
  if (result !== -EEXIST) check(result, what);
}

/** Of a filter's file: a header, and the 4,096 instructions of 8 bytes that the kernel takes. */
const filterBytesMax = 8 + 8 * 4096;

/**
 * A filter of system calls, as the file that the monitor is told of: 8 bytes of header (zig-native/linux/seccomp.zig), then 8 for
 * each instruction.
 * @param profile JSON of `SpecSeccomp`
 * @throws RtError invalid-argument with what is wrong with it
 */
export function compileFilter(profile: Uint8Array): Uint8Array {
  const into = new Uint8Array(filterBytesMax);
  const words = Buffer.alloc(256);
  const room = [into, into.length, words, words.length] as const;
  const result = native().rt_compile_filter(profile, profile.length, ...room);
  if (result >= 0) return into.slice(0, result);
  const why = words.toString("utf8", 0, words.indexOf(0));
  throw new RtError("invalid-argument", `cannot make a filter of the seccomp profile: ${why}`);
}

/** umount2(2), of what may still be in use. */
export function unmount(target: string): void {
  check(native().rt_unmount(cstring(target)), `cannot unmount ${target}`);
}

/** Is `path`, a link at its end not followed, the root of a mount? False where there is nothing. */
export function isMountRoot(path: string): boolean {
  const result = native().rt_is_mount_root(cstring(path));
  return result !== -ENOENT && check(result, `cannot examine ${path}`) === 1;
}

/**
 * Become the program at `fd`. Both: NUL-terminated strings one after the other, as in /proc/self/cmdline and /proc/self/environ.
 * @throws RtError; it does not return
 */
export function execute(fd: number, words: Buffer, environment: Buffer): void {
  // An empty buffer has no address.
  const block = environment.length > 0 ? environment : Buffer.alloc(1);
  const result = native().rt_execute(fd, words, stringsIn(words), block, stringsIn(environment));
  check(result, `cannot execute ${words.toString("utf8", 0, words.indexOf(0))}`);
}

function stringsIn(block: Buffer): number {
  return block.filter((byte) => byte === 0).length;
}
