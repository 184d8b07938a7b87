/**
 * Loaded before every file of tests (bunfig.toml). Containers that say nothing about their network have one of the host's: so a
 * process of tests becomes one in a network namespace of its own, with nothing but the loopback, before it begins.
 *
 *   bun test …            in the network that it was started in
 *     unshare             this thread alone, for the others would stay behind
 *     lo up
 *     execve, in place    the same program, arguments, descriptors and process: nobody sees a difference but in
 *   bun test …            RT_TEST_NETWORK, which names the process, and RT_TEST_OUTSIDE, where it came from
 *
 * Whoever is not root has no containers with networks, and stays where it is. What `bun test --parallel` starts could not do
 * this: it has a socket to its parent, which waits for an answer of the one that began.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { readFileSync, readlinkSync } from "node:fs";

const [CLONE_NEWNET, AF_INET, SOCK_DGRAM_CLOEXEC, SIOCSIFFLAGS] = [0x4000_0000, 2, 0o2000002, 0x8914];
const ifreqBytes = 40;
const flagsOffset = 16;
const IFF_UP = 1;

const isOwn = process.env.RT_TEST_NETWORK === String(process.pid);
if (process.getuid?.() === 0 && !isOwn) becomeAlone();

function becomeAlone(): void {
  const { i32, u64, ptr: pointer } = FFIType;
  const { symbols: libc } = dlopen("libc.so.6", {
    unshare: { args: [i32], returns: i32 },
    socket: { args: [i32, i32, i32], returns: i32 },
    ioctl: { args: [i32, u64, pointer], returns: i32 },
    execve: { args: [pointer, pointer, pointer], returns: i32 },
  });
  const words = readFileSync("/proc/self/cmdline", "latin1").split("\0").slice(0, -1);
  if (words.includes("--test-worker"))
    throw new Error("bun test --parallel shares what it must not: bun test/run.ts");
  const outside = namespaceToReturnTo();
  // In a container without this right there are no containers of ours either.
  if (libc.unshare(CLONE_NEWNET) !== 0) return;
  const request = Buffer.alloc(ifreqBytes);
  request.write("lo");
  request.writeUInt16LE(IFF_UP, flagsOffset);
  const socket = libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if (libc.ioctl(socket, SIOCSIFFLAGS, ptr(request)) !== 0) throw new Error("lo cannot be set up");
  const environment = { ...process.env, RT_TEST_NETWORK: `${process.pid}`, RT_TEST_OUTSIDE: outside };
  const program = Buffer.from(`${readlinkSync("/proc/self/exe")}\0`);
  const given = cstrings(words.map((word) => Buffer.from(word, "latin1")));
  const settings = cstrings(Object.entries(environment).map((pair) => Buffer.from(pair.join("="))));
  libc.execve(ptr(program), ptr(given.pointers), ptr(settings.pointers));
  throw new Error("execve failed");
}

/** That of a process that lives as long as the tests do. */
function namespaceToReturnTo(): string {
  const own = readlinkSync("/proc/self/ns/net");
  const paths = [process.ppid, 1].map((pid) => `/proc/${pid}/ns/net`);
  return paths.find((path) => readlinkSync(path) === own) ?? "";
}

/** As execve(2) takes them. `held` is kept, so that they stay where they are. */
function cstrings(texts: readonly Buffer[]): { pointers: BigUint64Array; held: readonly Buffer[] } {
  const held = texts.map((text) => Buffer.concat([text, Buffer.alloc(1)]));
  return { pointers: new BigUint64Array([...held.map((each) => BigInt(ptr(each))), 0n]), held };
}
