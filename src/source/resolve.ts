import { RtError } from "../base/errors.ts";
import type { Descriptor, Platform, RawBlob } from "../oci/descriptor.ts";
import { digestOf } from "../oci/digest.ts";
import { checkLayerCount, type ImageConfig, parseImageConfig } from "../oci/image-config.ts";
import { documentBytesMax, shown } from "../oci/json.ts";
import { chosen, type Manifest, parseDocument, type RawDocument, requireImage } from "../oci/manifest.ts";
import { choose, formatPlatform, matches } from "../oci/platform.ts";
import type { ResolvedImage, Source } from "./source.ts";

/** An index may hold indexes; nobody honest nests them deeper. */
const indexDepthMax = 4;

/**
 * From the document that a name points at to the manifest of `platform` and its config. The same way for every kind of
 * source: `read` answers a document by its descriptor, and nothing is believed before its digest and size were checked.
 *
 * @throws data-loss | unsupported (no such platform, an artifact) | exhausted | whatever `read` and `fetch` throw
 */
export async function resolveImage(
  source: Pick<Source, "name" | "fetch">,
  root: RawDocument,
  read: (descriptor: Descriptor) => Promise<RawDocument>,
  platform: Platform,
): Promise<ResolvedImage> {
  const { documents, raw, document } = await findManifest(source.name, root, read, platform);
  const { mediaType, config: descriptor, layers } = document;
  const { bytes, config } = await readConfig(source, document, platform);
  const { digest } = documents.at(-1)!;
  documents.push({ digest: descriptor.digest, mediaType: descriptor.mediaType, bytes });
  const manifest = { mediaType, digest, size: raw.bytes.length, config: descriptor, layers };
  return { target: documents[0]!.digest, documents, manifest, config };
}

export interface FoundManifest {
  /** The indexes that led to it, and it. */
  documents: RawBlob[];
  raw: RawDocument;
  document: Manifest;
}

/**
 * The first part of `resolveImage`: what the manifest names is not looked at, so it may be one of an artifact.
 * @throws as `resolveImage`
 */
export async function findManifest(
  name: string,
  root: RawDocument,
  read: (descriptor: Descriptor) => Promise<RawDocument>,
  platform: Platform,
): Promise<FoundManifest> {
  const documents: RawBlob[] = [];
  let raw = root;
  for (let depth = 0; depth < indexDepthMax; depth++) {
    const document = parseDocument(raw.bytes, raw.contentType, `the manifest of ${name}`);
    const digest = digestOf(raw.bytes);
    documents.push({ digest, mediaType: document.mediaType, bytes: raw.bytes });
    if (document.kind === "manifest") return { documents, raw, document };
    const entry = chosen(choose(document.manifests, platform, name), `the manifest of ${name}`);
    checkSize(entry, "manifest", name);
    raw = await read(entry);
    checkBytes(raw.bytes, entry, "manifest", name);
    raw = { bytes: raw.bytes, contentType: raw.contentType ?? entry.mediaType };
  }
  throw new RtError("exhausted", `${name} nests indexes more than ${indexDepthMax - 1} deep: refused`);
}

async function readConfig(
  source: Pick<Source, "name" | "fetch">,
  manifest: Manifest,
  platform: Platform,
): Promise<{ bytes: Uint8Array; config: ImageConfig }> {
  requireImage(manifest, source.name);
  checkSize(manifest.config, "config", source.name);
  const parts: Uint8Array[] = [];
  for await (const chunk of source.fetch(manifest.config, 0)) parts.push(chunk);
  const bytes = Buffer.concat(parts);
  checkBytes(bytes, manifest.config, "config", source.name);
  const config = parseImageConfig(bytes, `the config of ${source.name}`);
  checkLayerCount(config, manifest.layers, source.name);
  // An index may know the variant better than the config does, so that is not compared again.
  const { os, architecture } = config;
  const plain = { os: platform.os, architecture: platform.architecture };
  if (architecture !== "" && !matches({ os, architecture }, plain)) {
    throw new RtError(
      "unsupported",
      `${source.name} is for ${formatPlatform(config)}, not ${formatPlatform(platform)}; see --platform`,
    );
  }
  return { bytes, config };
}

/** @throws exhausted: no honest document is as large */
export function checkSize(descriptor: Descriptor, kind: string, name: string): void {
  if (descriptor.size <= documentBytesMax) return;
  throw new RtError(
    "exhausted",
    `the ${kind} of ${name} has ${descriptor.size} bytes: at most ${documentBytesMax} are accepted`,
  );
}

/** @throws data-loss unless the bytes are exactly those that the descriptor names */
export function checkBytes(bytes: Uint8Array, descriptor: Descriptor, kind: string, name: string): void {
  if (bytes.length !== descriptor.size) {
    throw new RtError(
      "data-loss",
      `the ${kind} of ${shown(name)} has ${bytes.length} bytes where ${descriptor.size} were promised: refused`,
    );
  }
  const actual = digestOf(bytes);
  if (actual !== descriptor.digest) {
    throw new RtError(
      "data-loss",
      `the ${kind} of ${shown(name)} is ${actual}, not ${descriptor.digest}: refused`,
    );
  }
}
