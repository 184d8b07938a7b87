import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { isErrno } from "../base/errors.ts";
import { holdsWithin } from "../base/wait.ts";
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

/** The same of a directory that may have to go: undefined where somebody looks after it, or where it is gone. */
export function tryLock(directory: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(`${directory}/lock`, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
    throw error;
  }
  if (flock(fd, "exclusive", false)) return fd;
  closeSync(fd);
  return undefined;
}

/** Is `fd`, which was handed to us, the lock of this directory? */
export function holdsLock(directory: string, fd: number): boolean {
  const there = statSync(`${directory}/lock`, { throwIfNoEntry: false });
  try {
    const ours = fstatSync(fd);
    return ours.ino === there?.ino && ours.dev === there.dev;
  } catch (error) {
    if (isErrno(error, "EBADF")) return false;
    throw error;
  }
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
export async function awaitUnlocked(path: string): Promise<void> {
  await holdsWithin(Number.POSITIVE_INFINITY, () => !isLocked(path));
}

/** Close a locked descriptor; whoever else has it goes on holding the lock. */
export function closeLock(fd: number): void {
  closeSync(fd);
}
