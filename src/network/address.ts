/** Of addresses. */
export type Family = 4 | 6;

/** Addresses of IPv4 and IPv6, and the subnets that they are in, as numbers. */
export interface Address {
  family: Family;
  value: bigint;
}

/** `value` is its first address. */
export interface Subnet extends Address {
  /** Bits that all its addresses have in common. */
  prefix: number;
}

export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** "10.1.2.3" or "fd00::1", without a zone; undefined for what is none. */
export function parseAddress(text: string): Address | undefined {
  const value = text.includes(":") ? valueOf6(text) : valueOf4(text);
  return value === undefined ? undefined : { family: text.includes(":") ? 6 : 4, value };
}

function valueOf4(text: string): bigint | undefined {
  const parts = text.split(".");
  const isOne =
    parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return isOne ? parts.reduce((value, part) => value * 256n + BigInt(part), 0n) : undefined;
}

function valueOf6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [front, back] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const groups = [...front!, ...(back ?? [])];
  const last = groups.at(-1) ?? "";
  if (last.includes(".")) {
    const value = text.endsWith("::") ? undefined : valueOf4(last);
    if (value === undefined) return undefined;
    (back ?? front!).splice(-1, 1, (value >> 16n).toString(16), (value & 0xffffn).toString(16));
  }
  const count = front!.length + (back?.length ?? 0);
  if (back ? count > 7 : count !== 8) return undefined;
  const all = [...front!, ...Array<string>(8 - count).fill("0"), ...(back ?? [])];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return all.reduce((value, group) => value * 65536n + BigInt(`0x${group}`), 0n);
}

/** As RFC 5952 has those of IPv6. */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return parts(value, 4, 8n).join(".");
  const groups = parts(value, 8, 16n).map((group) => group.toString(16));
  const zeros = [...groups.join(":").matchAll(/(?<![^:])0(:0)+(?![^:])/g)].map(([run]) => run);
  const longest = zeros.reduce((best, run) => (run.length > best.length ? run : best), "");
  if (longest === "") return groups.join(":");
  const [before, after] = cutAt(groups.join(":"), longest);
  return `${before.replace(/:$/, "")}::${after.replace(/^:/, "")}`;
}

function cutAt(text: string, part: string): [string, string] {
  const at = new RegExp(`(?<![^:])${part}(?![^:])`).exec(text)!.index;
  return [text.slice(0, at), text.slice(at + part.length)];
}

function parts(value: bigint, count: number, bits: bigint): number[] {
  return Array.from({ length: count }, (_, index) => {
    return Number((value >> (BigInt(count - 1 - index) * bits)) & ((1n << bits) - 1n));
  });
}

/** In the network's order: 4, or 16. */
export function addressBytes({ family, value }: Address): number[] {
  return parts(value, bitsOf(family) / 8, 8n);
}

export function addressOfBytes(bytes: Uint8Array): Address {
  const value = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** "10.1.2.3/16": the address, and the subnet that it is in; undefined for what is none. */
export function parseCidr(text: string): { address: Address; subnet: Subnet } | undefined {
  const [front = "", digits = "", ...more] = text.split("/");
  const address = parseAddress(front);
  if (!address || more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const prefix = Number(digits);
  if (prefix > bitsOf(address.family)) return undefined;
  return { address, subnet: subnetOf(address, prefix) };
}

export function subnetOf({ family, value }: Address, prefix: number): Subnet {
  const rest = BigInt(bitsOf(family) - prefix);
  return { family, value: (value >> rest) << rest, prefix };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet)}/${subnet.prefix}`;
}

export function contains(subnet: Subnet, { family, value }: Address): boolean {
  return family === subnet.family && subnetOf({ family, value }, subnet.prefix).value === subnet.value;
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return a.prefix <= b.prefix ? contains(a, b) : contains(b, a);
}

function lastOf({ family, value, prefix }: Subnet): bigint {
  return value + (1n << BigInt(bitsOf(family) - prefix)) - 1n;
}

/**
 * Is it one that nobody may have? The first address of a subnet is its own name (in IPv6 that of its routers), the last of one
 * of IPv4 means all; where there are two only, both are good (RFC 3021).
 */
export function isReserved(subnet: Subnet, { value }: Address): boolean {
  if (bitsOf(subnet.family) - subnet.prefix < 2) return false;
  return value === subnet.value || (subnet.family === 4 && value === lastOf(subnet));
}

/**
 * The lowest address of `range` that is good in `subnet` and not among those that are taken.
 *
 * @param taken in ascending order
 * @returns undefined when there is none
 */
export function lowestFree(subnet: Subnet, range: Subnet, taken: Iterable<bigint>): Address | undefined {
  const { family } = subnet;
  const last = lastOf(range);
  let value = range.value;
  const advance = () => {
    while (value <= last && isReserved(subnet, { family, value })) value++;
  };
  advance();
  for (const each of taken) {
    if (each < value) continue;
    if (each > value) break;
    value++;
    advance();
  }
  return value <= last ? { family, value } : undefined;
}
