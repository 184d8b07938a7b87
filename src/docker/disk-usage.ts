import type { ContainerSummary } from "./container-summary.ts";
import type { ImageSummary } from "./image-summary.ts";
import type { VolumeDocument } from "./volume.ts";

/** What takes room on the disk; bytes. GET /system/df is made of it. */
export interface DiskUsage {
  /** Of all blobs and unpacked layers that images and containers need, each once. */
  layersSize: number;
  /** Of these, what goes with the images that no container has. */
  layersReclaimable: number;
  /** What no image needs: what transfers have left that broke off, or are still going on. */
  leftovers: { count: number; active: number; size: number; reclaimable: number };
  images: ImageUse[];
  /** With sizes and details. */
  containers: ContainerSummary[];
  volumes: VolumeUse[];
}

/** Its `size` is that of its blobs and its unpacked layers. */
export interface ImageUse extends ImageSummary {
  /** Of blobs and layers that another image has too. */
  sharedSize: number;
}

export interface VolumeUse extends VolumeDocument {
  UsageData: { Size: number; RefCount: number };
}

/** One line of `system df`. */
export interface DiskUsageTotal {
  type: "Images" | "Containers" | "Local Volumes" | "Build Cache";
  total: number;
  active: number;
  size: number;
  reclaimable: number;
}

/** Docker's lines. There is no builder: "Build Cache" is what else the store has. */
export function diskUsageTotals(usage: DiskUsage): DiskUsageTotal[] {
  const { layersSize, layersReclaimable, leftovers, images, containers, volumes } = usage;
  const used = images.filter((image) => image.containers > 0);
  const writable = (list: readonly ContainerSummary[]) => sum(list.map(({ size }) => size?.writable ?? 0));
  const isActive = ({ state }: ContainerSummary) => /^(running|paused|restarting)$/.test(state);
  const live = containers.filter(isActive);
  const bound = volumes.filter(({ UsageData }) => UsageData.RefCount > 0);
  const bytes = (list: readonly VolumeUse[]) => sum(list.map(({ UsageData }) => UsageData.Size));
  return [
    {
      ...{ type: "Images", total: images.length, active: used.length, size: layersSize },
      reclaimable: layersReclaimable,
    },
    {
      ...{ type: "Containers", total: containers.length, active: live.length, size: writable(containers) },
      reclaimable: writable(containers) - writable(live),
    },
    {
      ...{ type: "Local Volumes", total: volumes.length, active: bound.length, size: bytes(volumes) },
      reclaimable: bytes(volumes) - bytes(bound),
    },
    {
      ...{ type: "Build Cache", total: leftovers.count, active: leftovers.active, size: leftovers.size },
      reclaimable: leftovers.reclaimable,
    },
  ];
}

function sum(list: readonly number[]): number {
  return list.reduce((total, each) => total + each, 0);
}
