import { readFileSync } from "node:fs";
import { hierarchyOf } from "./hierarchies.ts";

export { endCgroup, freezeCgroup, removeCgroup, thawCgroup } from "../native/system.ts";

/** The group that is above every container's, below each hierarchy's root. */
export const groupOfContainers = "rt";

/** The cgroup of a container, below each hierarchy's root. */
export function cgroupPath(id: string): string {
  return `${groupOfContainers}/${id}`;
}

/** Does everything in a cgroup stand still, by v1's freezer or v2's? Not where there is no such cgroup. */
export function isFrozen(path: string): boolean {
  return (
    says("freezer", `${path}/freezer.state`, /^FROZEN/) ||
    says(undefined, `${path}/cgroup.events`, /^frozen 1$/m)
  );
}

function says(controller: string | undefined, file: string, wanted: RegExp): boolean {
  const hierarchy = hierarchyOf(controller);
  if (!hierarchy) return false;
  try {
    return wanted.test(readFileSync(`${hierarchy.directory}/${file}`, "latin1"));
  } catch {
    return false;
  }
}
