import type { Address, Family } from "../../network/address.ts";
import type { Targets } from "../../network/hold-ports.ts";
import type { Networks } from "../../network/networks.ts";
import { ledFamilies, type NetworkPlace } from "./place.ts";

/** A network by which ports of the host lead to a container, to its addresses of these families. */
export interface Way {
  place: NetworkPlace;
  families: Family[];
}

export type Ways = readonly [Way, ...Way[]];

/** By those of its networks that this host is the gateway of. */
export function waysOf(networks: Networks, places: readonly NetworkPlace[]): Way[] {
  return places
    .filter(({ network }) => networks.driver(network.driver, () => {}).isGateway)
    .map((place) => ({ place, families: ledFamilies(places, place) }))
    .filter(({ families }) => families.length > 0);
}

/** The container's addresses that ports lead to. */
export function targetsOf(ways: readonly Way[]): Targets {
  return Object.fromEntries(
    ways.flatMap(({ place, families }) =>
      place.endpoint.addresses
        .filter(({ family }) => families.includes(family))
        .map((each): [number, Address] => [each.family, each]),
    ),
  );
}
