import type { Descriptor } from "../oci/descriptor.ts";
import { chainID, type Digest, digestOf } from "../oci/digest.ts";
import type { ContainerDefaults, HistoryEntry } from "../oci/image-config.ts";
import { mediaTypes } from "../oci/media-types.ts";
import type { BlobRecord, ImageRecord } from "./record.ts";

/** An image on top of another: what is below, and what is new. */
export interface ChildImage {
  base: {
    /** Bottom first, as they are in the content store. */
    layers: readonly BlobRecord[];
    diffIDs: readonly Digest[];
    chain: readonly Digest[];
    history: readonly HistoryEntry[];
    platform: ImageRecord["platform"];
    /** Bytes of its unpacked layers. */
    size: number;
  };
  /** Undefined: it changes nothing of the files. */
  layer: { blob: BlobRecord; diffID: Digest; size: number } | undefined;
  config: ContainerDefaults;
  author: string;
  comment: string;
  /** The command that made it. */
  createdBy: string;
  /** RFC 3339. */
  created: string;
}

export interface ImageDocuments {
  record: ImageRecord;
  /** The config, then the manifest. */
  documents: readonly { digest: Digest; mediaType: string; bytes: Uint8Array }[];
}

/** Its config and manifest (OCI image-spec, config.md and manifest.md), and the record of it. */
export function childImage({ base, layer, config, ...made }: ChildImage): ImageDocuments {
  const { author, comment, createdBy: created_by, created } = made;
  const diffIDs = [...base.diffIDs, ...(layer ? [layer.diffID] : [])];
  const layers = [...base.layers, ...(layer ? [layer.blob] : [])];
  const chain = [...base.chain, ...(layer ? [chainID(base.chain.at(-1), layer.diffID)] : [])];
  const entry = {
    ...{ created, created_by },
    ...(author && { author }),
    ...(comment && { comment }),
    ...(!layer && { empty_layer: true }),
  };
  const configuration = documentOf(mediaTypes.ociConfig, {
    created,
    ...(author && { author }),
    ...base.platform,
    config,
    rootfs: { type: "layers", diff_ids: diffIDs },
    history: [...base.history, entry],
  });
  const manifest = documentOf(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptorOf(configuration),
    layers,
  });
  const record: ImageRecord = {
    id: configuration.digest,
    manifest: descriptorOf(manifest),
    configuration: descriptorOf(configuration),
    ...{ layers, diffIDs, chain, config, platform: base.platform, created, author },
    ...(comment && { comment }),
    size: base.size + (layer?.size ?? 0),
  };
  return { record, documents: [configuration, manifest] };
}

type Document = ImageDocuments["documents"][number];

function documentOf(mediaType: string, value: object): Document {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { digest: digestOf(bytes), mediaType, bytes };
}

function descriptorOf({
  digest,
  mediaType,
  bytes,
}: Document): Pick<Descriptor, "digest" | "mediaType" | "size"> {
  return { mediaType, digest, size: bytes.length };
}
