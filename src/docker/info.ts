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
  /** What holds for a container of which nothing else is said. */
  SecurityOptions: string[];
  DefaultRuntime: string;
  /** Containers outlive whoever started them. */
  LiveRestoreEnabled: boolean;
  Swarm: { LocalNodeState: string };
  Warnings: string[];
}

export interface InfoFacts {
  version: string;
  containers: number;
  running: number;
  paused: number;
  images: number;
  driver: string;
  /** "2", "1", "hybrid" or "none". */
  cgroupVersion: string;
  kernel: { type: string; release: string; machine: string };
  operatingSystem: string;
  processors: number;
  memory_bytes: number;
  hostname: string;
  root: string;
  state: string;
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
    LoggingDriver: defaultSettings().logDriver,
    CgroupDriver: "cgroupfs",
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
    SecurityOptions: ["name=seccomp,profile=builtin", "name=cgroupns"],
    DefaultRuntime: "native",
    LiveRestoreEnabled: true,
    Swarm: { LocalNodeState: "inactive" },
    Warnings: facts.warnings,
  };
}
