import { readFileSync } from "node:fs";
import { isErrno } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { upstreams } from "../../container/resolv-conf.ts";
import { parseAddress } from "../../network/address.ts";
import type { NetworkEndpoint } from "../../network/endpoint-store.ts";
import type { Network } from "../../network/network-store.ts";
import { type EgressNames, type Resolver, writeResolver } from "../../network/resolver-file.ts";
import { egressRule, noEgress } from "../../settings/egress.ts";
import { type NetworkWish, wishesOf } from "../../settings/network.ts";
import type { Host } from "../host.ts";

/** What the container is called in a network, first of all by its name. */
export function namesOf({ name, hostname }: ContainerRecord, { aliases }: NetworkWish): string[] {
  return [name, ...aliases, hostname];
}

/**
 * What a container's monitor is to know of its networks, from here on. One that is in internal networks only asks nobody from
 * the host.
 * @param isOpen something leads out
 */
export function tellResolver(
  host: Host,
  record: ContainerRecord,
  places: readonly { network: Network; endpoint: NetworkEndpoint }[],
  egressTable: string,
  isOpen = places.some(({ network }) => !network.record.internal),
): void {
  const egress = egressNames(places, egressTable);
  const { servers, from: usual, keepsDotless } = upstreams(record);
  // What it could ask by itself would lead out of it, too.
  const from = egress ? "host" : usual;
  const links = wishesOf(record).flatMap((wish) => wish.links);
  writeResolver(host.stateOf(record.id), {
    networks: places.map(({ network: { id, name } }) => ({ id, name })),
    links: links.flatMap((link) => linkOf(host, link)),
    servers: (from === "host" && !isOpen ? [] : servers).flatMap((text) => serverOf(text, from)),
    keepsDotless,
    egress,
  });
}

function egressNames(
  places: readonly { endpoint: NetworkEndpoint }[],
  table: string,
): EgressNames | undefined {
  const restrained = places.filter(({ endpoint }) => endpoint.egress);
  if (restrained.length === 0) return undefined;
  const allowed = restrained.flatMap(({ endpoint: { egress = [], addresses } }) =>
    egress.flatMap((text) => {
      const { name, port = 0 } = text === noEgress ? {} : egressRule(text);
      return name === undefined ? [] : addresses.map((from) => ({ from, name, port }));
    }),
  );
  return { table, isAll: restrained.length === places.length, allowed };
}

function linkOf(host: Host, link: string): Resolver["links"] {
  const [name = "", alias = name] = link.split(":");
  const container = host.containers.find(name);
  return container ? [{ alias, container: container.id }] : [];
}

/** "192.0.2.1", or "fe80::1%eth0". */
function serverOf(text: string, from: "host" | "container"): Resolver["servers"] {
  const [front = "", zone] = text.split("%");
  const address = parseAddress(front);
  return address ? [{ address, scope: zone === undefined ? 0 : indexOf(zone), from }] : [];
}

/** Of an interface of the host; 0: there is none. */
function indexOf(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  if (!/^[^/\s]{1,15}$/.test(zone)) return 0;
  try {
    return Number(readFileSync(`/sys/class/net/${zone}/ifindex`, "latin1"));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return 0;
    throw error;
  }
}
