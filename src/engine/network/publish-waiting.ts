import { RtError } from "../../base/errors.ts";
import { isRunning, look } from "../container/look.ts";
import { publishPorts } from "../container/publish.ts";
import type { Host } from "../host.ts";
import { placesIn } from "./place.ts";
import { wishesFor } from "./ports.ts";
import { waysOf } from "./ways.ts";

/**
 * A container that was in no network that leads out when it started has published nothing. It is in one now, and what it was to
 * publish leads to it from here on, as Docker has it. Where a port is another's by now that is told: it stays connected.
 */
export async function publishWaiting(host: Host, name: string): Promise<void> {
  const container = host.containers.get(name);
  const { id, record } = container;
  const wishes = wishesFor(record);
  if (wishes.length === 0) return;
  const networks = await host.networks();
  if (networks.ports.store.publishedOf(id).length > 0) return;
  if (!isRunning(look(host, container).state) || waysOf(networks, placesIn(networks, record)).length === 0)
    return;
  try {
    await publishPorts(host, id, wishes);
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    host.warn(`warning: the ports of container ${record.name} are not published: ${error.message}`);
  }
}
