import { invalid } from "../base/invalid.ts";
import { visible } from "../base/visible.ts";
import {
  type ContainerListElement,
  type ContainerSummary,
  containerListElement,
  containerSummary,
} from "./container-summary.ts";
import { type ImageListElement, type ImageSummary, imageListElement, imageSummary } from "./image-summary.ts";
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

/** GET /system/df. What was not asked for is null. */
export interface DiskUsageAnswer {
  LayersSize: number;
  Images: ImageListElement[] | null;
  Containers: ContainerListElement[] | null;
  Volumes: VolumeUse[] | null;
  BuildCache: never[] | null;
  /** Ours, both. */
  LayersReclaimable: number;
  Leftovers: DiskUsage["leftovers"];
}

const diskUsageTypes = ["container", "image", "volume", "build-cache"] as const;

/** @throws RtError invalid-argument, in Docker's words */
export function checkDiskUsageTypes(types: readonly string[]): void {
  const strange = types.find((type) => !(diskUsageTypes as readonly string[]).includes(type));
  if (strange !== undefined) throw invalid(`unknown object type: ${visible(strange)}`);
}

/** @param types which are asked for; all where there are none */
export function diskUsageAnswer(usage: DiskUsage, types: readonly string[]): DiskUsageAnswer {
  const has = (type: (typeof diskUsageTypes)[number]) => types.length === 0 || types.includes(type);
  return {
    LayersSize: has("image") ? usage.layersSize : 0,
    Images: has("image") ? usage.images.map(imageListElement) : null,
    Containers: has("container") ? usage.containers.map(containerListElement) : null,
    Volumes: has("volume") ? usage.volumes : null,
    BuildCache: has("build-cache") ? [] : null,
    LayersReclaimable: usage.layersReclaimable,
    Leftovers: usage.leftovers,
  };
}

/** What an engine says of it, with what only ours says. */
export function diskUsageOf(answer: DiskUsageAnswer): DiskUsage {
  const nothing = { count: 0, active: 0, size: 0, reclaimable: 0 };
  return {
    layersSize: answer.LayersSize,
    layersReclaimable: answer.LayersReclaimable ?? 0,
    leftovers: answer.Leftovers ?? nothing,
    images: (answer.Images ?? []).map((element) => {
      const sharedSize = Math.max(0, element.SharedSize);
      return { ...imageSummary(element), sharedSize };
    }),
    containers: (answer.Containers ?? []).map(containerSummary),
    volumes: answer.Volumes ?? [],
  };
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
