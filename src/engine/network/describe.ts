import type { ContainerRecord } from "../../container/record.ts";
import type { EndpointFacts } from "../../docker/endpoint-settings.ts";
import { type NetworkContainer, type NetworkDocument, networkDocument } from "../../docker/network.ts";
import { contains, formatAddress, parseCidr } from "../../network/address.ts";
import type { ActiveEndpoint, NetworkEndpoint } from "../../network/endpoint-store.ts";
import type { Network } from "../../network/network-store.ts";
import { wishesOf } from "../../settings/network.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { namedLinks } from "./links.ts";

/** Docker's document of a network; whoever asks is told of a damaged one. */
export async function describeNetwork(host: Host, network: Network): Promise<NetworkDocument> {
  const record = readable(host, network);
  const active = (await host.networks()).endpoints.active(network.id);
  const subnets = record?.subnets.map(({ subnet }) => subnet) ?? [];
  const containers = active.map((each) => [each.container, containerOf(each, subnets)] as const);
  return networkDocument(network, record, Object.fromEntries(containers));
}

/** As it is shown: links have names, and not ids. */
export function withLinkNames(host: Host, record: ContainerRecord): ContainerRecord {
  const networks = record.networks?.map((wish) => ({ ...wish, links: namedLinks(host, wish.links) }));
  return networks ? { ...record, networks } : record;
}

/** Where a container is in its networks, in the order of its wishes; of one that does not run, which those are. */
export async function describeEndpoints(
  host: Host,
  record: ContainerRecord,
  isUp: boolean,
): Promise<EndpointFacts[]> {
  const { endpoints, store } = await host.networks();
  const own = endpoints.ofContainer(record.id);
  return wishesOf(record).flatMap(({ network: wanted }) => {
    const network = store.find(wanted);
    if (!network) return [];
    const endpoint = isUp && own.find((each) => each.network === network.id);
    if (endpoint) return [factsOf(wanted, network, endpoint)];
    const { id: networkId, name: networkName } = network;
    return [{ id: "", wanted, networkId, networkName, mac: "", addresses: [] }];
  });
}

function factsOf(wanted: string, network: Network, endpoint: NetworkEndpoint): EndpointFacts {
  const { id: networkId, name: networkName, record } = network;
  const addresses = endpoint.addresses.flatMap((address) => {
    const home = record.subnets.find(({ subnet }) => contains(parseCidr(subnet)!.subnet, address));
    if (!home) return [];
    const { prefix } = parseCidr(home.subnet)!.subnet;
    return [
      {
        family: address.family,
        address: formatAddress(address),
        prefix,
        gateway: record.internal ? "" : home.gateway,
      },
    ];
  });
  return { id: endpoint.id, wanted, networkId, networkName, mac: endpoint.mac, addresses };
}

function containerOf(endpoint: ActiveEndpoint, subnets: readonly string[]): NetworkContainer {
  const { containerName, id, mac, addresses } = endpoint;
  const written = (family: 4 | 6): string => {
    const address = addresses.find((each) => each.family === family);
    const home = subnets.find((text) => address && contains(parseCidr(text)!.subnet, address));
    return address && home ? `${formatAddress(address)}/${home.split("/")[1]}` : "";
  };
  return {
    Name: containerName,
    EndpointID: id,
    MacAddress: mac,
    IPv4Address: written(4),
    IPv6Address: written(6),
  };
}
