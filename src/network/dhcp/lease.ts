/** What a server's offer comes to. Whatever in it no host could have, or go by, is refused or left out. */
import { type Address, addressOfBytes, isReserved, type Subnet, subnetOf } from "../address.ts";
import { type Address4, address4, code, type ServerAnswer } from "./message.ts";

export interface Route {
  destination: Subnet;
  /** Without one the destination is on the link itself. */
  gateway?: Address;
}

/** Times are in seconds from when it was asked for; an infinite one has Infinity. */
export interface AddressLease {
  address: Address4;
  prefix: number;
  /** Who gave it, and is asked again. */
  server: Address4;
  routes: Route[];
  dns: Address[];
  search: string[];
  hostname?: string;
  mtu?: number;
  renewal_s: number;
  rebinding_s: number;
  expiry_s: number;
}

const serversMax = 8;
const routesMax = 64;
const searchMax = 16;
/** Less would be asked for again all the time. */
const expiryMin_s = 10;
const infinite = 0xffff_ffff;
/** RFC 791 has every host take 576. */
const [mtuMin, mtuMax] = [576, 65_535];

/** @returns why not, as one phrase, when no host could use it */
export function leaseIn({ yours, options }: ServerAnswer): AddressLease | string {
  const address = addressOf4(yours);
  if (!isHost(yours)) return "an address that no host can have";
  const mask = options.get(code.mask);
  const prefix = mask ? prefixOf(mask) : classOf(yours);
  if (prefix === undefined) return "a netmask that is none";
  const subnet = subnetOf(address, prefix);
  if (isReserved(subnet, address)) return "an address that no host can have";
  const server = address4(options.get(code.server));
  if (!server || !isHost(server)) return "no server's address";
  const expiry_s = numberIn(options.get(code.leaseTime), 4);
  if (expiry_s === undefined || expiry_s < expiryMin_s) return "no time to use it";
  const hostname = nameIn(options.get(code.hostname));
  const mtu = numberIn(options.get(code.mtu), 2);
  return {
    ...{ address: yours, prefix, server },
    routes: routesIn(options, address),
    dns: addressesIn(options.get(code.servers), serversMax),
    search: searchIn(options),
    ...(hostname !== undefined && { hostname }),
    ...(mtu !== undefined && mtu >= mtuMin && mtu <= mtuMax && { mtu }),
    ...timesIn(options, expiry_s),
  };
}

/** T1 and T2 as the server has them, where they are in their order; else half, and seven eighths (RFC 2131, 4.4.5). */
function timesIn(options: ServerAnswer["options"], expiry: number) {
  if (expiry === infinite) return { renewal_s: Infinity, rebinding_s: Infinity, expiry_s: Infinity };
  const rebinding = numberIn(options.get(code.rebinding), 4) ?? 0;
  const rebinding_s = rebinding > 1 && rebinding < expiry ? rebinding : expiry * 0.875;
  const renewal = numberIn(options.get(code.renewal), 4) ?? 0;
  const renewal_s = renewal > 0 && renewal < rebinding_s ? renewal : Math.min(expiry / 2, rebinding_s / 2);
  return { renewal_s, rebinding_s, expiry_s: expiry };
}

/** Those of option 121, and then none of option 3 (RFC 3442); else the first router. */
function routesIn(options: ServerAnswer["options"], own: Address): Route[] {
  const classless = options.get(code.routes);
  const routes = classless && classlessRoutes(classless);
  if (routes && routes.length > 0) return routes;
  const gateway = addressesIn(options.get(code.routers), serversMax).find(({ value }) => value !== own.value);
  return gateway ? [{ destination: { family: 4, value: 0n, prefix: 0 }, gateway }] : [];
}

/** A prefix, as many bytes of the destination as it needs, a router; undefined: a length goes beyond the end. */
function classlessRoutes(bytes: Uint8Array): Route[] | undefined {
  const routes: Route[] = [];
  let at = 0;
  while (at < bytes.length && routes.length < routesMax) {
    const prefix = bytes[at++]!;
    const significant = Math.ceil(prefix / 8);
    const router = address4(bytes.subarray(at + significant, at + significant + 4));
    if (prefix > 32 || !router) return undefined;
    const destination = new Uint8Array(4);
    destination.set(bytes.subarray(at, at + significant));
    at += significant + 4;
    const subnet = subnetOf(addressOfBytes(destination), prefix);
    const isOnLink = router.every((byte) => byte === 0);
    if (isForeign(subnet) || !(isOnLink || isHost(router))) continue;
    routes.push({ destination: subnet, ...(!isOnLink && { gateway: addressOf4(router) }) });
  }
  return routes;
}

