import { existsSync } from "node:fs";
import { egressRule, noEgress } from "../settings/egress.ts";
import {
  type Address,
  addressBytes,
  addressOfBytes,
  bitsOf,
  contains,
  type Family,
  formatAddress,
  parseAddress,
  type Subnet,
  subnetOf,
} from "./address.ts";
import type { NetworkEndpoint } from "./endpoint-store.ts";
import {
  accept,
  destinationAddress,
  families,
  fields,
  hooks,
  input,
  inSet,
  interfaceBytes,
  is,
  isKnown,
  isUnder,
  jump,
  key,
  ofFamily,
  setOf,
  sourceAddress,
  transport,
  transportBytes,
} from "./expressions.ts";
import { linkAddress } from "./guard.ts";
import {
  changeElements,
  type Element,
  type ElementChange,
  type Expression,
  elementKeys,
  forgetAddress,
  replaceTable,
  type Table,
  tableComment,
} from "./netlink.ts";
import { isLed } from "./port-rules.ts";
import { needed, refuse } from "./rules.ts";

/** Where a container may go from one of its networks. */
export interface Restrained {
  bridge: string;
  /** Of the network. */
  subnets: readonly Subnet[];
  endpoint: NetworkEndpoint;
}

/** What somebody wanted, and did not get. */
export interface RefusedDestination {
  address: string;
  /** 6: TCP; 17: UDP. */
  protocol: number;
  /** 0 where the protocol has none. */
  port: number;
}

/** A change in what the tables say changes this number. */
const revision = "2";
const refusedFor_ms = 3_600_000;
const refusedMax = 16_384;

/**
 * Containers that may go to some destinations alone, in a table of its own for each family of addresses, which stays whatever
 * networks come and go, as it has in it what was learnt from answers to names:
 *
 *   set restrained       { type ifname . ipv4_addr; }                               who is
 *   set neighbours       { type ipv4_addr . ipv4_addr; flags interval; }            their own networks
 *   set subnets          { the same; }                                              where they may go
 *   set subnet-services  { type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags interval; }
 *   set hosts            { type ipv4_addr . ipv4_addr; flags timeout; }             what names that they may go to have led to:
 *   set services         { type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags timeout; }     zig-native/monitor/egress.zig
 *   set refused          { the same; flags dynamic, timeout; }                      where they were not let go, for rt why
 *
 *   chain forward { hook forward priority -10: iifname . ip saddr @restrained jump neighbour }
 *   chain input   { hook input priority -10: what IPv6 needs accept; iifname . ip saddr @restrained jump egress }
 *   chain neighbour {
 *     ip saddr . ip daddr @neighbours accept; what stays on the link: accept
 *     ct status dnat jump egress                       a port of this host
 *     in hosts, in services: accept
 *     jump egress
 *   }
 *   chain egress {
 *     ct state established,related accept
 *     in subnets, in subnet-services: accept
 *     update @refused { ip saddr . ip daddr . meta l4proto . th dport }
 *     meta l4proto tcp reject with tcp reset; reject with icmp admin-prohibited
 *   }
 *
 * Whoever has a name says what it leads to: that is never this host, nor what its ports lead to.
 *
 * That a source is true is the guard's business (guard.ts). To accept here ends this table's chain alone.
 */
function egressTable(family: Family, name: string, restrained: readonly Restrained[]): Table {
  const pair = [fields[family], fields[family]];
  const whole = [...pair, fields.protocol, fields.service];
  const elements = merged(restrained.map((each) => elementsOf(family, each)));
  const lengths = pair.map(({ bytes }) => bytes);
  const timed = { timeout_ms: 0 };
  return {
    ...{ family: families[family], name, comment: revision },
    sets: [
      setOf("restrained", [fields.interface, fields[family]], elements.restrained),
      { ...setOf("neighbours", pair, elements.neighbours), isInterval: true, fields: lengths },
      { ...setOf("subnets", pair, elements.subnets), isInterval: true, fields: lengths },
      {
        ...setOf("subnet-services", whole, elements["subnet-services"]),
        ...{ isInterval: true, fields: [...lengths, 1, 2] },
      },
      { ...setOf("hosts", pair, []), ...timed },
      { ...setOf("services", whole, []), ...timed },
      { ...setOf("refused", whole, []), isDynamic: true, timeout_ms: refusedFor_ms, size_max: refusedMax },
    ],
    chains: [
      { name: "refuse", rules: refuse(family) },
      { name: "egress", rules: egress(family) },
      {
        name: "neighbour",
        rules: [
          [...key(sourceAddress(family), destinationAddress(family)), inSet("neighbours"), accept],
          ...onTheLink(family),
          [...isLed(), jump("egress")],
          ...lookups(family, "hosts", "services"),
          [jump("egress")],
        ],
      },
      { name: "forward", hook: hooks.forward, priority: -10, rules: [isRestrained(family, "neighbour")] },
      {
        ...{ name: "input", hook: hooks.input, priority: -10 },
        rules: [...(family === 6 ? needed() : []), isRestrained(family, "egress")],
      },
    ],
  };
}

