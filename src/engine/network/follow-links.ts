import { RtError } from "../../base/errors.ts";
import { recordOf } from "../../container/stored-container.ts";
import { isOver, isRunning, look } from "../container/look.ts";
import type { Host } from "../host.ts";
import { rewriteHosts } from "./hosts.ts";
import { placesIn } from "./place.ts";

/** A container has its addresses, from here on: those that run, and are linked to it, find it there. */
export async function tellFollowers(host: Host, linked: string): Promise<void> {
  const followers = host.containers.linkedTo(linked);
  if (followers.length === 0) return;
  const networks = await host.networks();
  for (const id of followers) {
    const container = host.containers.find(id);
    const record = container && recordOf(container);
    if (!container || !record) continue;
    const { status, pid, startTime } = look(host, container).state;
    if (!isRunning({ status }) || pid === 0) continue;
    const target = { pid, startTime: BigInt(startTime) };
    try {
      rewriteHosts(host, networks, record, target, placesIn(networks, record));
    } catch (error) {
      // Whatever one has made of its files, the one that it is linked to starts.
      if (!(error instanceof RtError)) throw error;
      if (isOver(target)) continue;
      host.warn(
        `warning: container ${container.name} does not find those that it is linked to: ${error.message}`,
      );
    }
  }
}
