import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import { readPoststop, writePoststop } from "../../container/poststop.ts";
import { poststopFile } from "../../container/poststop-file.ts";
import { FileLock, isHeld } from "../../content/file-lock.ts";
import { runHook } from "../../runtime/native/hook.ts";
import type { Host } from "../host.ts";

/**
 * Hooks of a container that is over, with its state directory as it was. Each is run once: whoever is at it has the lock, and
 * takes each out of the file once it has ended, so that only the one during which he is killed is run again, by the next
 * command. What fails of them is only told.
 *
 * @param waits for somebody else who is at it
 * @returns false: somebody else is at it
 */
export async function runPoststop(host: Host, directory: string, waits: boolean): Promise<boolean> {
  using lock = await lockOf(directory, waits);
  if (lock === undefined) return false;
  for (let due = readPoststop(directory); due; due = readPoststop(directory)) {
    if (due === "damaged") {
      host.warn(`the file ${join(directory, poststopFile)} is damaged: no poststop hooks are run`);
      break;
    }
    const [first, ...others] = due.hooks;
    if (first) await runHook("poststop", first, due.state).catch((error) => tell(host, error));
    if (others.length === 0) break;
    writePoststop(directory, { ...due, hooks: others });
  }
  removeFile(directory);
  return true;
}

/** The file itself is replaced meanwhile. */
async function lockOf(directory: string, waits: boolean): Promise<Disposable | undefined> {
  const path = join(directory, `${poststopFile}.lock`);
  try {
    return waits ? await FileLock.acquire(path) : FileLock.try(path);
  } catch (error) {
    if (error instanceof RtError && error.code === "not-found") return { [Symbol.dispose]: () => {} }; // all is over
    throw error;
  }
}

/** Until nobody is at the hooks of a container that is over. */
export async function awaitPoststop(directory: string): Promise<void> {
  const path = join(directory, `${poststopFile}.lock`);
  await holdsWithin(Number.POSITIVE_INFINITY, () => !isHeld(path));
}

function tell(host: Host, error: unknown): void {
  if (!(error instanceof RtError)) throw error;
  host.warn(`warning: ${error.message}`);
}

function removeFile(directory: string): void {
  try {
    unlinkSync(join(directory, poststopFile));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