/** What no router takes further; that it comes by here is br_netfilter's doing. */
function onTheLink(family: Family): Expression[][] {
  const to = destinationAddress(family);
  const zeros = (count: number): number[] => Array(count).fill(0);
  if (family === 4)
    return [
      [...is(to, [255, 255, 255, 255]), accept],
      [...isUnder(to, [255, 255, 255, 0], [224, 0, 0, 0]), accept],
    ];
  return [
    [...isUnder(to, [255, 255, ...zeros(14)], [0xff, 0x02, ...zeros(14)]), accept],
    [...isUnder(to, [255, 0xc0, ...zeros(14)], [0xfe, 0x80, ...zeros(14)]), accept],
  ];
}

function isRestrained(family: Family, then: string): Expression[] {
  return [...key(input, sourceAddress(family)), inSet("restrained"), jump(then)];
}

const port = transportBytes(2, 2);

function egress(family: Family): Expression[][] {
  const ends = [sourceAddress(family), destinationAddress(family)];
  const note: Expression = { dynset: { set: "refused", operation: 1, register: 8 } };
  const behind = 8 + (2 * bitsOf(family)) / 32 + 1;
  return [
    [...isKnown(), accept],
    ...lookups(family, "subnets", "subnet-services"),
    ...withPorts.map((protocol) => [
      ...[...is(transport, [protocol]), ...key(...ends, transport, port)],
      ...[note, jump("refuse")],
    ]),
    [...key(...ends, transport), { immediate: { register: behind, value: [0, 0] } }, note],
    [jump("refuse")],
  ];
}

/** TCP, UDP. */
const withPorts = [6, 17];

/** Who may go to all of a destination, and to one port of it. */
function lookups(family: Family, whole: string, services: string): Expression[][] {
  const ends = [sourceAddress(family), destinationAddress(family)];
  return [
    [...key(...ends), inSet(whole), accept],
    ...withPorts.map((protocol) => [
      ...[...is(transport, [protocol]), ...key(...ends, transport, port)],
      ...[inSet(services), accept],
    ]),
  ];
}

type SetName = "restrained" | "neighbours" | "subnets" | "subnet-services";
type Elements = Record<SetName, Element[]>;

function merged(all: readonly Elements[]): Elements {
  const of = (set: SetName) => all.flatMap((each) => each[set]);
  return {
    restrained: of("restrained"),
    neighbours: of("neighbours"),
    subnets: of("subnets"),
    "subnet-services": of("subnet-services"),
  };
}

function elementsOf(family: Family, { bridge, subnets, endpoint }: Restrained): Elements {
  const own = ofFamily(family, endpoint.addresses).map(addressBytes);
  const link = family === 6 ? [linkAddress(endpoint.mac)] : [];
  const rules = (endpoint.egress ?? []).filter((text) => text !== noEgress).map((text) => egressRule(text));
  const wanted = rules.flatMap(({ address, prefix, port }) => {
    const parsed = address === undefined ? undefined : parseAddress(address)!;
    return parsed?.family === family ? [{ subnet: subnetOf(parsed, prefix!), port }] : [];
  });
  const whole = largest(wanted.filter(({ port }) => port === undefined).map(({ subnet }) => subnet));
  const ports = [...new Set(wanted.flatMap(({ port }) => port ?? []))];
  const ranges = (
    from: readonly number[],
    some: readonly Subnet[],
    rest: readonly number[] = [],
  ): Element[] =>
    some.map((subnet) => ({
      key: [...from, ...addressBytes(subnet), ...rest],
      end: [...from, ...addressBytes({ family, value: lastOf(subnet) }), ...rest],
    }));
  return {
    restrained: [...own, ...link].map((address) => ({ key: [...interfaceBytes(bridge), ...address] })),
    neighbours: own.flatMap((from) => ranges(from, ofFamily(family, subnets) as Subnet[])),
    subnets: own.flatMap((from) => ranges(from, whole)),
    "subnet-services": own.flatMap((from) =>
      ports.flatMap((number) => {
        const some = wanted.filter((each) => each.port === number).map(({ subnet }) => subnet);
        return [6, 17].flatMap((protocol) =>
          ranges(from, largest(some), [protocol, 0, 0, 0, number >> 8, number & 255, 0, 0]),
        );
      }),
    ),
  };
}

