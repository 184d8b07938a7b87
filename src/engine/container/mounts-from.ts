import { RtError } from "../../base/errors.ts";
import type { AskedSettings, Mount } from "../../settings/container-settings.ts";
import { cutVolumesFrom, isReadonlyFrom } from "../../settings/volume.ts";
import type { Host } from "../host.ts";

/**
 * What `--volumes-from` takes over of other containers: their volumes and directories of the host, but where the new one is
 * asked to have another mount itself. Of two containers with a mount at one place the later one's is taken.
 * @throws RtError not-found | invalid-argument | data-loss
 */
export function mountsFrom(
  host: Host,
  { volumesFrom, mounts }: Pick<AskedSettings, "volumesFrom" | "mounts">,
): Mount[] {
  const taken = new Map<string, Mount>();
  for (const text of volumesFrom) {
    const { container, mode } = cutVolumesFrom(text);
    const found = host.containers.find(container);
    if (!found) throw new RtError("not-found", `No such container: ${container}`);
    const shared = found.record.mounts.filter(({ type }) => type === "volume" || type === "bind");
    for (const mount of shared) taken.set(mount.destination, takenOver(mount, isReadonlyFrom(mode)));
  }
  for (const { destination } of mounts) taken.delete(destination);
  return [...taken.values()];
}

/** What lies in a volume that another container has is left as it is. */
function takenOver(mount: Mount, readonly: boolean): Mount {
  const options = mount.type === "volume" ? ["nocopy"] : mount.options;
  const { mode: _, byMount: __, ...kept } = mount;
  return { ...kept, readonly: mount.readonly || readonly, options, implied: true };
}
