import { checkBandwidthMode } from "../../settings/bandwidth.ts";
import { wishesOf } from "../../settings/network.ts";
import type { Host } from "../host.ts";
import { type BandwidthLimits, checkLimits, limitPlaces } from "./bandwidth.ts";
import { lockPlaces, placesIn } from "./place.ts";

/**
 * The limits of a container are other ones; those of one that runs at once.
 * @returns with its lock, where it runs: nobody else changes its networks before they are on record
 * @throws RtError invalid-argument | unsupported
 */
export async function changedBandwidth(
  host: Host,
  id: string,
  wanted: Partial<BandwidthLimits>,
  isRunning: boolean,
): Promise<Disposable | undefined> {
  const lock = isRunning ? await lockPlaces(host, id) : undefined;
  try {
    const record = { ...host.containers.get(id).record, ...wanted };
    checkBandwidthMode(record.networkMode, record);
    const networks = await host.networks();
    const joined = wishesOf(record).flatMap(({ network }) => networks.store.find(network) ?? []);
    checkLimits(networks, joined);
    if (lock) limitPlaces(host, networks, record, placesIn(networks, record));
    return lock;
  } catch (error) {
    lock?.close();
    throw error;
  }
}
