import type { IdRange } from "../base/id-map.ts";
import type {
  RuntimeSpec,
  SpecDevice,
  SpecHooks,
  SpecIdMapping,
  SpecMount,
  SpecRlimit,
} from "../oci/runtime-spec.ts";
import type { ContainerSettings, Device, Mount, Ulimit } from "../settings/container-settings.ts";
import { networkOf } from "../settings/namespace-mode.ts";
import { stackOf } from "../settings/network-stack.ts";
import { isUnlimited } from "../settings/resources.ts";
import { systemPaths, throttlePath } from "../settings/system-paths.ts";
import { resolveCapabilities } from "./capabilities.ts";
import { defaultDevices, defaultMounts, networkSysctls, routerSysctls, writable } from "./defaults.ts";
import { deviceRules } from "./device-rules.ts";
import type { SpecLabels } from "./labels.ts";
import type { BlockDevices, SpecLimits } from "./limits.ts";
import { type Neighbours, namespaces, networkFiles, procMount, sharedMemory } from "./namespaces.ts";

/** What of the host the spec depends on; gathered by the caller, so that this stays pure. */
export interface SpecContext {
  /** Directory with our hosts, hostname and resolv.conf, which are bound into the container. */
  filesDirectory: string;
  /** Where the rootfs will be mounted; only an external runtime reads it. */
  rootPath: string;
  /** The container's own, below each hierarchy's root. */
  cgroupsPath: string;
  /** The host's nodes that were asked for. */
  devices: readonly Device[];
  /** The host's own devices, for a privileged container. */
  hostDevices: readonly SpecDevice[];
  /** Host CPUs whose thermal_throttle is to be masked; 0 where sysfs has none. */
  throttledCpus: number;
  /** Our own hard limit of open descriptors. */
  descriptorsMax: number;
  /** The host's mounts are so to us, as in any user namespace but its own: none of them is bound without those in it. */
  isLocked?: boolean;
  /** It is in a network, whose other members could say that they are its routers (IPv6). */
  hasRouters?: boolean;
  consoleSize?: { height: number; width: number } | undefined;
  hooks?: SpecHooks | undefined;
  /** The inits of the containers whose namespaces this one has too. */
  neighbours?: Neighbours;
  labels?: SpecLabels;
  /** Numbers of groups that its user is in besides. */
  groups?: readonly number[];
  /** Processes and threads of a container that says nothing of them. */
  processesMax: number;
  /** The block devices that its limits name, by their path. */
  blockDevices?: BlockDevices;
}

/** The OCI runtime spec of a container. `process.user` is left to init: names need the rootfs. */
export function generateSpec(settings: ContainerSettings, context: SpecContext): RuntimeSpec {
  const capabilities = resolveCapabilities(settings.capAdd, settings.capDrop, settings.privileged);
  const { networkMode } = settings;
  const isStack = stackOf(networkMode) !== undefined;
  const ownNetwork = networkMode === "none" || isStack || networkOf(networkMode) !== undefined;
  const throttle = Array.from({ length: context.throttledCpus }, (_, cpu) => throttlePath(cpu));
  const { labels: { mountLabel, ...processLabels } = {}, groups = [] } = context;
  const paths = systemPaths(settings, throttle);
  return {
    ociVersion: "1.2.0",
    hostname: settings.hostname,
    ...(settings.domainname !== "" && { domainname: settings.domainname }),
    root: { path: context.rootPath, readonly: settings.readonlyRootfs },
    process: {
      terminal: settings.tty,
      ...(context.consoleSize ? { consoleSize: context.consoleSize } : {}),
      user: { uid: 0, gid: 0, umask: 0o022, ...(groups.length > 0 && { additionalGids: [...groups] }) },
      args: settings.args,
      env: settings.env,
      cwd: settings.workingDirectory,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      rlimits: rlimits(settings, context.descriptorsMax),
      noNewPrivileges: settings.noNewPrivileges,
      ...(settings.oomScoreAdj !== 0 && { oomScoreAdj: settings.oomScoreAdj }),
      ...processLabels,
    },
    mounts: mounts(settings, context),
    annotations: settings.annotations,
    ...(context.hooks && { hooks: context.hooks }),
    linux: {
      namespaces: namespaces(settings, context.neighbours),
      devices: devices(settings, context),
      cgroupsPath: context.cgroupsPath,
      resources: { devices: deviceRules(settings, context.devices), ...limits(settings, context) },
      sysctl: {
        ...(ownNetwork && networkSysctls),
        ...(context.hasRouters && routerSysctls),
        ...settings.sysctls,
      },
      maskedPaths: paths.masked,
      readonlyPaths: paths.readonly,
      ...idMappings(settings),
      ...timeOffsets(settings),
      ...(mountLabel !== undefined && { mountLabel }),
    },
  };
}

