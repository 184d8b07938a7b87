import { type Infer, mapOf, object, text } from "../base/shape.ts";
import type { RecordType } from "../store/codec.ts";

const volume = object({
  labels: mapOf(text),
  /** The driver's, as they were given. */
  options: mapOf(text),
});

/** What somebody said of a volume when it was made. What lists and removal need stands in columns. */
export type VolumeRecord = Infer<typeof volume>;

export const volumeType: RecordType<VolumeRecord> = {
  kind: "volume",
  version: 1,
  remedy: "its labels are lost, its files are not; copy them to a new one and remove it with rt volume rm",
  shape: volume,
};

/** Docker's mark of a volume that nobody named, by which prune knows it. */
export const anonymousLabel = "com.docker.volume.anonymous";
