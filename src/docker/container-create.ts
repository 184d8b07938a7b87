import { invalid, quote, rejectControl, rejectNul } from "../base/invalid.ts";
import { flag, integer, listOf, mapOf, natural, object, type Shape, text } from "../base/shape.ts";
import { parseSignal } from "../base/signals.ts";
import { parseAddHost, parseDns, parseDnsOption, parseDnsSearch } from "../settings/address.ts";
import { checkBandwidth, checkBandwidthMode } from "../settings/bandwidth.ts";
import { checkCapabilities, parseCapability } from "../settings/capability.ts";
import { parseCgroupParent } from "../settings/cgroup-parent.ts";
import { checkVariable } from "../settings/combine.ts";
import { type AskedSettings, defaultSettings } from "../settings/container-settings.ts";
import { parseDevice } from "../settings/device.ts";
import { checkDeviceRule } from "../settings/device-rule.ts";
import { parseEgressList } from "../settings/egress.ts";
import { parseGroups } from "../settings/group.ts";
import { parseHealthAction } from "../settings/health.ts";
import { parseIdMapping } from "../settings/id-mapping.ts";
import { parseHostname, parseUser, parseWorkingDirectory } from "../settings/identity.ts";
import { checkLogOptions, parseLogDriver } from "../settings/log.ts";
import { parseNamespaceMode, parseNetworkMode } from "../settings/namespace-mode.ts";
import { checkOomScore } from "../settings/oom-score.ts";
import { checkRestart, parseRestart, type RestartPolicy } from "../settings/restart.ts";
import { parseSecurityOptions } from "../settings/security-opt.ts";
import { refuseStorageOptions } from "../settings/storage-opt.ts";
import { parseSysctls } from "../settings/sysctl.ts";
import { allPaths, checkSystemPath, systemPaths, wishesOfLists } from "../settings/system-paths.ts";
import { checkTimeOffsets } from "../settings/time-offset.ts";
import { parseUlimit } from "../settings/ulimit.ts";
import { parseUsernsMode, type UserNamespaceWishes } from "../settings/user-namespace.ts";
import { parseVolumesFrom } from "../settings/volume.ts";
import { consoleSizeOf } from "./console-size.ts";
import { type ContainerConfig, containerConfig } from "./container-config.ts";
import { deviceRequestDocument, requestedDevices } from "./device-requests.ts";
import { healthcheckField, healthcheckSettings } from "./health.ts";
import { type HostConfig, hostConfig, type IdMappingsDocument } from "./host-config.ts";
import { hostResourceFields, parseHostResources } from "./host-resources.ts";
import {
  labelsOf,
  type MountDocument,
  mountDocument,
  mountDocuments,
  mountRequests,
} from "./mount-request.ts";
import {
  type NetworkingConfig,
  networkingConfig,
  networkingDocument,
  networkingSettings,
} from "./networking-config.ts";
import { exposedOf, portBindings, wishesOfBindings } from "./port-bindings.ts";
import { given, type Harmless, nullable, read, refuseUnavailable } from "./zero.ts";

/** The body of POST /containers/create: what a container is to be. Its name and platform are the query's. */
export interface ContainerCreate extends ContainerConfig {
  HostConfig: HostConfig & { Mounts: MountDocument[] };
  NetworkingConfig: NetworkingConfig;
}

/** As Docker reads it, too. */
export function containerCreate(image: string, settings: AskedSettings): ContainerCreate {
  const { entrypoint } = settings;
  const { Binds, Mounts, Tmpfs, Volumes } = mountDocuments(settings.mounts);
  return {
    ...containerConfig(settings, image, {
      Cmd: settings.command,
      // An empty list would be none; a list of one "" takes the image's away.
      Entrypoint: entrypoint && entrypoint.length === 0 ? [""] : (entrypoint ?? null),
      Volumes: Object.keys(Volumes).length > 0 ? Volumes : null,
    }),
    HostConfig: {
      ...hostConfig(settings, { Binds, Tmpfs }),
      Mounts,
      ...askedPaths(settings),
      // Whoever reads it logs and runs as he is used to, unless something was asked for.
      LogConfig: { Type: usualLog(settings) ? "" : settings.logDriver, Config: settings.logOptions },
      Runtime: "",
    },
    NetworkingConfig: networkingDocument(settings),
  };
}

