import {
  defaulted,
  flag,
  type Infer,
  integer,
  listOf,
  mapOf,
  natural,
  object,
  oneOf,
  optional,
  text,
} from "../base/shape.ts";
import { digestShape } from "../oci/digest.ts";
import { healthActions, healthcheck } from "./health.ts";
import { logDrivers } from "./log.ts";
import { namespaceMode, usualNetwork } from "./namespace-mode.ts";
import { networkWish } from "./network.ts";
import { portWish } from "./port.ts";
import { resources } from "./resources.ts";
import { restartPolicy } from "./restart.ts";

/**
 * What a container is to be. Each setting stands here once, with its type and what it is where nobody says anything: run and
 * create are asked for these, a container's record keeps them, the runtime spec and Docker's documents are made of them. A
 * setting that is added has its default in the records of yesterday.
 */

const texts = defaulted(listOf(text), []);
const words = defaulted(mapOf(text), {});
const off = defaulted(flag, false);
/** Where "" means that the image or the engine decides; in a record it is decided. */
const word = defaulted(text, "");

/** A limit of setrlimit(2): `name` as in "nofile"; -1 is unlimited. */
const ulimit = object({ name: text, soft: integer, hard: integer });
export type Ulimit = Infer<typeof ulimit>;

/** The settings that are kept as they are asked for. */
const kept = {
  /** "KEY=VALUE"; as asked, a bare "KEY" removes the image's variable of that name. */
  env: texts,
  /** Absolute and clean. */
  workingDirectory: word,
  /** "name|uid[:group|gid]", resolved in the container. */
  user: word,
  groupAdd: texts,
  tty: off,
  /** Of its terminal at its start, where whoever starts it has none. */
  consoleSize: optional(object({ rows: natural, columns: natural })),
  /** -i: stdin stays open. */
  openStdin: off,
  /** -a: what of the program's the caller of run has; nothing with -d. */
  attached: defaulted(listOf(oneOf("stdin", "stdout", "stderr")), ["stdout", "stderr"]),
  /** A name ("SIGTERM", "SIGRTMIN+3"). */
  stopSignal: word,
  /** A small init of ours is process 1. */
  init: off,
  autoRemove: off,

  /** "NAME[:MODE]": containers whose mounts this one has too. */
  volumesFrom: texts,

  hostname: word,
  domainname: word,
  labels: words,
  annotations: words,
  /** Whose namespaces it has: "private" ones of its own unless something else is asked for (namespace-mode.ts). */
  networkMode: namespaceMode(usualNetwork),
  pidMode: namespaceMode(""),
  ipcMode: namespaceMode("private"),
  utsMode: namespaceMode(""),
  cgroupnsMode: namespaceMode("private"),
  /** Its user namespace (user-namespace.ts). "": what the configuration says, or the host's. */
  usernsMode: word,
  /** "0:100000:65536": container's number, host's number, how many. Of one kind alone: they are the other's too. */
  uidMap: texts,
  gidMap: texts,
  /** Whose lines of /etc/subuid and /etc/subgid are its ids. */
  subuidName: word,
  subgidName: word,
  /** Unsaid: just the one that its mode names (network.ts). */
  networks: optional(listOf(networkWish)),
  /** Bits per second of what it sends to each of its networks, and receives; 0 is no limit. */
  bandwidthUp: defaulted(natural, 0),
  bandwidthDown: defaulted(natural, 0),
  /** -p: ports of the host that lead to its own; --expose (in a record the image's too): "80/tcp"; -P: all of these. */
  publish: defaulted(listOf(portWish), []),
  expose: texts,
  publishAll: off,
  /** Where it may go outside of its networks (egress.ts); none: everywhere. */
  egressAllow: texts,
  dns: texts,
  /** Domains; "." alone is none. */
  dnsSearch: texts,
  /** Of resolv.conf(5): "ndots:2". */
  dnsOptions: texts,
  /** "host:address". */
  extraHosts: texts,

  privileged: off,
  readonlyRootfs: off,
  noNewPrivileges: off,
  /**
   * The filter of system calls: "builtin", ours; "unconfined", none; else a profile in Docker's format, its JSON
   * (seccomp-profile.ts). Unsaid: ours, and of a privileged container none.
   */
  seccomp: optional(text),
  /** Names of profiles; unsaid, what the host has for containers. "unconfined" is none. */
  apparmor: optional(text),
  /** Unsaid: where its network is the host's, of the abstract sockets there it reaches its own alone. */
  landlock: optional(oneOf("unconfined")),
  /** SELinux: "disable", "type:T", "level:L" and so on, as `--security-opt label=` has them. */
  labelOptions: texts,
  /** Paths that are hidden besides the usual ones, and those that are neither hidden nor read-only: globs, or "ALL". */
  mask: texts,
  unmask: texts,
  /** Those that are read-only besides the usual ones. */
  readonlyPaths: texts,
  /** "CAP_NET_ADMIN" or "ALL". */
  capAdd: texts,
  capDrop: texts,

  /** Limits of its cgroup (resources.ts). */
  resources: defaulted(resources, {}),
  /** The group that its cgroup is below: absolute and clean, "" for ours. */
  cgroupParent: word,
  /** "c 1:3 rwm": devices that it may use besides those that it has; none is made for it. */
  deviceCgroupRules: texts,
  /** "vendor.com/class=name": devices that the host's CDI specifications describe. */
  cdiDevices: texts,
  /** Seconds ("-3600", "1.5") that its clocks are ahead of the host's: of "monotonic" and "boottime" (time_namespaces(7)). */
  timeOffsets: words,
  ulimits: defaulted(listOf(ulimit), []),
  sysctls: words,
  /** -1000 to 1000: how readily the kernel ends it where memory runs out. */
  oomScoreAdj: defaulted(integer, 0),
  /** Bytes. */
  shmSize: defaulted(natural, 64 << 20),
  /** As asked, what is not said is the image's; in a record it is combined with that. */
  healthcheck: optional(healthcheck),
  /** What is done about a program that is not well. */
  healthOnFailure: defaulted(oneOf(...healthActions), "none"),
  /** What a check that is one line (CMD-SHELL) is given to; none: /bin/sh -c. */
  shell: texts,
  restart: defaulted(restartPolicy, { name: "no", retries: 0 }),
  /** Seconds between the stop signal and SIGKILL; below zero that never comes. */
  stopTimeout: optional(integer),
  logDriver: defaulted(oneOf(...logDrivers), "json-file"),
  /** As given: "max-size" and "max-file" (log.ts). */
  logOptions: words,
};

