import { hasPoststop } from "../../container/poststop-file.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { type Restarting, readRestarting, writeFailedRestart } from "../../container/restarting.ts";
import { isStopped } from "../../container/stopped.ts";
import { isContainerId } from "../../container/stored-container.ts";
import { closeLock, holdsLock } from "../../runtime/lock.ts";
import type { Host } from "../host.ts";
import { containerEvent, dieEvent, networkEvents } from "../record-event.ts";
import { build } from "./build.ts";
import { concludeAlone } from "./conclude.ts";
import { starting } from "./create.ts";
import { look } from "./look.ts";

/** zig-native/monitor/successor.zig leaves it there. */
const lockDescriptor = 4;

/**
 * What a monitor becomes does this when the restart policy says so: the program is started again under a new monitor, which gets
 * the lock that the old one has held all the time. One that somebody has stopped meanwhile stays as it is, and one that cannot
 * be started ends with that.
 */
export async function restartByPolicy(host: Host, id: string): Promise<void> {
  if (!isContainerId(id)) return;
  const directory = host.stateOf(id);
  const restarting = readRestarting(directory);
  if (!restarting || !holdsLock(directory, lockDescriptor)) return;
  const { record } = host.containers.get(id);
  try {
    if (await launchAgain(host, record, restarting)) return;
  } catch (error) {
    if (!isStopped(directory)) writeFailedRestart(directory, error as Error);
  }
  await concludeAlone(host, id);
}

/** @returns false: it is to stay down */
async function launchAgain(host: Host, record: ContainerRecord, restarting: Restarting): Promise<boolean> {
  await using undo = new AsyncDisposableStack();
  const directory = host.stateOf(record.id);
  if (hasPoststop(directory)) await (await import("../care/poststop.ts")).runPoststop(host, directory, true);
  const snapshots = await host.snapshotsOf(record.driver);
  const state = { directory, lock: lockDescriptor };
  undo.defer(() => closeIfHeld(directory));
  const launched = await starting(record, () =>
    build(host, record, snapshots, state, { attended: false, restarting }, undo),
  );
  using program = await starting(record, () => launched.ready(host.session.abort));
  // The last moment: from here on a signal reaches the program.
  if (isStopped(directory)) return false;
  // Of the end before this; of one that stays down it is told with its conclusion.
  dieEvent(host, record, look(host, { id: record.id, exit: undefined }).state);
  await starting(record, () => program.start(host.session.abort));
  undo.move();
  networkEvents(host, "connect", record.id);
  containerEvent(host, record, "start");
  return true;
}

/** Where there was nobody yet who took it. */
function closeIfHeld(directory: string): void {
  if (holdsLock(directory, lockDescriptor)) closeLock(lockDescriptor);
}
