import { addressBytes, type Family } from "./address.ts";
import { type NetworkEndpoint, type Opening, portOf } from "./endpoint-store.ts";
import {
  accept,
  destinationAddress,
  etherType,
  type Field,
  families,
  fields,
  input,
  inSet,
  interfaceBytes,
  is,
  key,
  ofFamily,
  output,
  type Part,
  setOf,
  sourceAddress,
  transport,
  transportBytes,
} from "./expressions.ts";
import type { Bytes, ElementChange, ElementSet, Expression } from "./netlink.ts";
import { protocolBytes, serviceBytes } from "./port-rules.ts";

/**
 * Ways between two containers of a network whose containers do not know each other: the one is linked to the other, and reaches
 * the ports that that one exposes. Sets of the tables of guard.ts and rules.ts, as nft(8) would show them:
 *
 *   bridge: set acquainted { type ifname . ifname; }                                     both ways
 *           set linked     { type ifname . ifname . inet_proto . inet_service; }         to the port
 *           set answers    { the same }                                                  from it
 *   ip:     set linked     { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }   ip6: the same of its own
 *           set answers    { the same }
 *
 *   iifname . oifname . meta l4proto . th dport @linked accept         ip: ip saddr . ip daddr . …
 *   iifname . oifname . meta l4proto . th sport @answers accept
 *   iifname . oifname @acquainted  ether type arp accept               and neighbours of IPv6: icmpv6 type 135, 136
 *
 * before the strangers are dropped. What passes from port to port of a bridge has the names of these there, and comes by the rules
 * of its family of addresses as from the bridge to the bridge (br_netfilter), or does not come by there at all.
 *
 * They are there while both run: added by the later one's start, taken away by the first one's end.
 */
const way = [fields.protocol, fields.service] as const;
const bridgeSets = {
  acquainted: [fields.interface, fields.interface],
  linked: [fields.interface, fields.interface, ...way],
  answers: [fields.interface, fields.interface, ...way],
} as const satisfies Record<string, readonly Field[]>;
const addressSets = (family: Family) => ({
  linked: [fields[family], fields[family], ...way],
  answers: [fields[family], fields[family], ...way],
});

export function bridgeOpeningSets(openings: readonly Opening[]): ElementSet[] {
  return setsOf(bridgeSets, bridgeElements(openings));
}

export function openingSets(family: Family, openings: readonly Opening[]): ElementSet[] {
  return setsOf(addressSets(family), addressElements(family, openings));
}

function setsOf(sets: Record<string, readonly Field[]>, elements: Record<string, Bytes[]>): ElementSet[] {
  return Object.entries(sets).map(([name, parts]) =>
    setOf(
      name,
      parts,
      distinct(elements[name]!).map((bytes) => ({ key: bytes })),
    ),
  );
}

/** Two that are linked to each other have the same neighbours. */
function distinct(keys: readonly Bytes[]): Bytes[] {
  return [...new Map(keys.map((bytes) => [bytes.join(), bytes])).values()];
}

function bridgeElements(openings: readonly Opening[]): Record<string, Bytes[]> {
  const names = openings.map(({ from, to, ports }) => ({
    ...{ from: interfaceBytes(portOf(from)), to: interfaceBytes(portOf(to)), ports },
  }));
  return {
    acquainted: names.flatMap(({ from, to }) => [
      [...from, ...to],
      [...to, ...from],
    ]),
    ...ways(names),
  };
}

function addressElements(family: Family, openings: readonly Opening[]): Record<string, Bytes[]> {
  const own = (endpoint: NetworkEndpoint) => ofFamily(family, endpoint.addresses).map(addressBytes);
  return ways(
    openings.flatMap(({ from, to, ports }) =>
      own(from).flatMap((one) => own(to).map((other) => ({ from: one, to: other, ports }))),
    ),
  );
}

function ways(
  pairs: readonly { from: Bytes; to: Bytes; ports: readonly string[] }[],
): Record<"linked" | "answers", Bytes[]> {
  const each = (of: (from: Bytes, to: Bytes) => number[]) =>
    pairs.flatMap(({ from, to, ports }) =>
      ports.map((text) => {
        const [port = "", protocol = "tcp"] = text.split("/");
        return [...of(from, to), ...protocolBytes(protocol), ...serviceBytes(Number(port))];
      }),
    );
  return { linked: each((from, to) => [...from, ...to]), answers: each((from, to) => [...to, ...from]) };
}

/** That they come, or that they go. */
export function openingChanges(
  table: string,
  openings: readonly Opening[],
  isAdded: boolean,
): ElementChange[] {
  const change = (family: number, elements: Record<string, Bytes[]>) =>
    Object.entries(elements).flatMap(([set, keys]) =>
      keys.length === 0
        ? []
        : [{ isAdded, family, table, set, elements: distinct(keys).map((bytes) => ({ key: bytes })) }],
    );
  return [
    ...change(families.bridge, bridgeElements(openings)),
    ...([4, 6] as const).flatMap((family) => change(families[family], addressElements(family, openings))),
  ];
}

const [sourcePort, destinationPort] = [transportBytes(0, 2), transportBytes(2, 2)];

function passes(...between: readonly Part[]): Expression[][] {
  return [
    [...key(...between, transport, destinationPort), inSet("linked"), accept],
    [...key(...between, transport, sourcePort), inSet("answers"), accept],
  ];
}

/** Who has an address of IPv6: the question, and the answer. */
function neighbours(first: readonly Expression[]): Expression[][] {
  return [135, 136].map((type) => [
    ...first,
    ...is(transport, [58]),
    ...is(transportBytes(0, 1), [type]),
    accept,
  ]);
}

/** From port to port of a bridge. */
export function bridgePasses(): Expression[][] {
  const areAcquainted = [...key(input, output), inSet("acquainted")];
  return [
    ...passes(input, output),
    [...areAcquainted, ...is(etherType, [0x08, 0x06]), accept],
    ...neighbours(areAcquainted),
  ];
}

/** From a bridge of strangers to itself: who may ask for whom there has been seen to before. */
export function addressPasses(family: Family): Expression[][] {
  const areStrangers = [...key(input, output), inSet("strangers")];
  return [
    ...passes(sourceAddress(family), destinationAddress(family)).map((rule) => [...areStrangers, ...rule]),
    ...(family === 6 ? neighbours(areStrangers) : []),
  ];
}
