import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hierarchies } from "./hierarchies.ts";

/**
 * The processes of a container as its cgroups show them: for when the files that should say so are damaged or gone. Each
 * read may fail, as processes end while we look; what cannot be read is not there.
 */
export interface Member {
  /** In our pid namespace. */
  pid: number;
  /** Field 22 of /proc/PID/stat. */
  startTime: string;
}

/** All that are in `cgroup` ("rt/<id>") or below it, init first where it can be told: it is 1 in its own pid namespace. */
export function membersOf(cgroup: string): Member[] {
  const pids = new Set(hierarchies().flatMap(({ directory }) => pidsBelow(join(directory, cgroup))));
  const members = [...pids].flatMap((pid) => memberOf(pid) ?? []);
  return members
    .sort((a, b) => Number(b.isInit) - Number(a.isInit))
    .map(({ pid, startTime }) => ({ pid, startTime }));
}

/** Groups that the container made below its own hold processes of it too. */
function pidsBelow(directory: string, depth = 0): number[] {
  const own = textOf(join(directory, "cgroup.procs"))
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
  if (depth === 32) return own;
  return [...own, ...directoriesIn(directory).flatMap((name) => pidsBelow(join(directory, name), depth + 1))];
}

function directoriesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function memberOf(pid: number): (Member & { isInit: boolean }) | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses and may hold anything, so count from the last one.
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  if (!startTime || !/^\d+$/.test(startTime)) return undefined;
  const levels = /^NSpid:\t(.*)$/m.exec(textOf(`/proc/${pid}/status`))?.[1]?.split("\t") ?? [];
  // Of two levels: a container's container has a 1 at its third.
  return { pid, startTime, isInit: levels.at(-1) === "1" && levels.length === ownLevels() + 1 };
}

function ownLevels(): number {
  return /^NSpid:\t(.*)$/m.exec(textOf("/proc/self/status"))?.[1]?.split("\t").length ?? 1;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
