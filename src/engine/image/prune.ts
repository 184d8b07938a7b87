import { RtError } from "../../base/errors.ts";
import {
  checkFilters,
  type Filters,
  hasLabel,
  imagePruneFilters,
  isTrue,
  matcher,
} from "../../docker/filters.ts";
import type { ImageDeleteItem, PrunedImages } from "../../docker/image-delete.ts";
import { timeOf } from "../../docker/image-summary.ts";
import { parseMoment } from "../../docker/timestamp.ts";
import type { Image } from "../../image/image-store.ts";
import { familiar } from "../../reference/reference.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { removeImage } from "./remove.ts";

/**
 * Remove images that no container has: those without a tag, or with the filter `dangling=false` all. One that somebody begins
 * to use meanwhile stays.
 * @throws RtError invalid-argument: a filter that is none
 */
export async function pruneImages(host: Host, { filters }: { filters: Filters }): Promise<PrunedImages> {
  checkFilters(filters, imagePruneFilters);
  const { dangling = [], ...others } = filters;
  const all = dangling.length > 0 && !dangling.some(isTrue);
  const isWanted = matcher(others, predicate);
  const users = host.images.users();
  const sizes = new Map(host.images.layerUses().map(({ chain, size }) => [chain as string, size]));
  const pruned: PrunedImages = { ImagesDeleted: [], SpaceReclaimed: 0 };
  for (const image of host.images.list()) {
    if (users.has(image.id) || (!all && image.tags.length > 0)) continue;
    if (Object.keys(others).length > 0 && !(readable(host, image) && isWanted(image))) continue;
    const gone = await removeAll(host, image);
    pruned.ImagesDeleted.push(...gone);
    for (const item of gone) if ("Deleted" in item) pruned.SpaceReclaimed += sizes.get(item.Deleted) ?? 0;
  }
  return pruned;
}

/** Name by name, as one that is forced would be taken from a container that was made meanwhile. */
async function removeAll(host: Host, { id, tags, digests }: Image): Promise<ImageDeleteItem[]> {
  const gone: ImageDeleteItem[] = [];
  for (const name of [...tags, ...digests].map(familiar)) {
    // The last tag of a repository takes its digests with it.
    if (host.images.idOf(name) !== id) continue;
    const removed = await removedOrKept(host, name);
    if (!removed) return gone;
    gone.push(...removed);
  }
  if (host.images.idOf(id) === id) gone.push(...((await removedOrKept(host, id)) ?? []));
  return gone;
}

async function removedOrKept(host: Host, name: string): Promise<ImageDeleteItem[] | undefined> {
  try {
    return await removeImage(host, name);
  } catch (error) {
    if (error instanceof RtError && (error.code === "conflict" || error.code === "not-found"))
      return undefined;
    throw error;
  }
}

function predicate(key: string, value: string): (image: Image) => boolean {
  switch (key) {
    case "label":
      return ({ record }) => hasLabel(record.config.Labels ?? {}, value);
    case "label!":
      return ({ record }) => !hasLabel(record.config.Labels ?? {}, value);
    case "until": {
      const limit_ms = Number(parseMoment("until", value, Date.now()) / 1_000_000n);
      return ({ record }) => timeOf(record.created) < limit_ms;
    }
    default:
      throw new RtError("internal", `the filter ${key} has no meaning`);
  }
}
