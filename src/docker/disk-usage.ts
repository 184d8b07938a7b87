import type { ContainerSummary } from "./container-summary.ts";
import type { ImageSummary } from "./image-summary.ts";
import type { VolumeDocument } from "./volume.ts";

/** What takes room on the disk; bytes. GET /system/df is made of it. */
export interface DiskUsage {
  /** Of all unpacked layers, each once. */
  layersSize: number;
  images: ImageUse[];
  /** With sizes and details. */
  containers: ContainerSummary[];
  volumes: VolumeUse[];
}

export interface ImageUse extends ImageSummary {
  /** Of layers that another image has too. */
  sharedSize: number;
  /** How many have it. */
  containers: number;
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

/** As docker's client adds it up. */
export function diskUsageTotals({ layersSize, images, containers, volumes }: DiskUsage): DiskUsageTotal[] {
  const used = images.filter((image) => image.containers > 0);
  const own = sum(used.map(({ size, sharedSize }) => size - sharedSize));
  const writable = (list: readonly ContainerSummary[]) => sum(list.map(({ size }) => size?.writable ?? 0));
  const isActive = ({ state }: ContainerSummary) => /^(running|paused|restarting)$/.test(state);
  const live = containers.filter(isActive);
  const bound = volumes.filter(({ UsageData }) => UsageData.RefCount > 0);
  const bytes = (list: readonly VolumeUse[]) => sum(list.map(({ UsageData }) => UsageData.Size));
  return [
    {
      ...{ type: "Images", total: images.length, active: used.length, size: layersSize },
      reclaimable: Math.max(0, layersSize - own),
    },
    {
      ...{ type: "Containers", total: containers.length, active: live.length, size: writable(containers) },
      reclaimable: writable(containers) - writable(live),
    },
    {
      ...{ type: "Local Volumes", total: volumes.length, active: bound.length, size: bytes(volumes) },
      reclaimable: bytes(volumes) - bytes(bound),
    },
    { type: "Build Cache", total: 0, active: 0, size: 0, reclaimable: 0 },
  ];
}

function sum(list: readonly number[]): number {
  return list.reduce((total, each) => total + each, 0);
}
