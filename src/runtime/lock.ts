import { closeSync, constants, openSync } from "node:fs";
import { isErrno } from "../base/errors.ts";
import { flock } from "../native/system.ts";

/**
 * The lock of a container's state directory says that somebody looks after it. Whoever creates the container takes it before
 * anything of the container can be seen, and hands the locked descriptor to the monitor: there is no moment between.
 */
export function takeLock(directory: string): number {
  const fd = openSync(`${directory}/lock`, constants.O_RDWR | constants.O_CREAT, 0o600);
  flock(fd, "exclusive", true); // nobody holds it but, for a moment, one who looks whether it is held
  return fd;
}

/** Does another process hold the lock in this file? False where there is no such file. */
export function isLocked(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return false;
    throw error;
  }
  try {
    return !flock(fd, "shared", false);
  } finally {
    closeSync(fd);
  }
}

/** Wait until whoever holds the lock in this file has let go; at once where there is no such file. */
export function awaitUnlocked(path: string): void {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return;
    throw error;
  }
  try {
    flock(fd, "shared", true);
  } finally {
    closeSync(fd);
  }
}
