import type { Descriptor, Platform, RawBlob } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageConfig } from "../oci/image-config.ts";
import type { RawDocument } from "../oci/manifest.ts";

/**
 * Where images come from. A registry, an OCI layout directory, an archive file, the image embedded in this executable and
 * the store (image/stored-source.ts) all answer the same questions, so there is one way for all of them into the store
 * (`engine/image/pull`) and to a destination (destination/destination.ts, image/send.ts):
 *
 *   const source = await openSource("docker.io/library/alpine:3.20", options)   // open.ts
 *   const found  = await source.resolve(platform)     // index -> manifest of the platform; bounded, digest-checked
 *   for (const layer of found.manifest.layers)
 *     for await (const chunk of source.fetch(layer, offset)) …                  // bytes; the caller checks the digest
 */
export interface Source {
  /** What the user sees: "docker.io/library/alpine:3.20", "oci:/tmp/x:latest". */
  readonly name: string;
  /** What an image from here is called in the local store: "docker.io/library/alpine:3.20"; "embed:NAME" as it is. */
  readonly reference: string;
  /** @throws not-found | unauthorized | unavailable | unsupported (no such platform) | data-loss (what it says does not fit together) */
  resolve(platform: Platform): Promise<ResolvedImage>;
  /** What the name points at, as it came: an index or a manifest. @throws as `resolve` */
  root(): Promise<RawDocument>;
  /** The digest of `root`, asked for without its bytes, where there is a way to. @throws as `root` */
  head?(): Promise<Digest | undefined>;
  /** A manifest or an index that an index names. The caller checks its digest. @throws not-found | … */
  document(entry: Descriptor): Promise<RawDocument>;
  /**
   * A blob's bytes from `offset` on, as stored at the source (still compressed). Retries and resumes transient faults by
   * itself; ends early only by an error. Does not check the digest of the whole.
   */
  fetch(blob: Descriptor, offset: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** What `fetch` gave for this blob was wrong. True if asking again may give something else: another endpoint's bytes. */
  distrust?(blob: Descriptor): boolean;
  close(): Promise<void>;
}

/** An image for one platform: a manifest that was chosen, its config, and that both fit together has been checked. */
export interface ResolvedImage {
  /** What the name pointed at: the index if there was one, else the manifest. The "repo digest". */
  target: Digest;
  /** The index (if any), the manifest and the config, to be stored as they came; their digests are right. */
  documents: RawBlob[];
  manifest: ResolvedManifest;
  config: ImageConfig;
}

export interface ResolvedManifest extends Pick<Descriptor, "mediaType" | "digest" | "size"> {
  config: Descriptor;
  /** Bottom first, as many as the config has diffIDs, and of types that can be unpacked. */
  layers: Descriptor[];
}
