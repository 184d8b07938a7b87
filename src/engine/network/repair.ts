import { existsSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { FileLock } from "../../content/file-lock.ts";
import { isOver, isRunning, look } from "../container/look.ts";
import type { Host } from "../host.ts";
import { applyNetworks } from "./apply.ts";
import { placesLock } from "./place.ts";

/**
 * Somebody has died while he changed the networks of a container: what the record says of them is done. Who lives has the
 * container's lock, and goes on with it himself.
 */
export async function repairNetworks(host: Host, id: string): Promise<void> {
  const container = host.containers.find(id);
  if (!container || container.damage) return;
  if (!existsSync(host.stateOf(id))) return (await host.networks()).endpoints.settle(id);
  const { state } = look(host, container);
  try {
    using lock = FileLock.try(placesLock(host, id));
    if (!lock) return;
    // What is over goes on record by itself, and its places with it.
    if (!isRunning(state) || state.pid === 0 || isOver(state)) return;
    const { record } = host.containers.get(id);
    await applyNetworks(host, record, { pid: state.pid, startTime: BigInt(state.startTime) });
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    if (isOver(state)) return;
    host.warn(`the networks of container ${container.name} are not as they should be yet: ${error.message}`);
  }
}
