import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../../base/errors.ts";
import { newId } from "../../base/new-id.ts";
import { detoursFile, parseDetours } from "../../container/detours-file.ts";
import { removeDetour } from "../../network/bandwidth.ts";
import type { NetworkDriver } from "../../network/driver.ts";
import type { NetworkEndpoint } from "../../network/endpoint-store.ts";
import type { Network } from "../../network/network-store.ts";
import type { Networks } from "../../network/networks.ts";
import type { Host } from "../host.ts";

export interface BandwidthLimits {
  bandwidthUp: number;
  bandwidthDown: number;
}

/** @throws RtError unsupported: one of the networks has no port on the host where it could be done */
export function checkLimits(networks: Networks, joined: readonly Network[]): void {
  for (const { name, driver } of joined) limiterOf(networks, name, driver);
}

function limiterOf(networks: Networks, name: string, driver: string): Required<NetworkDriver>["limit"] {
  const { limit } = networks.driver(driver, () => {});
  if (limit) return limit;
  const message = `--bandwidth-up and --bandwidth-down are for bridge networks: ${name} is a ${driver} network`;
  throw new RtError("unsupported", message);
}

/** The container's interface in each of them goes no faster. @throws RtError */
export function limitPlaces(
  host: Host,
  networks: Networks,
  { id, bandwidthUp: up, bandwidthDown: down }: BandwidthLimits & { id: string },
  places: readonly { network: Network; endpoint: NetworkEndpoint }[],
): void {
  const directory = host.stateOf(id);
  for (const { network, endpoint } of places) {
    const limit = limiterOf(networks, network.name, network.driver);
    limit(network, endpoint, { up, down }, detourOf(directory, endpoint.id));
  }
}

/** Its name is another one in each state directory, so that whoever clears away after one life takes nothing of the next. */
function detourOf(directory: string, endpoint: string): string {
  const path = join(directory, detoursFile);
  const known = parseDetours(read(path)).find((each) => each.endpoint === endpoint);
  if (known) return known.name;
  const name = `ifb${newId().slice(0, 12)}`;
  appendFileSync(path, `${endpoint} ${name}\n`, { mode: 0o600 });
  return name;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}

/** Of places that it has left. */
export function removeDetoursOf(host: Host, id: string, left: readonly NetworkEndpoint[]): void {
  const all = parseDetours(read(join(host.stateOf(id), detoursFile)));
  for (const { endpoint, name } of all) if (left.some((each) => each.id === endpoint)) removeDetour(name);
}

export function removeDetours(names: readonly string[]): void {
  for (const name of names) removeDetour(name);
}
