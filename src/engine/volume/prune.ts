import { RtError } from "../../base/errors.ts";
import {
  checkFilters,
  type Filters,
  hasLabel,
  isTrue,
  matcher,
  volumePruneFilters,
} from "../../docker/filters.ts";
import type { PrunedVolumes } from "../../docker/volume.ts";
import { treeUsage } from "../../layer/tree.ts";
import { withReserve } from "../../store/reserve.ts";
import { volumeDirectory } from "../../volume/directory.ts";
import type { Volume } from "../../volume/volume-store.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { removeIfUnused, removeLeftovers } from "./remove.ts";

/** Remove the volumes that no container has; of those that somebody named only with the filter `all=true`. */
export async function pruneVolumes(host: Host, { filters }: { filters: Filters }): Promise<PrunedVolumes> {
  checkFilters(filters, volumePruneFilters);
  const { all = [], ...labels } = filters;
  const isCandidate = (volume: Volume) => volume.anonymous || all.some(isTrue);
  const isLabelled = matcher(labels, predicate);
  const volumes = await host.volumes();
  const used = volumes.inUse();
  const pruned: PrunedVolumes = { VolumesDeleted: [], SpaceReclaimed: 0 };
  if (used === undefined) {
    host.warn("no volume is removed: the record of a container is damaged, and it may have any");
    return pruned;
  }
  for (const volume of volumes.list()) {
    const { name } = volume;
    if (!isCandidate(volume) || used.has(name) || !isWanted(host, volume, labels, isLabelled)) continue;
    const size = await sizeOf(host, name);
    if (!(await withReserve(host.paths.root, () => removeIfUnused(host, name)))) continue;
    pruned.VolumesDeleted.push(name);
    pruned.SpaceReclaimed += size;
  }
  await removeLeftovers(host);
  return pruned;
}

/** Where labels decide, a volume whose labels nobody can read stays. */
function isWanted(
  host: Host,
  volume: Volume,
  labels: Filters,
  isLabelled: (labels: Readonly<Record<string, string>>) => boolean,
): boolean {
  if (Object.keys(labels).length === 0) return true;
  const record = readable(host, volume);
  return record !== undefined && isLabelled(record.labels);
}

function predicate(key: string, value: string): (labels: Readonly<Record<string, string>>) => boolean {
  switch (key) {
    case "label":
      return (labels) => hasLabel(labels, value);
    case "label!":
      return (labels) => !hasLabel(labels, value);
    default:
      throw new RtError("internal", `the filter ${key} has no meaning`);
  }
}

/** One that is just going, or whose directory is gone, has none. */
async function sizeOf(host: Host, name: string): Promise<number> {
  try {
    return (await treeUsage(volumeDirectory(host.paths.root, name))).bytes;
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return 0;
  }
}
