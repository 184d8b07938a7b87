import type { ContainerRecord } from "../../container/record.ts";
import { checkAddress } from "../../network/endpoint-store.ts";
import type { Target } from "../../network/netlink.ts";
import type { Network } from "../../network/network-store.ts";
import type { Networks } from "../../network/networks.ts";
import { networkOf } from "../../settings/namespace-mode.ts";
import { type NetworkWish, wishesOf } from "../../settings/network.ts";
import { stackOf } from "../../settings/network-stack.ts";
import { isOver } from "../container/look.ts";
import type { Host } from "../host.ts";
import { networkEvent } from "../record-event.ts";
import { applyNetworks } from "./apply.ts";
import { checkLimits } from "./bandwidth.ts";
import { asVerb, changeNetworks, refusal } from "./change.ts";
import { checkLinks, linksAreClassic, linksOf, resolvedLinks } from "./links.ts";
import { askedOf } from "./place.ts";

/** What it is to have there. */
export type ConnectOptions = Omit<NetworkWish, "network">;

/**
 * A container is in one more network from here on, running or not.
 * @throws RtError not-found | invalid-argument | conflict | exhausted, in Docker's words where it has some
 */
export async function connectNetwork(
  host: Host,
  name: string,
  container: string,
  options: ConnectOptions,
): Promise<void> {
  const networks = await host.networks();
  const network = networks.store.get(name);
  await asVerb(async () => {
    const links = linksAreClassic(network) ? resolvedLinks(host, options.links) : options.links;
    await connect(host, networks, network, container, { ...options, links, network: network.name });
    const { publish, publishAll } = host.containers.get(container).record;
    if (publish.length > 0 || publishAll) {
      const { publishWaiting } = await import("./publish-waiting.ts");
      await publishWaiting(host, container);
    }
  });
}

async function connect(
  host: Host,
  networks: Networks,
  network: Network,
  container: string,
  wish: NetworkWish,
): Promise<void> {
  await changeNetworks(host, container, {
    onRecord(id) {
      const { record } = host.containers.get(id);
      checkJoinable(record, network);
      if (wishFor(networks, record, network)) return;
      for (const address of [wish.address, wish.address6]) checkAddress(network, address);
      askedOf(host, networks, network, wish, record.egressAllow);
      if (record.bandwidthUp > 0 || record.bandwidthDown > 0) checkLimits(networks, [network]);
      host.containers.replace({ ...record, networks: [...wishesOf(record), wish] });
    },
    live: (id, target) => connectLive(host, networks, network, wish, id, target),
  });
}

async function connectLive(
  host: Host,
  networks: Networks,
  network: Network,
  wish: NetworkWish,
  id: string,
  target: Target,
): Promise<void> {
  const { endpoints, store } = networks;
  const before = host.containers.get(id).record;
  checkLinks(host, before.name, linksOf(host, networks, [{ network, wish }]));
  const join = (): ContainerRecord | undefined => {
    const { name, record } = host.containers.get(id);
    checkJoinable(record, network);
    if (wishFor(networks, record, network))
      throw refusal("conflict", `endpoint with name ${name} already exists in network ${network.name}`);
    if (record.bandwidthUp > 0 || record.bandwidthDown > 0) checkLimits(networks, [network]);
    const there = store.get(network.id);
    // Somebody has just taken the default network's subnets back.
    if (there.driver === "bridge" && there.interface === "") return undefined;
    const joined = { ...record, networks: [...wishesOf(record), wish] };
    host.containers.replace(joined);
    endpoints.join(there, id, { ...askedOf(host, networks, there, wish, record.egressAllow), pending: true });
    return joined;
  };
  let record: ContainerRecord | undefined;
  while (!record) {
    networks.settled(network);
    record = host.database.transaction(join);
  }
  try {
    await applyNetworks(host, record, target, before);
  } catch (error) {
    await takenBack(host, networks, network, record, target);
    throw error;
  }
  networkEvent(host, "connect", network, id);
}

/** It is as it was before. What cannot be done now, as the host has no more of something, its next start does. */
async function takenBack(
  host: Host,
  networks: Networks,
  network: Network,
  { id }: ContainerRecord,
  target: Target,
): Promise<void> {
  const record = host.database.transaction(() => {
    const { record } = host.containers.get(id);
    const others = wishesOf(record).filter((each) => networks.store.find(each.network)?.id !== network.id);
    const reduced = { ...record, networks: others };
    host.containers.replace(reduced);
    networks.endpoints.leave(id, network.id);
    return reduced;
  });
  try {
    await applyNetworks(host, record, target);
  } catch (error) {
    if (!isOver(target)) host.warn(`network ${network.name} is not left yet: ${(error as Error).message}`);
  }
}

export function wishFor(
  { store }: Networks,
  record: ContainerRecord,
  network: Network,
): NetworkWish | undefined {
  return wishesOf(record).find((wish) => store.find(wish.network)?.id === network.id);
}

/** @throws RtError invalid-argument, in Docker's words */
function checkJoinable(record: ContainerRecord, { driver }: Network): void {
  if (record.networkMode !== "host" && driver === "host")
    throw refusal(
      "invalid-argument",
      "cannot connect container to host network - container must be created in host network mode",
    );
  const stack = stackOf(record.networkMode);
  if (stack)
    throw refusal(
      "invalid-argument",
      `${stack.kind} carries the container's network: it cannot be connected to any other (make it with --network NAME)`,
    );
  const isInNone = record.networkMode === "none" && record.networks === undefined;
  if (!isInNone && record.networkMode !== "none" && networkOf(record.networkMode) === undefined)
    throw refusal(
      "invalid-argument",
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  if (isInNone || driver === "null")
    throw refusal(
      "invalid-argument",
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    );
}
