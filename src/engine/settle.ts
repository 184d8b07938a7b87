import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ContainerRecord } from "../container/record.ts";
import { type Observation, observe } from "../container/state.ts";
import { volumeDirectory } from "../container/volumes.ts";
import { removeCgroup, removeTree, signalProcess } from "../runtime/leaf.ts";
import { isLocked } from "../runtime/lock.ts";
import { selectDriver } from "../snapshot/select.ts";
import type { SnapshotDriver } from "../snapshot/snapshot.ts";
import type { Host } from "./host.ts";
import { cgroupPath } from "./start.ts";

const SIGKILL = 9;

/** The program has ended: write down how, or with `--rm` remove what is left. */
export function settle(host: Host, record: ContainerRecord, snapshots: SnapshotDriver): void {
  const observation = observe(host.stateOf(record.id), undefined, isLocked);
  // Without an orderly end the monitor was killed, be it before it had written down that the program runs.
  if (observation.needsCleanup || observation.state.status !== "exited") bury(record.id, observation);
  if (record.autoRemove) erase(host, record, snapshots, { volumes: true });
  else if (observation.state.status === "exited") host.containers.recordExit(record.id, observation.state);
}

/** The monitor was killed: its container's processes and cgroup are ours to end. */
export function bury(id: string, observation: Observation): void {
  const { init } = observation;
  if (init.pid > 0) signalProcess(init.pid, init.startTime, SIGKILL);
  removeCgroup(cgroupPath(id));
}

/** Everything of a container that does not run. The row goes last: a crash before that leaves something to be removed again. */
export function erase(
  host: Host,
  record: ContainerRecord,
  snapshots: SnapshotDriver,
  options: { volumes: boolean },
): void {
  if (!existsSync(join(host.stateOf(record.id), "exit"))) removeCgroup(cgroupPath(record.id));
  const made = record.driver === snapshots.name ? snapshots : selectDriver(host.paths.root, record.driver);
  made.removeActive(record.id);
  if (options.volumes) removeAnonymousVolumes(host, record);
  removeTree(host.stateOf(record.id));
  host.containers.remove(record.id);
}

/** The volumes that nobody named: they belong to this container alone. */
export function removeAnonymousVolumes(host: Host, record: ContainerRecord): void {
  for (const { type, name } of record.mounts) {
    const anonymous = type === "volume" && name !== undefined && /^[0-9a-f]{64}$/.test(name);
    if (anonymous) removeTree(dirname(volumeDirectory(host.paths.root, name)));
  }
}
