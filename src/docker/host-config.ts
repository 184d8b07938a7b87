import type { ContainerSettings } from "../settings/container-settings.ts";

/** `HostConfig` of a container: what an image cannot say. What rt does not limit or share has Docker's zero value. */
export interface HostConfig extends Limits {
  Binds: string[];
  ContainerIDFile: string;
  LogConfig: { Type: string; Config: Record<string, string> };
  NetworkMode: string;
  PortBindings: Record<string, never>;
  RestartPolicy: { Name: string; MaximumRetryCount: number };
  AutoRemove: boolean;
  CapAdd: string[];
  CapDrop: string[];
  CgroupnsMode: string;
  Dns: string[];
  ExtraHosts: string[];
  GroupAdd: string[];
  IpcMode: string;
  OomScoreAdj: number;
  PidMode: string;
  Privileged: boolean;
  PublishAllPorts: boolean;
  ReadonlyRootfs: boolean;
  SecurityOpt: string[];
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
  BlkioWeight: 0,
  CgroupParent: "",
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuShares: 0,
  CpusetCpus: "",
  CpusetMems: "",
  DnsOptions: [] as string[],
  DnsSearch: [] as string[],
  Memory: 0,
  MemoryReservation: 0,
  MemorySwap: 0,
  NanoCpus: 0,
  OomKillDisable: false,
  PidsLimit: null,
  UsernsMode: "",
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
  { Binds, Tmpfs }: Pick<HostConfig, "Binds" | "Tmpfs">,
): HostConfig {
  return {
    ...unlimited,
    VolumesFrom: settings.volumesFrom.length > 0 ? settings.volumesFrom : null,
    Binds,
    ContainerIDFile: "",
    LogConfig: { Type: settings.logDriver, Config: settings.logOptions },
    NetworkMode: settings.networkMode,
    PortBindings: {},
    RestartPolicy: { Name: settings.restart.name, MaximumRetryCount: settings.restart.retries },
    AutoRemove: settings.autoRemove,
    CapAdd: settings.capAdd,
    CapDrop: settings.capDrop,
    CgroupnsMode: settings.cgroupnsMode,
    Dns: settings.dns,
    ExtraHosts: settings.extraHosts,
    GroupAdd: settings.groupAdd,
    IpcMode: settings.ipcMode,
    OomScoreAdj: settings.oomScoreAdj,
    PidMode: settings.pidMode,
    Privileged: settings.privileged,
    PublishAllPorts: false,
    ReadonlyRootfs: settings.readonlyRootfs,
    SecurityOpt: [
      ...(settings.noNewPrivileges ? ["no-new-privileges"] : []),
      ...(settings.seccomp ? [`seccomp=${settings.seccomp}`] : []),
    ],
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
