import { formatSeconds, secondsOf } from "./time.ts";

/** An image in a list. */
export interface ImageSummary {
  /** The config's digest. */
  id: string;
  /** Its names with a tag, as people are shown them: "alpine:3.20". */
  tags: ImageTag[];
  /** "alpine@sha256:…" */
  digests: string[];
  /** RFC 3339, or "" if the image does not say. */
  created: string;
  /** Bytes of the unpacked layers. */
  size: number;
  labels: Record<string, string>;
  /** How many have it. */
  containers: number;
  /** Bytes of what another image has too; where it was asked for. */
  sharedSize?: number;
  /** Of each platform that its name stands for; where they were asked for. */
  manifests?: ImageManifest[];
  /** Its record cannot be read: all but names and id is unknown. */
  damaged: boolean;
}

/** An image of one platform, of those that an index names; or the only one. */
export interface ImageManifest {
  /** The manifest's digest. */
  id: string;
  /** Of the manifest itself. */
  mediaType: string;
  bytes: number;
  /** "linux/arm64" */
  platform: string;
  /** It is here. */
  available: boolean;
  /** Bytes of its blobs, and of these with its unpacked layers. */
  contentSize: number;
  totalSize: number;
  /** Ids of those that have it. */
  containers: string[];
}

export interface ImageTag {
  name: string;
  /** What the name led to when it was pulled; "" when nobody knows. */
  digest: string;
}

/** A line of `images`. Docker's "<none>" where there is no such thing. */
export interface ImageLine {
  repository: string;
  tag: string;
  /** The repo digest, or "<none>". */
  digest: string;
}

export const none = "<none>";

/** One line for each tag; an image without any is one line for each repository, or "<none>" and "<none>". */
export function imageLines({ tags, digests }: Pick<ImageSummary, "tags" | "digests">): ImageLine[] {
  if (tags.length > 0) {
    return tags.map(({ name, digest }) => {
      const colon = name.lastIndexOf(":");
      return { repository: name.slice(0, colon), tag: name.slice(colon + 1), digest: digest || none };
    });
  }
  if (digests.length === 0) return [{ repository: none, tag: none, digest: none }];
  return digests.map((name) => ({ repository: repositoryOf(name), tag: none, digest: digestIn(name) }));
}

/** Newest first, then by name. */
export function compareLines(
  a: ImageLine & Pick<ImageSummary, "created">,
  b: ImageLine & Pick<ImageSummary, "created">,
): number {
  const age = timeOf(b.created) - timeOf(a.created);
  if (age !== 0) return age;
  const [left, right] = [`${a.repository}:${a.tag}`, `${b.repository}:${b.tag}`];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Milliseconds since the epoch; 0 when nobody says. */
export function timeOf(created: string): number {
  const time = Date.parse(created);
  return Number.isNaN(time) ? 0 : time;
}

function repositoryOf(repoDigest: string): string {
  return repoDigest.slice(0, repoDigest.lastIndexOf("@"));
}

function digestIn(repoDigest: string): string {
  return repoDigest.slice(repoDigest.lastIndexOf("@") + 1);
}

/** An element of GET /images/json. */
export interface ImageListElement {
  Id: string;
  ParentId: string;
  RepoTags: string[];
  RepoDigests: string[];
  /** Seconds since the epoch. */
  Created: number;
  Size: number;
  /** -1: not reckoned. */
  SharedSize: number;
  Containers: number;
  Labels: Record<string, string>;
  /** Where they were asked for. */
  Manifests?: ManifestSummary[];
}

/** An image of one platform in GET /images/json. */
interface ManifestSummary {
  ID: string;
  Descriptor: { mediaType: string; digest: string; size: number; platform: PlatformDocument };
  Available: boolean;
  /** Bytes: of its blobs, and of all that it takes. */
  Size: { Content: number; Total: number };
  /** Docker has others, of what is no image. */
  Kind: "image";
  ImageData: { Platform: PlatformDocument; Containers: string[]; Size: { Unpacked: number } };
}

interface PlatformDocument {
  architecture: string;
  os: string;
  variant?: string;
}

export function imageListElement(summary: ImageSummary): ImageListElement {
  return {
    Id: summary.id,
    ParentId: "",
    RepoTags: summary.tags.map(({ name }) => name),
    RepoDigests: summary.digests,
    Created: secondsOf(summary.created),
    Size: summary.size,
    SharedSize: summary.sharedSize ?? -1,
    Containers: summary.containers,
    Labels: summary.labels,
    ...(summary.manifests && { Manifests: summary.manifests.map(manifestSummary) }),
  };
}

function manifestSummary(manifest: ImageManifest): ManifestSummary {
  const { id, mediaType, bytes, available, contentSize, totalSize, containers } = manifest;
  const [os = "", architecture = "", variant] = manifest.platform.split("/");
  const platform = { architecture, os, ...(variant !== undefined && { variant }) };
  return {
    ID: id,
    Descriptor: { mediaType, digest: id, size: bytes, platform },
    Available: available,
    Size: { Content: contentSize, Total: totalSize },
    Kind: "image",
    ImageData: { Platform: platform, Containers: containers, Size: { Unpacked: totalSize - contentSize } },
  };
}

function manifestOf({ ID, Descriptor, Available, Size, ImageData }: ManifestSummary): ImageManifest {
  const { os, architecture, variant } = ImageData.Platform;
  return {
    ...{ id: ID, mediaType: Descriptor.mediaType, bytes: Descriptor.size },
    platform: [os, architecture, ...(variant ? [variant] : [])].join("/"),
    ...{ available: Available, contentSize: Size.Content, totalSize: Size.Total },
    containers: ImageData.Containers,
  };
}

/** @returns what the element says: the time of creation in whole seconds, and for a tag a digest of its repository */
export function imageSummary(element: ImageListElement): ImageSummary {
  // Older engines have a list of one "<none>" where there is no name.
  const named = (names: string[] | null) => (names ?? []).filter((name) => !name.startsWith(none));
  const digests = named(element.RepoDigests);
  return {
    id: element.Id,
    tags: named(element.RepoTags).map((name) => {
      const repository = name.slice(0, name.lastIndexOf(":"));
      const known = digests.find((digest) => repositoryOf(digest) === repository);
      return { name, digest: known === undefined ? "" : digestIn(known) };
    }),
    digests,
    created: formatSeconds(element.Created),
    size: element.Size,
    labels: element.Labels ?? {},
    containers: Math.max(0, element.Containers),
    ...(element.SharedSize >= 0 && { sharedSize: element.SharedSize }),
    ...(element.Manifests && {
      // Docker lists attestations too.
      manifests: element.Manifests.filter(({ Kind }) => Kind === "image").map(manifestOf),
    }),
    damaged: false,
  };
}
