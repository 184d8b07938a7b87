/** The parts of the OCI runtime-spec (1.2) config.json that rt writes and reads. Field names are the specification's. */
export interface RuntimeSpec {
  ociVersion: string;
  hostname?: string;
  domainname?: string;
  root: { path: string; readonly: boolean };
  process: SpecProcess;
  mounts: SpecMount[];
  annotations?: Record<string, string>;
  hooks?: SpecHooks;
  linux: SpecLinux;
}

/** In the order in which they come; config.md, "POSIX-platform Hooks". */
export interface SpecHooks {
  prestart?: SpecHook[];
  createRuntime?: SpecHook[];
  createContainer?: SpecHook[];
  startContainer?: SpecHook[];
  poststart?: SpecHook[];
  poststop?: SpecHook[];
}

/** `timeout` in seconds. */
export interface SpecHook {
  path: string;
  args?: string[];
  env?: string[];
  timeout?: number;
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
  apparmorProfile?: string;
  selinuxLabel?: string;
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

/** Bytes, microseconds, and -1 for no limit. */
export interface SpecResources {
  devices: SpecDeviceRule[];
  memory?: {
    limit?: number;
    reservation?: number;
    /** With memory. */
    swap?: number;
    swappiness?: number;
    disableOOMKiller?: boolean;
  };
  cpu?: {
    shares?: number;
    quota?: number;
    period?: number;
    realtimeRuntime?: number;
    realtimePeriod?: number;
    cpus?: string;
    mems?: string;
  };
  pids?: { limit: number };
  blockIO?: {
    weight?: number;
    weightDevice?: (SpecBlockDevice & { weight: number })[];
    throttleReadBpsDevice?: SpecThrottle[];
    throttleWriteBpsDevice?: SpecThrottle[];
    throttleReadIOPSDevice?: SpecThrottle[];
    throttleWriteIOPSDevice?: SpecThrottle[];
  };
  /** `pageSize` as "2MB". */
  hugepageLimits?: { pageSize: string; limit: number }[];
  /** Files of cgroup v2. */
  unified?: Record<string, string>;
}

export interface SpecBlockDevice {
  major: number;
  minor: number;
}

export interface SpecThrottle extends SpecBlockDevice {
  rate: number;
}

export interface SpecLinux {
  namespaces: SpecNamespace[];
  /** Of a user namespace that is new. */
  uidMappings?: SpecIdMapping[];
  gidMappings?: SpecIdMapping[];
  devices: SpecDevice[];
  cgroupsPath: string;
  resources: SpecResources;
  sysctl: Record<string, string>;
  maskedPaths: string[];
  readonlyPaths: string[];
  rootfsPropagation?: string;
  seccomp?: SpecSeccomp;
  /** SELinux, of mounts. */
  mountLabel?: string;
  /** Of a time namespace that is new. */
  timeOffsets?: { monotonic?: SpecTimeOffset; boottime?: SpecTimeOffset };
}

export interface SpecIdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface SpecTimeOffset {
  secs: number;
  nanosecs: number;
}

/** config-linux.md, "Seccomp". Names as libseccomp has them: SCMP_ACT_ALLOW, SCMP_ARCH_X86_64, SCMP_CMP_MASKED_EQ. */
export interface SpecSeccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  /** The first is the container's own. */
  architectures: string[];
  /** "SECCOMP_FILTER_FLAG_LOG". */
  flags?: string[];
  syscalls: SpecSyscalls[];
}

export interface SpecSyscalls {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: SpecSyscallArgument[];
}

/** 64 bits each, as decimal digits where a number of JavaScript does not hold them. */
export interface SpecSyscallArgument {
  index: number;
  value: number | string;
  valueTwo?: number | string;
  op: string;
}