/** Null where only the options say it, or nothing does. */
function askedPaths(settings: AskedSettings): Pick<HostConfig, "MaskedPaths" | "ReadonlyPaths"> {
  const { masked, readonly } = systemPaths({ ...settings, privileged: false });
  const all = settings.unmask.includes(allPaths);
  return {
    MaskedPaths: all ? masked : null,
    ReadonlyPaths: all || settings.readonlyPaths.length > 0 ? readonly : null,
  };
}

const texts = given(listOf(text), []);
const word = given(text, "");
const words = given(mapOf(word), {});
const off = given(flag, false);

const textsOrNull: Shape<string[] | null> = (value, path) =>
  value === undefined || value === null ? null : listOf(text)(value, path);

const hostFields = {
  ...hostResourceFields,
  Annotations: words,
  CgroupnsMode: word,
  CgroupParent: word,
  ConsoleSize: given(listOf(natural), []),
  IpcMode: word,
  OomScoreAdj: given(integer, 0),
  PidMode: word,
  UTSMode: word,
  UsernsMode: word,
  IDMappings: given(object({ UidMap: texts, GidMap: texts, SubuidName: word, SubgidName: word }), {
    UidMap: [],
    GidMap: [],
    SubuidName: "",
    SubgidName: "",
  }),
  AutoRemove: off,
  Binds: texts,
  CapAdd: texts,
  CapDrop: texts,
  LogConfig: given(object({ Type: word, Config: words }), { Type: "", Config: {} }),
  Devices: given(listOf(object({ PathOnHost: text, PathInContainer: word, CgroupPermissions: word })), []),
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  EgressAllow: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  Init: off,
  Links: texts,
  Mounts: given(listOf(mountDocument), []),
  NetworkMode: word,
  PortBindings: given(portBindings, {}),
  PublishAllPorts: off,
  Privileged: off,
  ReadonlyRootfs: off,
  RestartPolicy: given(object({ Name: word, MaximumRetryCount: given(natural, 0) }), {
    Name: "",
    MaximumRetryCount: 0,
  }),
  SecurityOpt: texts,
  /** Null: the usual ones; an empty list is none. */
  MaskedPaths: textsOrNull,
  ReadonlyPaths: textsOrNull,
  DeviceCgroupRules: texts,
  DeviceRequests: given(listOf(deviceRequestDocument), []),
  TimeOffsets: words,
  ShmSize: given(natural, 0),
  StorageOpt: words,
  Sysctls: words,
  Tmpfs: words,
  VolumesFrom: texts,
  NetworkBandwidth: given(object({ Up: given(natural, 0), Down: given(natural, 0) }), { Up: 0, Down: 0 }),
  Ulimits: given(listOf(object({ Name: text, Soft: given(integer, 0), Hard: given(integer, 0) })), []),
};

const anything: Shape<object> = object({});

const configFields = {
  AttachStdin: off,
  // The API's documentation has these defaults.
  AttachStdout: given(flag, true),
  AttachStderr: given(flag, true),
  Cmd: texts,
  Domainname: word,
  Entrypoint: texts,
  Env: texts,
  ExposedPorts: given(anything, {}),
  Healthcheck: healthcheckField,
  HealthcheckOnFailureAction: word,
  Hostname: word,
  Image: text,
  Labels: words,
  NetworkDisabled: off,
  OpenStdin: off,
  Shell: texts,
  StopSignal: word,
  StopTimeout: nullable(integer),
  Tty: off,
  User: word,
  Volumes: given(anything, {}),
  WorkingDir: word,
  NetworkingConfig: given(networkingConfig, networkingConfig({}, "")),
  HostConfig: given(object(hostFields), object(hostFields)({}, "HostConfig")),
};
const body = object(configFields);

const isOneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value);

const never = isOneOf();

/** Docker's, and what may be said of them. Docker forgets KernelMemory itself. */
const unavailable: Harmless = { OnBuild: never };
const unavailableOfHost: Harmless = {
  Capabilities: never,
  Isolation: isOneOf("default"),
  // "runc" is how clients say that they want the usual one.
  Runtime: isOneOf("native", "runc", "io.containerd.runc.v2"),
  VolumeDriver: isOneOf("local"),
};

/**
 * The settings that a client asks for. Its texts are hostile, and are checked as the command line's are.
 *
 * @param document any JSON value
 * @throws RtError invalid-argument: it is none, or says what cannot be; unsupported: it asks for what rt does not have
 */
export function parseContainerCreate(document: unknown): { image: string; settings: AskedSettings } {
  const config = read(body, document, "container");
  const host = config.HostConfig;
  refuseUnavailable(config, unavailable, "");
  refuseUnavailable(host, unavailableOfHost, "HostConfig");
  if (config.Image === "") throw invalid("invalid container: Image is empty");
  const storageOptions = Object.entries(host.StorageOpt).map(([key, value]) => `${key}=${value}`);
  refuseStorageOptions(storageOptions, "HostConfig.StorageOpt");
  const [firstWord] = config.Entrypoint;
  const entrypoint = config.Entrypoint.map((word) => rejectNul("Entrypoint", word));
  const defaults = defaultSettings();
  const networkMode = config.NetworkDisabled
    ? "none"
    : networkModeOf(host.NetworkMode, config.NetworkingConfig);
  const capAdd = host.CapAdd.map((name) => parseCapability(name, "HostConfig.CapAdd"));
  const capDrop = host.CapDrop.map((name) => parseCapability(name, "HostConfig.CapDrop"));
  checkCapabilities(capAdd, capDrop, "HostConfig.CapAdd and HostConfig.CapDrop");
  const publish = wishesOfBindings(host.PortBindings, "HostConfig.PortBindings");
  const settings: AskedSettings = {
    ...defaults,
    command: config.Cmd.map((word) => rejectNul("Cmd", word)),
    ...(entrypoint.length > 0 && {
      entrypoint: entrypoint.length === 1 && firstWord === "" ? [] : entrypoint,
    }),
    env: config.Env.map((entry) => checkVariable(entry, "Env")),
    attached: attachedOf(config),
    hostname: parseHostname(config.Hostname, "Hostname"),
    domainname: parseHostname(config.Domainname, "Domainname"),
    labels: labelsOf(config.Labels, "Labels"),
    openStdin: config.OpenStdin,
    stopSignal: config.StopSignal === "" ? "" : parseSignal(config.StopSignal).name,
    tty: config.Tty,
    ...consoleSizeOf(host.ConsoleSize, "HostConfig.ConsoleSize"),
    user: parseUser(config.User, "User"),
    workingDirectory: parseWorkingDirectory(config.WorkingDir, "WorkingDir"),
    annotations: labelsOf(host.Annotations, "HostConfig.Annotations"),
    autoRemove: host.AutoRemove,
    capAdd,
    capDrop,
    devices: host.Devices.map((device) => {
      const { PathOnHost, PathInContainer, CgroupPermissions } = device;
      const parts = [PathOnHost, PathInContainer || PathOnHost, CgroupPermissions || "rwm"];
      return parseDevice(parts.join(":"), "HostConfig.Devices");
    }),
    dns: host.Dns.map((address) => parseDns(address, "HostConfig.Dns")),
    dnsOptions: host.DnsOptions.map((option) => parseDnsOption(option, "HostConfig.DnsOptions")),
    dnsSearch: host.DnsSearch.map((domain) => parseDnsSearch(domain, "HostConfig.DnsSearch")),
    egressAllow: parseEgressList(host.EgressAllow, networkMode, "HostConfig.EgressAllow"),
    extraHosts: host.ExtraHosts.map((entry) => parseAddHost(entry, "HostConfig.ExtraHosts")),
    groupAdd: parseGroups(host.GroupAdd, "HostConfig.GroupAdd"),
    init: host.Init,
    mounts: mountRequests({ ...host, Volumes: config.Volumes as Record<string, Record<string, never>> }),
    volumesFrom: host.VolumesFrom.map((entry) => parseVolumesFrom(entry, "HostConfig.VolumesFrom")),
    ...networkingSettings(networkMode, config.NetworkingConfig, host.Links),
    ...bandwidthSettings(networkMode, host.NetworkBandwidth),
    publish,
    publishAll: host.PublishAllPorts,
    expose: exposedOf(config.ExposedPorts, publish, "ExposedPorts"),
    pidMode: parseNamespaceMode("pid", host.PidMode, "HostConfig.PidMode"),
    ipcMode: parseNamespaceMode("ipc", host.IpcMode, "HostConfig.IpcMode"),
    utsMode: parseNamespaceMode("uts", host.UTSMode, "HostConfig.UTSMode"),
    cgroupnsMode: parseNamespaceMode("cgroup", host.CgroupnsMode, "HostConfig.CgroupnsMode"),
    ...userNamespace(host),
    resources: parseHostResources(host),
    cgroupParent: parseCgroupParent(host.CgroupParent, "HostConfig.CgroupParent"),
    oomScoreAdj: checkOomScore(host.OomScoreAdj, "HostConfig.OomScoreAdj"),
    privileged: host.Privileged,
    readonlyRootfs: host.ReadonlyRootfs,
    ...logSettings(host.LogConfig),
    restart: policyOf(host.RestartPolicy, host.AutoRemove),
    ...(config.StopTimeout !== undefined && { stopTimeout: config.StopTimeout }),
    shmSize: host.ShmSize || defaults.shmSize,
    ...healthcheckSettings(config.Healthcheck),
    healthOnFailure: parseHealthAction(
      config.HealthcheckOnFailureAction || "none",
      host.AutoRemove,
      "HealthcheckOnFailureAction",
    ),
    shell: config.Shell.map((word) => rejectNul("Shell", word)),
    sysctls: parseSysctls(sysctlTexts(host.Sysctls), "HostConfig.Sysctls"),
    ulimits: host.Ulimits.map(({ Name, Soft, Hard }) =>
      parseUlimit(`${Name}=${Soft}:${Hard}`, "HostConfig.Ulimits"),
    ),
    ...securitySettings(host),
    deviceCgroupRules: host.DeviceCgroupRules.map((text) =>
      checkDeviceRule(text, "HostConfig.DeviceCgroupRules"),
    ),
    cdiDevices: host.DeviceRequests.flatMap(requestedDevices),
    timeOffsets: checkTimeOffsets(host.TimeOffsets, "HostConfig.TimeOffsets"),
  };
  return { image: rejectControl("Image", config.Image), settings };
}

