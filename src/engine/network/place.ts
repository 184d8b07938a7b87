import { join } from "node:path";
import { RtError, withExitCode } from "../../base/errors.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import type { NetworkAddresses } from "../../container/files.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { forgetRefused } from "../../container/refused.ts";
import { FileLock } from "../../content/file-lock.ts";
import { type Family, formatAddress } from "../../network/address.ts";
import type { AskedEndpoint, NetworkEndpoint } from "../../network/endpoint-store.ts";
import { familiesOf, gatewaysOf } from "../../network/inside.ts";
import { isInWorld } from "../../network/netlink.ts";
import type { Network } from "../../network/network-store.ts";
import type { Networks } from "../../network/networks.ts";
import type { NamesRequest } from "../../runtime/native/request.ts";
import { interfaceOption, type NetworkWish, wishesOf } from "../../settings/network.ts";
import type { NetworkStack } from "../../settings/network-stack.ts";
import type { Host } from "../host.ts";
import { checkLinks, linkEnvironment, linkedBy, linksOf } from "./links.ts";
import { namesOf, tellResolver } from "./resolver.ts";

/** @throws RtError not-found; invalid-argument: it is one that nobody joins */
export async function findNetwork(host: Host, text: string): Promise<Network> {
  const networks = await host.networks();
  const network = asStart(() => networks.store.get(text));
  const { name, driver } = network;
  if (!networks.driver(driver, (line) => host.warn(line)).isFixed) return network;
  throw new RtError("invalid-argument", `network ${text} is asked for by its name: --network ${name}`);
}

/** @throws RtError not-found | unsupported: its networks are there, and can have it */
export async function checkPlaces(
  host: Host,
  settings: Pick<ContainerRecord, "bandwidthUp" | "bandwidthDown" | "egressAllow">,
  wishes: readonly NetworkWish[],
): Promise<void> {
  const networks = await host.networks();
  const joined: Network[] = [];
  for (const wish of wishes) {
    const network = await findNetwork(host, wish.network);
    askedOf(host, networks, network, wish, settings.egressAllow);
    joined.push(network);
  }
  (await limitsOf(settings))?.checkLimits(networks, joined);
}

/** What a network's own verbs end with 1 for is a container's failure to start. */
export function asStart<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw withExitCode(error, 125);
  }
}

/** A container's place in a network. */
export interface NetworkPlace {
  readonly network: Network;
  readonly endpoint: NetworkEndpoint;
  readonly wish: NetworkWish;
}

/** A container's places in its networks. */
export interface NetworkPlaces extends NetworkAddresses {
  readonly all: readonly NetworkPlace[];
  /** Where its monitor finds who is in them. */
  readonly names: NamesRequest;
  /** A program carries its network instead (stack.ts). */
  readonly stack?: NetworkStack;
  /** "KEY=VALUE", of those that it is linked to. */
  readonly environment: readonly string[];
  /** What the networks need on the host, while the container is being built. */
  bringUp(): void;
  /**
   * An interface in each of them for the container, once it is built and waits. Nothing of it has to be undone: it goes with
   * the container's network namespace, and the addresses with its row.
   */
  plugIn(init: { pid: number; startTime: bigint }): Promise<void>;
  /** Others may change which networks it is in, from here on. Twice is fine. */
  release(): void;
}

/**
 * Whoever joins a container to its networks, or changes which those are, has this lock meanwhile. It lies in the state directory,
 * and goes with that.
 * @throws RtError not-found: there is no such directory
 */
export function lockPlaces(host: Host, id: string): Promise<FileLock> {
  return FileLock.acquire(placesLock(host, id), { signal: host.session.abort });
}

export function placesLock(host: Host, id: string): string {
  return join(host.stateOf(id), "networks.lock");
}

/**
 * The container is on record, and gets addresses that nobody else has, in the networks that it is to be in by now.
 * @throws RtError not-found | conflict | exhausted | invalid-argument: a network, or an address that was asked for
 */
