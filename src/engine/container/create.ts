import { withCause } from "../../base/errors.ts";
import { newId } from "../../base/new-id.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import { generateName } from "../../container/names.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { writeRecordCopy } from "../../container/state-file.ts";
import type { ImageRecord } from "../../image/record.ts";
import { closeLock } from "../../runtime/lock.ts";
import type { Launched, Program } from "../../runtime/runtime.ts";
import { hasSelinux } from "../../runtime/security-modules.ts";
import type { AskedSettings, Mount } from "../../settings/container-settings.ts";
import { usualNetwork } from "../../settings/namespace-mode.ts";
import { wishesOf } from "../../settings/network.ts";
import { stackOf } from "../../settings/network-stack.ts";
import { checkPorts } from "../../settings/port.ts";
import { isUnlimited } from "../../settings/resources.ts";
import { categoriesOf } from "../../settings/selinux.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { resolveCapabilities } from "../../spec/capabilities.ts";
import { reconcileUnattended } from "../care/reconcile.ts";
import { removeAnonymousVolumes } from "../care/remove.ts";
import { removeStateDirectory } from "../care/state-directory.ts";
import type { Host } from "../host.ts";
import { obtainImage } from "../image/obtain.ts";
import { containerEvent } from "../record-event.ts";
import { build, openState, prepareFiles } from "./build.ts";
import { describeContainer } from "./describe.ts";
import { filterFor, hasOwnProfile } from "./filter.ts";
import { holdVolumes } from "./hold-volumes.ts";
import { moduleLabels } from "./labels.ts";
import { withNeighbours } from "./neighbours.ts";
import type { CreateOptions } from "./run-options.ts";

export interface Created {
  record: ContainerRecord;
  launched: Launched;
  /** Built, and waiting for its start. */
  program: Program;
}

/** A new container up to the moment before its program runs. Every step leaves its undo on `undo`. */
export async function create(
  host: Host,
  image: ImageRecord,
  snapshots: SnapshotDriver,
  options: CreateOptions & { attended: boolean },
  undo: AsyncDisposableStack,
): Promise<Created> {
  using described = await describe(host, image, snapshots, options);
  const wanted = described.record;
  undo.defer(() => removeAnonymousVolumes(host, wanted));
  using _ = await holdVolumes(host, wanted.mounts, options.settings.mounts);
  const state = openState(host, wanted.id, undo);
  await starting(wanted, () => prepareFiles(host, wanted, snapshots, state.directory, undo));
  const record = () => putOnRecord(host, wanted, options, state.directory, undo);
  // An address belongs to a container's row, and a port.
  const isIn = wishesOf(wanted).length > 0 || stackOf(wanted.networkMode) !== undefined;
  const early = isIn ? record() : undefined;
  const launched = await starting(wanted, () => build(host, wanted, snapshots, state, options, undo));
  // While the monitor builds.
  const made = early ?? record();
  const program = await starting(made, () => launched.ready(host.session.abort));
  return { record: made, launched, program };
}

function putOnRecord(
  host: Host,
  wanted: ContainerRecord,
  options: CreateOptions,
  directory: string,
  undo: AsyncDisposableStack,
): ContainerRecord {
  const { record, bytes } = host.containers.create(wanted, renameOf(options));
  undo.defer(() => {
    if (host.containers.remove(record.id)) containerEvent(host, record, "destroy");
  });
  writeRecordCopy(directory, bytes);
  containerEvent(host, record, "create");
  return record;
}

/**
 * `rt create`: a new container that nothing runs in yet, and nobody looks after. While it is made it has a state directory as
 * one that is about to run, so that nothing of it is taken for garbage.
 * @returns its id
 */
