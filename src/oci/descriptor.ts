import type { Digest } from "./digest.ts";

/** OCI image-spec, descriptor.md. `size` in bytes. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  platform?: Platform;
  annotations?: Record<string, string>;
}

/**
 * A descriptor in an index, of which many are about other platforms: its digest may be of an algorithm that rt does not have,
 * and its size anything, until it is chosen (manifest.ts, `chosen`).
 */
export interface IndexEntry extends Omit<Descriptor, "digest"> {
  digest: string;
  /** What it is, where it is no image: a signature, a bill of materials. */
  artifactType?: string;
}

/** A small document, whole: a manifest, an index, a config. */
export interface RawBlob {
  digest: Digest;
  mediaType: string;
  bytes: Uint8Array;
}

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
  "os.version"?: string;
}
