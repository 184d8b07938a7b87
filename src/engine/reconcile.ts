import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import { observe } from "../container/state.ts";
import { removeCgroup, removeTree } from "../runtime/leaf.ts";
import { isLocked } from "../runtime/lock.ts";
import type { SnapshotDriver } from "../snapshot/snapshot.ts";
import type { Host } from "./host.ts";
import { bury, erase } from "./settle.ts";
import { cgroupPath } from "./start.ts";

/** A state directory without a row is being made, or was left by a client that died; after this long it is the latter. */
const orphanAgeMs = 10_000;

/**
 * Put right what a killed client or monitor has left: containers whose end nobody wrote down, `--rm` containers that nobody
 * removed, state directories of containers that never came to be. Cheap where there is nothing to do; every command that
 * lists or makes containers begins with it.
 */
export function reconcile(host: Host, snapshots: SnapshotDriver): void {
  const known = new Set(host.containers.ids());
  for (const { record, exit } of host.containers.list((error) => host.warn(error.message))) {
    if (exit && !record.autoRemove) continue;
    const observation = observe(host.stateOf(record.id), exit, isLocked);
    if (observation.needsCleanup) bury(record.id, observation);
    const over = observation.state.status === "exited";
    // A `--rm` container that is not looked after has been given up by its client, whether or not it ever ran.
    const abandoned = record.autoRemove && !isLocked(join(host.stateOf(record.id), "lock"));
    if (abandoned) erase(host, record, snapshots, { volumes: true });
    else if (over && !exit) host.containers.recordExit(record.id, observation.state);
  }
  removeOrphans(host, known, snapshots);
}

function removeOrphans(host: Host, known: ReadonlySet<string>, snapshots: SnapshotDriver): void {
  const parent = join(host.paths.state, "containers");
  for (const id of entries(parent)) {
    if (known.has(id)) continue;
    const directory = join(parent, id);
    const age = Date.now() - (statSync(directory, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age < orphanAgeMs || isLocked(join(directory, "lock"))) continue;
    removeCgroup(cgroupPath(id));
    snapshots.removeActive(id);
    removeTree(directory);
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
