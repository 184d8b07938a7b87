import { RtError } from "../../base/errors.ts";
import { type Container, recordOf } from "../../container/stored-container.ts";
import type { DiskUsage, ImageUse, VolumeUse } from "../../docker/disk-usage.ts";
import { treeUsage } from "../../layer/tree.ts";
import { volumeDirectory } from "../../volume/directory.ts";
import { list } from "../container/list.ts";
import type { Host } from "../host.ts";
import { listImages } from "../image/list.ts";
import { listVolumes } from "../volume/list.ts";

/** What takes room on the disk. Trees are walked, one after the other. */
export async function diskUsage(host: Host): Promise<DiskUsage> {
  const uses = host.images.layerUses();
  const layers = new Map(uses.map(({ chain, size }) => [chain, size]));
  const containers = await list(host, { all: true, filters: {}, size: true, details: true });
  return {
    layersSize: [...layers.values()].reduce((sum, size) => sum + size, 0),
    images: imageUses(host, uses),
    containers,
    volumes: await volumeUses(host),
  };
}

function imageUses(host: Host, uses: ReturnType<Host["images"]["layerUses"]>): ImageUse[] {
  const users = host.images.users();
  const shared = new Map<string, number>();
  for (const { image, size, images } of uses)
    if (images > 1) shared.set(image, (shared.get(image) ?? 0) + size);
  return listImages(host).map((summary) => ({
    ...summary,
    sharedSize: shared.get(summary.id) ?? 0,
    containers: users.get(summary.id as never) ?? 0,
  }));
}

async function volumeUses(host: Host): Promise<VolumeUse[]> {
  const references = new Map<string, number>();
  for (const container of host.containers.list())
    for (const name of volumesOf(container)) references.set(name, (references.get(name) ?? 0) + 1);
  const found: VolumeUse[] = [];
  for (const volume of await listVolumes(host, { filters: {} })) {
    const Size = await sizeOf(volumeDirectory(host.paths.root, volume.Name));
    found.push({ ...volume, UsageData: { Size, RefCount: references.get(volume.Name) ?? 0 } });
  }
  return found;
}

function volumesOf(container: Container): Set<string> {
  return new Set((recordOf(container)?.mounts ?? []).flatMap(({ name }) => name ?? []));
}

/** One that is just going has none. */
async function sizeOf(directory: string): Promise<number> {
  try {
    return (await treeUsage(directory)).bytes;
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return 0;
  }
}
