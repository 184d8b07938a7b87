import type { ContainerSettings } from "../settings/container-settings.ts";

/** `HostConfig` of a container: what an image cannot say. What rt does not limit or share has Docker's zero value. */
export interface HostConfig extends Limits {
  Binds: string[] | null;
  ContainerIDFile: string;
  LogConfig: { Type: string; Config: Record<string, string> };
  NetworkMode: string;
  PortBindings: Record<string, never>;
  RestartPolicy: { Name: string; MaximumRetryCount: number };
  AutoRemove: boolean;
  CapAdd: string[] | null;
  CapDrop: string[] | null;
  CgroupnsMode: string;
  Dns: string[];
  ExtraHosts: string[] | null;
  GroupAdd: string[] | null;
  IpcMode: string;
  OomScoreAdj: number;
  PidMode: string;
  Privileged: boolean;
  PublishAllPorts: boolean;
  ReadonlyRootfs: boolean;
  SecurityOpt: string[] | null;
  /** Options by destination. */
  Tmpfs: Record<string, string>;
  UTSMode: string;
  VolumesFrom: string[] | null;
  ShmSize: number;
  Sysctls: Record<string, string>;
  Runtime: string;
  Init: boolean;
  Annotations: Record<string, string>;
  Devices: DeviceMapping[];
  Ulimits: { Name: string; Hard: number; Soft: number }[];
}

export interface DeviceMapping {
  PathOnHost: string;
  PathInContainer: string;
  CgroupPermissions: string;
}

type Limits = typeof unlimited;

const unlimited = {
  BlkioDeviceReadBps: [] as never[],
  BlkioDeviceReadIOps: [] as never[],
  BlkioDeviceWriteBps: [] as never[],
  BlkioDeviceWriteIOps: [] as never[],
  BlkioWeight: 0,
  BlkioWeightDevice: [] as never[],
  Cgroup: "",
  CgroupParent: "",
  ConsoleSize: [0, 0],
  CpuCount: 0,
  CpuPercent: 0,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpuShares: 0,
  CpusetCpus: "",
  CpusetMems: "",
  DeviceCgroupRules: null,
  DeviceRequests: null,
  DnsOptions: [] as string[],
  DnsSearch: [] as string[],
  IOMaximumBandwidth: 0,
  IOMaximumIOps: 0,
  Isolation: "",
  Links: null,
  Memory: 0,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  NanoCpus: 0,
  OomKillDisable: null,
  PidsLimit: null,
  UsernsMode: "",
  VolumeDriver: "",
};

/** The settings that a record has and somebody asks for alike. */
export type HostSettings = Pick<
  ContainerSettings,
  | "annotations"
  | "autoRemove"
  | "capAdd"
  | "capDrop"
  | "dns"
  | "extraHosts"
  | "groupAdd"
  | "init"
  | "cgroupnsMode"
  | "ipcMode"
  | "oomScoreAdj"
  | "pidMode"
  | "utsMode"
  | "logDriver"
  | "logOptions"
  | "networkMode"
  | "noNewPrivileges"
  | "privileged"
  | "readonlyRootfs"
  | "restart"
  | "seccomp"
  | "shmSize"
  | "sysctls"
  | "ulimits"
  | "volumesFrom"
> & { devices: { source: string; destination: string; permissions: string }[] };

/** @param places where something is mounted: a document has it in its own way */
export function hostConfig(
  settings: HostSettings,
  { Binds, Tmpfs }: Pick<HostConfig, "Tmpfs"> & { Binds: string[] },
): HostConfig {
  return {
    ...unlimited,
    VolumesFrom: orNull(settings.volumesFrom),
    Binds: orNull(Binds),
    ContainerIDFile: "",
    LogConfig: { Type: settings.logDriver, Config: settings.logOptions },
    NetworkMode: settings.networkMode,
    PortBindings: {},
    RestartPolicy: { Name: settings.restart.name, MaximumRetryCount: settings.restart.retries },
    AutoRemove: settings.autoRemove,
    CapAdd: orNull(settings.capAdd),
    CapDrop: orNull(settings.capDrop),
    CgroupnsMode: settings.cgroupnsMode,
    Dns: settings.dns,
    ExtraHosts: orNull(settings.extraHosts),
    GroupAdd: orNull(settings.groupAdd),
    IpcMode: settings.ipcMode,
    OomScoreAdj: settings.oomScoreAdj,
    PidMode: settings.pidMode,
    Privileged: settings.privileged,
    PublishAllPorts: false,
    ReadonlyRootfs: settings.readonlyRootfs,
    SecurityOpt: orNull([
      ...(settings.noNewPrivileges ? ["no-new-privileges"] : []),
      ...(settings.seccomp ? [`seccomp=${settings.seccomp}`] : []),
    ]),
    Tmpfs,
    UTSMode: settings.utsMode,
    ShmSize: settings.shmSize,
    Sysctls: settings.sysctls,
    Runtime: "native",
    Init: settings.init,
    Annotations: settings.annotations,
    Devices: settings.devices.map(({ source, destination, permissions }) => ({
      PathOnHost: source,
      PathInContainer: destination,
      CgroupPermissions: permissions,
    })),
    Ulimits: settings.ulimits.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
  };
}

/** Docker says nothing rather than that there are none. */
function orNull(list: string[]): string[] | null {
  return list.length > 0 ? list : null;
}
