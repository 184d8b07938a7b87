/** The parts of the OCI runtime-spec (1.2) config.json that rt writes and reads. Field names are the specification's. */
export interface RuntimeSpec {
  ociVersion: string;
  hostname?: string;
  domainname?: string;
  root: { path: string; readonly: boolean };
  process: SpecProcess;
  mounts: SpecMount[];
  annotations?: Record<string, string>;
  linux: SpecLinux;
}

export interface SpecProcess {
  terminal: boolean;
  consoleSize?: { height: number; width: number };
  user: { uid: number; gid: number; umask?: number; additionalGids?: number[] };
  args: string[];
  env: string[];
  cwd: string;
  capabilities: SpecCapabilities;
  rlimits: SpecRlimit[];
  noNewPrivileges: boolean;
  oomScoreAdj?: number;
}

export interface SpecCapabilities {
  bounding: string[];
  effective: string[];
  permitted: string[];
  inheritable: string[];
  ambient: string[];
}

/** `type` is RLIMIT_NOFILE and so on; values are what setrlimit(2) takes, RLIM_INFINITY is 2^64-1 (written as -1). */
export interface SpecRlimit {
  type: string;
  hard: number;
  soft: number;
}

export interface SpecMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
  /** Ours: what this process has mounted at the destination. */
  process?: SpecProcessName;
}

export interface SpecNamespace {
  type: "mount" | "pid" | "network" | "ipc" | "uts" | "user" | "cgroup" | "time";
  path?: string;
  /** Ours, beside `path`: whose namespace that is. */
  process?: SpecProcessName;
}

/** The init of another container; with its start time (field 22 of /proc/PID/stat) it is known again. */
export interface SpecProcessName {
  pid: number;
  startTime: string;
}

export interface SpecDevice {
  path: string;
  type: "c" | "b" | "p";
  major: number;
  minor: number;
  fileMode: number;
  uid: number;
  gid: number;
}

export interface SpecDeviceRule {
  allow: boolean;
  type?: "a" | "c" | "b";
  major?: number;
  minor?: number;
  access: string;
}

export interface SpecLinux {
  namespaces: SpecNamespace[];
  devices: SpecDevice[];
  cgroupsPath: string;
  resources: { devices: SpecDeviceRule[] };
  sysctl: Record<string, string>;
  maskedPaths: string[];
  readonlyPaths: string[];
  rootfsPropagation?: string;
}