const mountKind = oneOf("bind", "volume", "tmpfs", "image");

/** What a request and a mount have alike, where somebody asks for it. */
const mountWishes = {
  /** Of `-v`: the modes as they were written. */
  mode: optional(text),
  /** It was `--mount`, which Docker's documents keep apart. */
  byMount: optional(flag),
  /** Within the volume or the image, relative; it must be there, and never leads out. */
  subpath: optional(text),
  /** A bind that is read-only: what is mounted below stays writable, or must be read-only too. Unsaid: read-only where it can be. */
  below: optional(oneOf("writable", "readonly")),
  /** All of it is to belong to the container's user (`U`). */
  chown: optional(flag),
  /** Seen through an overlay that takes what is written, and goes with the container (`O`; of an image, `rw`). */
  overlay: optional(flag),
  /** "uids=FROM-TO-COUNT#…;gids=…": other owners than on disk. */
  idmap: optional(text),
};

/** `-v`, `--mount` or `--tmpfs`. Destinations are absolute, clean, never "/", and all different. */
const mountRequest = object({
  type: mountKind,
  /** bind: absolute path on the host; volume: its name, "" for a new anonymous one; image: its name; tmpfs: "". */
  source: text,
  destination: text,
  readonly: flag,
  /**
   * bind: "rbind" or "bind", then the propagation ("rprivate" unless asked otherwise), then "noexec" and its kin; volume:
   * "nocopy" or nothing, and the same; tmpfs: "noexec", "nosuid", "nodev" unless asked otherwise, then "size=…", "mode=…" and so on.
   */
  options: listOf(text),
  /** `-v` makes a missing source directory on the host, `--mount` is an error then. */
  createSource: flag,
  /** Volume labels. */
  labels: mapOf(text),
  /** Of a volume that is made for it: its driver's ("type", "device", "o"). */
  volumeOptions: optional(mapOf(text)),
  ...mountWishes,
});
export type MountRequest = Infer<typeof mountRequest>;

/** Host path, container path, and some of "rwm". */
const deviceRequest = object({ source: text, destination: text, permissions: text });
export type DeviceRequest = Infer<typeof deviceRequest>;

/** A new container as somebody asks for it, checked and in final units: the image and the host are not looked at yet. */
export const askedSettings = object({
  ...kept,
  /** Replaces the image's Cmd when not empty. */
  command: texts,
  /** Replaces the image's Entrypoint, and drops its Cmd; `[]` clears it. */
  entrypoint: optional(listOf(text)),
  mounts: defaulted(listOf(mountRequest), []),
  devices: defaulted(listOf(deviceRequest), []),
});
export type AskedSettings = Infer<typeof askedSettings>;

/** @returns what a container is where nobody asks for anything */
export function defaultSettings(): AskedSettings {
  return askedSettings({}, "settings");
}

/** A mount that a container has: what was asked for, or an image's VOLUME. */
const mount = object({
  type: mountKind,
  /** Host path for bind, volume's directory for volume, an image's name, "" for tmpfs. */
  source: text,
  /** Volume's name; anonymous volumes have 64 hex digits. */
  name: optional(text),
  /** Nobody named the volume, so it goes with the container. Of a record of before this was kept the name tells. */
  anonymous: optional(flag),
  destination: text,
  readonly: flag,
  /** As in the request. */
  options: listOf(text),
  /** Nobody asked for it here: an image's VOLUME, or what another container has (`--volumes-from`). */
  implied: optional(flag),
  /** chainIDs of an image, bottom first. */
  chain: optional(listOf(digestShape)),
  ...mountWishes,
});
export type Mount = Infer<typeof mount>;

/** A node of the host's, as it is when the container is built. */
export interface Device extends DeviceRequest {
  type: "c" | "b" | "p";
  major: number;
  minor: number;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

/** Container's number, host's, how many (base/id-map.ts). */
const idRanges = listOf(object({ container: natural, host: natural, size: natural }));

/** The fields of a container's record that say what it is to be: asked for, and combined with what the image says. */
export const settingsFields = {
  ...kept,
  /** The program and its arguments, as the container will execute them (entrypoint and command). */
  args: listOf(text),
  /** How many of `args` came from the entrypoint. */
  entrypointLength: natural,
  mounts: defaulted(listOf(mount), []),
  /** Looked for at each start. */
  devices: defaulted(listOf(deviceRequest), []),
  /** The maps of its own user namespace, decided when it is made; none: it is in the one that rt runs in. */
  idMappings: optional(object({ uids: idRanges, gids: idRanges })),
};
const containerSettings = object(settingsFields);
export type ContainerSettings = Infer<typeof containerSettings>;
