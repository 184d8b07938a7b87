import { type IdMap, rangeText } from "../base/id-map.ts";
import type { ContainerSettings } from "../settings/container-settings.ts";
import { securityOptionTexts } from "../settings/security-opt.ts";
import { systemPaths } from "../settings/system-paths.ts";
import { classicLinks } from "./endpoint-settings.ts";
import { type HostResources, hostResources } from "./host-resources.ts";
import { bindingsDocument, type PortBindings } from "./port-bindings.ts";

/** `HostConfig` of a container: what an image cannot say. What rt does not have has Docker's zero value. */
export interface HostConfig extends Absent, HostResources {
  Binds: string[] | null;
  ContainerIDFile: string;
  LogConfig: { Type: string; Config: Record<string, string> };
  NetworkMode: string;
  PortBindings: PortBindings;
  RestartPolicy: { Name: string; MaximumRetryCount: number };
  AutoRemove: boolean;
  CapAdd: string[] | null;
  CapDrop: string[] | null;
  CgroupParent: string;
  CgroupnsMode: string;
  Dns: string[];
  DnsOptions: string[];
  DnsSearch: string[];
  /** Of rt alone, where any is said. */
  EgressAllow?: string[];
  ExtraHosts: string[] | null;
  GroupAdd: string[] | null;
  IpcMode: string;
  Links: string[] | null;
  OomScoreAdj: number;
  PidMode: string;
  Privileged: boolean;
  PublishAllPorts: boolean;
  ReadonlyRootfs: boolean;
  SecurityOpt: string[] | null;
  /** Null of one that is privileged. */
  MaskedPaths: string[] | null;
  ReadonlyPaths: string[] | null;
  DeviceCgroupRules: string[] | null;
  DeviceRequests: DeviceRequestDocument[] | null;
  /** Not Docker's: seconds that a clock is ahead of the host's. */
  TimeOffsets?: Record<string, string>;
  /** Options by destination. */
  Tmpfs: Record<string, string>;
  UTSMode: string;
  UsernsMode: string;
  IDMappings?: IdMappingsDocument;
  VolumesFrom: string[] | null;
  ShmSize: number;
  Sysctls: Record<string, string>;
  Runtime: string;
  Init: boolean;
  Annotations: Record<string, string>;
  Devices: DeviceMapping[];
  Ulimits: { Name: string; Hard: number; Soft: number }[];
  /** Not Docker's: bits per second, where there is a limit. */
  NetworkBandwidth?: { Up: number; Down: number };
}

export interface DeviceMapping {
  PathOnHost: string;
  PathInContainer: string;
  CgroupPermissions: string;
}

/** `Driver` "cdi": `DeviceIDs` are names of CDI. */
export interface DeviceRequestDocument {
  Driver: string;
  Count: number;
  DeviceIDs: string[] | null;
  Capabilities: string[][] | null;
  Options: Record<string, string> | null;
}

type Absent = typeof absent;

const absent = {
  Cgroup: "",
  ConsoleSize: [0, 0],
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumBandwidth: 0,
  IOMaximumIOps: 0,
  Isolation: "",
  VolumeDriver: "",
};

/**
 * podman's; "0:100000:65536". Docker has no words for them. What a container is to have is asked for here; what it was given is
 * shown here, whatever it was asked for with.
 */
export interface IdMappingsDocument {
  UidMap: string[];
  GidMap: string[];
  SubuidName?: string;
  SubgidName?: string;
}

/** The settings that a record has and somebody asks for alike. */
export type HostSettings = Pick<
  ContainerSettings,
  | "annotations"
  | "apparmor"
  | "autoRemove"
  | "bandwidthDown"
  | "bandwidthUp"
  | "capAdd"
  | "capDrop"
  | "cdiDevices"
  | "consoleSize"
  | "deviceCgroupRules"
  | "dns"
  | "dnsOptions"
  | "dnsSearch"
  | "egressAllow"
  | "extraHosts"
  | "groupAdd"
  | "init"
  | "labelOptions"
  | "landlock"
  | "mask"
  | "cgroupnsMode"
  | "cgroupParent"
  | "ipcMode"
  | "oomScoreAdj"
  | "pidMode"
  | "utsMode"
  | "logDriver"
  | "logOptions"
  | "networkMode"
  | "networks"
  | "noNewPrivileges"
  | "privileged"
  | "publish"
  | "publishAll"
  | "readonlyPaths"
  | "readonlyRootfs"
  | "resources"
  | "restart"
  | "seccomp"
  | "shmSize"
  | "sysctls"
  | "timeOffsets"
  | "gidMap"
  | "subgidName"
  | "subuidName"
  | "uidMap"
  | "ulimits"
  | "unmask"
  | "usernsMode"
  | "volumesFrom"
