import type { ImageDeleteItem } from "../../docker/image-delete.ts";
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
  const name = await host.localName(text);
  const { root } = host.paths;
  const removal = await withReserve(root, () =>
    host.images.remove(name, {
      force: options.force ?? false,
      isRunning: (id) => look(host, { id, exit: undefined }).state.status === "running",
    }),
  );
  const gone: ImageDeleteItem[] = removal.untagged.map((name) => ({ Untagged: name }));
  if (removal.deleted) gone.push({ Deleted: removal.deleted });
  for (const tag of removal.untagged) imageEvent(host, "untag", removal.image, tag);
  if (removal.deleted) imageEvent(host, "delete", removal.deleted, removal.deleted);
  if (removal.released.length === 0 || options.prune === false) return gone;
  const { snapshots } = await withReserve(root, () => collect(host, { released: removal.released }));
  return [...gone, ...snapshots.map((chain) => ({ Deleted: chain }))];
}
