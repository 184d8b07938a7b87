import { chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isErrno, RtError, withCause } from "../../base/errors.ts";
import { containerId, hostId, type IdMap } from "../../base/id-map.ts";
import { isInitialUserNamespace } from "../../base/own-user-namespace.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import { noteState } from "../../base/user-state.ts";
import { findDevices, hostDevices } from "../../container/devices.ts";
import { writeNameFiles } from "../../container/files.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Restarting } from "../../container/restarting.ts";
import { finishSeed } from "../../layer/tree.ts";
import { noGroup, removeCgroup } from "../../runtime/cgroup.ts";
import { closeLock, holdsLock, takeLock } from "../../runtime/lock.ts";
import { launch } from "../../runtime/native/driver.ts";
import type { HealthRequest, LogRequest, MountSource, RestartRequest } from "../../runtime/native/request.ts";
import type { Launched, Program } from "../../runtime/runtime.ts";
import { mergeEnv } from "../../settings/combine.ts";
import type { Mount } from "../../settings/container-settings.ts";
import { logFilesPlan } from "../../settings/log.ts";
import { wishesOf } from "../../settings/network.ts";
import { stackOf } from "../../settings/network-stack.ts";
import { isUnlimited } from "../../settings/resources.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { generateSpec, type SpecContext } from "../../spec/generate.ts";
import { removeStateDirectory } from "../care/state-directory.ts";
import type { Host } from "../host.ts";
import type { NetworkPlaces } from "../network/place.ts";
import type { TakenPorts } from "../network/ports.ts";
import { awaitWriters } from "./await-writers.ts";
import type { DescribedDevices } from "./cdi.ts";
import { cgroupRequest, processLimits } from "./cgroup-request.ts";
import { consoleSize } from "./console-size.ts";
import { descriptorsMax } from "./exec-process.ts";
import { filterFor, ownProfile } from "./filter.ts";
import { managerFor, placeGroup } from "./group.ts";
import { groupsOf } from "./groups.ts";
import { hooksOf } from "./hooks.ts";
import { isScoped, moduleLabels } from "./labels.ts";
import { neighboursOf } from "./neighbours.ts";
import { successorOf } from "./successor.ts";

/** The container's state directory, and its lock: from here on somebody looks after the container. */
export function openState(
  host: Host,
  id: string,
  undo: AsyncDisposableStack,
): { directory: string; lock: number } {
  const directory = host.stateOf(id);
  undo.defer(() => removeStateDirectory(host, directory));
  for (;;) {
    makeDirectory(directory);
    const lock = lockIfThere(directory);
    if (lock !== undefined && holdsLock(directory, lock)) return { directory, lock };
    // We were so slow that another command took it for one that was left behind.
    if (lock !== undefined) closeLock(lock);
  }
}

