import { RtError } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content-store.ts";
import type { ImageManifest, ImageSummary } from "../../docker/image-summary.ts";
import type { Image } from "../../image/image-store.ts";
import type { ImageRecord } from "../../image/record.ts";
import type { IndexEntry } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { type Index, parseDocument } from "../../oci/manifest.ts";
import { isManifestType } from "../../oci/media-types.ts";
import { formatPlatform, isArtifact } from "../../oci/platform.ts";
import type { Host } from "../host.ts";

/** Each with what its names stand for: of an index that is here all platforms, those that are not here too. */
export async function withManifests(
  host: Host,
  images: readonly Image[],
  summaries: readonly ImageSummary[],
): Promise<ImageSummary[]> {
  const content = await host.content();
  const contentSizes = host.images.contentSizes();
  const byId = new Map(images.map((image) => [image.id as string, image]));
  const users = host.images.containers();
  const records = new Map(images.flatMap((image) => recordIn(image) ?? []));
  const here = (id: string, { platform, size }: ImageRecord, manifest: Place): ImageManifest => {
    const contentSize = contentSizes.get(id as Digest) ?? 0;
    const containers = users.get(id as Digest) ?? [];
    const totalSize = contentSize + size;
    const own = { ...placeOf(manifest), platform: formatPlatform(platform) };
    return { ...own, available: true, contentSize, totalSize, containers };
  };
  const byManifest = new Map([...records].map(([id, record]) => [record.manifest.digest as string, id]));
  return summaries.map((summary) => {
    const record = records.get(summary.id);
    if (!record) return { ...summary, manifests: [] };
    const own = here(summary.id, record, record.manifest);
    const targets = [...(byId.get(summary.id)?.targets.values() ?? [])];
    const index = indexOf(
      content,
      targets.find((target) => target !== record.manifest.digest),
    );
    const others = (index?.manifests ?? []).filter(
      (entry) => isManifestType(entry.mediaType) && !isArtifact(entry),
    );
    if (!others.some(({ digest }) => digest === own.id)) return { ...summary, manifests: [own] };
    const manifests = others.map((entry): ImageManifest => {
      const { digest, platform } = entry;
      const id = byManifest.get(digest);
      const known = id === undefined ? undefined : records.get(id);
      if (id !== undefined && known) return here(id, known, entry);
      const absent = { available: false, contentSize: 0, totalSize: 0, containers: [] };
      return { ...placeOf(entry), platform: platform ? formatPlatform(platform) : "unknown", ...absent };
    });
    return { ...summary, manifests };
  });
}

type Place = Pick<IndexEntry, "digest" | "mediaType" | "size">;

function placeOf({ digest, mediaType, size }: Place): Pick<ImageManifest, "id" | "mediaType" | "bytes"> {
  return { id: digest, mediaType, bytes: size };
}

/** Of a damaged one, whoever listed it has been told already. */
function recordIn(image: Image): [id: string, record: ImageRecord][] | undefined {
  try {
    return [[image.id, image.record]];
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return undefined;
  }
}

/** The index `digest`, where it is one and is here. One that is damaged is as good as none: `system check` tells of it. */
function indexOf(content: ContentStore, digest: Digest | undefined): Index | undefined {
  if (digest === undefined || !content.has(digest)) return undefined;
  try {
    const document = parseDocument(content.read(digest), undefined, `the index ${digest}`);
    return document.kind === "index" ? document : undefined;
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return undefined;
  }
}
