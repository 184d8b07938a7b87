import { overlap, parseCidr, type Subnet, subnetOf } from "./address.ts";

/** Docker's default pools of IPv4, in its order, and how large the subnets are that are cut out of each. */
export const defaultPools: readonly { base: string; size: number }[] = [
  { base: "172.17.0.0/16", size: 16 },
  { base: "172.18.0.0/15", size: 16 },
  { base: "172.20.0.0/14", size: 16 },
  { base: "172.24.0.0/13", size: 16 },
  { base: "192.168.0.0/16", size: 20 },
];

const pools: readonly Subnet[] = defaultPools.flatMap(({ base, size }) => {
  const { subnet } = parseCidr(base)!;
  const step = 1n << BigInt(32 - size);
  return Array.from({ length: 2 ** (size - subnet.prefix) }, (_, index) =>
    subnetOf({ family: 4, value: subnet.value + BigInt(index) * step }, size),
  );
});

/**
 * The first subnet of the pools that overlaps none of those that are taken. What leads to a half of the world or to all of it
 * takes nothing: it is a default route, or a VPN's instead of one.
 *
 * @param isDefault for the default network: the very first is left to that as long as there are others
 * @returns undefined when there is none
 */
export function freeSubnet(taken: readonly Subnet[], isDefault: boolean): Subnet | undefined {
  const real = taken.filter(({ family, prefix }) => family === 4 && prefix > 1);
  const [first, ...others] = pools;
  const order = isDefault ? pools : [...others, first!];
  return order.find((pool) => !real.some((each) => overlap(each, pool)));
}

/**
 * The first /64 of IPv6 that overlaps none of those that are taken, in a /48 of this host's own (RFC 4193): fd00::/8, and forty
 * bits that `seed` decides.
 */
export function freeUniqueLocal(seed: string, taken: readonly Subnet[]): Subnet | undefined {
  const digest = new Bun.CryptoHasher("sha256").update(seed).digest();
  const site = digest.subarray(3, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0xfdn);
  const real = taken.filter(({ family, prefix }) => family === 6 && prefix > 1);
  for (let number = 0n; number < 65536n; number++) {
    const subnet = subnetOf({ family: 6, value: ((site << 16n) | number) << 64n }, 64);
    if (!real.some((each) => overlap(each, subnet))) return subnet;
  }
  return undefined;
}