export async function takePlaces(host: Host, { id }: ContainerRecord): Promise<NetworkPlaces> {
  const networks = await host.networks();
  if (rootlessCaller()) await (await import("./world.ts")).makeWorld(host);
  const lock = await lockPlaces(host, id);
  try {
    const { record } = host.containers.get(id);
    const places = await placesOf(host, networks, record);
    const bandwidth = await limitsOf(record);
    bandwidth?.checkLimits(
      networks,
      places.map(({ network }) => network),
    );
    const warn = (line: string) => host.warn(line);
    host.names.prepare();
    tellResolver(host, record, places, networks.egressTable);
    if (places.some(({ endpoint }) => endpoint.egress)) forgetRefused(host.filesOf(id));
    const links = linksOf(host, networks, places);
    checkLinks(host, record.name, links);
    return {
      all: places,
      names: { networks: host.names.directory },
      ...addressesOf(places),
      links,
      environment: linkEnvironment(record.name, links),
      bringUp() {
        for (const { network } of places) networks.driver(network.driver, warn).bringUp(network);
      },
      async plugIn(init) {
        for (const place of places) {
          const { network, endpoint } = place;
          await networks
            .driver(network.driver, warn)
            .attach(network, endpoint, ledFamilies(places, place), init);
          host.names.enter(endpoint, namesOf(record, place.wish));
        }
        bandwidth?.limitPlaces(host, networks, record, places);
      },
      release: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

async function placesOf(host: Host, networks: Networks, record: ContainerRecord): Promise<NetworkPlace[]> {
  const wanted: { id: string; wish: NetworkWish }[] = [];
  for (const wish of wishesOf(record)) {
    const { id } = await findNetwork(host, wish.network);
    if (wanted.some((each) => each.id === id))
      throw new RtError("invalid-argument", `network ${wish.network} is specified multiple times`);
    wanted.push({ id, wish });
  }
  // Those that it was in, and is not to be in any more.
  for (const { network } of networks.endpoints.ofContainer(record.id))
    if (!wanted.some(({ id }) => id === network)) networks.endpoints.disconnect(record.id, network);
  return wanted.map(({ id, wish }) => takePlace(host, networks, record, id, wish));
}

function takePlace(
  host: Host,
  networks: Networks,
  { id: container, name, egressAllow: egress }: ContainerRecord,
  id: string,
  wish: NetworkWish,
): NetworkPlace {
  const { store, endpoints } = networks;
  const asked = askedOf(host, networks, store.get(id), wish, egress);
  const before = endpoints.ofContainer(container).find((each) => each.network === id);
  let network: Network;
  let endpoint: NetworkEndpoint;
  do {
    asStart(() => networks.settled(store.get(id)));
    endpoint = asStart(() => endpoints.connect(() => store.get(id), container, asked));
    // From here on it stays as it is. Before, somebody may have taken the default network's subnets back.
    network = asStart(() => store.get(id));
  } while (endpoint.addresses.length < Math.max(network.record.subnets.length, 1));
  if (before && before.addresses.length < endpoint.addresses.length)
    tellOfMove(host, name, network, before, endpoint);
  return { network, endpoint, wish };
}

/** Others name it by its address, maybe: that it has another one now they do not see by themselves. */
function tellOfMove(
  host: Host,
  container: string,
  network: Network,
  before: NetworkEndpoint,
  { addresses }: NetworkEndpoint,
): void {
  const had = before.addresses.map(formatAddress);
  const moved = addresses.map(formatAddress).filter((each) => !had.includes(each));
  host.warn(
    `warning: network ${network.name}: container ${container} is ${moved.join(" and ")} from now on: another container has the address that it had`,
  );
}

/** The places that it has, in the order of its wishes. */
export function placesIn({ endpoints, store }: Networks, record: ContainerRecord): NetworkPlace[] {
  const own = endpoints.ofContainer(record.id);
  return wishesOf(record).flatMap((wish) => {
    const network = store.find(wish.network);
    const endpoint = own.find((each) => each.network === network?.id);
    return network && endpoint ? [{ network, endpoint, wish }] : [];
  });
}

/**
 * Where nobody names its interface that keeps the name that it has had.
 * @param egress where the container may go
 * @throws RtError invalid-argument, in Docker's words: a MAC of its own, where it has none; unsupported: destinations that
 *   nobody would hold it to
 */
export function askedOf(
  host: Host,
  networks: Networks,
  network: Network,
  { address, address6, mac, options, links }: NetworkWish,
  egress: readonly string[],
): AskedEndpoint {
  const { driver: name } = network;
  const driver = networks.driver(name, () => {});
  const { hasMacs } = driver;
  if (egress.length > 0 && rootlessCaller())
    throw new RtError(
      "unsupported",
      "--egress-allow is for root's networks: its names are looked after in the host's firewall",
    );
  if (egress.length > 0 && !driver.isGateway) {
    const message = `--egress-allow is for bridge networks: ${network.name} is a ${name} network, and no rule of this host sees it`;
    throw new RtError("unsupported", message);
  }
  if (!hasMacs && mac !== "") {
    const message = `${name} interfaces do not support custom mac address assignment`;
    throw new RtError("invalid-argument", message);
  }
  const own = { interface: options[interfaceOption] ?? "", mac: hasMacs ? mac : undefined };
  const linked = links.flatMap((link) => linkedBy(host, link));
  return { ...own, address, address6, egress, linked, ofHost: driver.ownAddresses?.(network) ?? [] };
}

/** What limits its bandwidth: loaded where there is a limit. */
export async function limitsOf({
  bandwidthUp,
  bandwidthDown,
}: Pick<ContainerRecord, "bandwidthUp" | "bandwidthDown">): Promise<
  typeof import("./bandwidth.ts") | undefined
> {
  return bandwidthUp > 0 || bandwidthDown > 0 ? await import("./bandwidth.ts") : undefined;
}

/** What it is called by, what the host is, and what it calls others. */
export function namesAt(host: Host, networks: Networks, places: readonly NetworkPlace[]): NetworkAddresses {
  return { ...addressesOf(places), links: linksOf(host, networks, places) };
}

function addressesOf(places: readonly NetworkPlace[]): NetworkAddresses {
  return {
    addresses: places.flatMap(({ endpoint }) => endpoint.addresses.map(formatAddress)),
    gateways: isInWorld()
      ? hostAddresses()
      : places.flatMap((place) => namedGateways(place.network, ledFamilies(places, place))),
  };
}

/** The gateways of an ordinary user's networks are not the host: that is behind what leads out. */
function hostAddresses(): string[] {
  const stack = require("../../network/stack.ts") as typeof import("../../network/stack.ts");
  return stack.hostAddresses();
}

function namedGateways(network: Network, families: readonly Family[]): string[] {
  const all = gatewaysOf(network).filter(({ family }) => families.includes(family));
  return all.map(formatAddress);
}

/** The families whose default route leads to this one of its places. */
export function ledFamilies(places: readonly NetworkPlace[], place: NetworkPlace): Family[] {
  return familiesOf(place.network).filter((family) => gatewayOf(places, family) === place);
}

/** By Docker's rules: where that is wanted most, then where most families are, then by name. */
function gatewayOf(places: readonly NetworkPlace[], family: Family): NetworkPlace | undefined {
  const open = places.filter(
    ({ network }) => !network.record.internal && familiesOf(network).includes(family),
  );
  return open.toSorted(
    (a, b) =>
      b.wish.priority - a.wish.priority ||
      familiesOf(b.network).length - familiesOf(a.network).length ||
      (a.network.name < b.network.name ? -1 : 1),
  )[0];
}
