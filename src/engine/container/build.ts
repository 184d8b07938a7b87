import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { RtError } from "../../base/errors.ts";
import { hostDevices } from "../../container/devices.ts";
import { writeNameFiles } from "../../container/files.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Restarting } from "../../container/restarting.ts";
import { finishSeed } from "../../layer/tree.ts";
import { cgroupPath, removeCgroup } from "../../runtime/cgroup.ts";
import { closeLock, takeLock } from "../../runtime/lock.ts";
import { launch } from "../../runtime/native/driver.ts";
import type {
  CgroupRequest,
  HealthRequest,
  LogRequest,
  MountSource,
  RestartRequest,
} from "../../runtime/native/request.ts";
import type { Launched } from "../../runtime/runtime.ts";
import { logFilesPlan } from "../../settings/log.ts";
import { networkOf } from "../../settings/namespace-mode.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { generateSpec } from "../../spec/generate.ts";
import { removeStateDirectory } from "../care/state-directory.ts";
import type { Host } from "../host.ts";
import type { NetworkPlace } from "../network/place.ts";
import { awaitWriters } from "./await-writers.ts";
import { consoleSize } from "./console-size.ts";
import { descriptorsMax, isConfined } from "./exec-process.ts";
import { neighboursOf } from "./neighbours.ts";
import { successorOf } from "./successor.ts";

const processesMax = 4096;

/**
 * How many processes and threads a container may have, and all together: an eighth of what this kernel has numbers and
 * memory for stays free, so that rt can always be started, and no container has more than half of what is for them.
 */
function processLimits(): Pick<CgroupRequest, "files" | "above"> {
  const [numbers, threads] = ["pid_max", "threads-max"].map((name) =>
    Number(readFileSync(`/proc/sys/kernel/${name}`, "latin1")),
  );
  const all = Math.floor((Math.min(numbers!, threads!) * 7) / 8);
  const limit = (value: number) => ({ controller: "pids", name: "pids.max", value: String(value) });
  const each = Math.min(processesMax, Math.floor(all / 2));
  return { files: [{ ...limit(each), required: false }], above: [limit(all)] };
}

/** The container's state directory, and its lock: from here on somebody looks after the container. */
export function openState(
  host: Host,
  id: string,
  undo: AsyncDisposableStack,
): { directory: string; lock: number } {
  const directory = host.stateOf(id);
  makeDirectory(directory);
  undo.defer(() => removeStateDirectory(host, directory));
  return { directory, lock: takeLock(directory) };
}

/** The parents are there but for the first time on a host. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch {
    // Not there, or something else is wrong: the slow way says what.
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }
}

/**
 * What the image has where an empty volume goes is copied into it, as Docker does; `nocopy` declines. Nobody mounts a volume
 * of which only a part was copied: whatever lies beside its root belongs to a copy that is under way, or was cut short.
 */
async function seedVolumes(
  record: ContainerRecord,
  snapshots: SnapshotDriver,
  abort: AbortSignal,
): Promise<void> {
  for (const { type, source, destination, options, subpath } of record.mounts) {
    if (type !== "volume" || subpath !== undefined) continue;
    const wanted = !options.includes("nocopy") && readdirSync(source).length === 0;
    if (wanted) await ifWritable(snapshots.seed(record.chain, destination, source, abort));
    const beside = `${basename(source)}.`;
    if (readdirSync(dirname(source)).some((name) => name.startsWith(beside))) await finishSeed(source);
  }
}

/** A volume of its own file system may be one that nobody writes to: it stays empty. */
async function ifWritable(seeding: Promise<boolean>): Promise<void> {
  try {
    await seeding;
  } catch (error) {
    if (!(error instanceof RtError && error.message.endsWith("(EROFS)"))) throw error;
  }
}

/** Most containers have no volumes. @returns whether some have a file system of their own, which may be new */
async function mountOwnVolumes(host: Host, { mounts }: ContainerRecord, directory: string): Promise<boolean> {
  if (!mounts.some(({ type }) => type === "volume")) return false;
  const { mountVolumes } = await import("../volume/mount.ts");
  return mountVolumes(host, mounts, directory);
}

/** What lasts of a container besides its record: what the image has for its new volumes, and its writable top. */
export async function prepareFiles(
  host: Host,
  record: ContainerRecord,
  snapshots: SnapshotDriver,
  stateDirectory: string,
  undo: AsyncDisposableStack,
): Promise<void> {
  const { abort } = host.session;
  await mountOwnVolumes(host, record, stateDirectory);
  await seedVolumes(record, snapshots, abort);
  undo.defer(() => snapshots.removeActive(record.id));
  await snapshots.prepare(record.id, record.chain, abort);
}

/**
 * Build the container on what was prepared: its files, its spec, its monitor, which goes on building while we do other
 * things. Every step leaves its undo on `undo`. One that is in a network is on record already, as its addresses are its row's.
 * @param attended we stay until the program has ended, and conclude the run
 * @param restarting its restart policy has it started again
 */
