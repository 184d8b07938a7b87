import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { noGroup } from "./cgroup.ts";
import { hierarchies, textOf } from "./hierarchies.ts";

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

/**
 * All that are in `cgroup` ("rt/<id>") or below it, init first where it can be told: it is 1 in its own pid namespace. Of a
 * container without one it is those that share its namespaces with `init`, and what they have started.
 */
export function membersOf(cgroup: string, init = 0): Member[] {
  if (cgroup === noGroup) return init > 0 ? relativesOf(init) : [];
  const pids = new Set(hierarchies().flatMap(({ directory }) => pidsBelow(join(directory, cgroup))));
  const members = [...pids].flatMap((pid) => memberOf(pid) ?? []);
  return members
    .sort((a, b) => Number(b.isInit) - Number(a.isInit))
    .map(({ pid, startTime }) => ({ pid, startTime }));
}

/** Those in its mount namespace or in a pid namespace that is not ours, and their children of any namespaces. */
function relativesOf(init: number): Member[] {
  const [mounts, pids] = [namespaceOf(init, "mnt"), namespaceOf(init, "pid")];
  const isOwn = pids !== undefined && pids !== namespaceOf("self", "pid");
  const found = new Map<number, Member & { isInit: boolean }>();
  const others = new Map<number, number>();
  for (const pid of numbersIn("/proc")) {
    const isRelative =
      pid === init ||
      (mounts !== undefined && namespaceOf(pid, "mnt") === mounts) ||
      (isOwn && namespaceOf(pid, "pid") === pids);
    const member = isRelative ? memberOf(pid) : undefined;
    if (member) found.set(pid, member);
    else others.set(pid, parentOf(pid));
  }
  for (let grows = true; grows; ) {
    grows = false;
    for (const [pid, parent] of others) {
      const member = found.has(parent) ? memberOf(pid) : undefined;
      if (!member) continue;
      found.set(pid, member);
      others.delete(pid);
      grows = true;
    }
  }
  const first = (pid: number) => Number(pid === init);
  return [...found.values()]
    .sort((a, b) => first(b.pid) - first(a.pid))
    .map(({ pid, startTime }) => ({ pid, startTime }));
}

/** "mnt:[4026532201]"; undefined: it has ended, or is none of ours to look at. */
function namespaceOf(pid: number | "self", kind: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

function parentOf(pid: number): number {
  const stat = textOf(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function numbersIn(directory: string): number[] {
  return directoriesIn(directory).map(Number).filter(Number.isInteger);
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
