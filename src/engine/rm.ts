import { RtError } from "../base/errors.ts";
import { observe } from "../container/state.ts";
import { signalProcess } from "../runtime/leaf.ts";
import { isLocked } from "../runtime/lock.ts";
import type { Host } from "./host.ts";
import { reconcile } from "./reconcile.ts";
import { erase } from "./settle.ts";

const SIGKILL = 9;
/** How long a killed container may take to end: its processes may be writing their last pages. */
const killedWithinMs = 10_000;

/** Remove a container; a running one only with `force`, by SIGKILL. */
export async function removeContainer(
  host: Host,
  name: string,
  options: { force: boolean; volumes: boolean },
): Promise<void> {
  const snapshots = await host.snapshots();
  reconcile(host, snapshots);
  const { record, exit } = host.containers.get(name);
  const { state } = observe(host.stateOf(record.id), exit, isLocked);
  if (state.status === "running") {
    if (!options.force) {
      throw new RtError(
        "conflict",
        `cannot remove container "${record.name}": container is running: stop the container before removing or force remove`,
        { exitCode: 1 },
      );
    }
    signalProcess(state.pid, state.startTime, SIGKILL);
    await unlocked(`${host.stateOf(record.id)}/lock`, record.name);
  }
  erase(host, record, snapshots, { volumes: options.volumes || record.autoRemove });
}

/** Wait until the monitor has let go. */
async function unlocked(lock: string, name: string): Promise<void> {
  const deadline = Date.now() + killedWithinMs;
  while (isLocked(lock)) {
    if (Date.now() > deadline)
      throw new RtError("unavailable", `container ${name} does not end after SIGKILL: try again`);
    await Bun.sleep(2);
  }
}