function securitySettings({
  SecurityOpt,
  MaskedPaths,
  ReadonlyPaths,
}: {
  SecurityOpt: string[];
  MaskedPaths: string[] | null;
  ReadonlyPaths: string[] | null;
}): ReturnType<typeof parseSecurityOptions> & Pick<AskedSettings, "readonlyPaths"> {
  const options = parseSecurityOptions(SecurityOpt, "HostConfig.SecurityOpt");
  const masked = MaskedPaths?.map((path) => checkSystemPath(path, "HostConfig.MaskedPaths"));
  const readonly = ReadonlyPaths?.map((path) => checkSystemPath(path, "HostConfig.ReadonlyPaths"));
  const { mask, unmask, readonlyPaths } = wishesOfLists(masked, readonly);
  return {
    ...options,
    mask: [...new Set([...options.mask, ...mask])],
    unmask: [...new Set([...options.unmask, ...unmask])],
    readonlyPaths,
  };
}

/** Where the mode decides the maps, a document that has them is another container's, and they are that one's. */
function userNamespace({
  UsernsMode,
  IDMappings: { UidMap, GidMap, SubuidName = "", SubgidName = "" },
}: {
  UsernsMode: string;
  IDMappings: IdMappingsDocument;
}): UserNamespaceWishes {
  const usernsMode = parseUsernsMode(UsernsMode, "HostConfig.UsernsMode");
  if (usernsMode !== "" && usernsMode !== "private")
    return { usernsMode, uidMap: [], gidMap: [], subuidName: "", subgidName: "" };
  return {
    usernsMode,
    uidMap: UidMap.map((range) => parseIdMapping(range, "HostConfig.IDMappings.UidMap")),
    gidMap: GidMap.map((range) => parseIdMapping(range, "HostConfig.IDMappings.GidMap")),
    subuidName: rejectControl("HostConfig.IDMappings.SubuidName", SubuidName),
    subgidName: rejectControl("HostConfig.IDMappings.SubgidName", SubgidName),
  };
}

