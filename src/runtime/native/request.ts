import type { RuntimeSpec, SpecProcess } from "../../oci/runtime-spec.ts";
import type { Rootfs } from "../../snapshot/snapshot.ts";

/**
 * What the monitor is told, as JSON on a sealed memfd. Mirrored by zig-native/wire/request.zig; unknown fields are an error
 * there, so that the two cannot drift apart unseen.
 */
export interface CreateRequest {
  kind: "create";
  /** 64 hex digits. */
  id: string;
  spec: RuntimeSpec;
  rootfs: Rootfs;
  /** By the destination of a mount in `spec`. */
  sources: Record<string, MountSource>;
  /** The container's directory under --state: the monitor's pid, exit and attach.sock appear here. Absolute. */
  stateDirectory: string;
  /** Docker's user string, "name|uid[:group|gid]", resolved by init against the container's own passwd and group. */
  user: string;
  /** `--group-add`: names or numbers, further supplementary groups. */
  groupAdd: string[];
  /** Its network is the host's, whose abstract sockets are none of its business. */
  scoped: boolean;
  /** Where init puts a small reaper as PID 1 in front of the program (`--init`). */
  reaper: boolean;
  /** Keep stdin open for a client (`-i`); otherwise it is /dev/null. */
  stdin: boolean;
  filter: FilterRequest;
  /** Made, joined and removed by the monitor. Null: stay in the caller's. */
  cgroup: CgroupRequest | null;
  /** The client stays until the program has ended, and sees to what is left. */
  attended: boolean;
  /** What the monitor becomes where no client sees to the end. Null: nothing; the next command sees to it. */
  successor: Successor | null;
  /** Null: what the program writes is kept nowhere. */
  log: LogRequest | null;
  /** Null: the program is not started again. */
  restart: RestartRequest | null;
  /** Null: nobody asks whether the program is well. */
  health: HealthRequest | null;
  /** Null: it is in no network, and no port of the host ever leads to it. `given`: their sockets come along. */
  ports: { given: boolean } | null;
  /** Null: the container is in no network. */
  names: NamesRequest | null;
  /** Null: none is to be run by the monitor, nor while it waits. */
  hooks: HooksRequest | null;
}

/** zig-native/wire/request.zig says what the fields mean. */
export interface HooksRequest {
  /** JSON. */
  state: string;
  pauses: boolean;
  createContainer: HookRequest[];
  startContainer: HookRequest[];
  poststart: HookRequest[];
}

export interface HookRequest {
  path: string;
  /** With the program's own name. */
  args: string[];
  env: string[];
  /** Milliseconds. */
  timeout: number;
}

/** Names are answered inside (zig-native/monitor/names.zig). */
export interface NamesRequest {
  /** Where the networks' files are (src/network/name-store.ts). Absolute. */
  networks: string;
}

/** zig-native/monitor/health.zig says what they mean. Milliseconds. */
export interface HealthRequest {
  /** The check, as an exec of the process that is yet to be. */
  exec: Omit<ExecRequest, "pid" | "startTime">;
  interval: number;
  timeout: number;
  startPeriod: number;
  startInterval: number;
  retries: number;
  /** What is said of a check that takes too long. */
  late: string;
  onFailure: "none" | "kill" | "restart" | "stop";
  /** The program's stop signal, and how long after it SIGKILL comes; -1: never. */
  stopSignal: number;
  stopTimeout: number;
}

/** zig-native/monitor/restart.zig says what they mean. Milliseconds. */
export interface RestartRequest {
  /** It is only counted: there is no policy. */
  never: boolean;
  always: boolean;
  retries: number;
  count: number;
  delay: number;
}

/** zig-native/wire/request.zig says what the fields mean. */
export interface LogRequest {
  files: LogFilesRequest | null;
  remote: LogRemoteRequest | null;
}

/** In `directory`/<id>, which the monitor makes. */
export interface LogFilesRequest {
  directory: string;
  format: "json" | "local";
  bytes: number;
  files: number;
  compress: boolean;
  attributes: string;
}

export interface LogRemoteRequest {
  protocol: "journald" | "syslog";
  path: string;
  /** The bytes of an IP address. */
  address: number[];
  port: number;
  stream: boolean;
  patient: boolean;
  facility: number;
  style: "unix" | "rfc3164" | "rfc5424" | "rfc5424micro";
  hostname: string;
  offset: number;
  constant: string;
}

/** Our own executable, with these words, in this environment ("KEY=VALUE"). */
export interface Successor {
  conclude: string[];
  restart: string[];
  environment: string[];
}

/**
 * The filter of its system calls: a file of ours (src/native/system.ts's `compileFilter`), whose path is absolute; "": none. Where
 * it was `asked` for, a kernel that has no filters is an error.
 */
export interface FilterRequest {
  path: string;
  asked: boolean;
}

/** Path below each hierarchy's root, without a leading slash ("rt/<id>"), and files to write once it exists. */
export interface CgroupRequest {
  path: string;
  /** It is in the unified hierarchy alone, where it is the user's, and is entered or the start fails. */
  delegated: boolean;
  /** One that is not `required` is a default: where it cannot be had the container does without. */
  files: (CgroupFile & { required: boolean })[];
  /** Of the group above ("rt"), for all containers together; only where it still says `unset`, without its line's end. */
  above: (Pick<CgroupFile, "controller" | "name" | "value"> & { unset: string })[];
}

export interface CgroupFile {
  /** Whose hierarchy of v1 it is in, where that is mounted; else it is in the unified one. */
  controller: string;
  name: string;
  value: string;
  /** Who asked for it: it is in the message of a failure. */
  flag: string;
  /** Where the host has no such file. */
  instead: { name: string; value: string } | null;
}

export interface ExecRequest {
  kind: "exec";
  id: string;
  /** The container's init, in our pid namespace, and its start time (field 22 of /proc/PID/stat): a reused pid is refused. */
  pid: number;
  startTime: string;
  process: SpecProcess;
  user: string;
  groupAdd: string[];
  scoped: boolean;
  stdin: boolean;
  filter: FilterRequest;
  /** Null: the caller's own. `delegated`: as of the container. */
  cgroup: { path: string; delegated: boolean } | null;
  /** It ends with its client. */
  tied: boolean;
  /** 64 hex digits: how it ended is written down as <session>.exit in the directory that comes along. "": nowhere. */
  session: string;
}

/** What a mount of the specification is made of, where that has no words for it. */
export interface MountSource {
  /** Directories, topmost first: overlay shows them, and not the mount's own source. */
  lower?: string[];
  /** Takes what is written, with a work directory beside it. */
  upper?: string;
  work?: string;
  /** Within that, relative: resolved beneath it, and never leads out. */
  subpath?: string;
  /** All in it is to belong to the container's user. */
  chown?: boolean;
  /** Its owners on disk are the container's numbers: it is seen through the maps of the container's user namespace. */
  mapped?: boolean;
  /** From the file system's number, to the container's, how many. */
  uids?: [from: number, to: number, count: number][];
  gids?: [from: number, to: number, count: number][];
}

export type MonitorRequest = CreateRequest | ExecRequest;
