import { RtError } from "../base/errors.ts";
import {
  type Address,
  contains,
  formatAddress,
  formatSubnet,
  isReserved,
  lowestFree,
  overlap,
  parseAddress,
  parseCidr,
  type Subnet,
} from "./address.ts";
import { freeSubnet, freeUniqueLocal } from "./pools.ts";
import type { NetworkRecord, SubnetRecord } from "./record.ts";

/** What somebody asks for, as texts. */
export interface AskedSubnets {
  /** "10.1.0.0/16"; none: one of the pools. */
  subnets: readonly string[];
  gateways: readonly string[];
  ranges: readonly string[];
  /** Addresses by name. */
  auxiliary: Readonly<Record<string, string>>;
  /** One of IPv4, unless that is not wanted. */
  ipv4: boolean;
  /** One of IPv6, too. */
  ipv6: boolean;
  /** For the default network. */
  isDefault: boolean;
  /** The host is the gateway, and has an address; else there is one where it is asked for. */
  isGateway: boolean;
}

/** What is taken already. */
export interface Taken {
  others: readonly { name: string; record: NetworkRecord }[];
  /** Where this host's routes lead. */
  routes: readonly Subnet[];
  /** Decides the host's own part of addresses of IPv6. */
  seed: string;
}

/** More than a network of ours is for. */
const smallestPrefix = { 4: 8, 6: 32 } as const;

/**
 * The subnets of a new network: those that are asked for, which must not overlap another network's; else one of the pools,
 * which overlaps no route of this host either.
 * @throws RtError invalid-argument | conflict | exhausted
 */
export function planSubnets(asked: AskedSubnets, taken: Taken): SubnetRecord[] {
  const given = asked.subnets.map(subnetOfText);
  if (!asked.ipv4) rejectFour(given, asked.ipv6);
  const others = taken.others.flatMap(({ name, record }) =>
    record.subnets.map(({ subnet }) => ({ name, subnet: parseCidr(subnet)!.subnet })),
  );
  for (const [index, subnet] of given.entries()) {
    const rest = given.slice(0, index).map((each) => ({ name: "this one", subnet: each }));
    const clash = [...others, ...rest].find((each) => overlap(each.subnet, subnet));
    if (clash) throw overlapping(subnet, clash);
  }
  const all = withDefaults(
    given,
    asked,
    [...others.map(({ subnet }) => subnet), ...taken.routes],
    taken.seed,
  );
  const records = all.map((subnet) => planSubnet(subnet, asked));
  rejectStrays(asked, all);
  return records;
}

/** Docker's words, where it has some. */
function rejectFour(given: readonly Subnet[], ipv6: boolean): void {
  const four = given.find(({ family }) => family === 4);
  if (four) throw wrong(`invalid subnet ${formatSubnet(four)}: the network is to be without IPv4`);
  if (!ipv6 && given.length === 0) throw wrong("IPv4 or IPv6 must be enabled");
}

function withDefaults(
  given: readonly Subnet[],
  { ipv4, ipv6, isDefault }: AskedSubnets,
  taken: readonly Subnet[],
  seed: string,
): Subnet[] {
  const all = [...given];
  if (ipv4 && !given.some(({ family }) => family === 4)) {
    const free = freeSubnet(taken, isDefault);
    if (!free)
      throw new RtError(
        "exhausted",
        "all predefined address pools have been fully subnetted, or this host has routes there: choose a subnet with --subnet",
        { exitCode: 1 },
      );
    all.unshift(free);
  }
  if (ipv6 && !given.some(({ family }) => family === 6)) {
    const free = freeUniqueLocal(seed, taken);
    if (!free)
      throw new RtError("exhausted", "no subnet of IPv6 is left: choose one with --subnet", { exitCode: 1 });
    all.push(free);
  }
  return all.sort((a, b) => a.family - b.family);
}

