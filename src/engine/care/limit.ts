import { RtError } from "../../base/errors.ts";
import type { Image } from "../../image/image-store.ts";
import { RepositoryStore } from "../../image/repository-store.ts";
import type { Digest } from "../../oci/digest.ts";
import { familiar } from "../../reference/reference.ts";
import { leasedItems } from "../../store/leases.ts";
import { withReserve } from "../../store/reserve.ts";
import type { Host } from "../host.ts";
import { removeUnused } from "../image/remove.ts";
import { chainsOfContainers, collect } from "./collect.ts";

/** A label of an image, and a tag that anybody may give one: it stays. */
const keepWord = "rt.keep";

/** Who pulls from a mirror asks for its manifest first, and then for what that names. */
const mirroredStays_ms = 10 * 60_000;

/**
 * `store-limit` of the configuration, after something has come: where all together takes more, that goes first which is a
 * mirror's and can be had again, then images of which a container was made, or which were pulled or named, longest ago. None
 * goes that a container has, that is to be kept, or that a running command is at work on; nor what was pushed here and is no
 * image. Below the limit this is two sums in the database, and a look at the files of what no image needs.
 * @param fresh ids of those that have just come
 */
export async function keepWithinLimit(host: Host, fresh: readonly string[]): Promise<void> {
  const { storeLimit: limit } = await host.config();
  if (limit === undefined || (await storedBytes(host)) <= limit) return;
  // What broken transfers have unpacked, and nobody went on with for a day, counts too.
  await withReserve(host.paths.root, () => collect(host));
  await forgetMirrored(host, limit);
  for (const image of thoseThatMayGo(host, fresh)) {
    if ((await storedBytes(host)) <= limit) return;
    const { released } = await removeUnused(host, image);
    if (released.length === 0) continue;
    await withReserve(host.paths.root, () => collect(host, { released }));
    host.warn(`image ${nameOf(image)} was removed: the store is over its limit of ${limitText(limit)}`);
  }
  if ((await storedBytes(host)) > limit)
    host.warn(`the store is over its limit of ${limitText(limit)}, and no other image may go`);
}

/** Of images, and of what only repositories have. */
async function storedBytes(host: Host): Promise<number> {
  const content = await host.content();
  const items = new RepositoryStore(host.database).itemsOfNoImage();
  return items.reduce((sum, item) => sum + (content.size(item) ?? 0), host.images.storedBytes());
}

/** What was asked for longest ago first; as much at once as might do. */
async function forgetMirrored(host: Host, limit: number): Promise<void> {
  const rows = new RepositoryStore(host.database);
  const content = await host.content();
  const since = Date.now() - mirroredStays_ms;
  const old = rows.mirrored().filter(({ used }) => used <= since);
  while (old.length > 0) {
    let excess = (await storedBytes(host)) - limit;
    if (excess <= 0) return;
    const released: Digest[] = [];
    while (excess > 0 && old.length > 0) {
      const { repository, digest } = old.shift()!;
      const gone = await withReserve(host.paths.root, () => rows.removeManifest(repository, digest));
      for (const each of gone ?? []) excess -= content.size(each) ?? 0;
      released.push(...(gone ?? []));
    }
    await withReserve(host.paths.root, () => collect(host, { released }));
  }
}

/** The one that was used longest ago first. Of one whose layers others need that stay there is next to nothing to be had. */
function thoseThatMayGo(host: Host, fresh: readonly string[]): Image[] {
  const isHeld = heldItems(host);
  const needs = Map.groupBy(host.images.needs(), ({ image }) => image);
  const itemsOf = ({ id }: Image) => (needs.get(id) ?? []).map(({ item }) => item);
  const may = host.images
    .leastRecentlyUsed()
    .filter((image) => !(fresh.includes(image.id) || isToBeKept(image) || itemsOf(image).some(isHeld)));
  const going = new Set(may.map(({ id }) => id));
  const staying = new Set(
    [...needs].flatMap(([image, items]) => (going.has(image) ? [] : items.map(({ item }) => item))),
  );
  return may.filter((image) => layersOf(host, image, itemsOf(image)).some((item) => !staying.has(item)));
}

/** What an image has of its layers here: chainIDs of those that are unpacked, and blobs. */
function layersOf(host: Host, { id, record }: Image, items: readonly Digest[]): Digest[] {
  const blobs = new Set(record.layers.map(({ digest }) => digest));
  return [...host.images.layerSizes(id).keys(), ...items.filter((item) => blobs.has(item))];
}

/** What running commands are at work on, and what is mounted in containers; where that is unknown it may be anything. */
function heldItems(host: Host): (item: string) => boolean {
  const leased = host.database.transaction(() => leasedItems(host.database));
  const { chains, unknown } = chainsOfContainers(host);
  const mounted = new Set(chains);
  return (item) => unknown || leased.has(item) || mounted.has(item);
}

/** One whose labels nobody can read is kept as well. */
function isToBeKept(image: Image): boolean {
  if (image.tags.some(({ tag }) => tag === keepWord)) return true;
  try {
    const value = image.record.config.Labels?.[keepWord];
    return value !== undefined && value !== "false";
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return true;
  }
}

function nameOf({ id, tags }: Image): string {
  return tags[0] ? familiar(tags[0]) : id.slice("sha256:".length, "sha256:".length + 12);
}

/** As the configuration has it: "20g". */
export function limitText(bytes: number): string {
  const power = [4, 3, 2, 1].find((power) => bytes % 1024 ** power === 0) ?? 0;
  return `${bytes / 1024 ** power}${["", "k", "m", "g", "t"][power]}`;
}
