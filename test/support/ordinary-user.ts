/**
 * An ordinary user of this machine, made for one test: a number that nobody has, a line in /etc/passwd and, where he has
 * subordinate ids, in /etc/subuid and /etc/subgid; a home and an XDG_RUNTIME_DIR of his own.
 *
 *   await using user = await ordinaryUser();                       // or { subordinates: false }
 *   const { stdout } = await user.rt(["run", "--rm", "--network", "none", "embed:hello"]);
 *   await user.run(["id"])                                          another program, as him, with nothing of ours
 *
 * Disposing of him ends his processes, and takes the lines away. What a run that was killed has left is taken away by the next
 * one: a name says whose it is. Several runs at once have users of their own.
 */
import { Database } from "bun:sqlite";
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openPty, type Pty, type PtyOptions } from "./pty.ts";
import { searchPath } from "./root.ts";
import { type RtOptions, type RtProcess, type RtResult, rtBinary, runRt, spawnRt } from "./rt.ts";
import { scratchDirectory } from "./scratch.ts";
import { patience, until } from "./wait.ts";

export interface OrdinaryUser extends AsyncDisposable {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Of his subordinate ids; there are `subordinateCount` of them. */
  readonly firstSubordinate: number | undefined;
  /** His home, his XDG_RUNTIME_DIR and all else of him lie in it. */
  readonly dir: string;
  readonly home: string;
  readonly runtime: string;
  /** All of his environment. */
  readonly env: Record<string, string>;
  /** rt where he may execute it. */
  readonly binary: string;
  /** `command` as him: with no group but his own, and no capability. */
  as(command: readonly string[]): string[];
  /** Any program; `front` of the options comes before what makes it his. */
  run(command: readonly string[], options?: RtOptions): Promise<RtResult>;
  rt(args: readonly string[], options?: RtOptions): Promise<RtResult>;
  /** `rt`, which must end with 0: its standard output. */
  ok(args: readonly string[], options?: RtOptions): Promise<string>;
  spawn(args: readonly string[], options?: RtOptions): RtProcess;
  pty(args: readonly string[], options?: PtyOptions): Pty;
  /** Processes that are his, or of one of his subordinate ids: what is left of him. */
  processes(): { pid: number; command: string }[];
}

export interface OrdinaryUserOptions {
  /** Has he subordinate ids? */
  subordinates?: boolean;
  /** Where his directories are. */
  scratch?: string;
}

export const subordinateCount = 65_536;

/** Numbers that no distribution gives away. */
const firstUid = 715_000;
const firstOfAll = 1_500_000_000;
const usersMax = 2000;

const files = {
  passwd: "/etc/passwd",
  group: "/etc/group",
  subuid: "/etc/subuid",
  subgid: "/etc/subgid",
} as const;

/** "rt-test-PID-START-N": the test run that made him, by its number and when it started. */
const nameForm = /^rt-test-(\d+)-(\d+)-\d+$/;

export async function ordinaryUser(options: OrdinaryUserOptions = {}): Promise<OrdinaryUser> {
  const { subordinates = true, scratch = scratchDirectory() } = options;
  const { name, slot } = await enroll(subordinates);
  const uid = firstUid + slot;
  const firstSubordinate = subordinates ? firstOfAll + slot * subordinateCount : undefined;
  const dir = mkdtempSync(join(scratch, `${name}-`));
  chmodSync(dir, 0o755);
  const own = (path: string) => {
    mkdirSync(join(dir, path), { recursive: true, mode: 0o700 });
    chownSync(join(dir, path), uid, uid);
    return join(dir, path);
  };
  const home = own("home");
  const runtime = own("run");
  const env = {
    PATH: searchPath,
    LANG: "C.UTF-8",
    USER: name,
    LOGNAME: name,
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    TMPDIR: own("tmp"),
  };
  const as = (command: readonly string[]) => [
    ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--inh-caps=-all", "--"],
    ...command,
  ];
  const binary = await reachable(as, dir);
  const asHim = (given: RtOptions): RtOptions => ({
    ...{ cwd: home, binary, ...given },
    front: [...(given.front ?? []), ...as([])],
  });
  const rt = (args: readonly string[], given: RtOptions = {}) => runRt(args, env, asHim(given));
  const processes = () =>
    processesOfIds((id) => id === uid || (firstSubordinate !== undefined && inRange(id, firstSubordinate)));
  return {
    ...{ name, uid, gid: uid, firstSubordinate, dir, home, runtime, env, binary, as, rt, processes },
    run: ([program, ...words], given = {}) => runRt(words, env, asHim({ ...given, binary: program! })),
    async ok(args, given) {
      const result = await rt(args, given);
      if (result.code !== 0)
        throw new Error(`rt ${args.join(" ")} ended with ${result.code}:\n${result.stderr}`);
      return result.stdout;
    },
    spawn: (args, given = {}) => spawnRt(args, env, asHim(given)),
    pty: (args, given = {}) =>
      openPty(as([binary, ...args]), { cwd: home, ...given, env: { ...env, TERM: "xterm", ...given.env } }),
    [Symbol.asyncDispose]: () => remove(name, dir, processes),
  };
}

function inRange(id: number, first: number): boolean {
  return id >= first && id < first + subordinateCount;
}

