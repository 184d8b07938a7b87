/** A network, in the answers of `network ls` and `network inspect` alike. */
export interface NetworkDocument {
  Name: string;
  Id: string;
  /** RFC 3339. */
  Created: string;
  Scope: "local";
  Driver: string;
  EnableIPv4: boolean;
  EnableIPv6: boolean;
  IPAM: { Driver: string; Options: null; Config: SubnetDocument[] };
  Internal: boolean;
  Attachable: boolean;
  Ingress: false;
  ConfigFrom: { Network: "" };
  ConfigOnly: false;
  /** Those that run in it, by id. */
  Containers: Record<string, NetworkContainer>;
  Options: Record<string, string>;
  Labels: Record<string, string>;
}

interface SubnetDocument {
  Subnet: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

export interface NetworkContainer {
  Name: string;
  EndpointID: string;
  MacAddress: string;
  /** With the prefix: "172.18.0.2/16"; "" without. */
  IPv4Address: string;
  IPv6Address: string;
}

export interface NetworkFacts {
  id: string;
  name: string;
  driver: string;
  /** RFC 3339. */
  created: string;
}

/** What somebody said of it; of a damaged one that is unknown. */
export interface NetworkDescription {
  labels: Readonly<Record<string, string>>;
  options: Readonly<Record<string, string>>;
  internal: boolean;
  attachable?: boolean | undefined;
  subnets: readonly {
    subnet: string;
    gateway: string;
    range?: string;
    auxiliary: Readonly<Record<string, string>>;
  }[];
}

export function networkDocument(
  facts: NetworkFacts,
  said: NetworkDescription | undefined,
  containers: Record<string, NetworkContainer>,
): NetworkDocument {
  const { labels = {}, options = {}, internal = false, attachable = false, subnets = [] } = said ?? {};
  return {
    ...{ Name: facts.name, Id: facts.id, Created: facts.created, Scope: "local", Driver: facts.driver },
    // Where none is chosen yet it is both of Docker's defaults.
    EnableIPv4: subnets.length === 0 || subnets.some(({ subnet }) => !subnet.includes(":")),
    EnableIPv6: subnets.some(({ subnet }) => subnet.includes(":")),
    IPAM: { Driver: "default", Options: null, Config: subnets.map(subnetDocument) },
    Internal: internal,
    ...{ Attachable: attachable, Ingress: false, ConfigFrom: { Network: "" }, ConfigOnly: false },
    Containers: containers,
    Options: { ...options },
    Labels: { ...labels },
  };
}

function subnetDocument({
  subnet,
  gateway,
  range,
  auxiliary,
}: NetworkDescription["subnets"][number]): SubnetDocument {
  return {
    Subnet: subnet,
    ...(range !== undefined && { IPRange: range }),
    ...(gateway !== "" && { Gateway: gateway }),
    ...(Object.keys(auxiliary).length > 0 && { AuxiliaryAddresses: { ...auxiliary } }),
  };
}

/** POST /networks/prune */
export interface PrunedNetworks {
  /** Names. */
  NetworksDeleted: string[];
}
