export { endCgroup, removeCgroup } from "../native/system.ts";

/** The cgroup of a container, below each hierarchy's root. */
export function cgroupPath(id: string): string {
  return `rt/${id}`;
}
