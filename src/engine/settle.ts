import { rmSync } from "node:fs";
import { dirname } from "node:path";
import type { ContainerRecord } from "../container/record.ts";
import { observe } from "../container/state.ts";
import { volumeDirectory } from "../container/volumes.ts";
import { removeTree } from "../runtime/leaf.ts";
import { isLocked } from "../runtime/lock.ts";
import type { SnapshotDriver } from "../snapshot/snapshot.ts";
import type { Host } from "./host.ts";

/** The program has ended: write down how, or with `--rm` remove what is left. */
export function settle(host: Host, record: ContainerRecord, snapshots: SnapshotDriver): void {
  if (record.autoRemove) {
    erase(host, record, snapshots, { volumes: true });
    return;
  }
  const { state } = observe(host.stateOf(record.id), undefined, isLocked);
  if (state.status !== "exited") return; // its end was not seen by the monitor: reconcile knows what to do
  host.containers.recordExit(record.id, state);
}

/** Everything of a container that does not run. The row goes last: a crash before that leaves something to be removed again. */
export function erase(
  host: Host,
  record: ContainerRecord,
  snapshots: SnapshotDriver,
  options: { volumes: boolean },
): void {
  snapshots.removeActive(record.id);
  if (options.volumes) {
    for (const mount of record.mounts) {
      const anonymous =
        mount.type === "volume" && mount.name !== undefined && /^[0-9a-f]{64}$/.test(mount.name);
      if (anonymous)
        rmSync(dirname(volumeDirectory(host.paths.root, mount.name!)), { recursive: true, force: true });
    }
  }
  removeTree(host.stateOf(record.id));
  host.containers.remove(record.id);
}
