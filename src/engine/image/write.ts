import type { Draft } from "../../content/draft.ts";
import { type ChildImage, childImage } from "../../image/child.ts";
import type { UnpackedLayer } from "../../image/image-store.ts";
import { chainID, type Digest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media-types.ts";
import { canonical, checkNewName, parse, type Reference } from "../../reference/reference.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { keepReserve } from "../../store/reserve.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";

/** A layer that was made here: a plain tar in a draft, which is not synced yet. */
export interface NewLayer {
  /** Who unpacks it. */
  driver: SnapshotDriver;
  /** chainIDs below, bottom first. */
  parents: readonly Digest[];
  draft: Draft;
  digest: Digest;
  bytes: number;
}

/** @throws RtError invalid-argument: a name that an image cannot be given */
export function parseTarget(text: string): Reference {
  const target = parse(text);
  checkNewName(target);
  return target;
}

/**
 * A new image, of a layer that was made here on top of others; or of those alone. The layer is unpacked before anybody sees the
 * image. Until the last step nothing can be seen; that is a rename and a transaction.
 * @returns the image's id
 */
export async function writeImage(
  host: Host,
  written: NewLayer | undefined,
  target: Reference | undefined,
  made: Omit<ChildImage, "layer">,
): Promise<Digest> {
  const isKept = written ? [chainID(written.parents.at(-1), written.digest), written.digest] : [];
  using _ = await protect(host, isKept, host.session.abort);
  const [unpacked] = written ? await Promise.all([unpack(host, written), written.draft.sync()]) : [];
  const layer = written && unpacked && newLayer(written, unpacked);
  const { record: image, documents } = childImage({ ...made, layer });
  using __ = await protect(
    host,
    documents.map((document) => document.digest),
  );
  const content = await host.content();
  for (const document of documents) await content.put(document.digest, document.bytes);
  if (written) written.draft.publish(written.digest);
  content.sync();
  // A snapshot that no row tells of goes with the next collection, should we die before this.
  if (unpacked) host.images.putLayer(unpacked);
  const tags = target ? [{ name: canonical(target), target: image.manifest.digest }] : [];
  host.images.put({ record: image, tags, blobs: [image.manifest, image.configuration, ...image.layers] });
  keepReserve(host.paths.root);
  return image.id;
}

function newLayer({ digest, bytes }: NewLayer, { size }: UnpackedLayer): ChildImage["layer"] {
  return { blob: { mediaType: mediaTypes.ociLayerTar, digest, size: bytes }, diffID: digest, size };
}

async function unpack(
  host: Host,
  { driver, parents, draft, digest, bytes }: NewLayer,
): Promise<UnpackedLayer> {
  const chain = chainID(parents.at(-1), digest);
  const { abort: signal } = host.session;
  using _ = await (await host.content()).lockChain(chain, { signal });
  const parent = parents.at(-1) ?? null;
  const layer = { chain, driver: driver.name, diff: digest, parent, blob: digest };
  const known = driver.has(chain) ? host.images.layer(chain, driver.name)?.size : undefined;
  if (known !== undefined) return { ...layer, size: known };
  const state = { size: bytes, done: true };
  const { size } = await driver.unpack({
    ...{ chain, parents, diffID: digest, signal, parentReady: Promise.resolve() },
    source: { mediaType: mediaTypes.ociLayerTar, path: draft.path, more: async () => state },
  });
  return { ...layer, size };
}
