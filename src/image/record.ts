import {
  type FieldsOf,
  flag,
  type Infer,
  integer,
  listOf,
  mapOf,
  natural,
  object,
  optional,
  type Shape,
  text,
} from "../base/shape.ts";
import { digestShape } from "../oci/digest.ts";
import type { ContainerDefaults, Healthcheck } from "../oci/image-config.ts";
import type { RecordType } from "../store/codec.ts";

const blob = object({ mediaType: text, digest: digestShape, size: natural });
export type BlobRecord = Infer<typeof blob>;

const keys: Shape<Record<string, Record<string, never>>> = mapOf(object({}));

const healthcheck = object({
  Test: optional(listOf(text)),
  Interval: optional(integer),
  Timeout: optional(integer),
  StartPeriod: optional(integer),
  StartInterval: optional(integer),
  Retries: optional(integer),
} satisfies FieldsOf<Healthcheck>);

const defaults = object({
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
  OnBuild: optional(listOf(text)),
  ArgsEscaped: optional(flag),
} satisfies FieldsOf<ContainerDefaults>);

const image = object({
  /** The config's digest. */
  id: digestShape,
  /** The manifest that it was pulled by; its bytes are a blob. */
  manifest: blob,
  /** The config's blob. */
  configuration: blob,
  /** Compressed, as in the manifest; bottom first. */
  layers: listOf(blob),
  diffIDs: listOf(digestShape),
  /** chainIDs of `diffIDs`. */
  chain: listOf(digestShape),
  /** What the image asks of a container. */
  config: defaults,
  platform: object({ os: text, architecture: text, variant: optional(text) }),
  /** As the config says it (RFC 3339), or "". */
  created: text,
  author: text,
  /** Of whoever committed it. */
  comment: optional(text),
  /** Bytes of the unpacked layers. */
  size: natural,
});

/**
 * All that `rt run` needs of an image, so that running reads one row and no blob. Made from the image config when the
 * image is pulled; the config itself stays in the content store, byte for byte, for save and push.
 */
export type ImageRecord = Infer<typeof image>;

export const imageType: RecordType<ImageRecord> = {
  kind: "image",
  version: 1,
  remedy: "remove it with rt rmi -f and pull it again",
  shape: image,
};