/** Those that are in no other: the kernel wants none that overlap. */
function largest(subnets: readonly Subnet[]): Subnet[] {
  const ordered = subnets.toSorted((a, b) => a.prefix - b.prefix);
  return ordered.filter((each, index) => !ordered.slice(0, index).some((other) => contains(other, each)));
}

function lastOf({ family, value, prefix }: Subnet): bigint {
  return value + (1n << BigInt(bitsOf(family) - prefix)) - 1n;
}

/** The tables of one rt. */
export class Egress {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /**
   * A container that is restrained is about to have its place.
   * @param all those that there are, with it, should the tables not be there
   */
  admit(place: Restrained, all: () => readonly Restrained[]): void {
    if (this.#isThere()) this.#change(place, true);
    else this.#make(all());
    // Whoever had its addresses before may have gone elsewhere: what is known of that would be let through.
    for (const each of place.endpoint.addresses) forgetAddress(addressBytes(each));
  }

  /** What was learnt stays, where nobody has taken the tables away. */
  restore(all: readonly Restrained[]): void {
    if (!this.#isThere()) this.#make(all);
    else for (const each of all) this.#change(each, true);
  }

  /** It is over, or leaves that network: also what was learnt for it goes, as its address may be another's. */
  dismiss(place: Restrained): void {
    if (!this.#isThere([4])) return;
    this.#change(place, false);
    const learnt = ([4, 6] as const).flatMap((family) => {
      const own = ofFamily(family, place.endpoint.addresses).map((each) => addressBytes(each));
      return learntSets(family).map(({ set, bytes }): ElementChange => {
        const keys = elementKeys(families[family], this.name, set, bytes);
        const elements = keys.filter((each) => own.some((from) => startsWith(each, from)));
        return {
          isAdded: false,
          family: families[family],
          table: this.name,
          set,
          elements: elements.map((each) => ({ key: [...each] })),
        };
      });
    });
    changeElements(learnt.filter(({ elements }) => elements.length > 0));
  }

  /** Where somebody at these addresses was not let go, lately. */
  refused(addresses: readonly Address[]): RefusedDestination[] {
    return ([4, 6] as const).flatMap((family) => {
      const own = ofFamily(family, addresses).map(addressBytes);
      const [length, bytes] = [bitsOf(family) / 8, bitsOf(family) / 4 + 8];
      const keys = own.length === 0 ? [] : elementKeys(families[family], this.name, "refused", bytes);
      return keys
        .filter((each) => own.some((from) => startsWith(each, from)))
        .map((each) => ({
          address: formatAddress(addressOfBytes(each.subarray(length, 2 * length))),
          protocol: each[2 * length]!,
          port: (each[2 * length + 4]! << 8) | each[2 * length + 5]!,
        }));
    });
  }

  /** Nobody needs them. */
  clear(): void {
    for (const family of [families[6], families[4]])
      if (tableComment(family, this.name) !== undefined)
        replaceTable({ family, name: this.name, comment: "", sets: [], chains: [] });
  }

  /** Somebody may have taken away one of them. */
  #isThere(among = ownFamilies()): boolean {
    return among.every((family) => tableComment(families[family], this.name) === revision);
  }

  #make(all: readonly Restrained[]): void {
    for (const family of ownFamilies()) replaceTable(egressTable(family, this.name, all));
  }

  #change(place: Restrained, isAdded: boolean): void {
    const changes = ownFamilies().flatMap((family) =>
      Object.entries(elementsOf(family, place)).flatMap(([set, elements]) =>
        elements.length === 0 ? [] : [{ isAdded, family: families[family], table: this.name, set, elements }],
      ),
    );
    changeElements(changes);
  }
}

function ownFamilies(): Family[] {
  return existsSync("/proc/sys/net/ipv6") ? [6, 4] : [4];
}

function learntSets(family: Family) {
  const bytes = bitsOf(family) / 4;
  return [
    { set: "hosts", bytes },
    { set: "services", bytes: bytes + 8 },
    { set: "refused", bytes: bytes + 8 },
  ];
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, index) => bytes[index] === byte);
}
