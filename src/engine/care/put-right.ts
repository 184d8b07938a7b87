import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { generateName } from "../../container/names.ts";
import type { ContainerState } from "../../container/record.ts";
import { exited, lostExit, type Observation } from "../../container/state.ts";
import { readRecordCopy } from "../../container/state-file.ts";
import { type Container, isContainerId, recordOf } from "../../container/stored-container.ts";
import { removeTree } from "../../layer/tree.ts";
import { removeCgroup } from "../../runtime/cgroup.ts";
import { closeLock, isLocked, tryLock } from "../../runtime/lock.ts";
import { cgroupOf } from "../container/group.ts";
import { ageOf, look, youngFor_ms } from "../container/look.ts";
import type { Host } from "../host.ts";
import { leaving } from "../network/leave.ts";
import { conclude } from "./conclude.ts";
import { endLeftovers, hasEndedOrderly, removeIfRoom, removeState, settling } from "./remove.ts";
import { ifRoom } from "./room.ts";
import { doomedPrefix, removeStateDirectory } from "./state-directory.ts";

/** A container that is not known to be over, and what it does. */
export interface Live {
  container: Container;
  state: ContainerState;
}

/** Nothing of one that is over, once all of that is on record. `remove` is for when all have been looked at. */
export type Found = { live?: Live; remove?: () => Promise<void> } | undefined;

/** A container that does not run, or whose record is damaged. */
export async function putRight(host: Host, stored: Container): Promise<Found> {
  const { removal } = stored;
  // Whoever removes it goes on with that, unless he was killed.
  if (removal && host.containers.isBeingRemoved(stored.id)) return undefined;
  const container = await restored(host, stored);
  const { id } = container;
  const seen = look(host, container);
  const { state } = seen;
  const live = { container, state };
  if (state.status === "running" || state.status === "restarting" || !isContainerId(id)) return { live };
  const directory = host.stateOf(id);
  const attended = isLocked(join(directory, "lock"));
  // Unless somebody has started it again since we looked.
  if (seen.needsCleanup) settling(host, id, () => endLeftovers(host, id, seen));
  if (removal && !attended) return { remove: () => removeAll(host, container, seen, removal) };
  if (container.autoRemove) {
    // Not looked after, it has been given up by its client, whether or not it ever ran.
    return attended ? { live } : { remove: () => removeAll(host, container, seen) };
  }
  if (state.status === "created" && !attended && existsSync(directory)) {
    await forgetStart(host, container, seen);
    return { live };
  }
  // Whoever makes a row has made the directory before: without one it ran, and the machine went down.
  const exit = state.status === "exited" ? state : lostExit();
  if (exit !== state && (attended || existsSync(directory))) return { live };
  return (await conclude(host, container, exit)) ? undefined : { live: { container, state: exited(exit) } };
}

/** Whoever was about to start it has died. */
async function forgetStart(host: Host, { id, name }: Container, seen: Observation): Promise<void> {
  const leave = await leaving(host, id);
  const forget = () => {
    endLeftovers(host, id, seen);
    leave();
    host.containers.settle(id, undefined);
  };
  const settle = () => void settling(host, id, forget);
  if (await ifRoom(host, `container ${name} was not started, and is not settled yet`, settle))
    await removeState(host, id);
}

async function removeAll(
  host: Host,
  container: Container,
  seen: Observation,
  { volumes } = { volumes: true },
): Promise<void> {
  const record = recordOf(container);
  const drivers = await host.driversFor(record?.driver);
  const options = { volumes, ended: hasEndedOrderly(seen), state: seen.state };
  await removeIfRoom(host, { id: container.id, record }, drivers, options);
}

async function restored(host: Host, container: Container): Promise<Container> {
  let isRestored = false;
  const restore = () => {
    isRestored = host.containers.restore(container);
  };
  const failure = `the stored record of container ${container.name} is damaged, and not restored yet`;
  if (container.damage) await ifRoom(host, failure, restore);
  if (!isRestored) return container;
  host.warn(`the stored record of container ${container.name} was damaged, and is restored`);
  return host.containers.get(container.id);
}

/** A state directory without a row is being made, or was left by a client that died, or its row was lost. */
export async function putRightStray(host: Host, id: string): Promise<Found> {
  const directory = host.stateOf(id);
  if (id.startsWith(doomedPrefix)) return { remove: () => removeStateDirectory(host, directory) };
  if (ageOf(directory) <= youngFor_ms || !existsSync(directory)) return undefined;
  if (!isLocked(join(directory, "lock"))) return { remove: () => removeStray(host, id) };
  // A row is written before its program runs: what has no pid file yet may still be on its way to one.
  if (!isContainerId(id) || !existsSync(join(directory, "pid"))) return undefined;
  const { state } = look(host, { id, exit: undefined });
  if (state.status !== "running") return undefined;
  const made = statSync(directory).mtime.toISOString();
  let name = id.slice(0, 12);
  const adopt = () => {
    name = host.containers.adopt(id, readRecordCopy(directory), made, generateName);
  };
  if (!(await ifRoom(host, `container ${name} runs, and is not in the database yet`, adopt)))
    return undefined;
  host.warn(`container ${name} runs, and was not in the database: now it is there again`);
  return { live: { container: host.containers.get(id), state } };
}

/** Under its lock: whoever is making it all the same, and was too slow for us, makes it again (build.ts, `openState`). */
async function removeStray(host: Host, id: string): Promise<void> {
  const directory = host.stateOf(id);
  const lock = tryLock(directory);
  if (lock === undefined && isLocked(join(directory, "lock"))) return;
  try {
    removeCgroup(cgroupOf(host, id));
    await (await host.snapshots()).removeActive(id);
    if (isContainerId(id)) await removeTree(host.filesOf(id));
    await removeStateDirectory(host, directory);
  } finally {
    if (lock !== undefined) closeLock(lock);
  }
}