function subnetOfText(text: string): Subnet {
  const cidr = parseCidr(text);
  if (!cidr)
    throw wrong(`invalid subnet ${JSON.stringify(text)}: want an address and a prefix, as 10.1.0.0/16`);
  const { address, subnet } = cidr;
  if (address.value !== subnet.value)
    throw wrong(
      `invalid subnet ${text}: its address has bits behind the prefix; it should be ${formatSubnet(subnet)}`,
    );
  const smallest = smallestPrefix[subnet.family];
  const largest = subnet.family === 4 ? 30 : 126;
  if (subnet.prefix < smallest || subnet.prefix > largest)
    throw wrong(`invalid subnet ${text}: want a prefix of ${smallest} to ${largest}`);
  const isGood =
    subnet.family === 6 ? !/^(ff|fe[89ab]|::)/.test(text) : !/^(0|127|22[4-9]|2[3-5]\d)\./.test(text);
  if (!isGood) throw wrong(`invalid subnet ${text}: these addresses are not for networks`);
  return subnet;
}

function overlapping(subnet: Subnet, clash: { name: string; subnet: Subnet }): RtError {
  const text = `invalid pool request: Pool overlaps with other one on this address space: ${formatSubnet(subnet)} and ${formatSubnet(clash.subnet)} of ${clash.name}`;
  return new RtError("conflict", text, { exitCode: 1 });
}

const nobody = "none";

function planSubnet(subnet: Subnet, asked: AskedSubnets): SubnetRecord {
  const ranges = asked.ranges.map((text) => rangeOf(text)).filter((range) => contains(subnet, range));
  const gateways = asked.gateways
    .map((text) => addressOf("gateway", text))
    .filter((each) => contains(subnet, each));
  const auxiliary = Object.entries(asked.auxiliary).filter(([, text]) =>
    contains(subnet, addressOf("aux-address", text)),
  );
  if (ranges.length > 1) throw wrong(`multiple ranges in subnet ${formatSubnet(subnet)}`);
  if (gateways.length > 1) throw wrong(`multiple gateways in subnet ${formatSubnet(subnet)}`);
  const [range = subnet] = ranges;
  if (range.prefix < subnet.prefix)
    throw wrong(`ip-range ${formatSubnet(range)} is larger than its subnet ${formatSubnet(subnet)}`);
  const set = auxiliary.map(([, text]) => parseAddress(text)!.value).sort((a, b) => (a < b ? -1 : 1));
  const gateway = gateways[0] ?? (asked.isGateway ? lowestFree(subnet, range, set) : nobody);
  if (!gateway || (gateway !== nobody && (isReserved(subnet, gateway) || set.includes(gateway.value))))
    throw wrong(
      `no address of ${formatSubnet(range)} is left for the gateway, or it is not one that a host can have`,
    );
  return {
    subnet: formatSubnet(subnet),
    gateway: gateway === nobody ? "" : formatAddress(gateway),
    ...(ranges.length > 0 && { range: formatSubnet(range) }),
    auxiliary: Object.fromEntries(auxiliary),
  };
}

function rangeOf(text: string): Subnet {
  const cidr = parseCidr(text);
  if (!cidr)
    throw wrong(`invalid ip-range ${JSON.stringify(text)}: want an address and a prefix, as 10.1.2.0/24`);
  return cidr.subnet;
}

function addressOf(what: string, text: string): Address {
  const address = parseAddress(text);
  if (!address) throw wrong(`invalid ${what} ${JSON.stringify(text)}: not an IP address`);
  return address;
}

/** What belongs to no subnet was meant for one that is not there. */
function rejectStrays(asked: AskedSubnets, subnets: readonly Subnet[]): void {
  const rest = [asked.gateways.length, asked.ranges.length].some((count) => count > 0);
  if (rest && asked.subnets.length === 0)
    throw wrong("every ip-range or gateway must have a corresponding subnet");
  const places: [string, string, Address][] = [
    ...asked.gateways.map((text): [string, string, Address] => ["gateway", text, parseAddress(text)!]),
    ...asked.ranges.map((text): [string, string, Address] => ["range", text, parseCidr(text)!.subnet]),
    ...Object.values(asked.auxiliary).map((text): [string, string, Address] => [
      "aux-address",
      text,
      parseAddress(text)!,
    ]),
  ];
  const stray = places.find(([, , address]) => !subnets.some((subnet) => contains(subnet, address)));
  if (stray) throw wrong(`no matching subnet for ${stray[0]} ${stray[1]}`);
}

function wrong(message: string): RtError {
  return new RtError("invalid-argument", message, { exitCode: 1 });
}
