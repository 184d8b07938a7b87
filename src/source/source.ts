import type { Descriptor, Platform } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageConfig } from "../oci/image-config.ts";

/**
 * Where images come from. A registry, an OCI layout directory, an archive file and the image embedded in this
 * executable all answer the same three questions, so `engine/image/pull` has one way for all of them:
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

export interface RawBlob {
  digest: Digest;
  mediaType: string;
  bytes: Uint8Array;
}
