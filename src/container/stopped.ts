import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";

/**
 * Somebody wants a container to stay down: its monitor looks for this file in the state directory once the program has ended,
 * and no restart policy starts that one again. To be written before the signal; it goes with the directory.
 */
export function markStopped(directory: string): void {
  try {
    writeFileSync(join(directory, "stopped"), "", { mode: 0o600 });
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // it is over already
  }
}

export function isStopped(directory: string): boolean {
  return existsSync(join(directory, "stopped"));
}
