import type { Digest } from "../oci/digest.ts";
import type { ContainerDefaults, Healthcheck } from "../oci/image-config.ts";
import type { RecordType } from "../store/codec.ts";
import {
  digest,
  integer,
  listOf,
  mapOf,
  natural,
  object,
  optional,
  type Shape,
  text,
} from "../store/shape.ts";

/**
 * All that `rt run` needs of an image, so that running reads one row and no blob. Made from the image config when the
 * image is pulled; the config itself stays in the content store, byte for byte, for save and push.
 */
export interface ImageRecord {
  /** The config's digest. */
  id: Digest;
  /** The manifest that it was pulled by; its bytes are a blob. */
  manifest: BlobRecord;
  /** The config's blob. */
  configuration: BlobRecord;
  /** Compressed, as in the manifest; bottom first. */
  layers: BlobRecord[];
  diffIDs: Digest[];
  /** chainIDs of `diffIDs`. */
  chain: Digest[];
  /** What the image asks of a container. */
  config: ContainerDefaults;
  platform: { os: string; architecture: string; variant?: string };
  /** As the config says it (RFC 3339), or "". */
  created: string;
  author: string;
  /** Bytes of the unpacked layers. */
  size: number;
}

export interface BlobRecord {
  mediaType: string;
  digest: Digest;
  size: number;
}

const blob: Shape<BlobRecord> = object<BlobRecord>({ mediaType: text, digest, size: natural });
const keys: Shape<Record<string, Record<string, never>>> = mapOf(object<Record<string, never>>({}));

const healthcheck: Shape<Healthcheck> = object<Healthcheck>({
  Test: optional(listOf(text)),
  Interval: optional(integer),
  Timeout: optional(integer),
  StartPeriod: optional(integer),
  StartInterval: optional(integer),
  Retries: optional(integer),
});

const defaults: Shape<ContainerDefaults> = object<ContainerDefaults>({
  User: optional(text),
  ExposedPorts: optional(keys),
  Env: optional(listOf(text)),
  Entrypoint: optional(listOf(text)),
  Cmd: optional(listOf(text)),
  Volumes: optional(keys),
  WorkingDir: optional(text),
  Labels: optional(mapOf(text)),
  StopSignal: optional(text),
  Healthcheck: optional(healthcheck),
  Shell: optional(listOf(text)),
});

export const imageType: RecordType<ImageRecord> = {
  kind: "image",
  version: 1,
  remedy: "remove it with rt rmi -f and pull it again",
  shape: object<ImageRecord>({
    id: digest,
    manifest: blob,
    configuration: blob,
    layers: listOf(blob),
    diffIDs: listOf(digest),
    chain: listOf(digest),
    config: defaults,
    platform: object<ImageRecord["platform"]>({
      os: text,
      architecture: text,
      variant: optional(text),
    }),
    created: text,
    author: text,
    size: natural,
  }),
};
