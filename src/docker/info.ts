import { defaultSettings } from "../settings/container-settings.ts";
import { logDrivers } from "../settings/log.ts";

/** GET /info, with the fields that Docker's clients read. Sizes in bytes. */
export interface Info {
  /** Of this store, as long as it is where it is. */
  ID: string;
  ServerVersion: string;
  Containers: number;
  ContainersRunning: number;
  ContainersPaused: number;
  ContainersStopped: number;
  Images: number;
  Driver: string;
  DriverStatus: [name: string, value: string][];
  Plugins: { Volume: string[]; Network: string[]; Authorization: string[] | null; Log: string[] };
  /** What this host's control groups can limit. */
  MemoryLimit: boolean;
  SwapLimit: boolean;
  CpuCfsPeriod: boolean;
  CpuCfsQuota: boolean;
  CPUShares: boolean;
  CPUSet: boolean;
  PidsLimit: boolean;
  OomKillDisable: boolean;
  IPv4Forwarding: boolean;
  Debug: boolean;
  /** Of the process that answers: its open files; threads of Go's there are none. */
  NFd: number;
  NGoroutines: number;
  NEventsListener: number;
  /** RFC 3339. */
  SystemTime: string;
  LoggingDriver: string;
  CgroupDriver: string;
  CgroupVersion: string;
  KernelVersion: string;
  OperatingSystem: string;
  OSVersion: string;
  OSType: string;
  Architecture: string;
  /** Where Docker's clients log in unless they say where. */
  IndexServerAddress: string;
  RegistryConfig: RegistryConfig;
  NCPU: number;
  MemTotal: number;
  GenericResources: null;
  Name: string;
  Labels: string[];
  ExperimentalBuild: boolean;
  HttpProxy: string;
  HttpsProxy: string;
  NoProxy: string;
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
  Runtimes: Record<string, { path: string }>;
  DefaultRuntime: string;
  InitBinary: string;
  /** Programs that Docker consists of. */
  ContainerdCommit: { ID: string };
  RuncCommit: { ID: string };
  InitCommit: { ID: string };
  Isolation: string;
  FirewallBackend: { Driver: string };
  DefaultAddressPools: { Base: string; Size: number }[];
  /** Containers outlive whoever started them. */
  LiveRestoreEnabled: boolean;
  Swarm: {
    NodeID: string;
    NodeAddr: string;
    LocalNodeState: string;
    ControlAvailable: boolean;
    Error: string;
    RemoteManagers: null;
  };
  Warnings: string[];
}

/** As Docker has it: which registries may be plain http, and who stands in for which. */
interface RegistryConfig {
  InsecureRegistryCIDRs: string[];
  IndexConfigs: Record<string, IndexConfig>;
  Mirrors: string[];
}

