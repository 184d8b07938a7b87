/**
 * What the host holds, before and after: mounts, network namespaces, interfaces, tables of the firewall, cgroups, processes,
 * temporary files.
 *
 *   const before = snapshotHost();
 *   …
 *   expect(leaksSince(before)).toEqual([]);
 *
 * `about` limits the snapshot to what mentions one directory or id, for hosts (and test runs) where others work too.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { firewallTables, links } from "./traces.ts";

export interface HostSnapshot {
  mounts: Set<string>;
  netns: Set<string>;
  links: Set<string>;
  /** Of the firewall, where nft(8) is there to ask. */
  tables: Set<string>;
  cgroups: Set<string>;
  processes: Map<string, string>;
  files: Set<string>;
  /** Where `files` were looked for, and will be again. */
  temporary: readonly string[];
}

export function snapshotHost(temporary: readonly string[] = ["/tmp", "/dev/shm", "/var/tmp"]): HostSnapshot {
  const processes = allProcesses();
  return {
    mounts: new Set(mountPoints()),
    netns: new Set([...processes.keys()].flatMap((pid) => linkOf(`/proc/${pid}/ns/net`) ?? [])),
    links: new Set(links()),
    tables: new Set(firewallTables()),
    cgroups: new Set(cgroupDirectories()),
    processes,
    files: new Set(temporary.flatMap((dir) => entries(dir).map((name) => join(dir, name)))),
    temporary,
  };
}

/** One line for each thing that is there now and was not; `ours` picks (everything, by default). */
export function leaksSince(before: HostSnapshot, ours: (what: string) => boolean = () => true): string[] {
  const after = snapshotHost(before.temporary);
  const leaks: string[] = [];
  for (const kind of ["mounts", "netns", "links", "tables", "cgroups", "files"] as const) {
    for (const each of after[kind]) if (!before[kind].has(each)) leaks.push(`${kind}: ${each}`);
  }
  for (const [pid, command] of after.processes) {
    if (!before.processes.has(pid)) leaks.push(`processes: ${pid} ${command}`);
  }
  return leaks.filter(ours);
}

/** Is it of the network, which is this process's own, so that all in it is of its tests? */
export function isOfNetwork(leak: string): boolean {
  return /^(links|tables): /.test(leak);
}

export function mountPoints(pid: string | number = "self"): string[] {
  const text = readOrEmpty(`/proc/${pid}/mountinfo`);
  return text.split("\n").flatMap((line) => line.split(" ")[4] ?? []);
}

/** Every cgroup of every hierarchy, by path. */
export function cgroupDirectories(): string[] {
  const roots = readOrEmpty("/proc/self/mountinfo")
    .split("\n")
    .flatMap((line) => (/ - cgroup2? /.test(line) ? (line.split(" ")[4] ?? []) : []));
  return roots.flatMap((root) => directoriesBelow(root));
}

function directoriesBelow(dir: string): string[] {
  const below = entries(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? directoriesBelow(path) : [];
  });
  return [dir, ...below];
}

/** Command lines by pid; kernel threads have none and are left out. */
export function allProcesses(): Map<string, string> {
  const processes = new Map<string, string>();
  for (const pid of entries("/proc").filter((name) => /^\d+$/.test(name))) {
    const command = readOrEmpty(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    if (command !== "") processes.set(pid, command);
  }
  return processes;
}

/**
 * Processes that certainly come from the test host in `dir` (whose last component is unique): its RT_STATE is in their
 * environment, which children inherit, or their root itself is made of its files. Nothing weaker counts, because they
 * will be killed: a mount below `dir` shows in the mountinfo of every process of the machine, and a working directory
 * or an open file in it may be a bystander's. Neither we nor an ancestor of ours is ever among them.
 */
export function processesOf(dir: string): { pid: number; command: string }[] {
  const spared = ancestors();
  const state = `RT_STATE=${join(dir, "state")}`;
  const found: { pid: number; command: string }[] = [];
  for (const [name, command] of allProcesses()) {
    const pid = Number(name);
    if (spared.has(pid)) continue;
    const inherits = readOrEmpty(`/proc/${pid}/environ`).split("\0").includes(state);
    if (inherits || rootMount(pid).includes(basename(dir))) found.push({ pid, command });
  }
  return found;
}

/** Processes that mention `dir` in command line, working directory or open files. To be reported, never to be killed. */
export function processesMentioning(dir: string): { pid: number; command: string }[] {
  const spared = ancestors();
  const found: { pid: number; command: string }[] = [];
  for (const [name, command] of allProcesses()) {
    if (spared.has(Number(name))) continue;
    const links = entries(`/proc/${name}/fd`).map((fd) => linkOf(`/proc/${name}/fd/${fd}`) ?? "");
    const texts = [command, linkOf(`/proc/${name}/cwd`) ?? "", ...links];
    if (texts.some((text) => text.includes(dir))) found.push({ pid: Number(name), command });
  }
  return found;
}

/** The mountinfo line of a process's "/"; of this and no other mount. */
function rootMount(pid: number): string {
  const lines = readOrEmpty(`/proc/${pid}/mountinfo`).split("\n");
  return lines.find((line) => line.split(" ")[4] === "/") ?? "";
}

/** Our pid, our parent's and so on, and pid 1. */
function ancestors(): Set<number> {
  const pids = new Set([1]);
  for (let pid = process.pid; pid > 1 && !pids.has(pid); ) {
    pids.add(pid);
    const parent = readOrEmpty(`/proc/${pid}/stat`).match(/\) \S (\d+)/)?.[1];
    pid = Number(parent ?? 1);
  }
  return pids;
}

/** Open descriptors of a process, for tests that count them. */
export function openDescriptors(pid: number): string[] {
  return entries(`/proc/${pid}/fd`).map((fd) => `${fd} ${linkOf(`/proc/${pid}/fd/${fd}`) ?? "?"}`);
}

/** What vanishes while we look is not there, and what is deeper than a path is long is not of a test's directory. */
const gone = new Set(["ENOENT", "ENODEV", "ESRCH", "EACCES", "EINVAL", "ENOTDIR", "ENAMETOOLONG"]);

export function whereThere<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (gone.has((error as { code?: string }).code ?? "")) return otherwise;
    throw error;
  }
}

function entries(dir: string): string[] {
  return whereThere(() => readdirSync(dir), []);
}

export function readOrEmpty(path: string): string {
  return whereThere(() => readFileSync(path, "utf8"), "");
}

function linkOf(path: string): string | undefined {
  return whereThere<string | undefined>(() => readlinkSync(path), undefined);
}
