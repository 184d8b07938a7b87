import { closeSync, openSync, readSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import type { ContentStore } from "../content/content-store.ts";
import { compressionOf } from "../oci/compression.ts";
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import { type Digest, digestOf, hexOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { annotations } from "./format.ts";
import { type PackedFile, packedHead } from "./layout-format.ts";

/** Some bytes of a packed layout, in their order: made here, or a blob of the store. */
export type LayoutPart = { bytes: Uint8Array } | { blob: Blob };

/** What of an image's record is needed. */
export interface PackableImage {
  manifest: Blob;
  configuration: Blob;
  layers: readonly Blob[];
  platform: Platform;
}

type Blob = Pick<Descriptor, "mediaType" | "digest" | "size">;

/** How the app is to be run; see format.ts. */
export interface AppWords {
  flags: readonly string[];
  command: readonly string[];
}

/**
 * The packed layout of one image: its own manifest, byte for byte, and all that this names.
 * @param unpackedFrom the blob that the layer of this index was unpacked from
 * @throws RtError not-found | data-loss: something of the image is not in the store
 */
export function appLayout(
  image: PackableImage,
  content: ContentStore,
  unpackedFrom: (index: number) => Digest | undefined,
  words: AppWords,
): LayoutPart[] {
  const layers = image.layers.map((layer, index) => blobOf(content, layer, unpackedFrom(index)));
  const asPulled = layers.every((layer, index) => layer === image.layers[index]);
  const manifest = asPulled ? content.read(image.manifest.digest) : newManifest(image, layers);
  const mediaType = asPulled ? image.manifest.mediaType : mediaTypes.ociManifest;
  const descriptor = { mediaType, digest: digestOf(manifest), size: manifest.length };
  const documents: [string, Uint8Array][] = [
    ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
    ["index.json", indexOf(descriptor, image, words)],
    [blobName(descriptor.digest), manifest],
  ];
  // Two layers may be one blob.
  const blobs = [...new Map([image.configuration, ...layers].map((blob) => [blob.digest, blob])).values()];
  const head = packedHead([
    ...documents.map(([name, bytes]) => fileOf(name, bytes)),
    ...blobs.map(({ digest, size }) => ({ name: blobName(digest), size })),
  ]);
  return [{ bytes: head }, ...documents.map(([, bytes]) => ({ bytes })), ...blobs.map((blob) => ({ blob }))];
}

/**
 * The layer's blob, or the one that stands for it: a layer that was here already when the image was pulled, in another
 * compression, was not fetched again.
 */
function blobOf(content: ContentStore, layer: Blob, other: Digest | undefined): Blob {
  if (content.has(layer.digest)) return layer;
  const size = other && content.size(other);
  if (other && size !== undefined) return { mediaType: typeOf(content.path(other)), digest: other, size };
  throw new RtError(
    "not-found",
    `layer ${layer.digest} is not in the store: remove its image with rt rmi -f and pull it again`,
  );
}

/** Of a tar, by its first bytes. */
function typeOf(path: string): string {
  const start = new Uint8Array(6);
  const fd = openSync(path, "r");
  try {
    readSync(fd, start, 0, start.length, 0);
  } finally {
    closeSync(fd);
  }
  const tar = "application/vnd.oci.image.layer.v1.tar";
  const compression = compressionOf(start);
  return compression === "tar" ? tar : `${tar}+${compression}`;
}

function newManifest(image: PackableImage, layers: readonly Blob[]): Uint8Array {
  return json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: image.configuration, layers });
}

function indexOf(manifest: Blob, { platform }: PackableImage, { flags, command }: AppWords): Uint8Array {
  return json({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...manifest, platform }],
    annotations: {
      [annotations.flags]: JSON.stringify(flags),
      [annotations.command]: JSON.stringify(command),
    },
  });
}

/** Only a blob's name says its digest. */
function fileOf(name: string, bytes: Uint8Array): PackedFile {
  const file = { name, size: bytes.length };
  return name.startsWith("blobs/") ? file : { ...file, sha256: hexOf(digestOf(bytes)) };
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
