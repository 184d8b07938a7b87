import type { Compression } from "./compression.ts";

/** Media types of OCI image-spec 1.1 (media-types.md) and Docker's image manifest v2 schema 2. */
export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayerTar: "application/vnd.oci.image.layer.v1.tar",
  ociForeignLayerTar: "application/vnd.oci.image.layer.nondistributable.v1.tar",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayerTar: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
} as const;

/** The Accept header for manifests, most wanted first. */
export const acceptedManifests = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
  "*/*",
].join(", ");

/** Those of layers that can be unpacked. How the blob is compressed, its first bytes say (compression.ts). */
const layerTypes = new Set<string>([
  mediaTypes.ociLayerTar,
  "application/vnd.oci.image.layer.v1.tar+gzip",
  "application/vnd.oci.image.layer.v1.tar+zstd",
  mediaTypes.dockerLayerTar,
  mediaTypes.dockerLayerGzip,
  mediaTypes.dockerLayerZstd,
]);

/** Licensed elsewhere: a registry may hold only the descriptor. */
const foreignLayerTypes = new Set([
  mediaTypes.ociForeignLayerTar,
  `${mediaTypes.ociForeignLayerTar}+gzip`,
  `${mediaTypes.ociForeignLayerTar}+zstd`,
  "application/vnd.docker.image.rootfs.foreign.diff.tar",
  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
]);

/** What says nothing of a layer, and is no word against it either: docker takes it. */
const vagueLayerTypes = new Set(["", "application/octet-stream"]);

/** Is it the type of a layer that can be unpacked? */
export function isLayerType(mediaType: string): boolean {
  const plain = withoutParameters(mediaType);
  return vagueLayerTypes.has(plain) || layerTypes.has(plain) || foreignLayerTypes.has(plain);
}

export function isForeignLayerType(mediaType: string): boolean {
  return foreignLayerTypes.has(withoutParameters(mediaType));
}

/** Is it the type of a layer that is not compressed? */
export function isPlainLayerType(mediaType: string): boolean {
  const plain = withoutParameters(mediaType);
  return plain === mediaTypes.ociLayerTar || plain === mediaTypes.dockerLayerTar;
}

/** OCI's type of a layer, by how it is compressed. */
export function ociLayerType(compression: Compression): string {
  return compression === "tar" ? mediaTypes.ociLayerTar : `${mediaTypes.ociLayerTar}+${compression}`;
}

function withoutParameters(mediaType: string): string {
  return mediaType.split(";", 1)[0]!.trim();
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerIndex;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
}

/** What early tools and registries wrote where the type of an image's config belongs, as docker still accepts it. */
const vagueConfigTypes = new Set(["", "application/json", "application/octet-stream", "text/html"]);

export function isConfigType(mediaType: string): boolean {
  return (
    mediaType === mediaTypes.ociConfig ||
    mediaType === mediaTypes.dockerConfig ||
    vagueConfigTypes.has(mediaType)
  );
}

/** Docker's image manifest v2 schema 1, which no registry has written since 2017. */
export function isSchema1Type(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)$/.test(mediaType);
}
