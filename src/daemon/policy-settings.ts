import { posix } from "node:path";
import type { AskedSettings, MountRequest } from "../settings/container-settings.ts";
import { joinedContainer, networkOf } from "../settings/namespace-mode.ts";
import { stackOf } from "../settings/network-stack.ts";
import type { Resources } from "../settings/resources.ts";
import { cutVolumesFrom } from "../settings/volume.ts";
import type { PolicyRules } from "./policy-file.ts";
import { matchesAny } from "./policy-pattern.ts";
import { notAllowed } from "./policy-refusal.ts";

/** What a check may ask: the rules, and the ids of containers that are there for whoever asks. */
export interface SettingsContext {
  rules: PolicyRules;
  /** @throws RtError not-found: there is none, for him */
  idOf(name: string): Promise<string>;
  /** @throws RtError forbidden */
  checkImage(name: string): Promise<void>;
  /** The name of what may be called by its id, or the beginning of that. */
  networkOf(text: string): Promise<string>;
}

type Check<K extends keyof AskedSettings> = (
  value: AskedSettings[K],
  context: SettingsContext,
) => Promise<AskedSettings[K] | undefined> | AskedSettings[K] | undefined;

/** It concerns the container alone, or takes something from it. */
const harmless = () => undefined;
const never = "a container here has no more rights than any other";
/** The first that users of the host may have. */
const firstPort = 1024;

/** Off, empty or nothing. */
const deniedUnless =
  (what: string) =>
  (value: unknown): undefined => {
    const isNothing = Array.isArray(value)
      ? value.length === 0
      : typeof value === "object" && value !== null
        ? Object.keys(value).length === 0
        : !value;
    if (!isNothing) throw notAllowed(what, never);
  };

/** Of its own, or of another container that is there for him. */
const namespaceOf =
  (what: string) =>
  async (mode: string, { idOf }: SettingsContext): Promise<string | undefined> => {
    const container = joinedContainer(mode);
    if (container !== undefined) return `container:${await idOf(container)}`;
    if (mode === "host" || mode.includes(":")) throw notAllowed(`${what} ${mode}`, never);
    return undefined;
  };

/** Each setting has its line, so that one that is new is decided about before it can be asked for. */
const checks: { [K in keyof AskedSettings]-?: Check<K> } = {
  env: harmless,
  workingDirectory: harmless,
  user: harmless,
  groupAdd: harmless,
  tty: harmless,
  consoleSize: harmless,
  openStdin: harmless,
  attached: harmless,
  stopSignal: harmless,
  init: harmless,
  autoRemove: harmless,
  hostname: harmless,
  domainname: harmless,
  bandwidthUp: harmless,
  bandwidthDown: harmless,
  expose: harmless,
  publishAll: harmless,
  egressAllow: harmless,
  dns: harmless,
  dnsSearch: harmless,
  dnsOptions: harmless,
  extraHosts: harmless,
  readonlyRootfs: harmless,
  noNewPrivileges: harmless,
  mask: harmless,
  readonlyPaths: harmless,
  capDrop: harmless,
  ulimits: harmless,
  shmSize: harmless,
  healthcheck: harmless,
  healthOnFailure: harmless,
  shell: harmless,
  restart: harmless,
  stopTimeout: harmless,
  command: harmless,
  entrypoint: harmless,
  timeOffsets: harmless,

  privileged: deniedUnless("privileged"),
  apparmor: deniedUnless("apparmor="),
  landlock: deniedUnless("landlock="),
  labelOptions: deniedUnless("label= of SELinux"),
  unmask: deniedUnless("paths of the kernel's that are not hidden"),
  cgroupParent: deniedUnless("a cgroup parent"),
  deviceCgroupRules: deniedUnless("device rules"),
  cdiDevices: deniedUnless("device requests"),
  devices: deniedUnless("devices"),
  sysctls: deniedUnless("sysctls"),
  uidMap: deniedUnless("maps of ids"),
  gidMap: deniedUnless("maps of ids"),
  subuidName: deniedUnless("maps of ids"),
  subgidName: deniedUnless("maps of ids"),
  // The host's hooks look at them.
  annotations: deniedUnless("annotations"),
  seccomp: (value) => {
    if (value !== undefined && value !== "builtin") throw notAllowed("another filter of system calls", never);
    return undefined;
  },
  capAdd: (names, { rules }) => {
    const more = names.find((name) => !rules.capabilities.includes(name));
    if (more !== undefined) throw notAllowed(more, `capabilities of ${rules.where}`);
    return undefined;
  },
  oomScoreAdj: (score) => {
    if (score < 0) throw notAllowed(`oom score ${score}`, never);
    return undefined;
  },
  resources: (asked) => {
    checkOwnResources(asked);
    return undefined;
  },
  pidMode: namespaceOf("pid mode"),
  ipcMode: namespaceOf("ipc mode"),
  utsMode: namespaceOf("uts mode"),
  cgroupnsMode: namespaceOf("cgroup namespace"),
  usernsMode: async (mode, context) => {
    const container = joinedContainer(mode);
    if (container !== undefined) return `container:${await context.idOf(container)}`;
    if (mode !== "" && mode !== "auto") throw notAllowed(`user namespace ${mode}`, never);
    return undefined;
  },
  publish: (ports) => {
    const port = ports.find(({ first }) => first > 0 && first < firstPort);
    if (port) throw notAllowed(`port ${port.first} of the host`, `those below ${firstPort} are its own`);
    return undefined;
  },
  networkMode: async (mode, context) => {
    if (mode === "none") return undefined;
    // A program on the host that carries it reaches what the host reaches.
    const stack = stackOf(mode);
    if (stack) throw notAllowed(`network ${stack.kind}`, never);
    const called = networkOf(mode);
    if (called === undefined) return namespaceOf("network")(mode, context);
    const network = await context.networkOf(called);
    checkNetwork(network, context.rules);
    return network;
  },
  networks: async (wishes, { rules, idOf, networkOf: nameOf }) => {
    if (!wishes) return undefined;
    return Promise.all(
      wishes.map(async (wish) => {
        const network = await nameOf(wish.network);
        checkNetwork(network, rules);
        return { ...wish, network, links: await ownLinks(wish.links, idOf) };
      }),
    );
  },
  volumesFrom: async (names, { idOf }) =>
    Promise.all(
      names.map(async (text) => {
        const { container, mode } = cutVolumesFrom(text);
        return [await idOf(container), ...(mode === "" ? [] : [mode])].join(":");
      }),
    ),
  mounts: (mounts, context) => Promise.all(mounts.map((mount) => checkedMount(mount, context))),
  labels: (labels, { rules: { label } }) => label && { ...labels, [label.key]: label.value },
  logDriver: (driver) => {
    if (!["json-file", "local", "none"].includes(driver))
      throw notAllowed(`log driver ${driver}`, "logs stay here");
    return undefined;
  },
  logOptions: (options) => {
    const other = Object.keys(options).find(
      (key) => !/^(max-size|max-file|compress|mode|max-buffer-size)$/.test(key),
    );
    if (other !== undefined) throw notAllowed(`log option ${other}`, "logs stay here");
    return undefined;
  },
};

