import type { ContainerSettings } from "../settings/container-settings.ts";
import { networkName, networkOf } from "../settings/namespace-mode.ts";

/** `NetworkSettings` of a container. What rt does not have has Docker's zero value. */
export interface NetworkSettings extends Addresses {
  Bridge: string;
  SandboxID: string;
  SandboxKey: string;
  Ports: Record<string, never>;
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
  IPAMConfig: { IPv4Address?: string } | null;
  Links: null;
  Aliases: string[] | null;
  DriverOpts: null;
  GwPriority: number;
  NetworkID: string;
  DNSNames: string[] | null;
}

/** Where it is in its network. */
export interface EndpointFacts {
  id: string;
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

type Container = Pick<
  ContainerSettings,
  "networkMode" | "networkAddress" | "networkMac" | "networkAliases" | "hostname"
>;

export function networkSettings(
  { id, name }: { id: string; name: string },
  settings: Container,
  endpoint: EndpointFacts | undefined,
): NetworkSettings {
  const own = endpoint ? addressesOf(endpoint) : nowhere;
  const network = endpoint?.networkName ?? networkName(settings.networkMode);
  const all = { ...endpointConfig(settings), ...own, ...namesOf(id, name, settings, endpoint) };
  return {
    ...{ Bridge: "", SandboxID: "", SandboxKey: "", Ports: {}, HairpinMode: false },
    ...{ LinkLocalIPv6Address: "", LinkLocalIPv6PrefixLen: 0 },
    ...{ SecondaryIPAddresses: null, SecondaryIPv6Addresses: null },
    // Docker's way of before there were several networks: of the default one only.
    ...(network === "bridge" ? own : nowhere),
    Networks: network === "" ? {} : { [network]: all },
  };
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

/** What was asked for. */
function endpointConfig(settings: Container) {
  const { networkAddress, networkAliases } = settings;
  return {
    IPAMConfig: networkAddress === "" ? null : { IPv4Address: networkAddress },
    ...{
      Links: null,
      Aliases: networkAliases.length > 0 ? networkAliases : null,
      DriverOpts: null,
      GwPriority: 0,
    },
  };
}

function namesOf(id: string, name: string, settings: Container, endpoint: EndpointFacts | undefined) {
  const isInNetwork = networkOf(settings.networkMode) !== undefined;
  const names = [...new Set([name, ...settings.networkAliases, id.slice(0, 12), settings.hostname])];
  return { NetworkID: endpoint?.networkId ?? "", DNSNames: isInNetwork ? names : null };
}
