import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { hasPoststop } from "../../container/poststop-file.ts";
import type { ContainerRecord, ContainerState } from "../../container/record.ts";
import type { Observation } from "../../container/state.ts";
import { isContainerId } from "../../container/stored-container.ts";
import { removeTree } from "../../layer/tree.ts";
import { endCgroup, removeCgroup } from "../../runtime/cgroup.ts";
import { isLocked } from "../../runtime/lock.ts";
import { awaitWatchers } from "../../runtime/watchers.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { killContainer } from "../container/end.ts";
import { cgroupOf } from "../container/group.ts";
import type { Host } from "../host.ts";
import { leaving } from "../network/leave.ts";
import { containerEvent, dieEvent } from "../record-event.ts";
import { ifRoom } from "./room.ts";
import { doomedName, removeStateDirectory } from "./state-directory.ts";

/** A container that does not run. Of a damaged one there is no record. */
interface Remains {
  id: string;
  record: ContainerRecord | undefined;
}

interface RemovalOptions {
  volumes: boolean;
  /** Its monitor has taken the cgroups away. */
  ended: boolean;
  /** How it was last seen: where nobody has told of its end yet, that is told now. */
  state: ContainerState;
}

/** Did its monitor see the program's end, and clear away after it? */
export function hasEndedOrderly({ state, needsCleanup }: Observation): boolean {
  return state.status === "exited" && !needsCleanup;
}

/** The monitor was killed: its container's processes and cgroup are ours to end. */
export function endLeftovers(host: Host, id: string, { init }: Observation): void {
  // Where it has no pid namespace of its own the rest lives on without its init.
  const group = cgroupOf(host, id);
  if (!killContainer(group, init)) endCgroup(group);
  removeCgroup(group);
}

/**
 * Everything of a container that does not run; its top is one of `drivers`. The row goes last: a crash before that leaves
 * something to be removed again.
 */
export async function remove(
  host: Host,
  { id, record }: Remains,
  drivers: readonly SnapshotDriver[],
  options: RemovalOptions,
): Promise<void> {
  // Of an id that is damaged too nothing can be found: no directory has such a name.
  if (isContainerId(id)) {
    if (!options.ended) removeCgroup(cgroupOf(host, id));
    for (const driver of drivers) await driver.removeActive(id);
    if (options.volumes && record) await removeAnonymousVolumes(host, record);
    await removeTree(host.filesOf(id));
    settling(host, id, await leaving(host, id));
    await removeState(host, id);
  }
  const networks = host.containers.networksOf(id);
  if (host.containers.hasPorts(id)) {
    const { ports } = await host.networks();
    host.database.transaction(() => ports.release(id));
  }
  const container = host.containers.delete(id);
  if (!container) return;
  if (!container.exit && options.state.status === "exited")
    dieEvent(host, container, options.state, networks);
  containerEvent(host, container, "destroy");
}

/**
 * The state directory of a container that is over, once all who wait for that know how it ended. It is moved away first: when
 * it is removed somebody else may have another one there.
 */
export async function removeState(host: Host, id: string): Promise<void> {
  const directory = host.stateOf(id);
  await awaitWatchers(directory);
  if (!(await hasStoppedWholly(host, id, directory))) return;
  const doomed = doomedName(directory);
  const isMoved = settling(host, id, () => {
    if (existsSync(directory)) renameSync(directory, doomed);
  });
  if (isMoved) await removeStateDirectory(host, doomed);
}

/** Its hooks have run. False: somebody else is at them, and goes on with this. */
async function hasStoppedWholly(host: Host, id: string, directory: string): Promise<boolean> {
  if (!hasPoststop(directory) || !settling(host, id, () => {})) return true;
  const { runPoststop } = await import("./poststop.ts");
  return runPoststop(host, directory, false);
}

/**
 * `act` on a container that is over, in one transaction with looking whether it still is: it is started again in another
 * (container/place.ts).
 * @returns whether it was done
 */
export function settling(host: Host, id: string, act: () => void): boolean {
  return host.database.transaction(() => {
    const directory = host.stateOf(id);
    const isOver = existsSync(join(directory, "exit")) && !existsSync(join(directory, "restarting"));
    const isAttended = !isOver && isLocked(join(directory, "lock"));
    if (!isAttended) act();
    return !isAttended;
  });
}

/** A row for which there is no room to be removed stays, and makes the next command try again. */
export async function removeIfRoom(
  host: Host,
  remains: Remains,
  drivers: readonly SnapshotDriver[],
  options: RemovalOptions,
): Promise<void> {
  await ifRoom(host, `container ${remains.id.slice(0, 12)} is not removed yet`, () =>
    remove(host, remains, drivers, options),
  );
}

/** The volumes that nobody named, but for those that another container has by now. */
export async function removeAnonymousVolumes(host: Host, { id, mounts }: ContainerRecord): Promise<void> {
  const names = mounts.flatMap(({ type, name, anonymous }) =>
    type === "volume" && name !== undefined && (anonymous ?? /^[0-9a-f]{64}$/.test(name)) ? [name] : [],
  );
  if (names.length === 0) return;
  const { removeIfUnused } = await import("../volume/remove.ts");
  for (const name of names) await removeIfUnused(host, name, id);
}