function lockIfThere(directory: string): number | undefined {
  try {
    return takeLock(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
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
async function seedVolumes(host: Host, record: ContainerRecord, snapshots: SnapshotDriver): Promise<void> {
  const { abort } = host.session;
  const owners = await ownersIn(host, record);
  for (const mount of record.mounts) {
    const { type, source, destination, options, subpath } = mount;
    if (type !== "volume" || subpath !== undefined) continue;
    const wanted = !options.includes("nocopy") && readdirSync(source).length === 0;
    const seeding = { abort, owners: owners?.(mount) };
    if (wanted) await ifWritable(snapshots.seed(record.chain, destination, source, seeding));
    const beside = `${basename(source)}.`;
    if (readdirSync(dirname(source)).some((name) => name.startsWith(beside))) await finishSeed(source);
    if (seeding.owners && wanted) await ifWritable(giveToRoot(source, seeding.owners));
  }
}

/** Most containers have no user namespace of their own. */
async function ownersIn(
  host: Host,
  record: ContainerRecord,
): Promise<((mount: Mount) => IdMap | undefined) | undefined> {
  const { idMappings } = record;
  if (!idMappings) return undefined;
  const { mappedMounts } = await import("./mapped-mounts.ts");
  const isMapped = await mappedMounts(host, record);
  return (mount) => (isMapped(mount) ? undefined : idMappings);
}

/**
 * A volume that nobody has used yet, and that the container sees with the host's numbers: podman does so, too. Where our root is
 * somebody in there (`keep-id`), what is his is the volume of that user: he has it from the image, or it is new and his to have.
 */
async function giveToRoot(path: string, { uids, gids }: IdMap): Promise<void> {
  const { uid, gid } = statSync(path);
  const isFresh = uid === 0 && gid === 0 && readdirSync(path).length === 0;
  if (!isFresh || containerId(uids, 0) !== undefined) return;
  try {
    chownSync(path, hostId(uids, 0) ?? uid, hostId(gids, 0) ?? gid);
  } catch (error) {
    throw withCause("cannot give the volume to the container's root", error);
  }
}

/** A volume of its own file system may be one that nobody writes to: it stays empty. */
async function ifWritable(seeding: Promise<unknown>): Promise<void> {
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
  await seedVolumes(host, record, snapshots);
  undo.defer(() => snapshots.removeActive(record.id));
  const tell = (line: string) => host.warn(`container ${record.name}: ${line}`);
  await snapshots.prepare(record.id, record.chain, { abort, owners: record.idMappings, tell });
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
  if (rootlessCaller(host.env)) noteState(host.paths);
  if (await mountOwnVolumes(host, record, state.directory)) await seedVolumes(host, record, snapshots);
  const described = await describedDevices(host, record);
  const hooks = await hooksOf(host, record, described?.hooks);
  const rootfs = snapshots.rootfs(record.id, record.chain, {
    volatile: record.autoRemove,
    owners: record.idMappings,
    // Hooks write where the program may not.
    readonly: record.readonlyRootfs && !hooks,
  });
  await awaitWriters(rootfs);
  const sources = await sourcesOf(host, record, snapshots, undo);
  const neighbours = neighboursOf(host, record);
  const places = await placesOf(host, record, undo);
  if (!neighbours.network) writeNameFiles(record, state.directory, places);
  const processes = processLimits();
  const cgroupManager = await managerFor(record, (await host.config()).cgroupManager);
  const group = placeGroup(state.directory, record, cgroupManager);
  const plain = generateSpec(withEnvironment(record, places?.environment ?? []), {
    filesDirectory: state.directory,
    rootPath: join(state.directory, "rootfs"),
    cgroupsPath: group === noGroup ? "" : `/${group}`,
    devices: record.devices.flatMap((device) => findDevices(device)),
    hostDevices: record.privileged ? hostDevices(record.idMappings === undefined) : [],
    throttledCpus: throttledCpus(),
    descriptorsMax: descriptorsMax(),
    // slirp4netns is one, which says where it is.
    hasRouters:
      places !== undefined && places.stack?.kind !== "slirp4netns" && existsSync("/proc/sys/net/ipv6"),
    isLocked: !isInitialUserNamespace(),
    consoleSize: record.tty ? consoleSize(host.session, record.consoleSize) : undefined,
    neighbours,
    hooks,
    processesMax: processes.each,
    labels: moduleLabels(record.id, record),
    groups: groupsOf(record).ours,
    ...blockDevicesOf(record),
  });
  const spec = described?.with(plain) ?? plain;
  const { bounding } = spec.process.capabilities;
  const profile = ownProfile(record, bounding);
  if (profile) spec.linux.seccomp = profile;
  writeFileSync(join(state.directory, "config.json"), JSON.stringify(spec), { mode: 0o600 });
  const ports = places && (await portsOf(host, record, places, undo));
  const log = await logOf(host, record);
  // Should the monitor be killed while it builds.
  undo.defer(() => removeCgroup(group));
  const scoped =
    cgroupManager === "systemd"
      ? await (await import("./scope.ts")).inScope(host, record, group, spec, undo)
      : undefined;
  const placed = hooks && (await import("./place-hooks.ts")).placeHooks(host, record, state.directory, hooks);
  const launched = launch(
    {
      kind: "create",
      id: record.id,
      spec,
      rootfs,
      sources,
      stateDirectory: state.directory,
      user: record.user,
      groupAdd: groupsOf(record).named,
      scoped: isScoped(record, neighbours.network?.pid),
      reaper: record.init,
      stdin: record.openStdin,
      filter: filterFor(host, record, bounding),
      cgroup: group === noGroup ? null : cgroupRequest(record, group, spec.linux.resources, processes),
      attended,
      successor: successorOf(host, record.id),
      log,
      restart: restartOf(record, restarting),
      health: healthOf(host, record, state.directory, neighbours.network?.pid),
      ports: places ? { given: ports?.given !== undefined } : null,
      names: places?.names ?? null,
      hooks: placed?.request ?? null,
    },
    state.lock,
    (line) => host.warn(`warning: ${line}`),
    ports?.given?.descriptor,
  );
  undo.defer(() => launched.abandon());
  // It is the monitor's now: were it ours too, nobody would see that the monitor has died.
  closeLock(state.lock);
  ports?.given?.send();
  const joining = joined(host, record, scoped?.(launched) ?? launched, places, ports);
  return placed?.during(joining) ?? joining;
}

/** Most limit nothing, and no device. */
function blockDevicesOf({ resources }: ContainerRecord): Pick<SpecContext, "blockDevices"> {
  if (isUnlimited(resources)) return {};
  const limits = require("./limits.ts") as typeof import("./limits.ts");
  return { blockDevices: limits.blockDevicesOf(resources) };
}

/** Of CDI: most have none. */
async function describedDevices(host: Host, record: ContainerRecord): Promise<DescribedDevices | undefined> {
  if (record.cdiDevices.length === 0) return undefined;
  return (await import("./cdi.ts")).describedDevices(host, record);
}

/** What somebody has asked for comes before what others say. */
function withEnvironment(record: ContainerRecord, more: readonly string[]): ContainerRecord {
  return more.length === 0 ? record : { ...record, env: mergeEnv(more, record.env) };
}

/** Its places in its networks, of which it may have none by now. */
async function placesOf(
  host: Host,
  record: ContainerRecord,
  undo: AsyncDisposableStack,
): Promise<NetworkPlaces | undefined> {
  const stack = stackOf(record.networkMode);
  if (stack) return (await import("../network/stack.ts")).stackPlaces(host, record, stack, undo);
  if (record.networks === undefined && wishesOf(record).length === 0) return undefined;
  const [{ takePlaces }, { leaving }] = await Promise.all([
    import("../network/place.ts"),
    import("../network/leave.ts"),
  ]);
  const places = await takePlaces(host, record);
  undo.defer(() => places.release());
  undo.defer(async () => host.database.transaction(await leaving(host, record.id)));
  return places;
}

/** Before anything of it runs: a port that is taken is an error then. Most have none. */
async function portsOf(
  host: Host,
  record: ContainerRecord,
  places: NetworkPlaces,
  undo: AsyncDisposableStack,
): Promise<TakenPorts | undefined> {
  const { publish, publishAll, expose, id } = record;
  if (publish.length + expose.length === 0 && !publishAll && !host.containers.hasPorts(id)) return undefined;
  if (places.stack)
    return (await import("../network/stack-ports.ts")).takeStackPorts(host, record, places.stack);
  const { takePorts } = await import("../network/ports.ts");
  return takePorts(host, record, places.all, undo);
}

/**
 * Once it is built, and before it waits for its start, it is in its networks, and what comes to its ports finds it there. Until it
 * runs nobody changes that.
 */
function joined(
  host: Host,
  { id }: ContainerRecord,
  launched: Launched,
  places: NetworkPlaces | undefined,
  ports: TakenPorts | undefined,
): Launched {
  if (!places) return launched;
  return {
    ...launched,
    async ready(abort, paused) {
      const failure = failureOf(() => places.bringUp());
      let isIn = false;
      const plugIn = async (init: { pid: number; startTime: bigint }) => {
        if (failure) throw failure.error;
        await places.plugIn(init);
        ports?.lead();
        const { tellFollowers } = await import("../network/follow-links.ts");
        await tellFollowers(host, id);
        isIn = true;
      };
      // What cannot be built at all is not told of its network, but hooks find it there.
      const program = await launched.ready(abort, async (init) => {
        await plugIn(init);
        await paused?.(init);
      });
      if (!isIn) await plugIn(program);
      return released(program, places);
    },
  };
}

function failureOf(act: () => void): { error: unknown } | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return { error };
  }
}

/** Whoever attaches to it from its start on starts it in one go with that: who waits for it to run sees for himself then. */
function released(program: Program, places: NetworkPlaces): Program {
  return {
    pid: program.pid,
    startTime: program.startTime,
    async start(abort) {
      await program.start(abort);
      places.release();
    },
    attach(streams, options) {
      places.release();
      return program.attach(streams, options);
    },
    attachForeground(descriptors, options) {
      places.release();
      return program.attachForeground(descriptors, options);
    },
    resize: (size) => program.resize(size),
    [Symbol.dispose]() {
      places.release();
      program[Symbol.dispose]();
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
  return hasSources(record) ? mountSources(host, record, snapshots, undo) : {};
}

function restartOf({ restart }: ContainerRecord, again: Restarting | undefined): RestartRequest | null {
  const { name, retries } = restart;
  const never = name === "no";
  if (never && !again) return null;
  const [count, delay] = [again?.count ?? 0, again?.delay_ms ?? 0];
  return { never, always: name !== "on-failure", retries, count, delay };
}

/** Most check nothing: loaded where one does. */
function healthOf(
  host: Host,
  record: ContainerRecord,
  directory: string,
  neighbour: number | undefined,
): HealthRequest | null {
  if (!record.healthcheck) return null;
  const { healthRequest } = require("./health-request.ts") as typeof import("./health-request.ts");
  return healthRequest(host, record, directory, neighbour);
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
