import { RtError } from "../../base/errors.ts";
import { ManifestListStore } from "../../image/manifest-list-store.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { findEntry, listName } from "./found.ts";

export interface CreateListOptions {
  /** One of this name gets them too. */
  amend: boolean;
  /** False: their registries may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
}

const entriesMax = 256;

/**
 * A list of images for several platforms, kept here until it is pushed: all of them, or none.
 * @returns its name in full
 */
export async function createList(
  host: Host,
  list: string,
  manifests: readonly string[],
  { amend, tlsVerify }: CreateListOptions,
): Promise<string> {
  const name = listName(list);
  const lists = new ManifestListStore(host.database);
  if (!amend && lists.has(name))
    throw new RtError("conflict", "refusing to amend an existing manifest list with no --amend flag");
  if (manifests.length > entriesMax)
    throw new RtError(
      "invalid-argument",
      `a list has at most ${entriesMax} images, and these are ${manifests.length}`,
    );
  const known = new Map(
    lists.has(name) ? lists.get(name).map((entry) => [entry.reference, entry] as const) : [],
  );
  using kept = new DisposableStack();
  const keep = async (items: readonly string[]) =>
    void kept.use(await protect(host, items, host.session.abort));
  const found = [];
  for (const text of manifests) found.push(await findEntry(host, text, tlsVerify, keep));
  const items = new Map(found.map((each) => [each.reference, each.items]));
  const content = await host.content();
  for (const { digest, bytes } of found) await content.put(digest, bytes);
  content.sync();
  const entries = found.map(({ bytes: _bytes, manifest: _manifest, items: _items, ...entry }) => {
    const before = known.get(entry.reference);
    // What has been said about the very same image stays said.
    return before?.digest === entry.digest ? { ...entry, platform: before.platform } : entry;
  });
  lists.add(name, entries, items, amend);
  return name;
}