/** A destination that is nobody's to lead elsewhere: this host itself, or groups. */
function isForeign(subnet: Subnet): boolean {
  return subnet.prefix >= 8 && !isHost(bytes4(subnet.value));
}

function bytes4(value: bigint): Address4 {
  const [a, b, c, d] = [24n, 16n, 8n, 0n].map((shift) => Number((value >> shift) & 255n));
  return [a!, b!, c!, d!];
}

export function addressOf4(bytes: Address4): Address {
  return addressOfBytes(Uint8Array.from(bytes));
}

/** Not of this network (0/8), this host (127/8), groups or what is beyond. */
export function isHost([first]: Address4): boolean {
  return first !== 0 && first !== 127 && first < 224;
}

function addressesIn(bytes: Uint8Array | undefined, max: number): Address[] {
  if (!bytes || bytes.length % 4 !== 0) return [];
  const all = Array.from({ length: bytes.length / 4 }, (_, index) =>
    address4(bytes.subarray(index * 4, index * 4 + 4)),
  );
  const hosts = all.filter((each) => each !== undefined).filter(isHost);
  return hosts.slice(0, max).map(addressOf4);
}

/** The number of bits of a netmask, all of which are at its beginning. */
function prefixOf(mask: Uint8Array): number | undefined {
  if (mask.length !== 4) return undefined;
  const bits = [...mask].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const length = bits.indexOf("0");
  if (bits.lastIndexOf("1") > length && length >= 0) return undefined;
  const prefix = length < 0 ? 32 : length;
  return prefix >= 1 ? prefix : undefined;
}

/** Of an address without a netmask, by its class as of old. */
export function classOf([first]: Address4): number {
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

function numberIn(bytes: Uint8Array | undefined, length: number): number | undefined {
  if (bytes?.length !== length) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** Search lists of option 119, else the domain of option 15. */
function searchIn(options: ServerAnswer["options"]): string[] {
  const list = options.get(code.search);
  const names = list && domainsIn(list);
  if (names && names.length > 0) return names;
  const domain = nameIn(options.get(code.domain));
  return domain === undefined ? [] : [domain];
}

/** One name of hosts or domains; undefined for anything else that a file or the kernel should not be told. */
function nameIn(bytes: Uint8Array | undefined): string | undefined {
  if (!bytes || bytes.length > nameBytesMax + 2) return undefined;
  const text = Buffer.from(bytes).toString("latin1").replace(/\0+$/, "").replace(/\.$/, "");
  return isDomain(text) ? text : undefined;
}

const nameBytesMax = 253;

export function isDomain(text: string): boolean {
  const label = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
  return text.length <= nameBytesMax && text.split(".").every((each) => label.test(each));
}

/** Names as DNS writes them, each of which may end in one before it (RFC 3397); undefined: not a list of those. */
function domainsIn(bytes: Uint8Array): string[] | undefined {
  const names: string[] = [];
  let at = 0;
  while (at < bytes.length && names.length < searchMax) {
    const read = domainAt(bytes, at);
    if (!read) return undefined;
    if (isDomain(read.name)) names.push(read.name);
    at = read.next;
  }
  return names;
}

/** A pointer leads only backwards, so there is an end; a name is not longer than names are. */
function domainAt(bytes: Uint8Array, start: number): { name: string; next: number } | undefined {
  const labels: string[] = [];
  let [at, lowest, length] = [start, start, 0];
  let next: number | undefined;
  while (true) {
    const size = bytes[at];
    if (size === undefined) return undefined;
    if (size === 0) return { name: labels.join("."), next: next ?? at + 1 };
    if (size >= 0xc0) {
      const to = ((size & 0x3f) << 8) | (bytes[at + 1] ?? 0xff);
      if (to >= lowest) return undefined;
      next ??= at + 2;
      at = lowest = to;
      continue;
    }
    length += size + 1;
    if (size > 63 || at + 1 + size > bytes.length || length > nameBytesMax) return undefined;
    labels.push(Buffer.from(bytes.subarray(at + 1, at + 1 + size)).toString("latin1"));
    at += 1 + size;
  }
}
