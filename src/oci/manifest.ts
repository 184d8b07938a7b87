import { RtError } from "../base/errors.ts";
import type { Descriptor, IndexEntry, Platform } from "./descriptor.ts";
import { type Digest, isDigest } from "./digest.ts";
import {
  arrayIn,
  type Fields,
  fieldsIn,
  integerIn,
  optionalIn,
  parseJson,
  quoted,
  shown,
  stringIn,
  stringMapIn,
} from "./json.ts";
import {
  isConfigType,
  isIndexType,
  isLayerType,
  isManifestType,
  isSchema1Type,
  mediaTypes,
} from "./media-types.ts";

/** OCI image-spec manifest.md, and Docker's manifest v2 schema 2: one shape. */
export interface Manifest {
  kind: "manifest";
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
  annotations: Record<string, string>;
}

/** OCI image-spec image-index.md, and Docker's manifest list. */
export interface Index {
  kind: "index";
  mediaType: string;
  manifests: IndexEntry[];
  annotations: Record<string, string>;
}

/** The bytes of a manifest or an index, and the media type that they are said to have. */
export interface RawDocument {
  bytes: Uint8Array;
  contentType: string | null | undefined;
}

/** Content types that say nothing about which document it is: the document's own `mediaType` decides. */
const vagueTypes = new Set([
  "",
  "application/json",
  "text/plain",
  "application/octet-stream",
  "binary/octet-stream",
]);

/**
 * A manifest or an index from the bytes that a registry or a file gave. `contentType` is the header that came with them
 * (or the descriptor's mediaType that led here). A document that can be read two ways is refused (CVE-2021-41190).
 *
 * @throws data-loss (malformed, contradictory) | exhausted (beyond 4 MiB, too deep) | unsupported (schema 1, an artifact)
 */
export function parseDocument(
  bytes: Uint8Array,
  contentType: string | null | undefined,
  what: string,
): Manifest | Index {
  const header = (contentType ?? "").split(";", 1)[0]!.trim().toLowerCase();
  if (isSchema1Type(header)) throw schema1(what);
  const field = fieldsIn(parseJson(bytes, what), what);
  const version = field("schemaVersion") ?? 2;
  if (version === 1) throw schema1(what);
  if (version !== 2) throw new RtError("data-loss", `${what} has schemaVersion ${shown(version)}: want 2`);
  const has = (name: string) => field(name) !== undefined;
  const readings = [has("manifests"), has("layers") || has("config"), has("fsLayers")];
  if (readings.filter(Boolean).length > 1) {
    throw new RtError("data-loss", `${what} claims to be a manifest and an index at once: refused`);
  }
  const mediaType = mediaTypeOf(field, header, what);
  const isIndex = isIndexType(mediaType);
  if (!isIndex && !isManifestType(mediaType)) {
    throw new RtError(
      "unsupported",
      `${what} is ${shown(mediaType)}: neither an image manifest nor an index`,
    );
  }
  if (isIndex ? has("layers") || has("config") : has("manifests")) {
    throw new RtError("data-loss", `${what} is ${mediaType} but has ${isIndex ? "layers" : "manifests"}`);
  }
  return isIndex ? indexIn(field, mediaType, what) : manifestIn(field, mediaType, what);
}

function mediaTypeOf(field: Fields, header: string, what: string): string {
  const own = optionalIn(field("mediaType"), `${what}: mediaType`, stringIn) || undefined;
  if (own !== undefined && !vagueTypes.has(header) && own.toLowerCase() !== header) {
    throw new RtError("data-loss", `${what} is sent as ${shown(header)} but says ${shown(own)}: refused`);
  }
  if (own !== undefined) return own;
  if (!vagueTypes.has(header)) return header;
  return field("manifests") === undefined ? mediaTypes.ociManifest : mediaTypes.ociIndex;
}

