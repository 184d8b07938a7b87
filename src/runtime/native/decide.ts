import { RtError } from "../../base/errors.ts";
import { capabilityNames, limitNames, namespaceFlags } from "../../base/linux.ts";
import type {
  RuntimeSpec,
  SpecDevice,
  SpecDeviceRule,
  SpecIdMapping,
  SpecMount,
  SpecNamespace,
  SpecProcess,
} from "../../oci/runtime-spec.ts";
import { parseMountOptions } from "../mount-options.ts";
import type { HealthRequest, MonitorRequest, MountSource } from "./request.ts";

/**
 * The request as the monitor reads it (zig-native/wire/request.zig): what is decided already is told in the kernel's numbers,
 * so that no name has to be known, or can be misread, in the process that lives as long as the container.
 * @throws RtError for a name that Linux does not have
 */
export function decide(request: MonitorRequest): object {
  if (request.kind === "exec") return { ...request, process: decideProcess(request.process) };
  const { spec, health, sources, rootfs, ...rest } = request;
  const { mountLabel = "" } = spec.linux;
  return {
    ...rest,
    rootfs: mountLabel === "" ? rootfs : { ...rootfs, label: mountLabel },
    spec: decideSpec(spec, sources),
    health: health && decideHealth(health),
  };
}

/** The check is a request of its own, which the monitor completes: what is missing are the last two fields. */
function decideHealth({ exec, ...rest }: HealthRequest): object {
  const probe = JSON.stringify({ ...exec, process: decideProcess(exec.process) });
  return { ...rest, probe: `${probe.slice(0, -1)},"pid":` };
}

/** What only an external runtime asks of a specification is left out. */
function decideSpec(spec: RuntimeSpec, sources: Readonly<Record<string, MountSource>>): object {
  return {
    hostname: spec.hostname ?? "",
    domainname: spec.domainname ?? "",
    readonly: spec.root.readonly,
    process: decideProcess(spec.process),
    mounts: spec.mounts.map((mount) => decideMount(labelled(mount, spec.linux.mountLabel), sources)),
    namespaces: spec.linux.namespaces.map(decideNamespace),
    uids: (spec.linux.uidMappings ?? []).map(decideMapping),
    gids: (spec.linux.gidMappings ?? []).map(decideMapping),
    devices: spec.linux.devices.map(decideDevice),
    deviceRules: spec.linux.resources.devices.map(decideRule),
    timeOffsets: decideOffsets(spec.linux.timeOffsets ?? {}),
    sysctl: spec.linux.sysctl,
    maskedPaths: spec.linux.maskedPaths,
    readonlyPaths: spec.linux.readonlyPaths,
  };
}

/** CLOCK_* */
const clocks = { monotonic: 1, boottime: 7 } as const;

function decideOffsets(offsets: NonNullable<RuntimeSpec["linux"]["timeOffsets"]>): object[] {
  return (["monotonic", "boottime"] as const).flatMap((name) => {
    const offset = offsets[name];
    return offset ? [{ clock: clocks[name], seconds: offset.secs, nanoseconds: offset.nanosecs }] : [];
  });
}

function decideMapping({ containerID, hostID, size }: SpecIdMapping): object {
  return rangeOf([containerID, hostID, size]);
}

/** A process is held on to, and its number in a path would not be. */
function decideNamespace({ type, path, process }: SpecNamespace): object {
  return { flag: flags[type], path: process ? "" : (path ?? ""), process: process ?? null };
}

const flags: Readonly<Record<SpecNamespace["type"], number>> = {
  mount: namespaceFlags.NEWNS,
  pid: namespaceFlags.NEWPID,
  network: namespaceFlags.NEWNET,
  ipc: namespaceFlags.NEWIPC,
  uts: namespaceFlags.NEWUTS,
  user: namespaceFlags.NEWUSER,
  cgroup: namespaceFlags.NEWCGROUP,
  time: namespaceFlags.NEWTIME,
};

function decideProcess(process: SpecProcess): object {
  const { bounding, effective, permitted, inheritable, ambient } = process.capabilities;
  return {
    terminal: process.terminal,
    consoleSize: process.consoleSize ?? null,
    user: { additionalGids: [], ...process.user, umask: process.user.umask ?? 0o022 },
    args: process.args,
    env: process.env,
    cwd: process.cwd,
    capabilities: {
      bounding: maskOf(bounding),
      effective: maskOf(effective),
      permitted: maskOf(permitted),
      inheritable: maskOf(inheritable),
      ambient: maskOf(ambient),
    },
    rlimits: process.rlimits.map(({ type, hard, soft }) => ({
      ...{ resource: numberOf("limit", "RLIMIT_", limitNames, type), hard, soft },
    })),
    noNewPrivileges: process.noNewPrivileges,
    oomScoreAdj: process.oomScoreAdj ?? null,
    apparmorProfile: process.apparmorProfile ?? "",
    selinuxLabel: process.selinuxLabel ?? "",
  };
}

/** Bit n for capability n: more than 32 of them, and fewer than a number holds. */
export function maskOf(names: readonly string[]): number {
  const bits = new Set(names.map((name) => numberOf("capability", "CAP_", capabilityNames, name)));
  return [...bits].reduce((mask, bit) => mask + 2 ** bit, 0);
}

function numberOf(what: string, prefix: string, names: readonly string[], name: string): number {
  const number = name.startsWith(prefix) ? names.indexOf(name.slice(prefix.length)) : -1;
  if (number < 0) throw new RtError("invalid-argument", `unknown ${what} ${name}`);
  return number;
}

/** What is new has the label of the container's files; what the kernel makes up, mqueue too, has its own. */
function labelled(mount: SpecMount, label: string | undefined): SpecMount {
  if (label === undefined || !["tmpfs", "devpts"].includes(mount.type)) return mount;
  return { ...mount, options: [...mount.options, `context=${label}`] };
}

function decideMount(mount: SpecMount, sources: Readonly<Record<string, MountSource>>): object {
  const { destination, type, source, options, process } = mount;
  const made = Object.hasOwn(sources, destination) ? sources[destination]! : {};
  const { lower = [], upper = "", work = "", subpath = "", chown = false, mapped = false } = made;
  const { uids = [], gids = [] } = made;
  const from = {
    lower,
    upper,
    work,
    subpath,
    chown,
    mapped,
    uids: uids.map(rangeOf),
    gids: gids.map(rangeOf),
  };
  return { destination, type, source, ...parseMountOptions(options), ...from, process: process ?? null };
}

function rangeOf([from, to, count]: readonly [number, number, number]): object {
  return { from, to, count };
}

/** stat(2)'s S_IFCHR, S_IFBLK, S_IFIFO */
const formats = { c: 0o020000, b: 0o060000, p: 0o010000 } as const;

function decideDevice(device: SpecDevice): object {
  const { path, major, minor, uid, gid } = device;
  return { path, mode: formats[device.type] | (device.fileMode & 0o7777), major, minor, uid, gid };
}

/** linux/bpf.h: BPF_DEVCG_DEV_*, with 0 for all; BPF_DEVCG_ACC_* */
const kinds = { a: 0, b: 1, c: 2 } as const;
const accesses: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** A number that is null is any. */
export function decideRule(rule: SpecDeviceRule): {
  allow: boolean;
  kind: number;
  major: number | null;
  minor: number | null;
  access: number;
} {
  return {
    allow: rule.allow,
    kind: kinds[rule.type ?? "a"],
    major: rule.major ?? null,
    minor: rule.minor ?? null,
    access: [...rule.access].reduce((bits, letter) => bits | (accesses[letter] ?? 0), 0),
  };
}
