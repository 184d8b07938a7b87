import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import { holdsWithin } from "../base/wait.ts";
import { flock } from "../native/system.ts";

/**
 * Whoever waits for a container's end holds `watched` in its state directory locked until he has read how it ended: with --rm
 * that is written nowhere else, and whoever removes the directory comes at the same moment.
 */
export function holdWatch(directory: string): Disposable {
  let fd: number;
  try {
    fd = openSync(join(directory, "watched"), constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    return { [Symbol.dispose]: () => {} }; // it is over, and removed
  }
  flock(fd, "shared", true);
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/** A watcher needs a moment; one that somebody has stopped is not waited for without end. */
const watchersWithin_ms = 1000;

/** Before the state directory of a container that has ended is removed. */
export async function awaitWatchers(directory: string): Promise<void> {
  let fd: number;
  try {
    fd = openSync(join(directory, "watched"), constants.O_RDWR);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return;
    throw error;
  }
  try {
    await holdsWithin(watchersWithin_ms, () => flock(fd, "exclusive", false));
  } finally {
    closeSync(fd);
  }
}