function attachedOf(
  config: Record<"AttachStdin" | "AttachStdout" | "AttachStderr", boolean>,
): AskedSettings["attached"] {
  return [
    ...(config.AttachStdin ? (["stdin"] as const) : []),
    ...(config.AttachStdout ? (["stdout"] as const) : []),
    ...(config.AttachStderr ? (["stderr"] as const) : []),
  ];
}

function usualLog({ logDriver, logOptions }: AskedSettings): boolean {
  return logDriver === defaultSettings().logDriver && Object.keys(logOptions).length === 0;
}

function policyOf(document: { Name: string; MaximumRetryCount: number }, autoRemove: boolean): RestartPolicy {
  const what = "HostConfig.RestartPolicy";
  const { name } = parseRestart(document.Name, what);
  if (autoRemove && name !== "no") throw invalid("can't create 'AutoRemove' container with restart policy");
  return checkRestart({ name, retries: document.MaximumRetryCount }, what);
}

function logSettings({ Type, Config }: { Type: string; Config: Record<string, string> }) {
  const logDriver = Type === "" ? defaultSettings().logDriver : parseLogDriver(Type, "HostConfig.LogConfig");
  return { logDriver, logOptions: checkLogOptions(logDriver, Config, "HostConfig.LogConfig") };
}

/** Where only the networks are said it is in those. */
function networkModeOf(
  text: string,
  { EndpointsConfig }: { EndpointsConfig: object },
): AskedSettings["networkMode"] {
  if (text === "" || text === "default") {
    const usual = defaultSettings().networkMode;
    const asked = Object.keys(EndpointsConfig);
    const [first] = asked;
    if (first === undefined || asked.includes("default") || asked.includes(usual)) return usual;
    return parseNetworkMode(first, "NetworkingConfig.EndpointsConfig");
  }
  return parseNetworkMode(text, "HostConfig.NetworkMode");
}

function bandwidthSettings(
  networkMode: string,
  { Up, Down }: { Up: number; Down: number },
): Pick<AskedSettings, "bandwidthUp" | "bandwidthDown"> {
  const settings = {
    bandwidthUp: checkBandwidth(Up, "HostConfig.NetworkBandwidth.Up"),
    bandwidthDown: checkBandwidth(Down, "HostConfig.NetworkBandwidth.Down"),
  };
  checkBandwidthMode(networkMode, settings);
  return settings;
}

function sysctlTexts(sysctls: Readonly<Record<string, string>>): string[] {
  return Object.entries(sysctls).map(([name, value]) => {
    if (name.includes("=")) throw invalid(`invalid HostConfig.Sysctls ${quote(name)}: the name has a "="`);
    return `${name}=${value}`;
  });
}
