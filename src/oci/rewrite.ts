import type { LayerCompression } from "./compression.ts";
import type { Descriptor, RawBlob } from "./descriptor.ts";
import { type Digest, digestOf, isDigest } from "./digest.ts";
import { arrayIn, folded, type JsonObject, objectIn, parseJson } from "./json.ts";
import type { Index, Manifest } from "./manifest.ts";
import { isForeignLayerType, mediaTypes, ociLayerType } from "./media-types.ts";

/** Documents of which some parts are others now. What they say besides stays, member by member, known to us or not. */

/** A layer that was made anew: how it is compressed now. */
export interface RemadeLayer extends Pick<Descriptor, "digest" | "size"> {
  compression: LayerCompression;
}

/**
 * A manifest with other layers. What was said of their bytes (annotations of eStargz and zstd:chunked, where else they are) is
 * left out of theirs. Docker has no type for zstd (distribution, manifest-v2-2.md): such a manifest becomes OCI's.
 * @param layers by their index
 */
export function withOtherLayers(
  bytes: Uint8Array,
  manifest: Manifest,
  layers: ReadonlyMap<number, RemadeLayer>,
): RawBlob {
  const isDocker = manifest.mediaType === mediaTypes.dockerManifest;
  const isOci = !isDocker || [...layers.values()].some(({ compression }) => compression === "zstd");
  const what = "the manifest";
  const document = objectIn(parseJson(bytes, what), what);
  const listed = arrayIn(member(document, "layers"), what);
  const mediaType = isOci ? mediaTypes.ociManifest : manifest.mediaType;
  return encoded(mediaType, document, {
    schemaVersion: 2,
    mediaType,
    config: {
      ...objectIn(member(document, "config"), what),
      ...(isDocker && isOci && { mediaType: mediaTypes.ociConfig }),
    },
    layers: manifest.layers.map((old, index) => {
      const made = layers.get(index);
      if (made) {
        const { digest, size, compression } = made;
        return { mediaType: isOci ? ociLayerType(compression) : dockerLayerType(compression), digest, size };
      }
      const kept = objectIn(listed[index], what);
      return isDocker && isOci ? { ...kept, mediaType: asOciLayerType(old.mediaType) } : kept;
    }),
  });
}

/**
 * An index that names other manifests: those of `changed` by their old digests. What an attestation says it is about goes with
 * the manifest that it is about (docker's vnd.docker.reference.digest).
 */
export function withOtherManifests(
  bytes: Uint8Array,
  index: Index,
  changed: ReadonlyMap<Digest, RawBlob>,
): RawBlob {
  const what = "the index";
  const document = objectIn(parseJson(bytes, what), what);
  const isOci = [...changed.values()].some(({ mediaType }) => mediaType.startsWith("application/vnd.oci."));
  const mediaType = isOci ? mediaTypes.ociIndex : index.mediaType;
  const listed = arrayIn(member(document, "manifests"), what);
  return encoded(mediaType, document, {
    schemaVersion: 2,
    mediaType,
    manifests: index.manifests.map(({ digest, annotations }, at) => {
      const kept = objectIn(listed[at], what);
      const made = isDigest(digest) && changed.get(digest);
      const about = annotations?.[referenceDigest];
      const other = isDigest(about) && changed.get(about);
      return {
        ...kept,
        ...(made && { mediaType: made.mediaType, digest: made.digest, size: made.bytes.length }),
        ...(other && { annotations: { ...annotations, [referenceDigest]: other.digest } }),
      };
    }),
  });
}

const referenceDigest = "vnd.docker.reference.digest";

function dockerLayerType(compression: LayerCompression): string {
  return compression === "gzip" ? mediaTypes.dockerLayerGzip : mediaTypes.dockerLayerTar;
}

function asOciLayerType(mediaType: string): string {
  const form = /tar[.+](gzip|zstd)$/.exec(mediaType)?.[1];
  const suffix = form ? `+${form}` : "";
  if (isForeignLayerType(mediaType)) return `${mediaTypes.ociForeignLayerTar}${suffix}`;
  return mediaType.startsWith("application/vnd.docker.image.rootfs.")
    ? `${mediaTypes.ociLayerTar}${suffix}`
    : mediaType;
}

/** As Go reads it: whatever the case of the name. */
function member(document: JsonObject, name: string): unknown {
  return Object.entries(document).findLast(([key]) => folded(key) === folded(name))?.[1];
}

function encoded(mediaType: string, document: JsonObject, members: JsonObject): RawBlob {
  const ours = new Set(Object.keys(members).map(folded));
  const rest = Object.entries(document).filter(([key]) => !ours.has(folded(key)));
  const bytes = new TextEncoder().encode(JSON.stringify({ ...members, ...Object.fromEntries(rest) }));
  return { digest: digestOf(bytes), mediaType, bytes };
}
