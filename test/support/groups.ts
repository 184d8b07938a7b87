/** The files of a container's control group, by what they limit or tell: of v1's hierarchies, or of the unified one. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = "/sys/fs/cgroup";

/** What is asked for, as controller and file of v1, and file of v2. */
const files = {
  memory: ["memory", "memory.limit_in_bytes", "memory.max"],
  memoryUsed: ["memory", "memory.usage_in_bytes", "memory.current"],
  memoryEvents: ["memory", "memory.oom_control", "memory.events"],
  pids: ["pids", "pids.max", "pids.max"],
  pidsUsed: ["pids", "pids.current", "pids.current"],
  pidsEvents: ["pids", "pids.events", "pids.events"],
  cpuEvents: ["cpu", "cpu.stat", "cpu.stat"],
} as const;

export type GroupFile = keyof typeof files;

/** @param group below the root: "rt/<id>" */
export function groupPath(group: string, file: GroupFile): string {
  const [controller, old, unified] = files[file];
  const v1 = join(root, controller);
  return existsSync(join(v1, "cgroup.procs")) ? join(v1, group, old) : join(root, group, unified);
}

export function groupValue({ id }: { id: string }, file: GroupFile): string {
  return readFileSync(groupPath(`rt/${id}`, file), "utf8").trim();
}

/** One of a file's "name value" lines; 0 where there is none. */
export function groupCount(container: { id: string }, file: GroupFile, name: string): number {
  const line = new RegExp(`^${name} (\\d+)$`, "m").exec(groupValue(container, file));
  return Number(line?.[1] ?? 0);
}

/** Nanoseconds of processor time that it has used. */
export function processorTime(container: { id: string }): number {
  const old = join(root, "cpuacct", "rt", container.id, "cpuacct.usage");
  if (existsSync(old)) return Number(readFileSync(old, "utf8"));
  return groupCount(container, "cpuEvents", "usage_usec") * 1000;
}

/** What the kernel says to the root of the hierarchies: each controller's version here. */
export const isUnified = existsSync(join(root, "cgroup.controllers"));
