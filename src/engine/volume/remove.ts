import { RtError } from "../../base/errors.ts";
import { removeTree } from "../../layer/tree.ts";
import { unmountAll } from "../../runtime/mount-point.ts";
import { withReserve } from "../../store/reserve.ts";
import type { Host } from "../host.ts";
import { volumeEvent } from "../record-event.ts";

/** @throws RtError not-found, unless `force`; conflict: a container has it */
export async function removeVolume(host: Host, name: string, { force }: { force: boolean }): Promise<void> {
  try {
    await withReserve(host.paths.root, () => takeAway(host, name));
  } catch (error) {
    if (!(force && error instanceof RtError && error.code === "not-found")) throw error;
  }
  await removeLeftovers(host);
}

/**
 * A volume that goes because nothing needs it; one that is gone, or that somebody has begun to use, is left to itself.
 *
 * @param but the container that is being removed
 * @returns whether it went
 */
export async function removeIfUnused(host: Host, name: string, but?: string): Promise<boolean> {
  try {
    await takeAway(host, name, but);
    return true;
  } catch (error) {
    if (error instanceof RtError && (error.code === "not-found" || error.code === "conflict")) return false;
    throw error;
  }
}

async function takeAway(host: Host, name: string, but?: string): Promise<void> {
  const directory = (await host.volumes()).take(name, but, unmountAll);
  volumeEvent(host, "destroy", name);
  if (directory !== undefined) await removeTree(directory);
}

/** What an rt that was killed had begun to remove. */
export async function removeLeftovers(host: Host): Promise<void> {
  for (const directory of (await host.volumes()).leftovers()) await removeTree(directory);
}
