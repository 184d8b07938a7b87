import { defaultSettings } from "../settings/container-settings.ts";

/** The part of GET /info that is true of rt. Sizes in bytes. */
export interface Info {
  ServerVersion: string;
  Containers: number;
  ContainersRunning: number;
  ContainersPaused: number;
  ContainersStopped: number;
  Images: number;
  Driver: string;
  /** What this host's control groups can limit. */
  MemoryLimit: boolean;
  SwapLimit: boolean;
  CpuCfsPeriod: boolean;
  CpuCfsQuota: boolean;
  CPUShares: boolean;
  CPUSet: boolean;
  PidsLimit: boolean;
  OomKillDisable: boolean;
  LoggingDriver: string;
  CgroupDriver: string;
  CgroupVersion: string;
  KernelVersion: string;
  OperatingSystem: string;
  OSType: string;
  Architecture: string;
  NCPU: number;
  MemTotal: number;
  Name: string;
  DockerRootDir: string;
  /** Ours: where what runs now has its files. */
  StateDir: string;
  /** Ours: bytes that all images may take together; 0: as many as there are. */
  StoreLimit: number;
  /** What holds for a container of which nothing else is said. */
  SecurityOptions: string[];
  /** Where devices are described, and those that are: their names of CDI. */
  CDISpecDirs: string[];
  DiscoveredDevices: { Source: "cdi"; ID: string }[];
  DefaultRuntime: string;
  /** Containers outlive whoever started them. */
  LiveRestoreEnabled: boolean;
  Swarm: { LocalNodeState: string };
  Warnings: string[];
}

interface LimitFacts {
  memory: boolean;
  swap: boolean;
  cpuQuota: boolean;
  cpuShares: boolean;
  cpuset: boolean;
  pids: boolean;
  oomKillDisable: boolean;
}

export interface InfoFacts {
  version: string;
  containers: number;
  running: number;
  paused: number;
  images: number;
  driver: string;
  /** "none": no group can be made. */
  cgroupManager: "cgroupfs" | "systemd" | "none";
  /** "2", "1", "hybrid" or "none". */
  cgroupVersion: string;
  limits: LimitFacts;
  kernel: { type: string; release: string; machine: string };
  operatingSystem: string;
  processors: number;
  memory_bytes: number;
  hostname: string;
  root: string;
  state: string;
  storeLimit: number;
  /** "builtin", "unconfined" or a path: of a container that names none. */
  seccompProfile: string;
  cdiDirectories: readonly string[];
  cdiDevices: readonly string[];
  /** Those that label containers: "apparmor", "selinux". */
  securityModules: string[];
  /** A container that names no user namespace has one of its own. */
  ownUsers: boolean;
  /** Of an ordinary user. */
  isRootless: boolean;
  warnings: string[];
}

export function infoDocument(facts: InfoFacts): Info {
  return {
    ServerVersion: facts.version,
    Containers: facts.containers,
    ContainersRunning: facts.running,
    ContainersPaused: facts.paused,
    ContainersStopped: facts.containers - facts.running - facts.paused,
    Images: facts.images,
    Driver: facts.driver,
    MemoryLimit: facts.limits.memory,
    SwapLimit: facts.limits.swap,
    CpuCfsPeriod: facts.limits.cpuQuota,
    CpuCfsQuota: facts.limits.cpuQuota,
    CPUShares: facts.limits.cpuShares,
    CPUSet: facts.limits.cpuset,
    PidsLimit: facts.limits.pids,
    OomKillDisable: facts.limits.oomKillDisable,
    LoggingDriver: defaultSettings().logDriver,
    CgroupDriver: facts.cgroupManager,
    CgroupVersion: facts.cgroupVersion,
    KernelVersion: facts.kernel.release,
    OperatingSystem: facts.operatingSystem,
    OSType: facts.kernel.type.toLowerCase(),
    Architecture: facts.kernel.machine,
    NCPU: facts.processors,
    MemTotal: facts.memory_bytes,
    Name: facts.hostname,
    DockerRootDir: facts.root,
    StateDir: facts.state,
    StoreLimit: facts.storeLimit,
    SecurityOptions: [
      ...facts.securityModules.map((name) => `name=${name}`),
      `name=seccomp,profile=${facts.seccompProfile}`,
      ...(facts.isRootless ? ["name=rootless"] : []),
      "name=cgroupns",
      ...(facts.ownUsers ? ["name=userns"] : []),
    ],
    CDISpecDirs: [...facts.cdiDirectories],
    DiscoveredDevices: facts.cdiDevices.map((ID) => ({ Source: "cdi", ID })),
    DefaultRuntime: "native",
    LiveRestoreEnabled: true,
    Swarm: { LocalNodeState: "inactive" },
    // Without groups there is one reason for all of them, which is said.
    Warnings: [...facts.warnings, ...(facts.cgroupManager === "none" ? [] : limitWarnings(facts.limits))],
  };
}

/** In Docker's words. Who asks for one of them all the same is told. */
function limitWarnings({ memory, swap, cpuQuota, cpuShares, cpuset, pids }: LimitFacts): string[] {
  const missing: [boolean, string][] = [
    [memory, "memory limit"],
    [swap, "swap limit"],
    [cpuQuota, "cpu cfs quota"],
    [cpuShares, "cpu shares"],
    [cpuset, "cpuset"],
    [pids, "pids limit"],
  ];
  return missing.flatMap(([has, what]) => (has ? [] : [`No ${what} support`]));
}
