import { type Address, addressBytes } from "./address.ts";
import type { Opening } from "./endpoint-store.ts";
import {
  accept,
  drop,
  etherBytes,
  etherType,
  type Field,
  families,
  fields,
  frameBytes,
  hooks,
  input,
  inputGroup,
  inSet,
  interfaceBytes,
  is,
  key,
  networkBytes,
  notInSet,
  numberBytes,
  ofFamily,
  type Part,
  setOf,
  sourceAddress,
  transport,
  transportBytes,
} from "./expressions.ts";
import type { Bytes, ElementChange, Expression, Table } from "./netlink.ts";
import { bridgeOpeningSets, bridgePasses } from "./openings.ts";
import type { Fenced } from "./rules.ts";

/** A container's place at a bridge. */
export interface Station {
  /** The host's interface that leads to it. */
  port: string;
  mac: string;
  addresses: readonly Address[];
}

/**
 * What a container may say to its neighbours, and to the host, by the frames that come out of its port: nothing in the name of
 * somebody else. A table of the family of bridges, as nft(8) would show it:
 *
 *   set guarded    { type devgroup; }                                 ports of networks that want it, by their group
 *   set strangers  { type devgroup; }                                 of those whose containers do not know each other
 *   set stations   { type ifname . ether_addr; }                      who is behind which port
 *   set speakers4  { type ifname . ether_addr . ipv4_addr; }
 *   set speakers6  { type ifname . ether_addr . ipv6_addr; }          with the address of the link that follows from the MAC
 *
 *   chain prerouting {
 *     type filter hook prerouting priority dstnat; policy accept;
 *     meta iifgroup != @guarded accept
 *     ether type ip goto ip        ether type ip6 goto ip6        ether type arp goto arp        drop
 *   }
 *   chain ip { iifname . ether saddr . ip saddr @speakers4 goto ip-said        drop }
 *   chain ip-said { udp sport 67 drop }                               answers of a DHCP server
 *   chain ip6 {
 *     ip6 saddr :: goto nobody
 *     iifname . ether saddr . ip6 saddr @speakers6 goto ip6-said        drop
 *   }
 *   chain ip6-said {
 *     icmpv6 type nd-router-advert drop        icmpv6 type nd-redirect drop
 *     icmpv6 type nd-neighbor-advert goto advert
 *     udp sport 547 drop
 *   }
 *   chain advert { iifname . ether saddr . target @speakers6 accept        drop }
 *   chain nobody {                                                    who asks whether an address is free, or listens
 *     iifname . ether saddr != @stations drop
 *     icmpv6 type nd-neighbor-solicit accept        131, 132, 143: the same        drop
 *   }
 *   chain arp {                                                       of ethernet and IPv4
 *     arp saddr ip 0.0.0.0 goto probe
 *     iifname . ether saddr . arp saddr ip @speakers4  iifname . arp saddr ether . arp saddr ip @speakers4 accept        drop
 *   }
 *   chain probe { a question, and the same with @stations: accept        drop }
 *   chain forward {
 *     type filter hook forward priority filter; policy accept;
 *     meta iifgroup != @strangers accept
 *     those that are linked: openings.ts
 *     drop
 *   }
 *
 * A rule whose packet is too short for it does not hold: what is let through is said, and never what is not. A frame with a tag
 * of VLANs has another type, and goes no further.
 *
 * A container's elements are there before its port is: closed first.
 */
export function guard(
  name: string,
  comment: string,
  networks: readonly Fenced[],
  stations: readonly Station[],
  openings: readonly Opening[] = [],
): Table {
  const groups = (holds: (network: Fenced) => boolean) =>
    networks.filter(holds).map(({ group }) => ({ key: numberBytes(group) }));
  const said = stations.map(elementsOf);
  return {
    ...{ family: families.bridge, name, comment },
    sets: [
      setOf(
        "guarded",
        [fields.group],
        groups(({ options }) => options.guard),
      ),
      setOf(
        "strangers",
        [fields.group],
        groups(({ options }) => !options.isSociable),
      ),
      ...Object.entries(parts).map(([set, types]) =>
        setOf(
          set,
          types,
          said.flatMap((each) => each[set as SetName].map((bytes) => ({ key: bytes }))),
        ),
      ),
      ...bridgeOpeningSets(openings),
    ],
    chains: [
      { name: "probe", rules: probe() },
      { name: "arp", rules: arp() },
      { name: "nobody", rules: nobody() },
      {
        name: "advert",
        rules: [[...speaks(transportBytes(8, 16)), inSet("speakers6"), accept], [drop]],
      },
      { name: "ip6-said", rules: ip6Said() },
      { name: "ip6", rules: ip6() },
      { name: "ip-said", rules: [[...isServer([0, 67]), drop]] },
      {
        name: "ip",
        rules: [[...speaks(sourceAddress(4)), inSet("speakers4"), goto("ip-said")], [drop]],
      },
      { name: "prerouting", hook: hooks.prerouting, priority: -300, rules: prerouting() },
      {
        ...{ name: "forward", hook: hooks.forward },
        rules: [[...key(inputGroup), notInSet("strangers"), accept], ...bridgePasses(), [drop]],
      },
    ],
  };
}

