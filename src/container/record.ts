import { type Infer, listOf, object, text } from "../base/shape.ts";
import { digestShape } from "../oci/digest.ts";
import { settingsFields } from "../settings/container-settings.ts";
import type { RecordType } from "../store/codec.ts";
import type { Circumstances } from "./circumstances.ts";

const container = object({
  /** 64 hex digits. */
  id: text,
  name: text,
  /** RFC 3339, nanoseconds allowed, UTC. */
  created: text,
  image: object({ id: digestShape, reference: text }),
  /** chainIDs of the image, bottom first, and the driver whose snapshots they are. */
  chain: listOf(digestShape),
  driver: text,
  platform: text,
  ...settingsFields,
});

/**
 * What we want of a container: written once at `create`, kept as one CBOR record until `rm`. What it *is* (pid, running,
 * exit status) is never in here: see state.ts, which computes it from the monitor's files.
 */
export type ContainerRecord = Infer<typeof container>;

export const containerType: RecordType<ContainerRecord> = {
  kind: "container",
  version: 1,
  remedy: "remove the container with rt rm -f and create it again",
  shape: container,
};

export type ContainerStatus = "created" | "running" | "paused" | "restarting" | "exited";

/** What is: computed from the monitor's files in the state directory, or from the exit recorded in the store. */
export interface ContainerState {
  status: ContainerStatus;
  /** Init's pid in our namespace; 0 when not running. */
  pid: number;
  /** Field 22 of /proc/PID/stat, as text. */
  startTime: string;
  exitCode: number;
  /** RFC 3339; Docker's zero time "0001-01-01T00:00:00Z" when it has not happened. */
  startedAt: string;
  finishedAt: string;
  /** Why it could not start or how it was lost; "" normally. */
  error: string;
  circumstances?: Circumstances | undefined;
}
