import { dirname } from "node:path";
import { RtError } from "../../base/errors.ts";
import { isContainerId } from "../../container/container-store.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { type ExitFacts, type Observation, observe } from "../../container/state.ts";
import { volumeDirectory } from "../../container/volumes.ts";
import { removeCgroup, removeTree } from "../../runtime/leaf.ts";
import { isLocked } from "../../runtime/lock.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { cgroupPath } from "../cgroup.ts";
import { killContainer } from "../container/end.ts";
import type { Host } from "../host.ts";

/** The program has ended: write down how, or with `--rm` remove what is left. */
export function settle(host: Host, record: ContainerRecord, snapshots: SnapshotDriver): void {
  const observation = observe(host.stateOf(record.id), undefined, isLocked);
  // Without an orderly end the monitor was killed, be it before it had written down that the program runs.
  const ended = observation.state.status === "exited" && !observation.needsCleanup;
  if (!ended) bury(record.id, observation);
  if (record.autoRemove) eraseIfRoom(host, { id: record.id, record }, [snapshots], { volumes: true, ended });
  else if (observation.state.status === "exited") conclude(host, record, observation.state);
}

/**
 * Write down how it ended. Its state directory says nothing more then, and goes: what lies there is what a command has to
 * look at, so that it does not grow with what is over. On a full disk it stays, and the next command tries again: false.
 */
export function conclude(host: Host, { id, name }: { id: string; name: string }, exit: ExitFacts): boolean {
  const write = () => {
    host.containers.recordExit(id, exit);
  };
  if (!ifRoom(host, `how container ${name} ended is not in the database yet`, write)) return false;
  removeTree(host.stateOf(id));
  return true;
}

/** False on a full disk: for what the next command can do as well, so that this one goes on. `failure` says what was not done. */
export function ifRoom(host: Host, failure: string, write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if (!(error instanceof RtError) || error.code !== "exhausted") throw error;
    host.warn(`${failure}: ${error.message}`);
    return false;
  }
}

/** The monitor was killed: its container's processes and cgroup are ours to end. */
export function bury(id: string, observation: Observation): void {
  killContainer(id, observation.init);
  removeCgroup(cgroupPath(id));
}

/** A container that does not run. Of a damaged one there is no record. */
interface Remains {
  id: string;
  record: ContainerRecord | undefined;
}

/**
 * Everything of a container that does not run; its top is one of `drivers`. The row goes last: a crash before that leaves something to be removed again.
 * `ended`: its monitor has taken the cgroups away.
 */
export function erase(
  host: Host,
  { id, record }: Remains,
  drivers: readonly SnapshotDriver[],
  options: { volumes: boolean; ended: boolean },
): void {
  // Of an id that is damaged too nothing can be found: no directory has such a name.
  if (isContainerId(id)) {
    if (!options.ended) removeCgroup(cgroupPath(id));
    for (const driver of drivers) driver.removeActive(id);
    if (options.volumes && record) removeAnonymousVolumes(host, record);
    removeTree(host.stateOf(id));
  }
  host.containers.remove(id);
}

/** A row for which there is no room to be removed stays, and makes the next command try again. */
export function eraseIfRoom(
  host: Host,
  remains: Remains,
  drivers: readonly SnapshotDriver[],
  options: { volumes: boolean; ended: boolean },
): void {
  ifRoom(host, `container ${remains.id.slice(0, 12)} is not removed yet`, () =>
    erase(host, remains, drivers, options),
  );
}

/** The volumes that nobody named: they belong to this container alone. */
export function removeAnonymousVolumes(host: Host, record: ContainerRecord): void {
  for (const { type, name } of record.mounts) {
    const anonymous = type === "volume" && name !== undefined && /^[0-9a-f]{64}$/.test(name);
    if (anonymous) removeTree(dirname(volumeDirectory(host.paths.root, name)));
  }
}
