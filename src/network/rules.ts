import { type Address, addressBytes, type Family, type Subnet } from "./address.ts";
import type { BridgeOptions } from "./bridge-options.ts";
import { clamped } from "./clamp.ts";
import type { Opening } from "./endpoint-store.ts";
import {
  accept,
  destinationAddress,
  drop,
  families,
  fields,
  hooks,
  input,
  inputGroup,
  inSet,
  interfaceBytes,
  is,
  isFrom,
  isKnown,
  isNot,
  jump,
  key,
  notInSet,
  numberBytes,
  ofFamily,
  output,
  setOf,
  transport,
  transportBytes,
} from "./expressions.ts";
import type { Element, Expression, Table } from "./netlink.ts";
import { addressPasses, openingSets } from "./openings.ts";
import { isFromLoopback, isLed, portChains, portSets } from "./port-rules.ts";
import type { PublishedPort } from "./port-store.ts";

/** What the firewall has to know of a network. */
export interface Fenced {
  /** The host's interface. */
  bridge: string;
  /** The group that its ports are in. */
  group: number;
  /** Leads nowhere else. */
  internal: boolean;
  subnets: readonly Subnet[];
  /** The host's own addresses in them. */
  gateways: readonly Address[];
  options: BridgeOptions;
}

/** A change in what the tables say changes this number: tables of before are replaced then. */
export const revision = 7;

/**
 * The fence around our networks, a table for each family of addresses, as nft(8) would show it:
 *
 *   set bridges      { type ifname; }               all of them
 *   set ports        { type devgroup; }             what leads to their containers, and they themselves
 *   set internal     { type ifname; }               those that lead nowhere else
 *   set same         { type ifname . ifname; }      each of them with itself
 *   set strangers    { type ifname . ifname; }      the same of those whose containers do not know each other
 *   set open         { type ifname; }               those that reach each other
 *   set trusted      { type ifname . ifname; }      what comes by the first reaches all of the second
 *   set unprotected  { type ifname; }               what comes from elsewhere reaches all of them
 *   set gateways     { type ipv4_addr; }            the host's addresses in all of them
 *   set homes        { type ifname . ipv4_addr; }   the same, each with its own
 *   set aloof        { type ifname; }               those for which the host has no services
 *
 *   chain entry {
 *     type filter hook prerouting priority raw; policy accept;
 *     iifgroup @ports iifname != @bridges drop
 *   }
 *   chain forward {
 *     type filter hook forward priority filter; policy accept;
 *     tcp flags syn / syn,rst iifname @bridges tcp option maxseg size set rt mtu     and oifname (clamp.ts)
 *     iifname . oifname @strangers and linked: accept        (openings.ts)
 *     iifname . oifname @strangers drop
 *     iifname . oifname @same accept           a neighbour, where bridged packets come by here (br_netfilter)
 *     iifname @internal drop
 *     oifname @internal drop
 *     ct state established,related accept
 *     iifname . oifname @trusted accept
 *     oifname @unprotected iifname != @bridges accept
 *     iifname @open oifname @open accept
 *     oifname @bridges ct status dnat accept   a port of the host leads there (port-rules.ts)
 *     oifname @bridges drop                    another network's container, or whoever knows a route to us
 *   }
 *   chain input {
 *     type filter hook input priority filter; policy accept;
 *     iifname != @bridges accept
 *     ct state established,related accept
 *     icmpv6 type 130-136 accept               neighbours, and listeners: of IPv6 only
 *     icmpv6 type 143 accept
 *     iifname . ip daddr != @homes ip daddr @gateways jump refuse
 *     iifname @aloof jump refuse
 *     iifname @internal ip daddr . meta l4proto . th dport @handed jump refuse
 *     iifname @internal meta l4proto . th dport @handed-anywhere jump refuse
 *   }
 *   chain refuse {
 *     meta l4proto tcp reject with tcp reset
 *     reject with icmp admin-prohibited
 *   }
 *   chain postrouting {
 *     type nat hook postrouting priority srcnat; policy accept;
 *     ip saddr SUBNET oifname != BRIDGE masquerade
 *     ip saddr SUBNET oifname BRIDGE ct status dnat masquerade
 *     ip saddr 127.0.0.0/8 oifname @bridges masquerade
 *   }
 *
 * and what port-rules.ts and openings.ts have.
 *
 * A frame that is for an address of the bridges' own protocols (01:80:c2:00:00:0e and its like) comes into the host by the
 * port and not by the bridge, past all rules about that, and some of them past those of guard.ts as well: the first chain.
 *
 * To accept ends our chain only: what another table drops stays dropped. Nothing here says anything about packets that have no
 * interface of ours on either side. What passes between the ports of a bridge is the business of guard.ts.
 *
 * @param ports that lead to containers
 * @param openings between containers that do not know each other otherwise
 * @param comment tells the next of us what it was made for
 */
