export { endCgroup, freezeCgroup, isFrozen, removeCgroup, thawCgroup } from "../native/system.ts";

/** The group that is above every container's, below each hierarchy's root. */
export const groupOfContainers = "rt";

/** The cgroup of a container, below each hierarchy's root. */
export function cgroupPath(id: string): string {
  return `${groupOfContainers}/${id}`;
}
