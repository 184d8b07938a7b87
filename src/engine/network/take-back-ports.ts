import { existsSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import { protocolNumbers, releasePorts } from "../../network/held-port.ts";
import { isLeased } from "../../store/leases.ts";
import type { Host } from "../host.ts";

/** Ports that are being published, or taken away, and are not to be there: nothing of them is, when this is done. */
export async function takeBackPorts(host: Host, item: string): Promise<void> {
  const { ports } = await host.networks();
  const doomed = ports.store.pending().get(item) ?? [];
  const [container] = doomed.map((port) => port.container);
  if (container === undefined) return;
  const held = doomed.map(({ protocol, host: { address, port } }) => {
    return { protocol: protocolNumbers[protocol]!, address, port };
  });
  // Nothing leads there before the port is anybody's.
  ports.close(doomed);
  const path = portSocketOf(host, container);
  try {
    if (existsSync(path)) releasePorts(path, held);
  } catch (error) {
    // It has ended meanwhile, and let go of all.
    if (!(error instanceof RtError) || existsSync(path)) throw error;
  }
  ports.giveUp(item, doomed);
}

/** What somebody was changing when he died. */
export async function takeBackAbandoned(host: Host): Promise<void> {
  const { ports } = await host.networks();
  for (const item of ports.store.pending().keys())
    if (!isLeased(host.database, item)) await takeBackPorts(host, item);
}

/** Where the monitor of a container hears of ports. */
export function portSocketOf(host: Host, container: string): string {
  return join(host.stateOf(container), "ports.sock");
}
