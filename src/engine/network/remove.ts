import { RtError } from "../../base/errors.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import { withReserve } from "../../store/reserve.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { networkEvent } from "../record-event.ts";

/**
 * @returns whether there was one
 * @throws RtError not-found, unless `force`; forbidden: it is always there; conflict: a container runs in it
 */
export async function removeNetwork(
  host: Host,
  name: string,
  { force }: { force: boolean },
): Promise<boolean> {
  await reconcile(host);
  try {
    await withReserve(host.paths.root, () => takeAway(host, name));
    return true;
  } catch (error) {
    if (force && error instanceof RtError && error.code === "not-found") return false;
    throw error;
  }
}

/** One that is gone, or that somebody has begun to use, is left to itself. @returns whether it went */
export async function removeNetworkIfUnused(host: Host, name: string): Promise<boolean> {
  try {
    await takeAway(host, name);
    return true;
  } catch (error) {
    if (error instanceof RtError && (error.code === "not-found" || error.code === "conflict")) return false;
    throw error;
  }
}

async function takeAway(host: Host, name: string): Promise<void> {
  const networks = await host.networks();
  const network = networks.remove(name, (line) => host.warn(line));
  host.names.remove(network.id);
  networkEvent(host, "destroy", network);
  if (rootlessCaller()) await (await import("./world.ts")).endWorld(host, networks);
}
