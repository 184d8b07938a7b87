import { humanSize } from "../../base/human-size.ts";
import type { PrunedImages } from "../../docker/image-delete.ts";

/** What is gone, as docker's prune tells it; nothing where nothing is. */
export function prunedText(title: string, names: readonly string[]): string {
  return names.length === 0 ? "" : `Deleted ${title}:\n${names.map((name) => `${name}\n`).join("")}\n`;
}

export function prunedImagesText({ ImagesDeleted }: PrunedImages): string {
  const lines = ImagesDeleted.map((item) =>
    "Untagged" in item ? `untagged: ${item.Untagged}` : `deleted: ${item.Deleted}`,
  );
  return prunedText("Images", lines);
}

export function reclaimedText(bytes: number): string {
  return `Total reclaimed space: ${humanSize(bytes, 4)}\n`;
}
