import { RtError } from "../base/errors.ts";
import type { Descriptor, Platform } from "./descriptor.ts";
import { type Digest, isDigest } from "./digest.ts";
import {
  arrayIn,
  integerIn,
  type JsonObject,
  objectIn,
  optional,
  parseJson,
  shown,
  stringIn,
  stringMapIn,
} from "./json.ts";
import {
  isConfigType,
  isIndexType,
  isManifestType,
  isSchema1Type,
  layerType,
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
  manifests: Descriptor[];
  annotations: Record<string, string>;
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
  const json = objectIn(parseJson(bytes, what), what);
  if (json.schemaVersion === 1) throw schema1(what);
  if (json.schemaVersion !== 2) {
    throw new RtError("data-loss", `${what} has schemaVersion ${shown(json.schemaVersion)}: want 2`);
  }
  if (present(json.manifests) && (present(json.layers) || present(json.config))) {
    throw new RtError("data-loss", `${what} claims to be a manifest and an index at once: refused`);
  }
  const mediaType = mediaTypeOf(json, header, what);
  const isIndex = isIndexType(mediaType);
  if (!isIndex && !isManifestType(mediaType)) {
    throw new RtError(
      "unsupported",
      `${what} is ${shown(mediaType)}: neither an image manifest nor an index`,
    );
  }
  if (isIndex !== present(json.manifests)) {
    throw new RtError(
      "data-loss",
      `${what} is ${mediaType} but has ${isIndex ? "no manifests" : "manifests"}`,
    );
  }
  return isIndex ? indexIn(json, mediaType, what) : manifestIn(json, mediaType, what);
}

function mediaTypeOf(json: JsonObject, header: string, what: string): string {
  const own = optional(json.mediaType, `${what}: mediaType`, stringIn);
  if (own !== undefined && !vagueTypes.has(header) && own.toLowerCase() !== header) {
    throw new RtError("data-loss", `${what} is sent as ${shown(header)} but says ${shown(own)}: refused`);
  }
  if (own !== undefined) return own;
  if (!vagueTypes.has(header)) return header;
  return present(json.manifests) ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

function indexIn(json: JsonObject, mediaType: string, what: string): Index {
  const list = arrayIn(json.manifests, `${what}: manifests`);
  return {
    kind: "index",
    mediaType,
    manifests: list.map((item, i) => descriptorIn(item, `${what}: manifests[${i}]`)),
    annotations: optional(json.annotations, `${what}: annotations`, stringMapIn) ?? {},
  };
}

function manifestIn(json: JsonObject, mediaType: string, what: string): Manifest {
  const layers = arrayIn(json.layers, `${what}: layers`);
  return {
    kind: "manifest",
    mediaType,
    config: descriptorIn(json.config, `${what}: config`),
    layers: layers.map((item, i) => descriptorIn(item, `${what}: layers[${i}]`)),
    annotations: optional(json.annotations, `${what}: annotations`, stringMapIn) ?? {},
  };
}

export function descriptorIn(value: unknown, what: string): Descriptor {
  const json = objectIn(value, what);
  const platform = optional(json.platform, `${what}.platform`, platformIn);
  const annotations = optional(json.annotations, `${what}.annotations`, stringMapIn);
  return {
    mediaType: stringIn(json.mediaType, `${what}.mediaType`),
    digest: digestIn(json.digest, `${what}.digest`),
    size: integerIn(json.size, `${what}.size`),
    ...(platform && { platform }),
    ...(annotations && { annotations }),
  };
}

function digestIn(value: unknown, what: string): Digest {
  if (isDigest(value)) return value;
  const code =
    typeof value === "string" && /^sha(384|512):[0-9a-f]+$/.test(value) ? "unsupported" : "data-loss";
  throw new RtError(code, `${what} is ${shown(value)}: want sha256: and 64 lower-case hex digits`);
}

function platformIn(value: unknown, what: string): Platform {
  const json = objectIn(value, what);
  const variant = optional(json.variant, `${what}.variant`, stringIn);
  const version = optional(json["os.version"], `${what}.os.version`, stringIn);
  return {
    os: optional(json.os, `${what}.os`, stringIn) ?? "",
    architecture: optional(json.architecture, `${what}.architecture`, stringIn) ?? "",
    ...(variant && { variant }),
    ...(version && { "os.version": version }),
  };
}

/** Is this manifest an image that can be unpacked and run? @throws unsupported: an artifact, or a layer of unknown form */
export function requireImage(manifest: Manifest, what: string): void {
  if (!isConfigType(manifest.config.mediaType)) {
    throw new RtError(
      "unsupported",
      `${what} is not a container image: its config is ${shown(manifest.config.mediaType)}`,
    );
  }
  for (const layer of manifest.layers) {
    if (layerType(layer.mediaType)) continue;
    throw new RtError(
      "unsupported",
      `${what} has a layer of type ${shown(layer.mediaType)}, which rt cannot unpack`,
    );
  }
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function schema1(what: string): RtError {
  return new RtError(
    "unsupported",
    `${what} is in Docker's manifest schema 1, given up in 2017: push the image again with a current tool`,
  );
}
