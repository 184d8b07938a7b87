import type { RuntimeSpec, SpecDevice, SpecDeviceRule, SpecMount, SpecRlimit } from "../oci/runtime-spec.ts";
import type { ContainerSettings, Mount, Ulimit } from "../settings/container-settings.ts";
import { resolveCapabilities } from "./capabilities.ts";
import {
  defaultDevices,
  defaultMounts,
  maskedPaths,
  networkSysctls,
  readonlyPaths,
  routerSysctls,
  writable,
} from "./defaults.ts";
import { type Neighbours, namespaces, networkFiles, procMount, sharedMemory } from "./namespaces.ts";

/** What of the host the spec depends on; gathered by the caller, so that this stays pure. */
export interface SpecContext {
  /** Directory with our hosts, hostname and resolv.conf, which are bound into the container. */
  filesDirectory: string;
  /** Where the rootfs will be mounted; only an external runtime reads it. */
  rootPath: string;
  /** The container's own, below each hierarchy's root. */
  cgroupsPath: string;
  /** The host's own devices, for a privileged container. */
  hostDevices: readonly SpecDevice[];
  /** Host CPUs whose thermal_throttle is to be masked; 0 where sysfs has none. */
  throttledCpus: number;
  /** Our own hard limit of open descriptors. */
  descriptorsMax: number;
  /** It is in a network, whose other members could say that they are its routers (IPv6). */
  hasRouters?: boolean;
  consoleSize?: { height: number; width: number } | undefined;
  /** The inits of the containers whose namespaces this one has too. */
  neighbours?: Neighbours;
}

/** The OCI runtime spec of a container. `process.user` is left to init: names need the rootfs. */
export function generateSpec(settings: ContainerSettings, context: SpecContext): RuntimeSpec {
  const capabilities = resolveCapabilities(settings.capAdd, settings.capDrop, settings.privileged);
  const ownNetwork = settings.networkMode === "none";
  const throttle = Array.from(
    { length: context.throttledCpus },
    (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`,
  );
  return {
    ociVersion: "1.2.0",
    hostname: settings.hostname,
    ...(settings.domainname !== "" && { domainname: settings.domainname }),
    root: { path: context.rootPath, readonly: settings.readonlyRootfs },
    process: {
      terminal: settings.tty,
      ...(context.consoleSize ? { consoleSize: context.consoleSize } : {}),
      user: { uid: 0, gid: 0, umask: 0o022 },
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
    },
    mounts: mounts(settings, context),
    annotations: settings.annotations,
    linux: {
      namespaces: namespaces(settings, context.neighbours),
      devices: devices(settings, context),
      cgroupsPath: context.cgroupsPath,
      resources: { devices: deviceRules(settings) },
      sysctl: {
        ...(ownNetwork && networkSysctls),
        ...(context.hasRouters && routerSysctls),
        ...settings.sysctls,
      },
      maskedPaths: settings.privileged ? [] : [...maskedPaths, ...throttle],
      readonlyPaths: settings.privileged ? [] : [...readonlyPaths],
    },
  };
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
    ...sharedMemory(settings, context.neighbours),
  ].map((mount) => (settings.privileged ? writable(mount) : mount));
  ours.push(...networkFiles(context.filesDirectory, context.neighbours));
  const asked = settings.mounts.map(userMount);
  const taken = new Set(asked.map((mount) => mount.destination));
  const all = [...ours.filter((mount) => !taken.has(mount.destination)), ...asked];
  // By depth, and ours first where that is the same: a user's mount on /etc goes under our /etc/hosts, not over it.
  return all.sort((a, b) => depth(a.destination) - depth(b.destination));
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

function devices(settings: ContainerSettings, context: SpecContext): SpecDevice[] {
  const asked = settings.devices.map(
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

/** Nothing but the standard devices, pseudo-terminals and what was asked for; making nodes is CAP_MKNOD's business. */
function deviceRules(settings: ContainerSettings): SpecDeviceRule[] {
  if (settings.privileged) return [{ allow: true, access: "rwm" }];
  const standard = defaultDevices.map((device) => rule("c", device.major, device.minor, "rwm"));
  const terminals = [rule("c", 5, 1, "rwm"), rule("c", 5, 2, "rwm"), rule("c", 136, undefined, "rwm")];
  const nodes: SpecDeviceRule[] = [
    { allow: true, type: "c", access: "m" },
    { allow: true, type: "b", access: "m" },
  ];
  const asked = settings.devices
    .filter((device) => device.type !== "p")
    .map((device) => rule(device.type === "b" ? "b" : "c", device.major, device.minor, device.permissions));
  return [{ allow: false, access: "rwm" }, ...nodes, ...standard, ...terminals, ...asked];
}

function rule(type: "c" | "b", major: number, minor: number | undefined, access: string): SpecDeviceRule {
  return { allow: true, type, major, ...(minor === undefined ? {} : { minor }), access };
}
