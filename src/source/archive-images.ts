import { RtError } from "../base/errors.ts";
import { compressionOf } from "../oci/compression.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOf, isDigest } from "../oci/digest.ts";
import { checkLayerCount, parseImageConfig } from "../oci/image-config.ts";
import { arrayIn, fieldsIn, optionalIn, parseJson, shown, stringIn, stringsIn } from "../oci/json.ts";
import { chosen, type RawDocument } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { isArtifact } from "../oci/platform.ts";
import { type Archive, fileDigest, headOf } from "./archive-files.ts";
import { v1Images } from "./archive-v1.ts";
import { nameOf, readIndex, readWhole } from "./layout.ts";

/** An image of an archive, which may hold several. */
export interface ArchivedImage {
  /** What the archive calls it: whole references, mere tags, or whatever somebody wrote. */
  names: string[];
  /** Its index or manifest; of an image of the older form that is made here. */
  root(): Promise<RawDocument | Descriptor>;
}

/**
 * All images of an archive, in its own order. What docker has written since 25, containerd, BuildKit and podman's oci-archive is an
 * OCI layout, and that counts where there is one; older docker, podman's docker-archive and skopeo's have manifest.json alone, and
 * docker of before 1.10 had neither.
 *
 * @throws not-found: it is no archive of images; data-loss | exhausted | unsupported
 */
export async function imagesIn(files: Archive): Promise<ArchivedImage[]> {
  if (files.has("oci-layout") && files.has("index.json")) return imagesOfLayout(files);
  if (files.has("manifest.json")) return savedImages(files);
  if (files.has("repositories")) return imagesOfV1(files);
  throw new RtError(
    "not-found",
    `${files.name} is no archive of images: it has neither index.json nor manifest.json`,
  );
}

async function imagesOfLayout(files: Archive): Promise<ArchivedImage[]> {
  const { index, bytes } = await readIndex(files.name, files);
  const entries = index.manifests.filter((entry) => !isArtifact(entry));
  const byDigest = Map.groupBy(entries, ({ digest }) => digest);
  // Several without a name are one image, for several platforms.
  if (byDigest.size > 1 && entries.every((entry) => nameOf(entry) === undefined))
    return [{ names: [], root: async () => ({ bytes, contentType: mediaTypes.ociIndex }) }];
  return [...byDigest.values()].map((same) => ({
    names: [...new Set(same.flatMap((entry) => nameOf(entry) ?? []))],
    root: async () => chosen(same[0]!, `${files.name}: index.json`),
  }));
}

/** An image without a manifest of its own. */
interface Saved {
  config: Uint8Array;
  /** Of the config, for messages. */
  name: string;
  layers: readonly string[];
}

/** What was found out of a file, which any number of images may have as a layer, any number of times. */
type KnownLayers = Map<string, { mediaType: string; digest: Digest | undefined }>;

async function savedImages(files: Archive): Promise<ArchivedImage[]> {
  const what = `${files.name}: manifest.json`;
  const known: KnownLayers = new Map();
  const list = arrayIn(parseJson(await readWhole(files, "manifest.json", files.name), what), what);
  return list.map((value) => {
    const field = fieldsIn(value, what);
    const config = stringIn(field("Config"), `${what}: Config`);
    const layers = optionalIn(field("Layers"), `${what}: Layers`, stringsIn) ?? [];
    const names = optionalIn(field("RepoTags"), `${what}: RepoTags`, stringsIn) ?? [];
    return {
      names,
      async root() {
        const bytes = await readWhole(files, config, files.name);
        return manifestOf(files, { config: bytes, name: config, layers }, known);
      },
    };
  });
}

async function imagesOfV1(files: Archive): Promise<ArchivedImage[]> {
  const known: KnownLayers = new Map();
  return (await v1Images(files)).map(({ names, converted }) => ({
    names,
    async root() {
      const { config, layers } = await converted();
      return manifestOf(files, { config, name: "config", layers }, known);
    },
  }));
}

/** The manifest that such an image never had. */
async function manifestOf(files: Archive, saved: Saved, known: KnownLayers): Promise<RawDocument> {
  const { config: bytes, name } = saved;
  const digest = digestOf(bytes);
  files.alias(digest, bytes);
  const parsed = parseImageConfig(bytes, `${files.name}: ${shown(name)}`);
  checkLayerCount(parsed, saved.layers, files.name);
  const diffIDs = parsed.rootfs.diff_ids;
  const layers: Descriptor[] = [];
  for (const [index, layer] of saved.layers.entries())
    layers.push(await layerDescriptor(files, layer, diffIDs[index]!, known));
  const config = { mediaType: mediaTypes.dockerConfig, digest, size: bytes.length };
  const mediaType = mediaTypes.dockerManifest;
  const manifest = { schemaVersion: 2, mediaType, config, layers };
  return { bytes: new TextEncoder().encode(JSON.stringify(manifest)), contentType: mediaType };
}

/** What it claims to be is found out when its bytes are read; where it claims nothing, it is read once for that. */
async function layerDescriptor(
  files: Archive,
  layer: string,
  diffID: Digest,
  known: KnownLayers,
): Promise<Descriptor> {
  const found = known.get(layer) ?? (await layerFacts(files, layer));
  known.set(layer, found);
  const { mediaType, digest = diffID } = found;
  files.alias(digest, layer);
  return { mediaType, digest, size: await files.sizeOf(layer) };
}

/** A plain tar's own digest is its diffID, and none is told; a file of a layout is called by its own. */
async function layerFacts(
  files: Archive,
  layer: string,
): Promise<{ mediaType: string; digest: Digest | undefined }> {
  const mediaType = layerTypeOf(await headOf(files, layer));
  if (mediaType === mediaTypes.dockerLayerTar) return { mediaType, digest: undefined };
  const named = `sha256:${/^blobs\/sha256\/([0-9a-f]{64})$/.exec(layer)?.[1]}`;
  return { mediaType, digest: isDigest(named) ? named : await fileDigest(files, layer) };
}

function layerTypeOf(start: Uint8Array): string {
  switch (compressionOf(start)) {
    case "gzip":
      return mediaTypes.dockerLayerGzip;
    case "zstd":
      return mediaTypes.dockerLayerZstd;
    default:
      return mediaTypes.dockerLayerTar;
  }
}