export async function build(
  host: Host,
  record: ContainerRecord,
  snapshots: SnapshotDriver,
  state: { directory: string; lock: number },
  { attended, restarting }: { attended: boolean; restarting?: Restarting },
  undo: AsyncDisposableStack,
): Promise<Launched> {
  if (await mountOwnVolumes(host, record, state.directory))
    await seedVolumes(record, snapshots, host.session.abort);
  const rootfs = snapshots.rootfs(record.id, record.chain, {
    volatile: record.autoRemove,
    readonly: record.readonlyRootfs,
  });
  await awaitWriters(rootfs);
  const sources = await sourcesOf(host, record, snapshots, undo);
  const neighbours = neighboursOf(host, record);
  const place = await placeOf(host, record);
  if (!neighbours.network) writeNameFiles(record, state.directory, place);
  const spec = generateSpec(record, {
    filesDirectory: state.directory,
    rootPath: join(state.directory, "rootfs"),
    cgroupsPath: `/${cgroupPath(record.id)}`,
    hostDevices: record.privileged ? hostDevices() : [],
    throttledCpus: throttledCpus(),
    descriptorsMax: descriptorsMax(),
    hasRouters: place !== undefined && existsSync("/proc/sys/net/ipv6"),
    consoleSize: record.tty ? consoleSize(host.session) : undefined,
    neighbours,
  });
  writeFileSync(join(state.directory, "config.json"), JSON.stringify(spec), { mode: 0o600 });
  const log = await logOf(host, record);
  // Should the monitor be killed while it builds.
  undo.defer(() => removeCgroup(cgroupPath(record.id)));
  const launched = launch(
    {
      kind: "create",
      id: record.id,
      spec,
      rootfs,
      sources,
      stateDirectory: state.directory,
      user: record.user,
      groupAdd: record.groupAdd,
      reaper: record.init,
      stdin: record.openStdin,
      confined: isConfined(record),
      cgroup: { path: cgroupPath(record.id), ...processLimits() },
      attended,
      successor: successorOf(host, record.id),
      log,
      restart: restartOf(record, restarting),
      health: healthOf(host, record, state.directory),
    },
    state.lock,
    (line) => host.warn(`warning: ${line}`),
  );
  undo.defer(() => launched.abandon());
  // It is the monitor's now: were it ours too, nobody would see that the monitor has died.
  closeLock(state.lock);
  return joined(launched, place);
}

/** Its place in its network; most have none. */
async function placeOf(host: Host, record: ContainerRecord): Promise<NetworkPlace | undefined> {
  if (networkOf(record.networkMode) === undefined) return undefined;
  const { takePlace } = await import("../network/place.ts");
  return takePlace(host, record);
}

/** Once it is built, and before it waits for its start, it is in its network. */
function joined(launched: Launched, place: NetworkPlace | undefined): Launched {
  if (!place) return launched;
  return {
    ...launched,
    async ready(abort) {
      place.bringUp();
      const program = await launched.ready(abort);
      await place.plugIn(program);
      return program;
    },
  };
}

async function sourcesOf(
  host: Host,
  record: ContainerRecord,
  snapshots: SnapshotDriver,
  undo: AsyncDisposableStack,
): Promise<Record<string, MountSource>> {
  if (record.mounts.length === 0) return {};
  const { checkPropagation, hasSources, mountSources } = await import("./mount-sources.ts");
  checkPropagation(record.mounts);
  return hasSources(record.mounts) ? mountSources(host, record, snapshots, undo) : {};
}

function restartOf({ restart }: ContainerRecord, again: Restarting | undefined): RestartRequest | null {
  const { name, retries } = restart;
  const never = name === "no";
  if (never && !again) return null;
  const [count, delay] = [again?.count ?? 0, again?.delay_ms ?? 0];
  return { never, always: name !== "on-failure", retries, count, delay };
}

/** Most check nothing: loaded where one does. */
function healthOf(host: Host, record: ContainerRecord, directory: string): HealthRequest | null {
  if (!record.healthcheck) return null;
  const { healthRequest } = require("./health-request.ts") as typeof import("./health-request.ts");
  return healthRequest(host, record, directory);
}

/** For what is said with each line, and for what is sent away, more is loaded. */
async function logOf(host: Host, record: ContainerRecord): Promise<LogRequest | null> {
  const { logDriver, logOptions } = record;
  if (logDriver === "none") return null;
  const plan = logFilesPlan(logDriver, logOptions);
  const { attributes = "", remote = null } = hasPlainLog(record)
    ? {}
    : await (await import("./log-request.ts")).logExtras(record);
  if (!plan) return { files: null, remote };
  const { form: format, bytes, files, compress } = plan;
  return { files: { directory: host.filesRoot, format, bytes, files, compress, attributes }, remote };
}

function hasPlainLog({ logDriver, logOptions }: ContainerRecord): boolean {
  const isFile = logDriver === "json-file" || logDriver === "local";
  return isFile && !Object.keys(logOptions).some((key) => /^(tag|labels|env)/.test(key));
}

/** Reading a CPU's thermal throttling is a side channel; where sysfs has it, it is masked for each CPU. */
function throttledCpus(): number {
  if (!existsSync("/sys/devices/system/cpu/cpu0/thermal_throttle")) return 0;
  return readdirSync("/sys/devices/system/cpu").filter((name) => /^cpu\d+$/.test(name)).length;
}
