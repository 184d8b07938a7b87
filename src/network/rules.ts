import { addressBytes, bitsOf, type Subnet } from "./address.ts";
import type { Expression, Table } from "./netlink.ts";

/** What the firewall has to know of a network. */
export interface Fenced {
  /** The host's interface. */
  bridge: string;
  /** Leads nowhere else. */
  internal: boolean;
  /** What leaves the host has the host's address. */
  masquerade: boolean;
  subnets: readonly Subnet[];
}

/** A change in what the tables say changes this number: tables of before are replaced then. */
export const revision = 1;

/** linux/socket.h */
export const families = { 4: 2, 6: 10 } as const;

/**
 * The fence around our networks, a table for each family of addresses, as nft(8) would show it:
 *
 *   set bridges    { type ifname; }            all of them
 *   set internal   { type ifname; }            those that lead nowhere else
 *   set same       { type ifname . ifname; }   each of them with itself
 *
 *   chain forward {
 *     type filter hook forward priority filter; policy accept;
 *     iifname . oifname @same accept           a neighbour, where bridged packets come by here (br_netfilter)
 *     iifname @internal drop
 *     oifname @internal drop
 *     ct state established,related accept
 *     oifname @bridges drop                    another network's container, or whoever knows a route to us
 *   }
 *   chain postrouting {
 *     type nat hook postrouting priority srcnat; policy accept;
 *     ip saddr SUBNET oifname != BRIDGE masquerade
 *   }
 *
 * To accept ends our chain only: what another table drops stays dropped. Nothing here says anything about packets that have no
 * interface of ours on either side.
 *
 * @param comment tells the next of us what it was made for
 */
export function fence(family: 4 | 6, name: string, comment: string, networks: readonly Fenced[]): Table {
  const bridges = networks.map(({ bridge }) => interfaceBytes(bridge));
  const internal = networks.filter((each) => each.internal).map(({ bridge }) => interfaceBytes(bridge));
  return {
    ...{ family: families[family], name, comment },
    sets: [
      { name: "bridges", type: interfaceType, bytes: 16, order: 1, elements: bridges },
      { name: "internal", type: interfaceType, bytes: 16, order: 1, elements: internal },
      {
        name: "same",
        type: (interfaceType << 6) | interfaceType,
        ...{ bytes: 32, order: 0 },
        elements: bridges.map((bridge) => [...bridge, ...bridge]),
      },
    ],
    chains: [
      { name: "forward", type: "filter", hook: hooks.forward, priority: 0, rules: forward() },
      {
        ...{ name: "postrouting", type: "nat", hook: hooks.postrouting, priority: 100 },
        rules: networks.flatMap((network) => masquerades(family, network)),
      },
    ],
  };
}

/** NF_INET_* */
const hooks = { forward: 2, postrouting: 4 } as const;
/** nft's number of the type, by which it shows elements. */
const interfaceType = 41;
/** enum nft_meta_keys, nft_ct_keys; the network header as the base of a payload */
const [keyInput, keyOutput, keyState, networkHeader] = [6, 7, 0, 1];
const [drop, accept] = [0, 1];
const [equal, unequal] = [0, 1];
/** Registers of 16 bytes. */
const [first, second] = [1, 2];
const [established, related] = [2, 4];

function forward(): Expression[][] {
  const input = { meta: { key: keyInput, register: first } };
  const output = { meta: { key: keyOutput, register: first } };
  return [
    [input, { meta: { key: keyOutput, register: second } }, inSet("same"), verdict(accept)],
    [input, inSet("internal"), verdict(drop)],
    [output, inSet("internal"), verdict(drop)],
    [
      { track: { key: keyState, register: first } },
      { mask: { register: first, mask: numberBytes(established | related) } },
      { compare: { register: first, operation: unequal, value: numberBytes(0) } },
      verdict(accept),
    ],
    [output, inSet("bridges"), verdict(drop)],
  ];
}

function masquerades(family: 4 | 6, { bridge, internal, masquerade, subnets }: Fenced): Expression[][] {
  if (internal || !masquerade) return [];
  return subnets
    .filter((subnet) => subnet.family === family)
    .map((subnet) => [
      ...from(subnet),
      { meta: { key: keyOutput, register: first } },
      { compare: { register: first, operation: unequal, value: interfaceBytes(bridge) } },
      { masquerade: {} },
    ]);
}

/** The packet's source is in the subnet. */
function from(subnet: Subnet): Expression[] {
  const bits = bitsOf(subnet.family);
  const rest = BigInt(bits - subnet.prefix);
  const ones = ((1n << BigInt(subnet.prefix)) - 1n) << rest;
  const offset = subnet.family === 4 ? 12 : 8;
  return [
    { payload: { base: networkHeader, offset, bytes: bits / 8, register: first } },
    { mask: { register: first, mask: addressBytes({ family: subnet.family, value: ones }) } },
    { compare: { register: first, operation: equal, value: addressBytes(subnet) } },
  ];
}

function inSet(set: string): Expression {
  return { lookup: { register: first, set } };
}

function verdict(code: number): Expression {
  return { verdict: { code } };
}

/** As the kernel has an interface's name: 16 bytes. */
function interfaceBytes(name: string): number[] {
  return [...Buffer.alloc(16, `${name}\0`, "latin1").fill(0, name.length)];
}

/** A number of the machine's own. */
function numberBytes(value: number): number[] {
  return [...new Uint8Array(Uint32Array.of(value).buffer)];
}
