/** Media types of OCI image-spec 1.1 (media-types.md) and Docker's image manifest v2 schema 2. */
export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
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

export type Compression = "none" | "gzip" | "zstd";

interface LayerType {
  /** Undefined where the type does not say. The blob's first bytes decide in any case (layer/stream.ts). */
  compression?: Compression;
  /** Licensed elsewhere: a registry may hold only its descriptor. */
  foreign: boolean;
}

const layerTypes: ReadonlyMap<string, LayerType> = new Map([
  ["application/vnd.oci.image.layer.v1.tar", { compression: "none", foreign: false }],
  ["application/vnd.oci.image.layer.v1.tar+gzip", { compression: "gzip", foreign: false }],
  ["application/vnd.oci.image.layer.v1.tar+zstd", { compression: "zstd", foreign: false }],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", { compression: "none", foreign: true }],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", { compression: "gzip", foreign: true }],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", { compression: "zstd", foreign: true }],
  [mediaTypes.dockerLayerTar, { compression: "none", foreign: false }],
  [mediaTypes.dockerLayerGzip, { compression: "gzip", foreign: false }],
  [mediaTypes.dockerLayerZstd, { compression: "zstd", foreign: false }],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar", { compression: "none", foreign: true }],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", { compression: "gzip", foreign: true }],
]);

/** What says nothing of a layer, and is no word against it either: docker takes it. */
const vagueLayerTypes = new Set(["", "application/octet-stream"]);

/** How a layer's blob is stored, or undefined if `mediaType` is none of a layer that can be unpacked. */
export function layerType(mediaType: string): LayerType | undefined {
  const plain = mediaType.split(";", 1)[0]!.trim();
  return vagueLayerTypes.has(plain) ? { foreign: false } : layerTypes.get(plain);
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
