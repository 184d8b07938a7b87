import type { PortFacts } from "../../docker/container-ports.ts";
import { formatAddress } from "../../network/address.ts";
import { type ContainerPort, PortStore } from "../../network/port-store.ts";
import type { Host } from "../host.ts";

/** The ports of all that run, by the container's id; loaded where some have any. */
export function portsByContainer(host: Host): Map<string, PortFacts[]> {
  const all = new PortStore(host.database).byContainer();
  return new Map([...all].map(([id, ports]) => [id, allFacts(ports)]));
}

export function portsOfContainer(host: Host, id: string): PortFacts[] {
  return allFacts(new PortStore(host.database).ofContainer(id));
}

/** What is exposed, and published since the start, is published. */
function allFacts(ports: readonly ContainerPort[]): PortFacts[] {
  const keyOf = ({ port, protocol }: ContainerPort) => `${port}/${protocol}`;
  const published = new Set(ports.filter(({ host }) => host).map(keyOf));
  return ports.filter((each) => each.host || !published.has(keyOf(each))).map(factsOf);
}

function factsOf({ protocol, port, host }: ContainerPort): PortFacts {
  return { protocol, port, host: host && { address: formatAddress(host.address), port: host.port } };
}
