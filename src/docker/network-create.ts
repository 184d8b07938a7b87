import { RtError } from "../base/errors.ts";
import { invalid } from "../base/invalid.ts";
import { flag, listOf, mapOf, object, text } from "../base/shape.ts";
import { given, read, refuseOthers } from "./zero.ts";

const word = given(text, "");
const no = given(flag, false);
const words = given(mapOf(text), {});
const pool = object({ Subnet: word, IPRange: word, Gateway: word, AuxiliaryAddresses: words });
const nothing = { Driver: "", Config: [], Options: {} };
const request = object({
  Name: word,
  Driver: word,
  Scope: word,
  EnableIPv4: given(flag, true),
  EnableIPv6: no,
  IPAM: given(object({ Driver: word, Config: given(listOf(pool), []), Options: words }), nothing),
  Internal: no,
  Attachable: no,
  Ingress: no,
  ConfigOnly: no,
  ConfigFrom: given(object({ Network: word }), { Network: "" }),
  Options: words,
  Labels: words,
});

/** What is asked of a new network. */
export interface NetworkWanted {
  name: string;
  /** "" for the usual one. */
  driver: string;
  labels: Record<string, string>;
  options: Record<string, string>;
  internal: boolean;
  attachable: boolean;
  ipv4: boolean;
  ipv6: boolean;
  subnets: string[];
  gateways: string[];
  ranges: string[];
  auxiliary: Record<string, string>;
}

/**
 * POST /networks/create. Fields that nobody knows are passed over; what only a swarm could do is refused.
 * @throws RtError invalid-argument | unsupported | forbidden
 */
export function parseNetworkCreate(document: unknown): NetworkWanted {
  const asked = read(request, document ?? {}, "network");
  if (asked.Name === "") throw invalid("invalid name: name is empty");
  if (asked.Scope !== "" && asked.Scope !== "local")
    throw new RtError("forbidden", "cannot create a swarm scoped network when swarm is not active");
  if (asked.Ingress || asked.ConfigOnly || asked.ConfigFrom.Network !== "")
    throw new RtError("unsupported", "Ingress, ConfigOnly and ConfigFrom are a swarm's: there is none here");
  const usual = { Driver: (driver: unknown) => driver === "" || driver === "default" };
  refuseOthers({ Driver: asked.IPAM.Driver, Options: asked.IPAM.Options }, new Set(), usual, "IPAM");
  const pools = asked.IPAM.Config;
  const told = (key: "Subnet" | "Gateway" | "IPRange") => pools.map((each) => each[key]).filter(Boolean);
  return {
    ...{ name: asked.Name, driver: asked.Driver, labels: asked.Labels, options: asked.Options },
    ...{ internal: asked.Internal, attachable: asked.Attachable },
    ...{ ipv4: asked.EnableIPv4, ipv6: asked.EnableIPv6 },
    ...{ subnets: told("Subnet"), gateways: told("Gateway"), ranges: told("IPRange") },
    auxiliary: Object.assign({}, ...pools.map(({ AuxiliaryAddresses }) => AuxiliaryAddresses)) as Record<
      string,
      string
    >,
  };
}

/** The same in the other direction. Which subnet a gateway is of is for the engine to find out: each has an entry of its own. */
export function networkCreateDocument(wanted: NetworkWanted): Record<string, unknown> {
  const { subnets, gateways, ranges, auxiliary } = wanted;
  const count = Math.max(subnets.length, gateways.length, ranges.length);
  const Config = Array.from({ length: count }, (_, index) => ({
    ...(subnets[index] !== undefined && { Subnet: subnets[index] }),
    ...(gateways[index] !== undefined && { Gateway: gateways[index] }),
    ...(ranges[index] !== undefined && { IPRange: ranges[index] }),
    ...(index === 0 && Object.keys(auxiliary).length > 0 && { AuxiliaryAddresses: auxiliary }),
  }));
  return {
    ...{ Name: wanted.name, Driver: wanted.driver, Options: wanted.options, Labels: wanted.labels },
    ...{ Internal: wanted.internal, Attachable: wanted.attachable },
    ...{ EnableIPv4: wanted.ipv4, EnableIPv6: wanted.ipv6 },
    IPAM: { Driver: "default", Config },
  };
}
