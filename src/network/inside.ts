import { existsSync } from "node:fs";
import { type Address, addressBytes, contains, type Family, parseAddress, parseCidr } from "./address.ts";
import type { NetworkEndpoint } from "./endpoint-store.ts";
import type { Operation } from "./netlink.ts";
import type { Network } from "./network-store.ts";

/**
 * What an endpoint's interface gets in the container, whatever it is: it is up, and has its addresses and nothing that the
 * kernel thinks of.
 * @param announced its neighbours are told of its addresses of IPv4
 */
export function addressesInside(
  { record }: Network,
  { interface: name, addresses }: NetworkEndpoint,
  announced = false,
): Operation[] {
  const own = record.subnets.flatMap(({ subnet: text }) => {
    const { subnet } = parseCidr(text)!;
    const address = addresses.find((each) => contains(subnet, each));
    return address ? [{ address, prefix: subnet.prefix }] : [];
  });
  const of = (family: Family): Operation[] =>
    own
      .filter(({ address }) => address.family === family)
      .map(({ address, prefix }) => ({
        address: { name, address: { address: addressBytes(address), prefix } },
      }));
  return [
    ...(existsSync("/proc/sys/net/ipv6") ? [{ unnumbered: { name } }] : []),
    ...(announced ? [{ announced: { name } }] : []),
    // What is told is what is there when it is set up; those of IPv6 would wait for that.
    ...of(4),
    { up: { name } },
    ...of(6),
  ];
}

/** The default routes of these families, to the network's first gateway of each, where it has one. */
export function routesInside(
  network: Network,
  { interface: name }: NetworkEndpoint,
  families: readonly Family[],
): Operation[] {
  const gateways = network.record.internal ? [] : gatewaysOf(network);
  return families
    .flatMap((wanted) => gateways.find(({ family }) => family === wanted) ?? [])
    .map((gateway) => ({ gateway: { name, address: addressBytes(gateway) } }));
}

/** A network that is not a bridge may be without. */
export function gatewaysOf({ record }: Network): Address[] {
  return record.subnets.flatMap(({ gateway }) => parseAddress(gateway) ?? []);
}

export function familiesOf({ record }: Network): Family[] {
  return [...new Set(record.subnets.map(({ subnet }) => parseCidr(subnet)!.subnet.family))];
}