/** The checkout may lie where others may not go (a runner's home): then a copy. */
async function reachable(as: OrdinaryUser["as"], dir: string): Promise<string> {
  if ((await Bun.spawn(as(["test", "-x", rtBinary]), { stderr: "ignore" }).exited) === 0) return rtBinary;
  const copy = join(dir, "rt");
  try {
    linkSync(rtBinary, copy);
  } catch {
    copyFileSync(rtBinary, copy);
  }
  chmodSync(copy, 0o755);
  return copy;
}

let counter = 0;

/** Under a lock of all test runs. */
async function enroll(subordinates: boolean): Promise<{ name: string; slot: number }> {
  const name = `rt-test-${process.pid}-${startOf(process.pid)}-${counter++}`;
  return locked(() => {
    sweep();
    const taken = new Set(linesOf("passwd").map((line) => Number(line.split(":")[2])));
    const ranges = [...linesOf("subuid"), ...linesOf("subgid")].map((line) => Number(line.split(":")[1]));
    const isFree = (slot: number) =>
      !taken.has(firstUid + slot) && !ranges.includes(firstOfAll + slot * subordinateCount);
    const slot = Array.from({ length: usersMax }, (_, number) => number).find(isFree);
    if (slot === undefined) throw new Error("too many ordinary users at once");
    const uid = firstUid + slot;
    append("passwd", `${name}:x:${uid}:${uid}::/nonexistent:/bin/sh`);
    append("group", `${name}:x:${uid}:`);
    if (subordinates) {
      const line = `${name}:${firstOfAll + slot * subordinateCount}:${subordinateCount}`;
      append("subuid", line);
      append("subgid", line);
    }
    return { name, slot };
  });
}

async function remove(name: string, dir: string, processes: OrdinaryUser["processes"]): Promise<void> {
  const others = () => processes().filter(({ command }) => command !== "rt-holder");
  // A monitor may be just ending.
  const deadline = Date.now() + 5000 * patience;
  while (others().length > 0 && Date.now() < deadline) await Bun.sleep(10);
  const left = others();
  await end(processes);
  await locked(() => without((owner) => owner === name));
  rmSync(dir, { recursive: true, force: true });
  if (left.length === 0) return;
  throw new Error(
    `left behind by ${name}: ${left.map(({ pid, command }) => `${pid} ${command}`).join(", ")}`,
  );
}

async function end(processes: OrdinaryUser["processes"]): Promise<void> {
  await until("his processes have ended", () => {
    const now = processes();
    for (const { pid } of now) kill(pid);
    return now.length === 0;
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}

/** What runs that were killed have left. */
function sweep(): void {
  const isStale = (owner: string) => {
    const [, pid, start] = nameForm.exec(owner) ?? [];
    return pid !== undefined && startOf(Number(pid)) !== start;
  };
  for (const line of linesOf("passwd")) {
    const [owner = "", , uid] = line.split(":");
    if (!isStale(owner)) continue;
    const first = firstOfAll + (Number(uid) - firstUid) * subordinateCount;
    for (const { pid } of processesOfIds((id) => id === Number(uid) || inRange(id, first))) kill(pid);
    for (const place of new Set([scratchDirectory(), tmpdir()]))
      for (const entry of readdirSync(place))
        if (entry.startsWith(`${owner}-`)) rmSync(join(place, entry), { recursive: true, force: true });
  }
  without(isStale);
}

function linesOf(file: keyof typeof files): string[] {
  if (!existsSync(files[file])) return [];
  return readFileSync(files[file], "utf8").split("\n").filter(Boolean);
}

function append(file: keyof typeof files, line: string): void {
  replace(file, [...linesOf(file), line]);
}

function without(isGone: (owner: string) => boolean): void {
  for (const file of Object.keys(files) as (keyof typeof files)[]) {
    const lines = linesOf(file);
    const kept = lines.filter((line) => !isGone(line.split(":", 1)[0]!));
    if (kept.length < lines.length) replace(file, kept);
  }
}

/** By a rename, so that nobody reads half of it; a file that is mounted is written as it lies there. */
function replace(file: keyof typeof files, lines: readonly string[]): void {
  const path = files[file];
  const mode = existsSync(path) ? statSync(path).mode & 0o777 : 0o644;
  const text = lines.map((line) => `${line}\n`).join("");
  const temporary = join(dirname(path), `.rt-test-${file}`);
  try {
    writeFileSync(temporary, text, { mode });
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true });
    writeFileSync(path, text);
  }
}

async function locked<T>(body: () => T): Promise<T> {
  accessSync("/run", constants.W_OK);
  // A transaction is a lock that the kernel releases if we die.
  using lock = new Database("/run/rt-test-users.lock");
  lock.run("PRAGMA busy_timeout = 60000");
  lock.run("BEGIN EXCLUSIVE");
  return body();
}

/** In clock ticks since boot; undefined where there is no such process. */
function startOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")[19];
  } catch {
    return undefined;
  }
}

function processesOfIds(isHis: (uid: number) => boolean): { pid: number; command: string }[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const status = readFileSync(`/proc/${entry}/status`, "utf8");
      const ids = /^Uid:\t(\d+)\t(\d+)/m.exec(status)?.slice(1).map(Number) ?? [];
      const command = /^Name:\t(.*)$/m.exec(status)?.[1] ?? "";
      const isDead = /^State:\t[ZX]/m.test(status);
      return !isDead && ids.some(isHis) ? [{ pid: Number(entry), command }] : [];
    } catch {
      return []; // it has just ended
    }
  });
}
