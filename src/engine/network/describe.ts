import type { EndpointFacts } from "../../docker/endpoint-settings.ts";
import { type NetworkContainer, type NetworkDocument, networkDocument } from "../../docker/network.ts";
import { contains, formatAddress, parseCidr } from "../../network/address.ts";
import type { ActiveEndpoint } from "../../network/endpoint-store.ts";
import type { Network } from "../../network/network-store.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";

/** Docker's document of a network; whoever asks is told of a damaged one. */
export async function describeNetwork(host: Host, network: Network): Promise<NetworkDocument> {
  const record = readable(host, network);
  const active = (await host.networks()).endpoints.active(network.id);
  const subnets = record?.subnets.map(({ subnet }) => subnet) ?? [];
  const containers = active.map((each) => [each.container, containerOf(each, subnets)] as const);
  return networkDocument(network, record, Object.fromEntries(containers));
}

/** Where a container that runs is in its network. */
export async function describeEndpoint(host: Host, container: string): Promise<EndpointFacts | undefined> {
  const { endpoints, store } = await host.networks();
  const [endpoint] = endpoints.ofContainer(container);
  if (!endpoint) return undefined;
  const { id: networkId, name: networkName, record } = store.get(endpoint.network);
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
  return { id: endpoint.id, networkId, networkName, mac: endpoint.mac, addresses };
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
