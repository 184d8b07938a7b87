import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { isErrno, RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { writeRecordCopy } from "../../container/state-file.ts";
import { takeLock } from "../../runtime/lock.ts";
import { removeStateDirectory } from "../care/state-directory.ts";
import type { Host } from "../host.ts";

/**
 * A state directory for a container that is on record and does not run, with its lock held. It is made in the transaction that
 * makes the last exit history. What concludes an end (care/remove.ts, `settling`) looks and acts in a transaction as well: it
 * sees one that is over, or one that somebody looks after, and never takes the new directory for the old.
 *
 * @returns with the record as it is from here on; undefined where there is a directory already: somebody else starts it, or it
 * runs
 * @throws RtError not-found: it was removed meanwhile; conflict: it is just being removed; data-loss
 */
export function placeState(
  host: Host,
  id: string,
  undo: AsyncDisposableStack,
): { directory: string; lock: number; record: ContainerRecord } | undefined {
  const directory = host.stateOf(id);
  const placed = host.database.transaction(() => {
    const { exit, isStopped, record, removal } = host.containers.get(id);
    if (removal)
      throw new RtError("conflict", "container is marked for removal and cannot be started", { exitCode: 1 });
    if (!isMade(directory)) return undefined;
    undo.defer(async () => {
      host.containers.settle(id, exit);
      host.containers.setStopped(id, isStopped);
      await removeStateDirectory(host, directory);
    });
    host.containers.clearExit(id);
    host.containers.setStopped(id, false);
    return { directory, lock: takeLock(directory), record };
  });
  if (placed) writeRecordCopy(directory, host.containers.bytesOf(placed.record));
  return placed;
}

/** False where there is one already. */
function isMade(directory: string): boolean {
  mkdirSync(dirname(directory), { recursive: true, mode: 0o700 }); // the machine may have been down
  try {
    mkdirSync(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}
