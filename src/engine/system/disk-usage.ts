import { type Container, recordOf } from "../../container/stored-container.ts";
import type { DiskUsage, ImageUse, VolumeUse } from "../../docker/disk-usage.ts";
import { volumeDirectory } from "../../volume/directory.ts";
import { treeBytes } from "../care/collect.ts";
import { list } from "../container/list.ts";
import type { Host } from "../host.ts";
import { listImages } from "../image/list.ts";
import { listVolumes } from "../volume/list.ts";
import { storeUsage } from "./store-usage.ts";

/** What takes room on the disk, as du(1) counts. Trees are walked, one after the other. */
export async function diskUsage(host: Host): Promise<DiskUsage> {
  const stored = await storeUsage(host);
  const images = (await listImages(host)).map((summary): ImageUse => {
    const { size, shared } = stored.images.get(summary.id) ?? { size: 0, shared: 0 };
    return { ...summary, size, sharedSize: shared };
  });
  return {
    layersSize: stored.size,
    layersReclaimable: stored.reclaimable,
    leftovers: stored.leftovers,
    images,
    containers: await list(host, { all: true, filters: {}, size: true, details: true }),
    volumes: await volumeUses(host),
  };
}

async function volumeUses(host: Host): Promise<VolumeUse[]> {
  const references = new Map<string, number>();
  for (const container of host.containers.list())
    for (const name of volumesOf(container)) references.set(name, (references.get(name) ?? 0) + 1);
  const found: VolumeUse[] = [];
  for (const volume of await listVolumes(host, { filters: {} })) {
    const Size = await treeBytes(volumeDirectory(host.paths.root, volume.Name));
    found.push({ ...volume, UsageData: { Size, RefCount: references.get(volume.Name) ?? 0 } });
  }
  return found;
}

function volumesOf(container: Container): Set<string> {
  return new Set((recordOf(container)?.mounts ?? []).flatMap(({ name }) => name ?? []));
}