export async function createContainer(host: Host, options: CreateOptions): Promise<string> {
  await using undo = new AsyncDisposableStack();
  const image = await obtainImage(host, options);
  const snapshots = await host.snapshots();
  await reconcileUnattended(host);
  using described = await describe(host, image, snapshots, options);
  const wanted = described.record;
  undo.defer(() => removeAnonymousVolumes(host, wanted));
  using lease = await holdVolumes(host, wanted.mounts, options.settings.mounts);
  const state = openState(host, wanted.id, undo);
  try {
    await prepareFiles(host, wanted, snapshots, state.directory, undo);
    const { record } = host.containers.create(wanted, renameOf(options), { started: false });
    undo.move();
    containerEvent(host, record, "create");
    lease?.[Symbol.dispose](); // it is on record now
    await removeStateDirectory(host, state.directory);
    return wanted.id;
  } catch (error) {
    throw withCause("cannot create the container", error);
  } finally {
    closeLock(state.lock);
  }
}

/** Until it is disposed of, what other images the container is to have cannot be collected. */
async function describe(
  host: Host,
  image: ImageRecord,
  snapshots: SnapshotDriver,
  options: CreateOptions,
): Promise<Disposable & { record: ContainerRecord }> {
  const placed = await withNetworks(host, await withStack(host, options.settings));
  checkPorts(placed.networkMode, placed);
  const limited = withLimits(host, placed);
  const fenced = await withLabel(host, await withFilter(host, limited));
  const mapped = await withOwnUsers(host, fenced);
  const asked = { ...options, settings: withNeighbours(host, mapped) };
  checkLabels(asked.settings);
  const taken = await takenMounts(host, asked);
  const described = describeContainer(host, image, snapshots.name, asked, taken);
  tellOfDiscarded(host, described);
  checkFilter(host, described);
  using held = new DisposableStack();
  const record = await withImageMounts(host, await withIds(host, described, snapshots, held), options, held);
  const leases = held.move();
  return { record, [Symbol.dispose]: () => leases.dispose() };
}

/** Most mount none. */
async function withImageMounts(
  host: Host,
  record: ContainerRecord,
  options: CreateOptions,
  held: DisposableStack,
): Promise<ContainerRecord> {
  if (!record.mounts.some(({ type }) => type === "image")) return record;
  const { withImages } = await import("./image-mounts.ts");
  const { mounts, lease } = await withImages(host, record.mounts, options);
  held.use(lease);
  return { ...record, mounts };
}

/** Most are in the user namespace that we are in, and the configuration says nothing else. */
async function withOwnUsers(host: Host, settings: AskedSettings): Promise<AskedSettings> {
  const { usernsMode, uidMap, gidMap, subuidName, subgidName } = settings;
  const isSilent = usernsMode + subuidName + subgidName === "" && uidMap.length + gidMap.length === 0;
  if (isSilent && (await host.config()).userns === undefined) return settings;
  return (await import("./user-namespace.ts")).withUserNamespace(host, settings);
}

/** @throws RtError that there are none, or that they are too few for the image */
async function withIds(
  host: Host,
  record: ContainerRecord,
  snapshots: SnapshotDriver,
  held: DisposableStack,
): Promise<ContainerRecord> {
  if (record.usernsMode === "" || record.usernsMode === "host") return record;
  const { idMappingsOf } = await import("./user-namespace.ts");
  const { ownersNeeded } = await import("./image-owners.ts");
  const { idMappings, lease } = await idMappingsOf(host, record, () => ownersNeeded(host, snapshots, record));
  if (lease) held.use(lease);
  return idMappings ? { ...record, idMappings } : record;
}

/** Where the configuration says so, as docker's does: a label of its own, but for one that is to see what the host's processes see. */
async function withLabel(host: Host, settings: AskedSettings): Promise<AskedSettings> {
  const { labelOptions, privileged, pidMode, ipcMode } = settings;
  const isOpen = privileged || pidMode === "host" || ipcMode === "host";
  if (isOpen || labelOptions.length > 0 || !hasSelinux()) return settings;
  const { selinuxEnabled = false } = await host.config();
  return selinuxEnabled ? { ...settings, labelOptions: [`level:s0:${categoriesOf(newId())}`] } : settings;
}

