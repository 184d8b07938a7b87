import { lstatSync, readdirSync, readFileSync, readlinkSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { asSystemError, RtError } from "./errors.ts";

/** <root>/state: a link to the directory in which an ordinary user's containers of this store were last started. */
const link = (root: string) => join(root, "state");

export function notedState(root: string): string | undefined {
  const path = orUndefined(() => readlinkSync(link(root)));
  return path?.startsWith("/") ? path : undefined;
}

/** Is there something of a container in this directory, which is his, and has no word of another boot? */
export function livesIn(state: string): boolean {
  const found = orUndefined(() => lstatSync(state));
  if (!found?.isDirectory() || found.uid !== process.geteuid!() || (found.mode & 0o022) !== 0) return false;
  const boot = orUndefined(() => readFileSync(join(state, "boot"), "latin1"));
  if (boot !== undefined && boot !== readFileSync("/proc/sys/kernel/random/boot_id", "latin1")) return false;
  return (orUndefined(() => readdirSync(join(state, "containers"))) ?? []).length > 0;
}

/**
 * Before a container of an ordinary user starts. Two directories would not know of each other's containers, and one container
 * would run twice, in the same files.
 * @throws RtError conflict: others of the store run with another directory
 */
export function noteState({ root, state }: { root: string; state: string }): void {
  const noted = notedState(root);
  if (noted === state) return;
  if (noted !== undefined && livesIn(noted))
    throw new RtError(
      "conflict",
      `containers of ${root} run with the state directory ${noted}, and this one would with ${state}: use --state ${noted}, ` +
        "or stop them first",
    );
  const path = `${link(root)}.${process.pid}`;
  symlinkSync(state, path);
  renameSync(path, link(root));
}

function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (asSystemError(error)) return undefined;
    throw error;
  }
}
