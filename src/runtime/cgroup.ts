import { existsSync } from "node:fs";
import { hierarchyOf, textOf } from "./hierarchies.ts";

export { endCgroup, freezeCgroup, removeCgroup, thawCgroup } from "../native/system.ts";

/** The group that is above every container's, below each hierarchy's root. */
export const groupOfContainers = "rt";

/** What a container has that is in no cgroup of its own (group-place.ts): none of the functions here and elsewhere finds it. */
export const noGroup = "";

/** The cgroup of a container, below each hierarchy's root. */
export function cgroupPath(id: string): string {
  return `${groupOfContainers}/${id}`;
}

/** Is there such a cgroup that can be frozen? A host may have none that can be written. */
export function hasCgroup(path: string): boolean {
  if (path === noGroup) return false;
  const freezers = [hierarchyOf("freezer"), hierarchyOf(undefined)];
  return freezers.some((found) => found !== undefined && existsSync(`${found.directory}/${path}`));
}

/** Does everything in a cgroup stand still, by v1's freezer or v2's? Not where there is no such cgroup. */
export function isFrozen(path: string): boolean {
  if (path === noGroup) return false;
  return (
    says("freezer", `${path}/freezer.state`, /^FROZEN/) ||
    says(undefined, `${path}/cgroup.events`, /^frozen 1$/m)
  );
}

/** How many of a cgroup's processes the kernel has killed for want of memory; bytes, 0: no limit, or unknown. */
export function shortageIn(path: string): { kills: number; limit: number; peak: number } | undefined {
  if (path === noGroup) return undefined;
  const v1 = hierarchyOf("memory");
  const directory = (v1 ?? hierarchyOf(undefined))?.directory;
  const read = (name: string) => (directory === undefined ? "" : textOf(`${directory}/${path}/${name}`));
  const events = read(v1 ? "memory.oom_control" : "memory.events");
  const kills = Number(/^oom_kill (\d{1,15})$/m.exec(events)?.[1] ?? 0);
  if (kills === 0) return undefined;
  // v1 writes no limit as the largest number of whole pages, v2 as "max".
  const bytes = (name: string) => {
    const value = Number(read(name));
    return Number.isSafeInteger(value) ? value : 0;
  };
  if (v1) return { kills, limit: bytes("memory.limit_in_bytes"), peak: bytes("memory.max_usage_in_bytes") };
  return { kills, limit: bytes("memory.max"), peak: bytes("memory.peak") };
}

function says(controller: string | undefined, file: string, wanted: RegExp): boolean {
  const hierarchy = hierarchyOf(controller);
  if (!hierarchy) return false;
  const path = `${hierarchy.directory}/${file}`;
  // Of two hierarchies one has no such group, and a failed open is an exception, which is dear where many run.
  return existsSync(path) && wanted.test(textOf(path));
}
