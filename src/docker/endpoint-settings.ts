import type { ContainerSettings } from "../settings/container-settings.ts";
import { networkName } from "../settings/namespace-mode.ts";
import { type NetworkWish, plainWish, wishesOf } from "../settings/network.ts";
import { type PortFacts, type PortMap, portMap } from "./container-ports.ts";

/** `NetworkSettings` of a container. What rt does not have has Docker's zero value. */
export interface NetworkSettings extends Addresses {
  Bridge: string;
  SandboxID: string;
  SandboxKey: string;
  Ports: PortMap;
  HairpinMode: false;
  LinkLocalIPv6Address: string;
  LinkLocalIPv6PrefixLen: number;
  SecondaryIPAddresses: null;
  SecondaryIPv6Addresses: null;
  Networks: Record<string, EndpointSettings>;
}

/** An address without a prefix, "" where there is none. */
interface Addresses {
  EndpointID: string;
  Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  IPAddress: string;
  IPPrefixLen: number;
  IPv6Gateway: string;
  MacAddress: string;
}

export interface EndpointSettings extends Addresses {
  IPAMConfig: { IPv4Address?: string; IPv6Address?: string } | null;
  Links: string[] | null;
  Aliases: string[] | null;
  DriverOpts: Record<string, string> | null;
  GwPriority: number;
  NetworkID: string;
  DNSNames: string[] | null;
}

/** Where it is in a network; of one that does not run, which network that is. */
export interface EndpointFacts {
  /** "" of one that does not run. */
  id: string;
  /** The network, as the container's wish calls it. */
  wanted: string;
  networkId: string;
  /** As networks are listed. */
  networkName: string;
  mac: string;
  /** Of each family one at most. */
  addresses: { family: 4 | 6; address: string; prefix: number; gateway: string }[];
}

const nowhere: Addresses = {
  EndpointID: "",
  Gateway: "",
  GlobalIPv6Address: "",
  GlobalIPv6PrefixLen: 0,
  IPAddress: "",
  IPPrefixLen: 0,
  IPv6Gateway: "",
  MacAddress: "",
};

type Container = Pick<ContainerSettings, "networkMode" | "networks" | "hostname">;

/** @param endpoints those that it is in, in the order of its wishes */
export function networkSettings(
  { id, name, state }: { id: string; name: string; state: { pid: number } },
  settings: Container,
  endpoints: readonly EndpointFacts[],
  ports: readonly PortFacts[] = [],
): NetworkSettings {
  const asked = wishesOf(settings);
  const places = asked.map((wish) => placeOf(wish, endpoints, { id, name, hostname: settings.hostname }));
  const mode = networkName(settings.networkMode);
  const others =
    settings.networks === undefined && places.length === 0 && mode !== ""
      ? [{ network: mode, own: nowhere, all: withoutNetwork }]
      : [];
  const known = [...places, ...others];
  const isOwn = mode !== "" && mode !== "host";
  return {
    Bridge: "",
    // Of its network namespace, where that is its own.
    SandboxID: isOwn && state.pid > 0 ? id : "",
    SandboxKey: isOwn && state.pid > 0 ? `/proc/${state.pid}/ns/net` : "",
    ...{ Ports: portMap(ports), HairpinMode: false },
    ...{ LinkLocalIPv6Address: "", LinkLocalIPv6PrefixLen: 0 },
    ...{ SecondaryIPAddresses: null, SecondaryIPv6Addresses: null },
    // Docker's way of before there were several networks: of the default one only.
    ...(known.find(({ network }) => network === defaultNetwork)?.own ?? nowhere),
    Networks: Object.fromEntries(known.map(({ network, all }) => [network, all])),
  };
}

function placeOf(
  wish: NetworkWish,
  endpoints: readonly EndpointFacts[],
  names: { id: string; name: string; hostname: string },
): { network: string; own: Addresses; all: EndpointSettings } {
  const endpoint = endpoints.find(({ wanted }) => wanted === wish.network);
  const own = endpoint && endpoint.id !== "" ? addressesOf(endpoint) : nowhere;
  const DNSNames = [...new Set([names.name, ...wish.aliases, names.id.slice(0, 12), names.hostname])];
  const all = { ...endpointConfig(wish), ...own, NetworkID: endpoint?.networkId ?? "", DNSNames };
  return { network: endpoint?.networkName ?? wish.network, own, all };
}

function addressesOf({ id, mac, addresses }: EndpointFacts): Addresses {
  const four = addresses.find(({ family }) => family === 4);
  const six = addresses.find(({ family }) => family === 6);
  return {
    EndpointID: id,
    Gateway: four?.gateway ?? "",
    GlobalIPv6Address: six?.address ?? "",
    GlobalIPv6PrefixLen: six?.prefix ?? 0,
    IPAddress: four?.address ?? "",
    IPPrefixLen: four?.prefix ?? 0,
    IPv6Gateway: six?.gateway ?? "",
    MacAddress: mac,
  };
}

/** "NAME:ALIAS", of the default network: Docker has them in HostConfig. */
export function classicLinks(settings: Pick<ContainerSettings, "networkMode" | "networks">): string[] {
  return wishesOf(settings).flatMap(({ network, links }) => (network === defaultNetwork ? links : []));
}

export const defaultNetwork = "bridge";

/** What was asked for. */
function endpointConfig({ network, address, address6, aliases, links, options, priority }: NetworkWish) {
  return {
    IPAMConfig: addressConfig(address, address6),
    Links: links.length > 0 && network !== defaultNetwork ? links : null,
    Aliases: aliases.length > 0 ? aliases : null,
    DriverOpts: Object.keys(options).length > 0 ? options : null,
    GwPriority: priority,
  };
}

/** As Docker's documents have it both ways. */
export function addressConfig(
  address: string,
  address6: string,
): { IPv4Address?: string; IPv6Address?: string } | null {
  if (address === "" && address6 === "") return null;
  return {
    ...(address !== "" && { IPv4Address: address }),
    ...(address6 !== "" && { IPv6Address: address6 }),
  };
}

/** The host's network, and none. */
const withoutNetwork: EndpointSettings = {
  ...endpointConfig(plainWish("none")),
  ...nowhere,
  ...{ NetworkID: "", DNSNames: null },
};