/** The settings that may be had. @throws RtError forbidden; not-found: another container that is none for him */
export async function checkedSettings(
  settings: AskedSettings,
  context: SettingsContext,
): Promise<AskedSettings> {
  const result: Record<string, unknown> = { ...settings };
  const entries = Object.entries(checks) as [keyof AskedSettings, Check<keyof AskedSettings>][];
  for (const [key, check] of entries) {
    const changed = await check(settings[key], context);
    if (changed !== undefined) result[key] = changed;
  }
  const unknown = Object.keys(settings).find((key) => !Object.hasOwn(checks, key));
  if (unknown !== undefined) throw notAllowed(unknown, "no policy knows it");
  return result as AskedSettings;
}

/** @throws RtError forbidden */
export function checkOwnResources({ cgroupConf }: Resources): void {
  if (cgroupConf && Object.keys(cgroupConf).length > 0) throw notAllowed("files of its cgroup", never);
}

/** @throws RtError forbidden */
export function checkNetwork(name: string | undefined, { networks, where }: PolicyRules): void {
  if (name === undefined || name === "bridge" || name === "default") return;
  if (!matchesAny(networks, name)) throw notAllowed(`network ${name}`, `networks of ${where}`);
}

/** "NAME:ALIAS" */
export async function ownLinks(links: readonly string[], idOf: SettingsContext["idOf"]): Promise<string[]> {
  return Promise.all(
    links.map(async (link) => {
      const [name = "", alias = name] = link.split(":");
      return `${await idOf(name)}:${alias}`;
    }),
  );
}

async function checkedMount(
  mount: MountRequest,
  { rules, checkImage }: SettingsContext,
): Promise<MountRequest> {
  const { where, mounts } = rules;
  if (mount.chown) throw notAllowed("a mount whose owners change", never);
  // "" is those of its user namespace.
  if (mount.idmap !== undefined) throw notAllowed("a mount with other owners", never);
  switch (mount.type) {
    case "tmpfs":
      return mount;
    case "image":
      await checkImage(mount.source);
      return mount;
    case "volume":
      if (mount.volumeOptions && Object.keys(mount.volumeOptions).length > 0)
        throw notAllowed(
          "a volume with options of its driver",
          "its device could be any directory of the host",
        );
      if (mount.source !== "" && !matchesAny(mounts.volumes, mount.source))
        throw notAllowed(`volume ${mount.source}`, `mounts.volumes of ${where}`);
      return mount;
    case "bind":
      return checkedBind(mount, rules);
  }
}

/**
 * A directory of the policy's, and what is asked for beneath it as a part of that: it is looked for below the directory, at each
 * start and never through a link that leads out, whoever puts links there and whenever.
 */
function checkedBind(mount: MountRequest, { where, mounts }: PolicyRules): MountRequest {
  const source = posix.normalize(mount.source).replace(/(.)\/$/, "$1");
  const isBeneath = (directory: string) => source === directory || source.startsWith(`${directory}/`);
  const writable = mounts.write.filter(isBeneath);
  const all = mount.readonly || mount.overlay ? [...writable, ...mounts.read.filter(isBeneath)] : writable;
  // The nearest: what is above it may be for others to read only.
  const directory = all.toSorted((a, b) => b.length - a.length)[0];
  if (directory === undefined) {
    const isReadable = mounts.read.some(isBeneath);
    throw notAllowed(
      `bind mount of ${mount.source}${isReadable ? " to be written" : ""}`,
      `mounts.${isReadable ? "write" : "read and mounts.write"} of ${where}`,
    );
  }
  if (mount.options.some((option) => /^r?(shared|slave)$/.test(option)))
    throw notAllowed("a bind mount that propagates", never);
  const part = source.slice(directory.length + 1);
  const { subpath: _, ...rest } = mount;
  return { ...rest, source: directory, createSource: false, ...(part !== "" && { subpath: part }) };
}
