import type { TagRecord } from "../../image/image-store.ts";
import type { BlobRecord, ImageRecord } from "../../image/record.ts";
import type { LayerPlan } from "../../image/transfer.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ResolvedImage } from "../../source/source.ts";
import type { Host } from "../host.ts";

export interface Recorded {
  image: ImageRecord;
  /** Was anything of it new? */
  changed: boolean;
}

/** Writes an image down, in one transaction: its blobs and snapshots are all here. From then on it can be seen. */
export async function recordImage(
  host: Host,
  found: ResolvedImage,
  plan: readonly LayerPlan[],
  tags: readonly TagRecord[],
): Promise<Recorded> {
  const unpacked = await unpackedLayers(host, plan);
  const image = recordOf(
    found,
    plan,
    unpacked.reduce((sum, layer) => sum + (layer?.size ?? 0), 0),
  );
  const documents = found.documents.map(({ digest, mediaType, bytes }) => {
    return { digest, mediaType, size: bytes.length };
  });
  const layers = await layerBlobs(
    host,
    image,
    unpacked.map((layer) => layer?.blob),
  );
  return { image, changed: host.images.put({ record: image, tags, blobs: [...documents, ...layers] }) };
}

async function unpackedLayers(host: Host, plan: readonly LayerPlan[]) {
  const { name } = await host.snapshots();
  return plan.map(({ chain }) => host.images.layer(chain, name));
}

/** @param size bytes of the unpacked layers */
function recordOf(
  { manifest, config }: ResolvedImage,
  plan: readonly LayerPlan[],
  size: number,
): ImageRecord {
  const blob = ({ mediaType, digest, size }: BlobRecord) => ({ mediaType, digest, size });
  const { os, architecture, variant } = config;
  return {
    id: manifest.config.digest,
    manifest: blob(manifest),
    configuration: blob(manifest.config),
    layers: manifest.layers.map(blob),
    diffIDs: config.rootfs.diff_ids,
    chain: plan.map(({ chain }) => chain),
    config: config.config,
    platform: { os, architecture, ...(variant && { variant }) },
    created: config.created ?? "",
    author: config.author ?? "",
    size,
  };
}

/**
 * The one place that decides which layer blobs are kept once they are unpacked: all, as save and push need them. For a
 * layer that was here before, in another compression, that is the blob it was made from.
 */
async function layerBlobs(
  host: Host,
  { layers }: ImageRecord,
  unpackedFrom: readonly (Digest | undefined)[],
): Promise<BlobRecord[]> {
  const content = await host.content();
  return layers.flatMap((layer, index) => {
    if (content.has(layer.digest)) return [layer];
    const other = unpackedFrom[index];
    const size = other && content.size(other);
    return other && size !== undefined ? [{ mediaType: layer.mediaType, digest: other, size }] : [];
  });
}