/** Before anything is made. @throws RtError that this host does not have them */
function checkLabels(settings: AskedSettings): void {
  if (settings.apparmor !== undefined || settings.labelOptions.length > 0) moduleLabels("", settings);
}

/** A name that we made up gives way to one that is taken; one that the user chose is a conflict. */
function renameOf({ name }: CreateOptions): typeof generateName | undefined {
  return name === undefined ? generateName : undefined;
}

/** Most limit nothing. @throws RtError what this host cannot give */
function withLimits(host: Host, settings: AskedSettings): AskedSettings {
  if (isUnlimited(settings.resources)) return settings;
  const { completeLimits, givenLimits } = require("./limits.ts") as typeof import("./limits.ts");
  return {
    ...settings,
    resources: completeLimits(host, givenLimits(host, settings.resources, settings.cgroupParent)),
  };
}

/** Of a profile of its own. @throws RtError where no filter can be made of it */
function checkFilter(host: Host, record: ContainerRecord): void {
  if (!hasOwnProfile(record)) return;
  const { capAdd, capDrop, privileged } = record;
  filterFor(host, record, resolveCapabilities(capAdd, capDrop, privileged));
}

/** Where nobody names a filter the configuration may; it is the container's from here on, whatever becomes of the file. */
async function withFilter(host: Host, settings: AskedSettings): Promise<AskedSettings> {
  if (settings.seccomp !== undefined || settings.privileged) return settings;
  const { seccompProfile } = await host.config();
  if (seccompProfile === undefined) return settings;
  const { usualFilter } = await import("./usual-filter.ts");
  return { ...settings, seccomp: usualFilter(seccompProfile) };
}

/**
 * An ordinary user's rt has no rights on the host's networks: where he says nothing of networks, or names the one that everybody
 * has who says nothing, a program carries what comes and goes.
 * @throws RtError not-found: none is installed
 */
async function withStack(host: Host, settings: AskedSettings): Promise<AskedSettings> {
  const { networkMode, networks } = settings;
  const stack = stackOf(networkMode);
  const isUnsaid = networkMode === usualNetwork && networks === undefined && rootlessCaller() !== undefined;
  if (!stack && !isUnsaid) return settings;
  const { stackProgram, usualStack } = await import("../../network/stack.ts");
  if (!stack) return { ...settings, networkMode: usualStack(host.env.PATH) };
  stackProgram(stack.kind, host.env.PATH);
  return settings;
}

/**
 * Before anything is made.
 * @throws RtError not-found: one of its networks, or of those that it is linked to; unsupported: it cannot be there as it is to be
 */
async function withNetworks(host: Host, settings: AskedSettings): Promise<AskedSettings> {
  const wishes = wishesOf(settings);
  if (wishes.length === 0) return settings;
  const { checkPlaces } = await import("../network/place.ts");
  await checkPlaces(host, settings, wishes);
  const { networks } = settings;
  if (!networks?.some(({ links }) => links.length > 0)) return settings;
  const { withLinks } = await import("../network/links.ts");
  return { ...settings, networks: await withLinks(host, networks) };
}

/** As Docker does for the host's network; of others without any it says nothing, and nobody sees why nothing answers. */
function tellOfDiscarded(host: Host, record: ContainerRecord): void {
  if (record.publish.length === 0 && !record.publishAll) return;
  const { networkMode } = record;
  if (networkMode === "host")
    host.warn("warning: published ports are discarded when using host network mode");
  else if (wishesOf(record).length === 0 && !stackOf(networkMode))
    host.warn(
      `warning: published ports are discarded: the container is in no network (--network ${networkMode})`,
    );
}

/** Most take none. */
async function takenMounts(host: Host, { settings }: CreateOptions): Promise<Mount[]> {
  if (settings.volumesFrom.length === 0) return [];
  return (await import("./mounts-from.ts")).mountsFrom(host, settings);
}

/** A failure of `step` says whose start it was. */
export async function starting<T>(record: ContainerRecord, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw withCause(`cannot start container ${record.name}`, error);
  }
}
