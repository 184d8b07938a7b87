import { closeSync, openSync, readSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content-store.ts";
import type { ChildImage } from "../../image/child.ts";
import type { BlobRecord, ImageRecord } from "../../image/record.ts";
import { compressionOf } from "../../oci/compression.ts";
import type { Digest } from "../../oci/digest.ts";
import { type HistoryEntry, parseImageConfig } from "../../oci/image-config.ts";
import { ociLayerType } from "../../oci/media-types.ts";
import type { Host } from "../host.ts";

/** An image as what another is made on. @throws RtError conflict: a blob of it is not here */
export async function baseOf(host: Host, image: ImageRecord): Promise<ChildImage["base"]> {
  const content = await host.content();
  const { name } = await host.snapshots();
  const layers = image.layers.map((layer, index) => {
    // One that was here before, in another compression, is the blob that it was made from.
    const digest = content.has(layer.digest)
      ? layer.digest
      : host.images.layer(image.chain[index]!, name)?.blob;
    return blobOf(content, digest) ?? missing(image);
  });
  const { diffIDs, chain, platform, size } = image;
  return { layers, diffIDs, chain, platform, size, history: historyOf(content, image) };
}

function missing({ id }: ImageRecord): never {
  const why = `a layer of image ${id.slice("sha256:".length, "sha256:".length + 12)} is not here: pull it again`;
  throw new RtError("conflict", why, { exitCode: 1 });
}

function blobOf(content: ContentStore, digest: Digest | undefined): BlobRecord | undefined {
  const size = digest && content.size(digest);
  if (!digest || size === undefined) return undefined;
  const head = Buffer.alloc(6);
  const fd = openSync(content.path(digest), "r");
  try {
    readSync(fd, head, 0, head.length, 0);
  } finally {
    closeSync(fd);
  }
  return { mediaType: ociLayerType(compressionOf(head)), digest, size };
}

/** Of layers that its config does not tell of, there is one word for each. */
function historyOf(content: ContentStore, image: ImageRecord): HistoryEntry[] {
  const { history } = parseImageConfig(content.read(image.configuration.digest), `the config of ${image.id}`);
  const told = history.filter((entry) => !entry.empty_layer).length;
  if (told === image.diffIDs.length) return history;
  return image.diffIDs.map(() => ({ created: image.created || "1970-01-01T00:00:00Z" }));
}
