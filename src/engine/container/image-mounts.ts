import { RtError } from "../../base/errors.ts";
import type { Mount } from "../../settings/container-settings.ts";
import type { Lease } from "../../store/leases.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { obtainImage } from "../image/obtain.ts";
import type { CreateOptions } from "./run-options.ts";

/**
 * `--mount type=image`: the images, pulled where the container's own would be, and their layers. The lease keeps those until the
 * container's row does.
 * @throws RtError not-found, and all that a pull throws
 */
export async function withImages(
  host: Host,
  mounts: readonly Mount[],
  options: CreateOptions,
): Promise<{ mounts: Mount[]; lease: Lease }> {
  const found: Mount[] = [];
  for (const mount of mounts) {
    if (mount.type !== "image") found.push(mount);
    else
      found.push({ ...mount, chain: (await obtainImage(host, { ...options, image: mount.source })).chain });
  }
  const chains = found.flatMap(({ chain = [] }) => chain);
  const lease = await protect(host, chains, host.session.abort);
  const snapshots = await host.snapshots();
  const gone = found.find(({ chain }) => chain?.some((layer) => !snapshots.has(layer)));
  if (!gone) return { mounts: found, lease };
  lease[Symbol.dispose]();
  throw new RtError("not-found", `No such image: ${gone.source} (it was just removed)`);
}