export function fence(
  family: Family,
  name: string,
  comment: string,
  networks: readonly Fenced[],
  ports: readonly PublishedPort[] = [],
  openings: readonly Opening[] = [],
): Table {
  const those = (holds: (network: Fenced) => boolean) => networks.filter(holds);
  const withSelf = (some: readonly Fenced[]) => some.map(({ bridge }) => [bridge, bridge] as const);
  const mode = ({ options }: Fenced) => options.gatewayModes[family];
  const [one, pair] = [[fields.interface], [fields.interface, fields.interface]];
  const gateways = networks.flatMap(({ bridge, gateways }) =>
    ofFamily(family, gateways).map((address) => ({ bridge, address: addressBytes(address) })),
  );
  return {
    ...{ family: families[family], name, comment },
    sets: [
      setOf("bridges", one, interfaces(networks)),
      setOf(
        "ports",
        [fields.group],
        networks.map(({ group }) => ({ key: numberBytes(group) })),
      ),
      setOf("internal", one, interfaces(those(({ internal }) => internal))),
      setOf("same", pair, pairs(withSelf(those(({ options }) => options.isSociable)))),
      setOf("strangers", pair, pairs(withSelf(those(({ options }) => !options.isSociable)))),
      setOf("open", one, interfaces(those(({ options }) => options.isOpen))),
      setOf(
        "trusted",
        pair,
        pairs(
          networks.flatMap(({ bridge, options }) => options.trusted.map((each) => [each, bridge] as const)),
        ),
      ),
      setOf("unprotected", one, interfaces(those((network) => mode(network) === "nat-unprotected"))),
      setOf(
        "gateways",
        [fields[family]],
        gateways.map(({ address }) => ({ key: address })),
      ),
      setOf(
        "homes",
        [fields.interface, fields[family]],
        gateways.map(({ bridge, address }) => ({ key: [...interfaceBytes(bridge), ...address] })),
      ),
      setOf("aloof", one, interfaces(those(({ options }) => !options.hostAccess))),
      ...portSets(family, ports),
      ...openingSets(family, openings),
    ],
    chains: [
      { name: "refuse", rules: refuse(family) },
      {
        ...{ name: "entry", hook: hooks.prerouting, priority: -300 },
        rules: [[...key(inputGroup), inSet("ports"), ...key(input), notInSet("bridges"), drop]],
      },
      { name: "forward", hook: hooks.forward, rules: forward(family) },
      { name: "input", hook: hooks.input, rules: inwards(family) },
      {
        ...{ name: "postrouting", type: "nat", hook: hooks.postrouting, priority: 100 },
        rules: [
          ...networks.flatMap((network) => masquerades(family, network)),
          ...networks.flatMap((network) => hairpins(family, network)),
          ...(family === 4 ? [[...isFromLoopback(), ...key(output), inSet("bridges"), masked]] : []),
        ],
      },
      ...portChains(family, [...key(input), inSet("bridges")]),
    ],
  };
}

function interfaces(networks: readonly Fenced[]): Element[] {
  return networks.map(({ bridge }) => ({ key: interfaceBytes(bridge) }));
}

function pairs(names: readonly (readonly [string, string])[]): Element[] {
  return names.map(([from, to]) => ({ key: [...interfaceBytes(from), ...interfaceBytes(to)] }));
}

const masked: Expression = { masquerade: {} };

function forward(family: Family): Expression[][] {
  return [
    clamped([...key(input), inSet("bridges")]),
    clamped([...key(output), inSet("bridges")]),
    ...addressPasses(family),
    [...key(input, output), inSet("strangers"), drop],
    [...key(input, output), inSet("same"), accept],
    [...key(input), inSet("internal"), drop],
    [...key(output), inSet("internal"), drop],
    [...isKnown(), accept],
    [...key(input, output), inSet("trusted"), accept],
    [...key(output), inSet("unprotected"), ...key(input), notInSet("bridges"), accept],
    [...key(input), inSet("open"), ...key(output), inSet("open"), accept],
    [...key(output), inSet("bridges"), ...isLed(), accept],
    [...key(output), inSet("bridges"), drop],
  ];
}

const protocols = { tcp: 6, icmpv6: 58 } as const;

/** Messages without which a host of IPv6 has no neighbours, and no listeners. */
export function needed(): Expression[][] {
  const message = transportBytes(0, 1);
  const isMessage = is(transport, [protocols.icmpv6]);
  return [
    [...isMessage, message.into(8), { range: { register: 8, operation: 0, from: [130], to: [136] } }, accept],
    [...isMessage, ...is(message, [143]), accept],
  ];
}

/** To which it goes. */
const port = transportBytes(2, 2);

function inwards(family: Family): Expression[][] {
  return [
    [...key(input), notInSet("bridges"), accept],
    [...isKnown(), accept],
    ...(family === 6 ? needed() : []),
    [
      ...[...key(input, destinationAddress(family)), notInSet("homes")],
      ...[...key(destinationAddress(family)), inSet("gateways")],
      jump("refuse"),
    ],
    [...key(input), inSet("aloof"), jump("refuse")],
    ...[
      [destinationAddress(family), transport, port],
      [transport, port],
    ].map((parts) => [
      ...[...key(input), inSet("internal"), ...key(...parts)],
      ...[inSet(parts.length === 3 ? "handed" : "handed-anywhere"), jump("refuse")],
    ]),
  ];
}

/** At once, so that nobody waits. */
export function refuse(family: Family): Expression[][] {
  const prohibited = { 4: 13, 6: 1 }[family];
  return [
    [...is(transport, [protocols.tcp]), { reject: { kind: 1 } }],
    [{ reject: { kind: 0, code: prohibited } }],
  ];
}

function masquerades(family: Family, { bridge, internal, options, subnets }: Fenced): Expression[][] {
  if (internal || !options.masquerade) return [];
  return ofFamily(family, subnets).map((subnet) => [
    ...isFrom(subnet as Subnet),
    ...isNot(output, interfaceBytes(bridge)),
    masked,
  ]);
}

/** Who comes back to its own network by a port of the host is answered through the host. */
function hairpins(family: Family, { bridge, internal, subnets }: Fenced): Expression[][] {
  if (internal) return [];
  return ofFamily(family, subnets).map((subnet) => [
    ...isFrom(subnet as Subnet),
    ...is(output, interfaceBytes(bridge)),
    ...isLed(),
    masked,
  ]);
}