> & { devices: { source: string; destination: string; permissions: string }[] };

function consoleSizeDocument({ consoleSize }: Pick<HostSettings, "consoleSize">): [number, number] {
  return consoleSize ? [consoleSize.rows, consoleSize.columns] : [0, 0];
}

/** @param places where something is mounted: a document has it in its own way */
export function hostConfig(
  settings: HostSettings,
  { Binds, Tmpfs }: Pick<HostConfig, "Tmpfs"> & { Binds: string[] },
): HostConfig {
  return {
    ...absent,
    ...hostResources(settings.resources),
    VolumesFrom: orNull(settings.volumesFrom),
    Binds: orNull(Binds),
    ContainerIDFile: "",
    LogConfig: { Type: settings.logDriver, Config: settings.logOptions },
    NetworkMode: settings.networkMode,
    Links: orNull(classicLinks(settings)),
    PortBindings: bindingsDocument(settings),
    RestartPolicy: { Name: settings.restart.name, MaximumRetryCount: settings.restart.retries },
    AutoRemove: settings.autoRemove,
    CapAdd: orNull(settings.capAdd),
    CapDrop: orNull(settings.capDrop),
    CgroupParent: settings.cgroupParent,
    CgroupnsMode: settings.cgroupnsMode,
    ConsoleSize: consoleSizeDocument(settings),
    Dns: settings.dns,
    DnsOptions: settings.dnsOptions,
    DnsSearch: settings.dnsSearch,
    ...(settings.egressAllow.length > 0 && { EgressAllow: settings.egressAllow }),
    ExtraHosts: orNull(settings.extraHosts),
    GroupAdd: orNull(settings.groupAdd),
    IpcMode: settings.ipcMode,
    OomScoreAdj: settings.oomScoreAdj,
    PidMode: settings.pidMode,
    Privileged: settings.privileged,
    PublishAllPorts: settings.publishAll,
    ReadonlyRootfs: settings.readonlyRootfs,
    SecurityOpt: orNull(securityOptionTexts(settings)),
    ...pathLists(settings),
    DeviceCgroupRules: orNull(settings.deviceCgroupRules),
    DeviceRequests: deviceRequests(settings.cdiDevices),
    ...(Object.keys(settings.timeOffsets).length > 0 && { TimeOffsets: settings.timeOffsets }),
    Tmpfs,
    UTSMode: settings.utsMode,
    UsernsMode: settings.usernsMode,
    ...idMappings(settings),
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
    ...((settings.bandwidthUp > 0 || settings.bandwidthDown > 0) && {
      NetworkBandwidth: { Up: settings.bandwidthUp, Down: settings.bandwidthDown },
    }),
  };
}

function pathLists(settings: HostSettings): Pick<HostConfig, "MaskedPaths" | "ReadonlyPaths"> {
  const { masked, readonly } = systemPaths(settings);
  const isOpen = settings.privileged && masked.length + readonly.length === 0;
  return isOpen
    ? { MaskedPaths: null, ReadonlyPaths: null }
    : { MaskedPaths: masked, ReadonlyPaths: readonly };
}

function deviceRequests(names: string[]): DeviceRequestDocument[] | null {
  if (names.length === 0) return null;
  return [{ Driver: "cdi", Count: 0, DeviceIDs: names, Capabilities: null, Options: null }];
}

function idMappings(settings: HostSettings): Pick<HostConfig, "IDMappings"> {
  const { uidMap: UidMap, gidMap: GidMap, subuidName: SubuidName, subgidName: SubgidName } = settings;
  if (UidMap.length + GidMap.length === 0 && SubuidName + SubgidName === "") return {};
  return { IDMappings: { UidMap, GidMap, SubuidName, SubgidName } };
}

/** Of a container that has a user namespace of its own. */
export function idMapDocument({ uids, gids }: IdMap): IdMappingsDocument {
  return { UidMap: uids.map(rangeText), GidMap: gids.map(rangeText) };
}

/** Docker says nothing rather than that there are none. */
function orNull(list: string[]): string[] | null {
  return list.length > 0 ? list : null;
}
