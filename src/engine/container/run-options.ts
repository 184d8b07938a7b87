import type { DeviceRequest } from "../../container/devices.ts";
import type { MountRequest } from "../../container/volumes.ts";
import type { LayerProgress } from "../../image/transfer.ts";

/**
 * What `rt run` was asked for: every flag parsed, checked and in its final unit, and nothing of the image yet. A field is
 * `undefined` where the user did not say, so that the image or the default decides.
 */
export interface RunOptions {
  /** As typed: "alpine", "embed:hello", "oci:/dir:tag". */
  image: string;
  /** Replaces the image's Cmd when not empty. */
  command: string[];
  /** Replaces the image's Entrypoint, and drops its Cmd; `[]` (`--entrypoint ""`) clears it. */
  entrypoint: string[] | undefined;

  name: string | undefined;
  /** Told the id of the container once it is built, before its program runs. */
  onCreated?: (id: string) => void;
  autoRemove: boolean;
  /** -i: stdin stays open. */
  interactive: boolean;
  /** -t */
  tty: boolean;
  sigProxy: boolean;

  pull: "always" | "missing" | "never";
  /** "linux/arm64/v8", checked when it is resolved. */
  platform: string | undefined;
  /** Told of a pull that turns out to be needed; undefined with -q. */
  onPull: PullListener | undefined;

  /**
   * "KEY=VALUE", last wins, files before flags; a bare "KEY" (asked for, but not in the caller's environment) removes the
   * image's variable of that name.
   */
  env: string[];
  workingDirectory: string | undefined;
  /** "name|uid[:group|gid]", resolved in the container. */
  user: string | undefined;
  groupAdd: string[];
  hostname: string | undefined;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** A name ("SIGTERM", "SIGRTMIN+3") or a number as text. */
  stopSignal: string | undefined;

  mounts: MountRequest[];
  readonlyRootfs: boolean;
  /** Bytes. */
  shmSize: number;

  privileged: boolean;
  /** "CAP_NET_ADMIN" or "ALL". */
  capAdd: string[];
  capDrop: string[];
  noNewPrivileges: boolean;
  seccomp?: "unconfined";
  devices: DeviceRequest[];
  init: boolean;

  networkMode: "none" | "host";
  /** "host:address". */
  extraHosts: string[];
  dns: string[];

  ulimits: UlimitRequest[];
  sysctls: Record<string, string>;
}

/** `missing` and `progress` are for `ensureImage`; `end` is called when it has answered or thrown. */
export interface PullListener {
  missing(): void;
  progress(progress: LayerProgress): void;
  end(): void;
}

export type { DeviceRequest, MountRequest };

/** `name` as in "nofile"; -1 is unlimited. */
export interface UlimitRequest {
  name: string;
  soft: number;
  hard: number;
}
