import type { Placed } from "../../../src/destination/destination.ts";
import { openDestination } from "../../../src/destination/open.ts";
import type { Descriptor } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import { parse } from "../../../src/reference/reference.ts";
import type { PushClientOptions } from "../../../src/registry/push-client.ts";

/** What a push saw and did, with waits that only get noted down. */
export interface PushReport {
  placed: Placed[];
  waits: number[];
  warnings: string[];
  /** What of the blobs was read: from where on. */
  reads: number[];
  progress: number[];
}

export interface PushBlobsOptions extends Partial<PushClientOptions> {
  elsewhere?: string[];
  /** In place of what the descriptors promise. */
  read?: (blob: Descriptor, offset: number) => AsyncIterable<Uint8Array>;
  manifest?: Uint8Array;
  signal?: AbortSignal;
  report?: PushReport;
}

export const octetsOf = (blob: Uint8Array): Descriptor => ({
  mediaType: mediaTypes.dockerLayerTar,
  digest: digestOf(blob),
  size: blob.length,
});

/** Some bytes that differ from others. */
export function someBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = seed; i < length; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

/** Blobs, all at once, to the repository of `name`; and a manifest, if there is one. Of a blob 100 bytes travel with the PUT. */
export async function pushBlobs(
  name: string,
  blobs: readonly Uint8Array[],
  options: PushBlobsOptions = {},
): Promise<PushReport> {
  const { elsewhere = [], read, manifest, signal = new AbortController().signal, ...more } = options;
  const report: PushReport = options.report ?? {
    placed: [],
    waits: [],
    warnings: [],
    reads: [],
    progress: [],
  };
  const byDigest = new Map(blobs.map((blob) => [digestOf(blob), blob]));
  const own = async function* (blob: Descriptor, offset: number) {
    report.reads.push(offset);
    const bytes = byDigest.get(blob.digest)!;
    for (let at = offset; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
  };
  const sleep = async (ms: number) => {
    report.waits.push(ms);
  };
  await using destination = await openDestination(name, {
    config: { registries: new Map() },
    env: {},
    warn: (line) => report.warnings.push(line),
    ...more,
    limits: { sleep, uploadWholeBytesMax: 100, progressBytesMin: 1000, ...options.limits },
  });
  const put = (blob: Uint8Array) =>
    destination.putBlob(octetsOf(blob), read ?? own, {
      signal,
      elsewhere,
      onProgress: (bytes) => report.progress.push(bytes),
    });
  report.placed = await Promise.all(blobs.map(put));
  if (manifest) {
    const root = { bytes: manifest, mediaType: mediaTypes.dockerManifest, digest: digestOf(manifest) };
    await destination.putImage(root, [parse(name)]);
  }
  await destination.commit();
  return report;
}
