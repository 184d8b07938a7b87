import { addressBytes, type Family } from "./address.ts";
import {
  accept,
  destinationAddress,
  drop,
  families,
  fields,
  hooks,
  is,
  isUnder,
  key,
  numberBytes,
  setOf,
  sourceAddress,
  transport,
  transportBytes,
} from "./expressions.ts";
import { protocolNumbers } from "./held-port.ts";
import type { Element, Expression, Table } from "./netlink.ts";
import type { PublishedPort } from "./port-store.ts";

/**
 * How ports of the host lead to containers, as a part of the fence (rules.ts):
 *
 *   map published { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
 *   map anywhere  { type inet_proto . inet_service : ipv4_addr . inet_service; }       of all addresses of the host
 *   set handed           { type ipv4_addr . inet_proto . inet_service; }               what comes there the monitor hands on
 *   set handed-anywhere  { type inet_proto . inet_service; }
 *
 *   chain loopback {
 *     type filter hook prerouting priority raw; policy accept;
 *     iifname @bridges ip daddr 127.0.0.0/8 drop       the host's loopback, which route_localnet opens
 *   }
 *   chain prerouting {
 *     type nat hook prerouting priority dstnat; policy accept;
 *     ip daddr 127.0.0.0/8 accept                      nobody on the wire reaches what is published there
 *     (IPv6: ip6 saddr fe80::/10 accept)               would not find its way back
 *     fib daddr type != local accept                   it only passes by
 *     dnat ip to ip daddr . meta l4proto . th dport map @published
 *     dnat ip to meta l4proto . th dport map @anywhere
 *   }
 *   chain output {
 *     type nat hook output priority dstnat; policy accept;
 *     (IPv6: ip6 daddr ::1 accept)                     the container's monitor sees to that
 *     and as above, from fib on
 *   }
 *
 * In the chain forward what was led by us may go on to any of our bridges; in postrouting the host's own 127.0.0.1, and a
 * container that comes back to its own network, get the gateway's address, to which answers find.
 *
 * What the monitor hands on is none of those that pass by: an internal network does not come in there (rules.ts).
 *
 * Elements are put in and taken out as containers come and go. Whatever another table drops, before or after, stays dropped.
 */
export function portSets(family: Family, ports: readonly PublishedPort[]): Table["sets"] {
  const elements = portElements(family, ports);
  const anywhere = [fields.protocol, fields.service];
  const somewhere = [fields[family], ...anywhere];
  const { type, bytes, order } = setOf("", [fields[family], fields.service], []);
  const data = { type, bytes, order };
  return [
    { ...setOf("published", somewhere, elements.published), data },
    { ...setOf("anywhere", anywhere, elements.anywhere), data },
    setOf("handed", somewhere, elements.handed),
    setOf("handed-anywhere", anywhere, elements["handed-anywhere"]),
  ];
}

export const portSetNames = ["published", "anywhere", "handed", "handed-anywhere"] as const;

/** What the maps and the sets have of these. */
export function portElements(
  family: Family,
  ports: readonly PublishedPort[],
): Record<(typeof portSetNames)[number], Element[]> {
  const elements = {
    published: [] as Element[],
    anywhere: [] as Element[],
    handed: [] as Element[],
    "handed-anywhere": [] as Element[],
  };
  for (const { protocol, port, host } of ports) {
    const { address, target } = host;
    const key = [...protocolBytes(protocol), ...serviceBytes(host.port)];
    const isWild = address.value === 0n;
    if (address.family === family && (target === undefined || (family === 6 && isWild))) {
      if (isWild) elements["handed-anywhere"].push({ key });
      else elements.handed.push({ key: [...addressBytes(address), ...key] });
    }
    if (!target || target.family !== family) continue;
    const data = [...addressBytes(target), ...serviceBytes(port)];
    if (isWild) elements.anywhere.push({ key, data });
    else elements.published.push({ key: [...addressBytes(address), ...key], data });
  }
  return elements;
}

export function portChains(family: Family, isFromBridge: readonly Expression[]): Table["chains"] {
  const leads = [[...isLocal(), accept], ...lookups(family)];
  const loopback = {
    ...({ name: "loopback", type: "filter", hook: hooks.prerouting, priority: -300 } as const),
    rules: [[...isFromBridge, ...isUnder(destinationAddress(4), ...loopback4), drop]],
  };
  const before =
    family === 4
      ? isUnder(destinationAddress(4), ...loopback4)
      : isUnder(sourceAddress(6), [0xff, 0xc0, ...zeros(14)], [0xfe, 0x80, ...zeros(14)]);
  const localhost: Expression[][] =
    family === 4 ? [] : [[...is(destinationAddress(6), [...zeros(15), 1]), accept]];
  return [
    ...(family === 4 ? [loopback] : []),
    {
      ...({ name: "prerouting", type: "nat", hook: hooks.prerouting, priority: -100 } as const),
      rules: [[...before, accept], ...leads],
    },
    {
      ...({ name: "output", type: "nat", hook: hooks.output, priority: -100 } as const),
      rules: [...localhost, ...leads],
    },
  ];
}

/** Of the host's loopback: postrouting. */
export function isFromLoopback(): Expression[] {
  return isUnder(sourceAddress(4), ...loopback4);
}

/** The packet was led by us, or by others. */
export function isLed(): Expression[] {
  return [
    { track: { key: 2, register: 1 } },
    { mask: { register: 1, mask: numberBytes(0x20) } },
    { compare: { register: 1, operation: 1, value: numberBytes(0) } },
  ];
}

/** 127.0.0.0/8: the mask, and what is under it. */
const loopback4 = [
  [255, 0, 0, 0],
  [127, 0, 0, 0],
] as const;
const zeros = (count: number): number[] => Array(count).fill(0);
/** RTN_LOCAL; NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR */
const local = 2;
const addressTypeOfDestination = { result: 3, flags: 2 } as const;
/** NFT_NAT_DNAT; both an address and a port are given */
const toThese = { kind: 1, flags: 3 } as const;

/** It does not go to an address of this host. */
function isLocal(): Expression[] {
  return [
    { fib: { register: 1, ...addressTypeOfDestination } },
    { compare: { register: 1, operation: 1, value: numberBytes(local) } },
  ];
}

const port = transportBytes(2, 2);
/** Where `key` begins; what the map leads to comes in its place. */
const first = 8;

function lookups(family: Family): Expression[][] {
  const behind = first + fields[family].bytes / 4;
  const redirect: Expression = {
    nat: { ...toThese, family: families[family], address: first, port: behind },
  };
  const from = (set: string): Expression => ({ lookup: { register: first, set, into: first } });
  return [
    [...key(destinationAddress(family), transport, port), from("published"), redirect],
    [...key(transport, port), from("anywhere"), redirect],
  ];
}

/** As keys of sets have it: "tcp", "udp", "sctp". */
export function protocolBytes(protocol: string): number[] {
  return [protocolNumbers[protocol]!, 0, 0, 0];
}

/** The same of a port. */
export function serviceBytes(port: number): number[] {
  return [port >> 8, port & 0xff, 0, 0];
}
