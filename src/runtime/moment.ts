import { closeSync, constants, existsSync, fstatSync, openSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import { flock } from "../native/system.ts";

/**
 * Who has a container stand still only for a moment holds `moment` in its state directory locked meanwhile, from before it is
 * frozen until after it is thawed: where nobody holds it, its processes are to go on.
 */
export function holdMoment(directory: string): Disposable {
  const path = join(directory, "moment");
  while (true) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    flock(fd, "exclusive", true);
    // Somebody may have taken it for one that was left, before it was locked.
    if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) {
      return {
        [Symbol.dispose]: () => {
          remove(path);
          closeSync(fd);
        },
      };
    }
    closeSync(fd);
  }
}

/** Somebody was killed in such a moment; said once. */
export function takeAbandoned(directory: string): boolean {
  const path = join(directory, "moment");
  // Nearly always there is none, and a failed open is an exception, which is dear where many run.
  if (!existsSync(path)) return false;
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return false;
    throw error;
  }
  try {
    return flock(fd, "exclusive", false) && remove(path);
  } finally {
    closeSync(fd);
  }
}

/** False: somebody else has done it. */
function remove(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
