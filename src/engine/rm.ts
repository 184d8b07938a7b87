import { join } from "node:path";
import { RtError } from "../base/errors.ts";
import type { Container } from "../container/container-store.ts";
import { observe } from "../container/state.ts";
import { removeTree, signalProcess } from "../runtime/leaf.ts";
import { isLocked } from "../runtime/lock.ts";
import type { SnapshotDriver } from "../snapshot/snapshot.ts";
import type { Host } from "./host.ts";
import { reconcile } from "./reconcile.ts";
import { bury, erase } from "./settle.ts";
import { holdsWithin, immortal, killedWithin_ms } from "./stop.ts";

const SIGKILL = 9;

/** Remove a container; a running one only with `force`, by SIGKILL. */
export async function removeContainer(
  host: Host,
  name: string,
  options: { force: boolean; volumes: boolean },
): Promise<void> {
  const snapshots = await host.snapshots();
  reconcile(host, snapshots);
  const { record, exit } = readable(host, snapshots, name, options.force);
  if (!record) return;
  const look = () => observe(host.stateOf(record.id), exit, isLocked).state;
  if (look().status === "created" && isLocked(join(host.stateOf(record.id), "lock"))) {
    throw conflict(`cannot remove container "${record.name}": it is just being started: try again`);
  }
  if (look().status === "running") {
    if (!options.force) {
      throw conflict(
        `cannot remove container "${record.name}": container is running: stop the container before removing or force remove`,
      );
    }
    const { pid, startTime } = look();
    signalProcess(pid, startTime, SIGKILL);
    // Its end is what counts: the monitor may still be giving a slow client the last of the output.
    if (!(await holdsWithin(killedWithin_ms, () => look().status !== "running"))) throw immortal(record.name);
  }
  erase(host, record, snapshots, { volumes: options.volumes || record.autoRemove });
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}

/** The container, or with `force` nothing once what is left of one whose record is damaged has been removed. */
function readable(host: Host, snapshots: SnapshotDriver, name: string, force: boolean): Partial<Container> {
  try {
    return host.containers.get(name);
  } catch (error) {
    const id = force && error instanceof RtError && error.code === "data-loss" && host.containers.idOf(name);
    if (!id) throw error;
    const observation = observe(host.stateOf(id), undefined, isLocked);
    bury(id, observation);
    snapshots.removeActive(id); // of another driver: that is collected with the next image that goes
    removeTree(host.stateOf(id));
    host.containers.remove(id);
    return {};
  }
}
