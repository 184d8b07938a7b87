import type { ContainerRecord } from "../../container/record.ts";
import type { Container } from "../../container/stored-container.ts";
import type { NetworkEndpoint } from "../../network/endpoint-store.ts";
import type { Networks } from "../../network/networks.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { ledFamilies, limitsOf, placesIn } from "./place.ts";
import { namesOf, tellResolver } from "./resolver.ts";

/**
 * What the networks of running containers need on this host is made again: rules, bridges, their ports, and interfaces that
 * somebody has taken away. What fails of one keeps no other from it.
 * @throws RtError the first that failed
 */
export async function reloadNetworks(host: Host): Promise<void> {
  const live = new Map((await reconcile(host)).map((each) => [each.container.id, each]));
  const networks = await host.networks();
  const placed = ({ container: id, network }: NetworkEndpoint) => {
    const found = live.get(id);
    if (!found) return undefined;
    const { container, state } = found;
    const places = placesIn(networks, container.record);
    const place = places.find((each) => each.network.id === network);
    return {
      target: { pid: state.pid, startTime: BigInt(state.startTime) },
      gateways: place ? ledFamilies(places, place) : [],
    };
  };
  const failures: unknown[] = [];
  const insist = (work: Promise<void>) => work.catch((error: unknown) => void failures.push(error));
  await insist(networks.restore(placed, (line) => host.warn(line)));
  host.names.prepare();
  for (const { container } of live.values()) await insist(tellAgain(host, networks, container));
  if (failures.length > 0) throw failures[0];
}

async function tellAgain(host: Host, networks: Networks, { record }: Container): Promise<void> {
  await limitAgain(host, networks, record);
  nameAgain(host, networks, record);
}

/** Its monitor gets what the host's resolv.conf says now, and its neighbours its names. */
function nameAgain(host: Host, networks: Networks, record: ContainerRecord): void {
  const places = placesIn(networks, record);
  if (places.length === 0) return;
  tellResolver(host, record, places, networks.egressTable);
  for (const { endpoint, wish } of places) host.names.enter(endpoint, namesOf(record, wish));
}

/** What goes with a port is to be done again when there is another one. Most have no limit. */
async function limitAgain(host: Host, networks: Networks, record: ContainerRecord): Promise<void> {
  (await limitsOf(record))?.limitPlaces(host, networks, record, placesIn(networks, record));
}
