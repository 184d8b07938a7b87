import type { Digest } from "../oci/digest.ts";
import type { ContainerSettings } from "../spec/settings.ts";

/**
 * What we want of a container: written once at `create`, kept as one CBOR record until `rm`. What it *is* (pid, running,
 * exit status) is never in here: see state.ts, which computes it from the monitor's files.
 */
export interface ContainerRecord extends ContainerSettings {
  name: string;
  /** RFC 3339, nanoseconds allowed, UTC. */
  created: string;
  image: { id: Digest; reference: string };
  /** How many of `args` came from the entrypoint. */
  entrypointLength: number;
  /** chainIDs of the image, bottom first, and the driver whose snapshots they are. */
  chain: Digest[];
  driver: string;
  user: string;
  groupAdd: string[];
  labels: Record<string, string>;
  openStdin: boolean;
  stopSignal: string;
  autoRemove: boolean;
  init: boolean;
  dns: string[];
  extraHosts: string[];
  platform: string;
}

export type ContainerStatus = "created" | "running" | "exited";

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
}
