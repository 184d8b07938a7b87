import { RtError } from "../../base/errors.ts";
import type { ImageDeleteItem } from "../../docker/image-delete.ts";
import type { Image } from "../../image/image-store.ts";
import { familiar } from "../../reference/reference.ts";
import { withReserve } from "../../store/reserve.ts";
import { collect } from "../care/collect.ts";
import { look } from "../container/look.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";

export interface RemoveImageOptions {
  force?: boolean;
  /** Also remove the layers that nothing needs any more. On unless false. */
  prune?: boolean;
}

/**
 * `rt rmi`.
 *
 * @returns what is gone, in the order in which to tell
 * @throws RtError not-found | conflict; then nothing was removed
 */
export async function removeImage(
  host: Host,
  text: string,
  options: RemoveImageOptions = {},
): Promise<ImageDeleteItem[]> {
  const { gone, released } = await takeNames(host, await host.localName(text), options.force ?? false);
  if (released.length === 0 || options.prune === false) return gone;
  const { snapshots } = await withReserve(host.paths.root, () => collect(host, { released }));
  return [...gone, ...snapshots.map((chain) => ({ Deleted: chain }))];
}

export interface Gone {
  gone: ImageDeleteItem[];
  /** Blobs and chainIDs that an image needed which is no more. */
  released: string[];
}

/** All names of an image that no container has, and the image. Of one that somebody begins to use meanwhile what is left stays. */
export async function removeUnused(host: Host, { id, tags, digests }: Image): Promise<Gone> {
  const all: Gone = { gone: [], released: [] };
  for (const name of [...[...tags, ...digests].map(familiar), id]) {
    // The last tag of a repository takes its digests with it.
    if (host.images.idOf(name) !== id) continue;
    const taken = await takenOrKept(host, name);
    if (!taken) return all;
    all.gone.push(...taken.gone);
    all.released.push(...taken.released);
  }
  return all;
}

async function takenOrKept(host: Host, name: string): Promise<Gone | undefined> {
  try {
    return await takeNames(host, name, false);
  } catch (error) {
    const isKept = error instanceof RtError && (error.code === "conflict" || error.code === "not-found");
    if (!isKept) throw error;
    return undefined;
  }
}

/** What is left of its bytes is collection's. */
async function takeNames(host: Host, name: string, force: boolean): Promise<Gone> {
  const removal = await withReserve(host.paths.root, () =>
    host.images.remove(name, {
      force,
      isRunning: (id) => look(host, { id, exit: undefined }).state.status === "running",
    }),
  );
  const gone: ImageDeleteItem[] = removal.untagged.map((name) => ({ Untagged: name }));
  if (removal.deleted) gone.push({ Deleted: removal.deleted });
  for (const tag of removal.untagged) imageEvent(host, "untag", removal.image, tag);
  if (removal.deleted) imageEvent(host, "delete", removal.deleted, removal.deleted);
  return { gone, released: removal.released };
}