function indexIn(field: Fields, mediaType: string, what: string): Index {
  const list = optionalIn(field("manifests"), `${what}: manifests`, arrayIn) ?? [];
  return {
    kind: "index",
    mediaType,
    manifests: list.map((item, i) => entryIn(item ?? {}, `${what}: manifests[${i}]`)),
    annotations: optionalIn(field("annotations"), `${what}: annotations`, stringMapIn) ?? {},
  };
}

function manifestIn(field: Fields, mediaType: string, what: string): Manifest {
  const layers = optionalIn(field("layers"), `${what}: layers`, arrayIn) ?? [];
  return {
    kind: "manifest",
    mediaType,
    config: descriptorIn(field("config") ?? {}, `${what}: config`),
    layers: layers.map((item, i) => descriptorIn(item ?? {}, `${what}: layers[${i}]`)),
    annotations: optionalIn(field("annotations"), `${what}: annotations`, stringMapIn) ?? {},
  };
}

function descriptorIn(value: unknown, what: string): Descriptor {
  return chosen(entryIn(value, what), what);
}

/** A descriptor whose types are right, and not more. */
function entryIn(value: unknown, what: string): IndexEntry {
  const field = fieldsIn(value, what);
  const platform = optionalIn(field("platform"), `${what}.platform`, platformIn);
  const annotations = optionalIn(field("annotations"), `${what}.annotations`, stringMapIn);
  const artifactType = optionalIn(field("artifactType"), `${what}.artifactType`, stringIn);
  const size = field("size") ?? 0;
  return {
    mediaType: stringIn(field("mediaType") ?? "", `${what}.mediaType`),
    digest: stringIn(field("digest") ?? "", `${what}.digest`),
    size: typeof size === "number" ? size : integerIn(size, `${what}.size`),
    ...(platform && { platform }),
    ...(annotations && { annotations }),
    ...(artifactType && { artifactType }),
  };
}

/** The entry as one whose blob may be asked for. @throws data-loss | unsupported (a digest of another algorithm) */
export function chosen(entry: IndexEntry, what: string): Descriptor {
  const digest = digestIn(entry.digest, `${what}.digest`);
  const { artifactType: _, ...descriptor } = entry;
  return { ...descriptor, digest, size: integerIn(entry.size, `${what}.size`) };
}

function digestIn(value: string, what: string): Digest {
  if (isDigest(value)) return value;
  const code = /^sha(384|512):[0-9a-f]+$/.test(value) ? "unsupported" : "data-loss";
  throw new RtError(code, `${what} is ${shown(value)}: want sha256: and 64 lower-case hex digits`);
}

function platformIn(value: unknown, what: string): Platform {
  const field = fieldsIn(value, what);
  const variant = optionalIn(field("variant"), `${what}.variant`, stringIn);
  const version = optionalIn(field("os.version"), `${what}.os.version`, stringIn);
  return {
    os: optionalIn(field("os"), `${what}.os`, stringIn) ?? "",
    architecture: optionalIn(field("architecture"), `${what}.architecture`, stringIn) ?? "",
    ...(variant && { variant }),
    ...(version && { "os.version": version }),
  };
}

/** Is this manifest an image that can be unpacked and run? @throws unsupported: an artifact, or a layer of unknown form */
export function requireImage(manifest: Manifest, what: string): void {
  if (!isConfigType(manifest.config.mediaType)) {
    throw new RtError(
      "unsupported",
      `${what} is not a container image: its config is of type ${quoted(manifest.config.mediaType)}`,
    );
  }
  for (const layer of manifest.layers) {
    if (isLayerType(layer.mediaType)) continue;
    throw new RtError(
      "unsupported",
      `${what} has a layer of type ${quoted(layer.mediaType)}, which rt cannot unpack`,
    );
  }
}

function schema1(what: string): RtError {
  return new RtError(
    "unsupported",
    `${what} is in Docker's manifest schema 1, given up in 2017: push the image again with a current tool`,
  );
}
