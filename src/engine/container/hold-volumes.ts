import type { Mount, MountRequest } from "../../settings/container-settings.ts";
import type { Lease } from "../../store/leases.ts";
import type { NewVolume } from "../../volume/volume-store.ts";
import type { Host } from "../host.ts";
import { volumeEvent } from "../record-event.ts";

/**
 * The volumes of a container that is to be, made where they are not there yet. They are in use by the lease until the
 * container's row says so.
 */
export async function holdVolumes(
  host: Host,
  mounts: readonly Mount[],
  asked: readonly MountRequest[],
): Promise<Lease | undefined> {
  const wanted = mounts.flatMap(({ type, name, anonymous = false, destination }): NewVolume[] => {
    if (type !== "volume" || name === undefined) return [];
    const { labels = {}, volumeOptions: options = {} } =
      asked.find((each) => each.destination === destination) ?? {};
    return [{ name, anonymous, labels, options }];
  });
  if (wanted.length === 0) return undefined;
  const { lease, made } = (await host.volumes()).hold(wanted);
  for (const name of made) volumeEvent(host, "create", name);
  return lease;
}
