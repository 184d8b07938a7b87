import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode, RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import type { Container } from "../../container/stored-container.ts";
import type { FileLock } from "../../content/file-lock.ts";
import type { Target } from "../../network/netlink.ts";
import { isLocked } from "../../runtime/lock.ts";
import { reconcileOne } from "../care/reconcile.ts";
import { isElsewhere, isOver, isRunning, look, youngFor_ms } from "../container/look.ts";
import type { Host } from "../host.ts";
import { lockPlaces } from "./place.ts";

/** What is to be done to a container's networks, by what the container is doing. */
export interface NetworkChange {
  /** It does not run, and nobody starts it meanwhile; or its policy is about to start it. In a transaction. */
  onRecord(id: string): void;
  /** It runs, and nobody else changes its networks meanwhile. */
  live(id: string, target: Target): Promise<void>;
}

/**
 * Change which networks a container is in, whatever it is doing:
 *
 *   its state directory    it             what is done
 *   is not there           does not run   the record is another one, in the transaction that looks for the directory: who starts
 *                                         it makes that in one, too, and reads the record in it
 *   is there               runs           its lock is taken (place.ts), and the record and the container are changed
 *                          waits for its policy   the lock is taken, and the record is another one: who starts it reads that under
 *                                         the lock
 *                          is just being started, or ends, also over this   that is waited for
 *
 * @throws RtError not-found; conflict: it is being removed; unavailable: it takes too long
 */
export async function changeNetworks(host: Host, name: string, change: NetworkChange): Promise<void> {
  const deadline = performance.now() + youngFor_ms;
  let id = name;
  while (performance.now() < deadline) {
    const container = await reconcileOne(host, id);
    id = container.id;
    if (container.removal)
      throw refusal(
        "conflict",
        `Container ${id} is marked for removal and cannot be connected or disconnected to the network`,
      );
    if (await isChanged(host, container, change)) return;
    await settled(host, container);
  }
  throw refusal("unavailable", `container ${name} is just starting or ending: try again`);
}

async function isChanged(host: Host, container: Container, change: NetworkChange): Promise<boolean> {
  const { id } = container;
  const directory = host.stateOf(id);
  const onRecord = (holds = () => true) =>
    host.database.transaction(() => {
      const isDone = holds();
      if (isDone) change.onRecord(id);
      return isDone;
    });
  if (!existsSync(directory)) return onRecord(() => !existsSync(directory));
  using lock = await lockOrNothing(host, id);
  if (!lock) return false;
  const { state } = look(host, container);
  if (state.status === "restarting") return onRecord();
  if (!isRunning(state)) return false;
  if (state.pid === 0) {
    const text = `container ${id} runs, but its state directory is damaged, and its processes cannot be found`;
    throw refusal("conflict", text);
  }
  try {
    await change.live(id, { pid: state.pid, startTime: BigInt(state.startTime) });
    return true;
  } catch (error) {
    if (!isOver(state) || (await isElsewhere(host, container))) throw error;
    return false;
  }
}

/** Undefined: the state directory has just gone. */
async function lockOrNothing(host: Host, id: string): Promise<FileLock | undefined> {
  try {
    return await lockPlaces(host, id);
  } catch (error) {
    if (existsSync(host.stateOf(id))) throw error;
    return undefined;
  }
}

async function settled(host: Host, container: Container): Promise<void> {
  const lock = join(host.stateOf(container.id), "lock");
  const isSettled = () => {
    const { status, pid, startTime } = look(host, container).state;
    if (status !== "running") return !isLocked(lock);
    return pid === 0 || !isOver({ pid, startTime });
  };
  await holdsWithin(youngFor_ms, isSettled);
}

/** What a container's start ends with 125 for is a network's verb's own failure. */
export async function asVerb(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    throw error instanceof RtError ? refusal(error.code, error.message, error) : error;
  }
}

/** A network's verbs end with 1. */
export function refusal(code: ErrorCode, message: string, cause?: unknown): RtError {
  return new RtError(code, message, { exitCode: 1, cause });
}
