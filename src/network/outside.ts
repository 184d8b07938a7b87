/** A machine's own way to the outside: what is configured on an interface of it, and what it becomes. */
import { type Address, addressBytes, formatAddress, type Subnet } from "./address.ts";
import { type Operation, operate, type Prefix, type RoutePlan, refused } from "./netlink.ts";

export interface Outside {
  addresses: readonly { address: Address; prefix: number }[];
  /** Without a gateway the destination is on the link itself. */
  routes: readonly { destination: Subnet; gateway?: Address }[];
  mtu?: number;
}

export const nothing: Outside = { addresses: [], routes: [] };

/** Bring it up: only then it is known whether anything is at its other end. @throws RtError */
export function bringUp(name: string): void {
  const refusal = operate([{ up: { name } }]);
  if (refusal) throw refused(`cannot configure ${name}`, refusal);
}

/**
 * The interface gets what `wanted` has, and loses what was there `before` and is wanted no longer. What somebody else has put
 * there stays.
 * @throws RtError: something of it cannot be had; all else is there
 */
export function settle(name: string, wanted: Outside, before: Outside): void {
  const routes = wanted.routes.map((route) => planOf(route));
  const addresses = wanted.addresses.map((each) => prefixOf(each));
  const isIn = <T>(list: readonly T[]) => {
    const known = new Set(list.map((each) => JSON.stringify(each)));
    return (each: T) => known.has(JSON.stringify(each));
  };
  const [keepsRoute, keepsAddress] = [isIn(routes), isIn(addresses)];
  const oldRoutes = before.routes.map(planOf).filter((route) => !keepsRoute(route));
  const oldAddresses = before.addresses.map(prefixOf).filter((address) => !keepsAddress(address));
  // Somebody may have taken them away before us, and a route goes with its address.
  for (const route of oldRoutes) operate([{ giveUpRoute: { name, route } }]);
  for (const address of oldAddresses) operate([{ giveUpAddress: { name, address } }]);
  // One by one: that the last cannot be had does not keep the first from us.
  const steps: Operation[] = [
    ...(wanted.mtu !== undefined ? [{ mtu: { name, mtu: wanted.mtu } }] : []),
    { up: { name } },
    ...addresses.map((address) => ({ ownAddress: { name, address } })),
    // Gateways are reached by what is on the link.
    ...routes.filter(({ gateway }) => gateway.length === 0).map((route) => ({ route: { name, route } })),
    ...routes.filter(({ gateway }) => gateway.length > 0).map((route) => ({ route: { name, route } })),
  ];
  const refusals = steps.map((step) => operate([step])).filter((each) => each !== undefined);
  if (refusals[0]) throw refused(`cannot configure ${name}`, refusals[0]);
}

function prefixOf({ address, prefix }: Outside["addresses"][number]): Prefix {
  return { address: addressBytes(address), prefix };
}

function planOf({ destination, gateway }: Outside["routes"][number]): RoutePlan {
  const { prefix, ...address } = destination;
  return {
    destination: { address: addressBytes(address), prefix },
    gateway: gateway ? addressBytes(gateway) : [],
  };
}

export function addressesShown({ addresses }: Outside): string {
  return addresses.map(({ address, prefix }) => `${formatAddress(address)}/${prefix}`).join(" and ");
}
