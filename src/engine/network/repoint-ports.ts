import type { Address } from "../../network/address.ts";
import { protocolNumbers, repointPorts } from "../../network/held-port.ts";
import { wayOf } from "../../network/hold-ports.ts";
import type { Host } from "../host.ts";
import type { NetworkPlace } from "./place.ts";
import { portSocketOf } from "./take-back-ports.ts";
import { targetsOf, waysOf } from "./ways.ts";

/** A running container's networks are others: its ports lead to where it can be reached by now. May be done again. */
export async function repointContainer(
  host: Host,
  container: string,
  places: readonly NetworkPlace[],
): Promise<void> {
  const networks = await host.networks();
  const { ports } = networks;
  const ways = waysOf(networks, places);
  const targets = targetsOf(ways);
  const all = ports.store.publishedOf(container).map((from) => {
    const way = wayOf(from.protocol, from.host.address, targets);
    return { ...way, from, to: { ...from, host: { ...from.host, target: way.led } } };
  });
  const moved = all.filter(({ from, led }) => !isSame(from.host.target, led));
  const now = ways.map(({ place }) => place);
  if (moved.length > 0) ports.repoint(moved, now);
  const held = all.map(({ handed, to: { protocol, port, host: at } }) => ({
    ...{ protocol: protocolNumbers[protocol]!, address: at.address, port: at.port },
    target: handed && { address: handed, port },
  }));
  if (held.length > 0) repointPorts(portSocketOf(host, container), held);
}

function isSame(a: Address | undefined, b: Address | undefined): boolean {
  return a?.family === b?.family && a?.value === b?.value;
}
