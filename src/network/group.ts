import type { Network } from "./network-store.ts";

/** Of all interfaces of the network on the host, which are known by it: neither 0, where all others are, nor below. */
export function groupOf({ id }: Pick<Network, "id">): number {
  return Number.parseInt(id.slice(0, 8), 16) >>> 1 || 1;
}
