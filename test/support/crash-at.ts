/**
 * A program that runs another one and kills -9 it, or a process that it has begun, right before one of its system calls:
 *
 *   bun crash-at.ts TRACE client|all - 0 rt run -d …          lists the calls that change anything
 *   bun crash-at.ts TRACE client|all monitor 7 rt run -d …    kills the monitor before the seventh of its calls
 *
 *   RT_TEST_AT_CALL='mv a b' bun crash-at.ts …                runs that there instead, while the process, $RT_TEST_HELD, stands
 *                                                             still; with -1 for the seventh, at each of them
 *
 * With RT_TEST_AT_CALL calls count that only look, too: what is looked at before may be something else after. And only those
 * of ROLE, or of several, as in "client,stage": whoever else there is goes on without a stop at each of its calls.
 *
 * With RT_TEST_NAIVE=PATTERN whoever is ROLE resolves such paths from then on as if it had never heard of links: openat2's
 * `resolve` is 0. It is what tests of swaps must notice.
 *
 * TRACE gets a line for each call: "role index call". Roles: client, the program itself with its threads; monitor; stage, what
 * the monitor's child is until it is the container's program, which is not followed; layer; successor, what a monitor
 * becomes. `client`: the others are let go when it has ended; `all`: they are followed to their ends.
 *
 * By ptrace(2): nothing of this is in what is tested, and what is tested does not see it.
 */
import { dlopen, ptr } from "bun:ffi";
import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename } from "node:path";