const parts = {
  stations: [fields.interface, fields.ether],
  speakers4: [fields.interface, fields.ether, fields[4]],
  speakers6: [fields.interface, fields.ether, fields[6]],
} as const satisfies Record<string, readonly Field[]>;
type SetName = keyof typeof parts;

function elementsOf({ port, mac, addresses }: Station): Record<SetName, Bytes[]> {
  const station = [...interfaceBytes(port), ...etherBytes(mac), 0, 0];
  const speakers = (family: 4 | 6) =>
    ofFamily(family, addresses).map((each) => [...station, ...addressBytes(each)]);
  return {
    stations: [station],
    speakers4: speakers(4),
    speakers6: [...speakers(6), [...station, ...linkAddress(mac)]],
  };
}

/** The address that an interface of IPv6 makes of its MAC (RFC 4291, appendix A). */
export function linkAddress(mac: string): number[] {
  const [first, ...rest] = etherBytes(mac);
  return [0xfe, 0x80, 0, 0, 0, 0, 0, 0, first! ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
}

/** That it comes, or that it goes. */
export function stationChanges(table: string, station: Station, isAdded: boolean): ElementChange[] {
  return Object.entries(elementsOf(station)).flatMap(([set, keys]) =>
    keys.length === 0
      ? []
      : [{ isAdded, family: families.bridge, table, set, elements: keys.map((bytes) => ({ key: bytes })) }],
  );
}

const frameSource = frameBytes(6, 6);
const goto = (chain: string): Expression => ({ verdict: { code: -4, chain } });
/** Who sends the frame, from which port, as whom. */
const speaks = (as: Part) => key(input, frameSource, as);

function prerouting(): Expression[][] {
  return [
    [...key(inputGroup), notInSet("guarded"), accept],
    [...is(etherType, [0x08, 0x00]), goto("ip")],
    [...is(etherType, [0x86, 0xdd]), goto("ip6")],
    [...is(etherType, [0x08, 0x06]), goto("arp")],
    [drop],
  ];
}

const isServer = (port: Bytes) => [...is(transport, [17]), ...is(transportBytes(0, 2), port)];

/** Of ICMP in IPv6. */
const isMessage = (type: number) => [...is(transport, [58]), ...is(transportBytes(0, 1), [type])];
const messages = {
  solicit: 135,
  advert: 136,
  router: 134,
  redirect: 137,
  listeners: [131, 132, 143],
} as const;

function ip6(): Expression[][] {
  return [
    [...is(sourceAddress(6), Array<number>(16).fill(0)), goto("nobody")],
    [...speaks(sourceAddress(6)), inSet("speakers6"), goto("ip6-said")],
    [drop],
  ];
}

function ip6Said(): Expression[][] {
  return [
    [...isMessage(messages.router), drop],
    [...isMessage(messages.redirect), drop],
    [...isMessage(messages.advert), goto("advert")],
    [...isServer([2, 35]), drop],
  ];
}

function nobody(): Expression[][] {
  return [
    [...key(input, frameSource), notInSet("stations"), drop],
    ...[messages.solicit, ...messages.listeners].map((type) => [...isMessage(type), accept]),
    [drop],
  ];
}

/** Hardware, protocol, and how long their addresses are; what it is; whose. */
const arpKind = networkBytes(0, 6);
const arpOperation = networkBytes(6, 2);
const arpEther = networkBytes(8, 6);
const arpAddress = networkBytes(14, 4);

function arp(): Expression[][] {
  const isPlain = is(arpKind, [0, 1, 8, 0, 6, 4]);
  return [
    [...isPlain, ...is(arpAddress, [0, 0, 0, 0]), goto("probe")],
    [
      ...isPlain,
      ...[...speaks(arpAddress), inSet("speakers4")],
      ...[...key(input, arpEther, arpAddress), inSet("speakers4")],
      accept,
    ],
    [drop],
  ];
}

function probe(): Expression[][] {
  return [
    [
      ...is(arpOperation, [0, 1]),
      ...[...key(input, frameSource), inSet("stations")],
      ...[...key(input, arpEther), inSet("stations")],
      accept,
    ],
    [drop],
  ];
}
