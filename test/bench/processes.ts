/**
 * What the host's /proc says of processes, for the memory row. A container's program is found by arguments that nobody
 * else has; what the engine keeps for it are its ancestors that were not there before, and their other children.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

export interface ProcessMemory {
  pid: number;
  name: string;
  /** Resident pages; the share of them that is this process's (smaps_rollup); page tables. KiB. */
  rssKiB: number;
  pssKiB: number;
  pageTablesKiB: number;
  /** What an executable in memory (memfd) occupies, mapped or not. */
  memfdKiB: number;
}

export function allProcesses(): Set<number> {
  return new Set(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number),
  );
}

/** The process whose arguments are exactly these. */
export function processWithArguments(wanted: readonly string[]): number | undefined {
  const found = [...allProcesses()].filter((pid) => {
    const words = argumentsOf(pid);
    return words.length === wanted.length && wanted.every((word, at) => words[at] === word);
  });
  return found.at(-1);
}

/** The last process that has `word` among its arguments. */
export function processWithArgument(word: string): number | undefined {
  return [...allProcesses()].filter((pid) => argumentsOf(pid).includes(word)).at(-1);
}

/** The process and its descendants. */
export function treeOf(root: number): number[] {
  const parents = new Map([...allProcesses()].map((pid) => [pid, parentOf(pid)]));
  return [...parents.keys()].filter((pid) => below(pid, root, parents));
}

/** Milliseconds of processors that a process has had, with its descendants and those of them that it has waited for. */
export function cpuOf(root: number): number {
  const ticks = treeOf(root).flatMap(
    (pid) => read(pid, "stat").split(") ").at(-1)?.split(" ").slice(11, 15) ?? [],
  );
  // A hundred in a second, whatever the kernel's own clock is.
  return ticks.reduce((total, each) => total + Number(each), 0) * 10;
}

/** Processes that are there for `program` and were not in `before`, without the program's own. */
export function keepersOf(program: number, before: ReadonlySet<number>): number[] {
  const parents = new Map([...allProcesses()].map((pid) => [pid, parentOf(pid)]));
  const ancestors = new Set<number>();
  for (let pid = parents.get(program); pid && !before.has(pid); pid = parents.get(pid)) ancestors.add(pid);
  const keeps = (pid: number | undefined): boolean =>
    pid !== undefined && pid !== program && (ancestors.has(pid) || keeps(parents.get(pid)));
  return [...parents.keys()].filter((pid) => keeps(pid) && !below(pid, program, parents));
}

function below(pid: number, root: number, parents: ReadonlyMap<number, number | undefined>): boolean {
  for (let at: number | undefined = pid; at; at = parents.get(at)) if (at === root) return true;
  return false;
}

/** undefined when it has gone. */
export function memoryOf(pid: number): ProcessMemory | undefined {
  const rollup = read(pid, "smaps_rollup");
  const status = read(pid, "status");
  const kib = (text: string, key: string) =>
    Number(text.match(new RegExp(`^${key}:\\s+(\\d+) kB`, "m"))?.[1] ?? 0);
  if (status === "") return undefined;
  return {
    pid,
    name: read(pid, "comm").trim(),
    rssKiB: kib(rollup, "Rss"),
    pssKiB: kib(rollup, "Pss"),
    pageTablesKiB: kib(status, "VmPTE"),
    memfdKiB: memfdKiB(pid),
  };
}

function memfdKiB(pid: number): number {
  try {
    const path = `/proc/${pid}/exe`;
    return readlinkSync(path).startsWith("/memfd:") ? (statSync(path).blocks * 512) / 1024 : 0;
  } catch (error) {
    if (isGone(error)) return 0;
    throw error;
  }
}

function argumentsOf(pid: number): string[] {
  return read(pid, "cmdline").split("\0").slice(0, -1);
}

/** Field 4 of stat; the name before it may contain anything. */
function parentOf(pid: number): number | undefined {
  const fields = read(pid, "stat").split(") ").at(-1)?.split(" ");
  return fields?.[1] === undefined ? undefined : Number(fields[1]);
}

/** Empty when the process has gone. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch (error) {
    if (isGone(error)) return "";
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ESRCH"].includes((error as { code?: string }).code ?? "");
}
