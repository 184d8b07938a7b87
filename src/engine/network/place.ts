import { RtError } from "../../base/errors.ts";
import type { NetworkAddresses } from "../../container/files.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { formatAddress } from "../../network/address.ts";
import type { NetworkEndpoint } from "../../network/endpoint-store.ts";
import type { Network } from "../../network/network-store.ts";
import type { Host } from "../host.ts";

/** The name of the one interface that it has besides the loopback. */
const interfaceName = "eth0";

/** @throws RtError not-found; invalid-argument: it is one that nobody joins */
export async function findNetwork(host: Host, text: string): Promise<Network> {
  const { store } = await host.networks();
  const network = asStart(() => store.get(text));
  const { name, driver } = network;
  if (driver === "bridge") return network;
  throw new RtError("invalid-argument", `network ${text} is asked for by its name: --network ${name}`);
}

/** What a network's own verbs end with 1 for is a container's failure to start. */
function asStart<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof RtError ? new RtError(error.code, error.message, { cause: error }) : error;
  }
}

/** A container's place in its network. */
export interface NetworkPlace extends NetworkAddresses {
  /** What the network needs on the host, while the container is being built. */
  bringUp(): void;
  /**
   * An interface with them for the container, once it is built and waits. Nothing of it has to be undone: it goes with the
   * container's network namespace, and the addresses with its row.
   */
  plugIn(init: { pid: number; startTime: bigint }): Promise<void>;
}

/**
 * The container is on record, and gets addresses that nobody else has.
 * @throws RtError not-found | conflict | exhausted | invalid-argument: the network, or the address that was asked for
 */
export async function takePlace(host: Host, record: ContainerRecord): Promise<NetworkPlace> {
  const networks = await host.networks();
  const { store, endpoints } = networks;
  const { id } = await findNetwork(host, record.networkMode);
  const asked = { address: record.networkAddress, mac: record.networkMac };
  let network: Network;
  let endpoint: NetworkEndpoint;
  do {
    asStart(() => networks.settled(store.get(id)));
    endpoint = asStart(() => endpoints.connect(() => store.get(id), record.id, asked));
    // From here on it stays as it is. Before, somebody may have taken the default network's subnets back.
    network = asStart(() => store.get(id));
  } while (endpoint.addresses.length < Math.max(network.record.subnets.length, 1));
  const driver = networks.driver(network.driver, (line) => host.warn(line));
  return {
    addresses: endpoint.addresses.map(formatAddress),
    gateways: network.record.subnets.map(({ gateway }) => gateway),
    bringUp: () => driver.bringUp(network),
    plugIn: (init) => driver.attach(network, endpoint, interfaceName, init),
  };
}