interface IndexConfig {
  Name: string;
  Mirrors: string[];
  Secure: boolean;
  Official: boolean;
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
  id: string;
  version: string;
  containers: number;
  running: number;
  paused: number;
  images: number;
  driver: string;
  /** "extfs"; "" of one that is not known by name. */
  fileSystem: string;
  openFiles: number;
  /** RFC 3339. */
  time: string;
  ipv4Forwarding: boolean;
  /** By host: what the configuration says of it. */
  registries: ReadonlyMap<string, { mirrors: readonly string[]; insecure: boolean }>;
  proxies: { http: string; https: string; none: string };
  addressPools: readonly { base: string; size: number }[];
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
    ID: facts.id,
    ServerVersion: facts.version,
    Containers: facts.containers,
    ContainersRunning: facts.running,
    ContainersPaused: facts.paused,
    ContainersStopped: facts.containers - facts.running - facts.paused,
    Images: facts.images,
    Driver: facts.driver,
    DriverStatus: facts.fileSystem === "" ? [] : [["Backing Filesystem", facts.fileSystem]],
    Plugins: {
      Volume: ["local"],
      Network: ["bridge", "host", "ipvlan", "macvlan", "null"],
      Authorization: null,
      Log: logDrivers.filter((driver) => driver !== "none"),
    },
    MemoryLimit: facts.limits.memory,
    SwapLimit: facts.limits.swap,
    CpuCfsPeriod: facts.limits.cpuQuota,
    CpuCfsQuota: facts.limits.cpuQuota,
    CPUShares: facts.limits.cpuShares,
    CPUSet: facts.limits.cpuset,
    PidsLimit: facts.limits.pids,
    OomKillDisable: facts.limits.oomKillDisable,
    IPv4Forwarding: facts.ipv4Forwarding,
    Debug: false,
    ...{ NFd: facts.openFiles, NGoroutines: 0, NEventsListener: 0, SystemTime: facts.time },
    LoggingDriver: defaultSettings().logDriver,
    CgroupDriver: facts.cgroupManager,
    CgroupVersion: facts.cgroupVersion,
    KernelVersion: facts.kernel.release,
    OperatingSystem: facts.operatingSystem,
    OSVersion: "",
    OSType: facts.kernel.type.toLowerCase(),
    Architecture: facts.kernel.machine,
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: registryConfig(facts.registries),
    NCPU: facts.processors,
    MemTotal: facts.memory_bytes,
    GenericResources: null,
    Name: facts.hostname,
    ...{ Labels: [], ExperimentalBuild: false },
    ...{ HttpProxy: facts.proxies.http, HttpsProxy: facts.proxies.https, NoProxy: facts.proxies.none },
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
    Runtimes: { native: { path: "rt" } },
    ...{ DefaultRuntime: "native", InitBinary: "rt" },
    ...{ ContainerdCommit: { ID: "" }, RuncCommit: { ID: "" }, InitCommit: { ID: "" }, Isolation: "" },
    FirewallBackend: { Driver: "nftables" },
    DefaultAddressPools: facts.addressPools.map(({ base, size }) => ({ Base: base, Size: size })),
    LiveRestoreEnabled: true,
    Swarm: {
      ...{ NodeID: "", NodeAddr: "", LocalNodeState: "inactive" },
      ...{ ControlAvailable: false, Error: "", RemoteManagers: null },
    },
    // Without groups there is one reason for all of them, which is said.
    Warnings: [...facts.warnings, ...(facts.cgroupManager === "none" ? [] : limitWarnings(facts.limits))],
  };
}

/**
 * GET /info: warnings as Docker has them, whose clients print them as they are.
 * @param since whether the client's version of the API is that one, or newer
 */
export function infoAnswer(info: Info, since: (version: string) => boolean): Partial<Info> {
  const { DiscoveredDevices, FirewallBackend, ...rest } = info;
  return {
    ...rest,
    Warnings: info.Warnings.map((warning) => `${warningMark}${warning}`),
    ...(since("1.49") && { FirewallBackend }),
    ...(since("1.50") ? { DiscoveredDevices } : { BridgeNfIptables: false, BridgeNfIp6tables: false }),
  };
}

export function infoOf(answer: Info): Info {
  const Warnings = (answer.Warnings ?? []).map((line) =>
    line.startsWith(warningMark) ? line.slice(warningMark.length) : line,
  );
  return { ...answer, Warnings };
}

const warningMark = "WARNING: ";

function registryConfig(registries: InfoFacts["registries"]): RegistryConfig {
  const of = (name: string): IndexConfig => {
    const { mirrors = [], insecure = false } = registries.get(name) ?? {};
    return { Name: name, Mirrors: [...mirrors], Secure: !insecure, Official: name === hub };
  };
  return {
    // Of this machine itself plain http is taken.
    InsecureRegistryCIDRs: ["127.0.0.0/8", "::1/128"],
    IndexConfigs: Object.fromEntries(
      [...new Set([hub, ...registries.keys()])].map((name) => [name, of(name)]),
    ),
    Mirrors: [...(registries.get(hub)?.mirrors ?? [])],
  };
}

const hub = "docker.io";

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