const { symbols: libc } = dlopen("libc.so.6", {
  ptrace: { args: ["u64", "i32", "u64", "u64"], returns: "i64" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
});

const request = {
  pokeUser: 6,
  cont: 7,
  detach: 17,
  syscall: 24,
  message: 0x4201,
  syscallInfo: 0x420e,
  seize: 0x4206,
  listen: 0x4208,
};
const event = { fork: 1, vfork: 2, clone: 3, exec: 4, stop: 128 };
const options = 0x1f; // TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC
const waitAll = 0x4000_0000; // __WALL
const SIGTRAP = 5;
const stops = [19, 20, 21, 22];
const createFlag = 0o100;
const writing = new Set(["write", "pwrite64", "writev", "ftruncate", "flock"]);
const everyCall = -1;
const threaded = new Set(["client", "successor"]);

/** x86-64. What changes a file, a namespace, a process, or what another process knows. */
const callTable = `
  write 1, open 2, pwrite64 18, writev 20, sendto 44, sendmsg 46, bind 49, listen 50, clone 56, fork 57,
  vfork 58, execve 59, kill 62, flock 73, fsync 74, fdatasync 75, truncate 76, ftruncate 77, rename 82,
  mkdir 83, rmdir 84, creat 85, link 86, unlink 87, symlink 88, chmod 90, fchmod 91, chown 92, fchown 93,
  setsid 112, mknod 133, pivot_root 155, mount 165, umount2 166, sethostname 170, setxattr 188,
  exit_group 231, openat 257, mkdirat 258, mknodat 259, fchownat 260, unlinkat 263, renameat 264,
  linkat 265, symlinkat 266, fchmodat 268, unshare 272, utimensat 280, fallocate 285, pwritev 296,
  setns 308, renameat2 316, execveat 322, copy_file_range 326, pidfd_send_signal 424, open_tree 428,
  move_mount 429, fsmount 432, clone3 435, mount_setattr 442
`;
const lookTable =
  "openat2 437, newfstatat 262, statx 332, readlinkat 267, fchdir 81, getdents64 217, name_to_handle_at 303";
const atCall = process.env.RT_TEST_AT_CALL;
const naive = process.env.RT_TEST_NAIVE && new RegExp(process.env.RT_TEST_NAIVE);
delete process.env.RT_TEST_AT_CALL;
const calls = new Map(
  [...(atCall === undefined ? callTable : callTable + lookTable).matchAll(/(\w+) (\d+)/g)].map(
    ([, name, number]) => [Number(number), name!],
  ),
);

interface Tracee {
  role: string;
  process: number;
}

const [trace, until, role, wanted, ...command] = process.argv.slice(2);
const tracees = new Map<number, Tracee>();
const counts = new Map<string, number>();
const status = new Int32Array(1);
const message = new BigUint64Array(1);
const info = new DataView(new ArrayBuffer(88));
const number = Number(wanted);
const watched = atCall === undefined ? undefined : new Set(role!.split(","));
let doomed = 0;

writeFileSync(trace!, "");
const child = Bun.spawn(["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", ...command], {
  stdio: ["inherit", "inherit", "inherit"],
});
const client = child.pid;
const rt = readlinkOf(command[0]!);
while (!/^State:\tT/m.test(readFileSync(`/proc/${client}/status`, "utf8"))) await Bun.sleep(1);
if (libc.ptrace(request.seize, client, 0, options) < 0) throw new Error("PTRACE_SEIZE was refused");
tracees.set(client, { role: "shell", process: client });
process.kill(client, "SIGCONT");
process.exit(follow());

function follow(): number {
  let clientStatus = 255;
  while (true) {
    const tid = libc.waitpid(-1, ptr(status), waitAll);
    if (tid < 0) return clientStatus;
    const value = status[0]!;
    const signal = (value >> 8) & 0xff;
    if ((value & 0xff) !== 0x7f) {
      tracees.delete(tid);
      if (tid === client) clientStatus = (value & 0x7f) === 0 ? signal : 128 + (value & 0x7f);
      // Whoever ends us lets all others go.
      if (tid === (doomed || (until === "client" ? client : 0))) return clientStatus;
      continue;
    }
    go(tid, value >> 16, signal);
  }
}

/** A stop: look at it, and let it go on. */
function go(tid: number, kind: number, signal: number): void {
  const known = tracees.get(tid) ?? begun(tid);
  if (kind === event.stop && stops.includes(signal)) return void libc.ptrace(request.listen, tid, 0, 0);
  if (kind === event.exec) {
    const next = executed(tid);
    if (next === "program") {
      tracees.delete(tid);
      return void libc.ptrace(request.detach, tid, 0, 0);
    }
    tracees.set(tid, { role: next, process: tid });
  }
  if ([event.fork, event.vfork, event.clone].includes(kind)) {
    libc.ptrace(request.message, tid, 0, ptr(message));
    born(Number(message[0]), known);
  }
  if (signal === (SIGTRAP | 0x80)) entersCall(tid, known);
  const isDelivery = kind === 0 && signal !== (SIGTRAP | 0x80);
  const own = tracees.get(tid)?.role ?? "";
  const onward = watched?.has(own) === false ? request.cont : request.syscall;
  libc.ptrace(onward, tid, 0, isDelivery ? signal : 0);
}

/** Its parent's stop may come after its own. */
function begun(tid: number): Tracee {
  const parent = Number(/^PPid:\t(\d+)/m.exec(statusOf(tid))?.[1]);
  return born(tid, tracees.get(processOf(tid)) ?? tracees.get(parent) ?? { role: "stage", process: tid });
}

function born(tid: number, parent: Tracee): Tracee {
  const owner = processOf(tid);
  const isThread = owner === parent.process;
  const role = isThread ? parent.role : parent.role === "monitor" ? "stage" : parent.role;
  const tracee = { role, process: owner };
  tracees.set(tid, tracee);
  return tracee;
}

function executed(tid: number): string {
  const path = readlinkOf(`/proc/${tid}/exe`);
  const name = /^\/memfd:(?:rt-)?(\w+)/.exec(path)?.[1];
  if (name) return name;
  if (path === rt) return tid === client ? "client" : "successor";
  return basename(path) === "sh" && tid === client ? "shell" : "program";
}

function entersCall(tid: number, { role: own, process: owner }: Tracee): void {
  if (libc.ptrace(request.syscallInfo, tid, info.byteLength, ptr(new Uint8Array(info.buffer))) <= 0) return;
  if (info.getUint8(0) !== 1 || own === "shell") return;
  const name = calls.get(Number(info.getBigUint64(24, true)));
  const argument = (index: number) => Number(info.getBigUint64(32 + 8 * index, true));
  if (name === undefined) return;
  const looks = atCall !== undefined;
  if (name === "openat" && !looks && (argument(2) & createFlag) === 0) return;
  if (name === "open" && !looks && (argument(1) & createFlag) === 0) return;
  const file =
    looks && /at2?$|^statx$|^open_tree$/.test(name)
      ? textAt(tid, argument(1))
      : writing.has(name)
        ? readlinkOf(`/proc/${tid}/fd/${argument(0)}`)
        : "";
  // Threads of a program wake each other, and a file in memory ends with it.
  if (file === "anon_inode:[eventfd]" || file.startsWith("/memfd:")) return;
  // Of those who have threads only they come by clone3.
  if (name === "clone3" && threaded.has(own)) return;
  const index = (counts.get(own) ?? 0) + 1;
  counts.set(own, index);
  appendFileSync(trace!, `${own} ${index} ${name} ${file}\n`);
  if (naive && own === role && index >= number && name === "openat2" && naive.test(file))
    trustLinks(tid, argument(1), argument(2));
  if (doomed !== 0 || own !== role || (index !== number && number !== everyCall)) return;
  if (atCall !== undefined) {
    const env = { ...process.env, RT_TEST_HELD: `${tid}` };
    return void Bun.spawnSync(["sh", "-c", atCall], { env, stdio: ["ignore", "ignore", "ignore"] });
  }
  doomed = owner;
  process.kill(owner, "SIGKILL");
}

function processOf(tid: number): number {
  return Number(/^Tgid:\t(\d+)/m.exec(statusOf(tid))?.[1] ?? tid);
}

/**
 * An absolute path goes on from the directory, wherever links lead. struct open_how is flags, mode and resolve, each of eight
 * bytes; the second argument is in rsi.
 */
function trustLinks(tid: number, path: number, how: number): void {
  libc.ptrace(request.pokeUser, tid, 13 * 8, path + 1);
  const memory = openSync(`/proc/${tid}/mem`, "r+");
  writeSync(memory, new Uint8Array(8), 0, 8, how + 16);
  closeSync(memory);
}

/** A path that a process names, or the beginning of one. */
function textAt(tid: number, address: number): string {
  const bytes = Buffer.alloc(256);
  try {
    const memory = openSync(`/proc/${tid}/mem`, "r");
    readSync(memory, bytes, 0, bytes.length, address);
    closeSync(memory);
  } catch {
    return ""; // no address, or one at the end of a mapping
  }
  return bytes.toString("latin1").split("\0")[0]!.replaceAll(/\s/g, "?");
}

function statusOf(tid: number): string {
  try {
    return readFileSync(`/proc/${tid}/status`, "utf8");
  } catch {
    return "";
  }
}

function readlinkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return path;
  }
}