function idMappings({
  idMappings: own,
}: ContainerSettings): Pick<RuntimeSpec["linux"], "uidMappings" | "gidMappings"> {
  if (!own) return {};
  return { uidMappings: own.uids.map(specRange), gidMappings: own.gids.map(specRange) };
}

function specRange({ container, host, size }: IdRange): SpecIdMapping {
  return { containerID: container, hostID: host, size };
}

/** Most have the host's clocks. */
function timeOffsets(settings: ContainerSettings): Pick<RuntimeSpec["linux"], "timeOffsets"> {
  if (Object.keys(settings.timeOffsets).length === 0) return {};
  const { specTimeOffsets } =
    require("../settings/time-offset.ts") as typeof import("../settings/time-offset.ts");
  const offsets = specTimeOffsets(settings.timeOffsets);
  return offsets ? { timeOffsets: offsets } : {};
}

/** Most have none but the one on processes. */
function limits(
  { resources }: ContainerSettings,
  { processesMax, blockDevices = {} }: SpecContext,
): SpecLimits {
  if (isUnlimited(resources)) return { pids: { limit: processesMax } };
  const { specLimits } = require("./limits.ts") as typeof import("./limits.ts");
  return specLimits({ pidsLimit: processesMax, ...resources }, blockDevices);
}

/**
 * The runtime that we are made of raises its own soft limit of descriptors to the hard one. A container is not to inherit
 * that: programs that close every descriptor they could have would spend minutes on it.
 */
export function rlimits(settings: ContainerSettings, descriptorsMax: number): SpecRlimit[] {
  const asked = settings.ulimits.map(rlimit);
  if (asked.some((limit) => limit.type === "RLIMIT_NOFILE")) return asked;
  const hard = Math.min(descriptorsMax, 1048576);
  return [{ type: "RLIMIT_NOFILE", soft: Math.min(1024, hard), hard }, ...asked];
}

function rlimit(limit: Ulimit): SpecRlimit {
  return { type: `RLIMIT_${limit.name.toUpperCase()}`, soft: limit.soft, hard: limit.hard };
}

/** Defaults, our three files, and the user's; a user's mount takes the place of ours on the same path. */
function mounts(settings: ContainerSettings, context: SpecContext): SpecMount[] {
  const ours = [
    ...defaultMounts.map((mount) => procMount(mount, settings, context.neighbours)),
    ...sharedMemory(settings, context),
  ].map((mount) => (isWritable(settings, mount) ? writable(mount) : mount));
  ours.push(...networkFiles(context.filesDirectory, context.neighbours));
  const asked = settings.mounts.map((mount) => withDevices(userMount(mount), settings));
  const taken = new Set(asked.map((mount) => mount.destination));
  const all = [...ours.filter((mount) => !taken.has(mount.destination)), ...asked];
  // By depth, and ours first where that is the same: a user's mount on /etc goes under our /etc/hosts, not over it.
  return all.sort((a, b) => depth(a.destination) - depth(b.destination));
}

/** Its groups a container may manage by itself where they are named among what is to be seen as it is. */
function isWritable({ privileged, unmask }: ContainerSettings, { destination }: SpecMount): boolean {
  return privileged || (destination === "/sys/fs/cgroup" && unmask.includes(destination));
}

function depth(path: string): number {
  return path.split("/").filter(Boolean).length;
}

function userMount({ type, source, destination, options, readonly, below }: Mount): SpecMount {
  if (type === "tmpfs")
    return { destination, type, source: "tmpfs", options: [...options, ...(readonly ? ["ro"] : [])] };
  const said = options.filter((option) => option !== "nocopy");
  const isAlone = said.includes("bind");
  const bind = isAlone || said.includes("rbind") ? said : ["rbind", ...said];
  // A read-only bind is read-only all the way down, unless somebody wants it otherwise.
  const access = isAlone || below === "writable" ? "ro" : "rro";
  return { destination, type: "bind", source, options: [...bind, ...(readonly ? [access] : [])] };
}

/** Where nodes come and go: what may be used of them, the rules that were asked for say. */
function withDevices(mount: SpecMount, { deviceCgroupRules }: ContainerSettings): SpecMount {
  const isOfDevices = mount.type === "bind" && /^\/dev(\/|$)/.test(mount.source);
  if (deviceCgroupRules.length === 0 || !isOfDevices || mount.options.includes("nodev")) return mount;
  return { ...mount, options: [...mount.options, "dev"] };
}

function devices(settings: ContainerSettings, context: SpecContext): SpecDevice[] {
  const asked = context.devices.map(
    (device): SpecDevice => ({
      path: device.destination,
      type: device.type,
      major: device.major,
      minor: device.minor,
      fileMode: device.mode,
      uid: device.uid,
      gid: device.gid,
    }),
  );
  const all = new Map<string, SpecDevice>();
  for (const device of settings.privileged ? context.hostDevices : []) all.set(device.path, device);
  for (const device of [...defaultDevices, ...asked]) all.set(device.path, device);
  return [...all.values()];
}
