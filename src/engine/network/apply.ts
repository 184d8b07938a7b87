import type { ContainerRecord } from "../../container/record.ts";
import { replaceRecordCopy } from "../../container/state-file.ts";
import type { Target } from "../../network/netlink.ts";
import type { Host } from "../host.ts";
import { tellFollowers } from "./follow-links.ts";
import { rewriteHosts } from "./hosts.ts";
import { ledFamilies, limitsOf, type NetworkPlace, placesIn } from "./place.ts";
import { namesOf, tellResolver } from "./resolver.ts";

/**
 * What a container's record says of its networks is done in the container, which runs. Those that are pending are joined, or left
 * where the record has them no more; all else follows from which are there then. Whoever dies over it leaves them pending, and
 * this can be done again from its beginning (repair.ts). Call it with the container's lock (place.ts, `lockPlaces`).
 *
 * @param before the record of before a change: default routes that lead where they led are left as they are
 */
export async function applyNetworks(
  host: Host,
  record: ContainerRecord,
  target: Target,
  before?: ContainerRecord,
): Promise<void> {
  const networks = await host.networks();
  const { endpoints, store } = networks;
  const warn = (line: string) => host.warn(line);
  const driverOf = (name: string) => networks.driver(name, warn);
  const places = placesIn(networks, record);
  const led = before ? ledBy(placesIn(networks, before)) : new Set<string>();
  const left = endpoints
    .ofContainer(record.id)
    .filter((endpoint) => !places.some((place) => place.endpoint.network === endpoint.network));
  for (const endpoint of left) {
    const network = store.get(endpoint.network);
    driverOf(network.driver).detach(network, endpoint, target);
  }
  for (const { network, endpoint, wish } of places) {
    if (!endpoint.pending) continue;
    const driver = driverOf(network.driver);
    driver.bringUp(network);
    await driver.attach(network, endpoint, [], target);
    host.names.enter(endpoint, namesOf(record, wish));
  }
  const bandwidth = await limitsOf(record);
  bandwidth?.limitPlaces(
    host,
    networks,
    record,
    places.filter(({ endpoint }) => endpoint.pending),
  );
  bandwidth?.removeDetoursOf(host, record.id, left);
  for (const place of places) {
    const { network, endpoint } = place;
    const families = ledFamilies(places, place).filter((family) => !led.has(`${family} ${network.id}`));
    if (families.length > 0) driverOf(network.driver).lead(network, endpoint, families, target);
  }
  rewriteHosts(host, networks, record, target, places, before);
  await tellFollowers(host, record.id);
  if (host.containers.hasPorts(record.id)) {
    const { repointContainer } = await import("./repoint-ports.ts");
    await repointContainer(host, record.id, places);
  }
  tellResolver(host, record, places, networks.egressTable);
  replaceRecordCopy(host.stateOf(record.id), host.containers.bytesOf(record));
  // Until here it can be seen that this has begun.
  host.database.transaction(() => {
    for (const { network } of left)
      host.names.leave(record.id, network, () => endpoints.disconnect(record.id, network));
    endpoints.settle(record.id);
  });
}

/** Which default routes lead where. */
function ledBy(places: readonly NetworkPlace[]): Set<string> {
  const all = places.flatMap((place) =>
    ledFamilies(places, place).map((family) => `${family} ${place.network.id}`),
  );
  return new Set(all);
}
