import { endCgroup } from "../../runtime/cgroup.ts";
import { signalProcess } from "../../runtime/process.ts";

const SIGKILL = 9;

/**
 * SIGKILL to a container's program, which takes all others of its pid namespace with it, and to whatever the container has
 * frozen: that would not end, nor let the rest end. False when it is gone.
 */
export function killContainer(group: string, init: { pid: number; startTime: string }): boolean {
  if (init.pid <= 0 || !signalProcess(init.pid, init.startTime, SIGKILL)) return false;
  endCgroup(group);
  return true;
}
