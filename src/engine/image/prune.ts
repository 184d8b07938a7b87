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
import { RepositoryStore } from "../../image/repository-store.ts";
import { withReserve } from "../../store/reserve.ts";
import { collect, pushedAge_ms } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { removeUnused } from "./remove.ts";

/**
 * Remove images that no container has: those without a tag, or with the filter `dangling=false` all. One that somebody begins
 * to use meanwhile stays. With those without a tag goes what was pushed here under its digest alone, and with all of them what
 * broken transfers have left, unless another filter is there too.
 * @throws RtError invalid-argument: a filter that is none
 */
export async function pruneImages(host: Host, { filters }: { filters: Filters }): Promise<PrunedImages> {
  checkFilters(filters, imagePruneFilters);
  const { dangling = [], ...others } = filters;
  const all = dangling.length > 0 && !dangling.some(isTrue);
  const isWanted = matcher(others, predicate);
  const isFiltered = Object.keys(others).length > 0;
  const users = host.images.users();
  const ImagesDeleted: ImageDeleteItem[] = [];
  const released: string[] = [];
  for (const image of host.images.list()) {
    if (users.has(image.id) || (!all && image.tags.length > 0)) continue;
    if (isFiltered && !(readable(host, image) && isWanted(image))) continue;
    const taken = await removeUnused(host, image);
    ImagesDeleted.push(...taken.gone);
    released.push(...taken.released);
  }
  if (!isFiltered) {
    const rows = new RepositoryStore(host.database);
    const since = Date.now() - pushedAge_ms;
    const untagged = await withReserve(host.paths.root, () => rows.forgetUntagged(since));
    ImagesDeleted.push(...untagged.manifests.map((digest) => ({ Deleted: digest })));
    released.push(...untagged.released);
  }
  const wanted = { released, all: all && !isFiltered, measure: true };
  const { snapshots, bytes } = await withReserve(host.paths.root, () => collect(host, wanted));
  ImagesDeleted.push(...snapshots.map((chain) => ({ Deleted: chain })));
  return { ImagesDeleted, SpaceReclaimed: bytes };
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
