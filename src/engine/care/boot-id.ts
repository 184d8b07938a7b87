import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isErrno, withCause } from "../../base/errors.ts";

/** <state>/boot: the boot in which the state directories were last looked at. */
export function bootFile(state: string): string {
  return join(state, "boot");
}

/** Were the processes that the state directory speaks of, if any, those of another boot, or is that unknown? */
export function isOfAnotherBoot(state: string): boolean {
  return read(bootFile(state)) !== thisBoot();
}

let ownBoot: string | undefined;

/** Ours: it stays the same as long as we live. */
export function thisBoot(): string {
  ownBoot ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
  return ownBoot;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw withCause(`cannot use the state directory ${dirname(path)}`, error);
  }
}
