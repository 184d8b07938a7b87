/**
 * What of a container decides its runtime spec: all that `run` was asked for and the image said, resolved and checked.
 * A container's record (container/record.ts) holds these and its identity.
 */
export interface ContainerSettings {
  /** 64 hex digits. */
  id: string;
  /** The program and its arguments, as the container will execute them (entrypoint + command). */
  args: string[];
  env: string[];
  workingDirectory: string;
  hostname: string;
  annotations: Record<string, string>;
  tty: boolean;
  networkMode: "none" | "host";
  privileged: boolean;
  readonlyRootfs: boolean;
  noNewPrivileges: boolean;
  /** `--security-opt seccomp=unconfined`: no filter of system calls. A privileged container has none either. */
  seccomp?: "unconfined";
  capAdd: string[];
  capDrop: string[];
  mounts: MountRecord[];
  devices: DeviceRecord[];
  ulimits: { name: string; soft: number; hard: number }[];
  sysctls: Record<string, string>;
  /** Bytes. */
  shmSize: number;
}

/** `--device`: the host's node as it was found when the container was created. */
export interface DeviceRecord {
  source: string;
  destination: string;
  /** Some of "rwm". */
  permissions: string;
  type: "c" | "b" | "p";
  major: number;
  minor: number;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

/** A user's mount, already validated: `-v`, `--mount`, `--tmpfs`, an image's VOLUME. */
export interface MountRecord {
  type: "bind" | "tmpfs" | "volume";
  /** Host path for bind, volume's directory for volume, "" for tmpfs. */
  source: string;
  /** Volume's name; anonymous volumes have 64 hex digits. */
  name?: string;
  destination: string;
  readonly: boolean;
  /** Further mount options: "rbind", "rslave", "size=64m", "mode=1777" … */
  options: string[];
}
