import { withCause } from "../../base/errors.ts";
import { generateName } from "../../container/names.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { writeRecordCopy } from "../../container/state-file.ts";
import type { ImageRecord } from "../../image/record.ts";
import { closeLock } from "../../runtime/lock.ts";
import type { Launched, Program } from "../../runtime/runtime.ts";
import type { Mount } from "../../settings/container-settings.ts";
import { networkOf } from "../../settings/namespace-mode.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { reconcileUnattended } from "../care/reconcile.ts";
import { removeAnonymousVolumes } from "../care/remove.ts";
import { removeStateDirectory } from "../care/state-directory.ts";
import type { Host } from "../host.ts";
import { obtainImage } from "../image/obtain.ts";
import { containerEvent } from "../record-event.ts";
import { build, openState, prepareFiles } from "./build.ts";
import { describeContainer } from "./describe.ts";
import { holdVolumes } from "./hold-volumes.ts";
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
  // An address belongs to a container's row.
  const early = networkOf(wanted.networkMode) === undefined ? undefined : record();
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
  await checkNetwork(host, options);
  const asked = { ...options, settings: withNeighbours(host, options.settings) };
  const taken = await takenMounts(host, asked);
  const record = describeContainer(host, image, snapshots.name, asked, taken);
  if (!record.mounts.some(({ type }) => type === "image")) return { record, [Symbol.dispose]: () => {} };
  const { withImages } = await import("./image-mounts.ts");
  const { mounts, lease } = await withImages(host, record.mounts, options);
  return { record: { ...record, mounts }, [Symbol.dispose]: () => lease[Symbol.dispose]() };
}

/** A name that we made up gives way to one that is taken; one that the user chose is a conflict. */
function renameOf({ name }: CreateOptions): typeof generateName | undefined {
  return name === undefined ? generateName : undefined;
}

/** Before anything is made. @throws RtError not-found: its network */
async function checkNetwork(host: Host, { settings }: CreateOptions): Promise<void> {
  if (networkOf(settings.networkMode) === undefined) return;
  const { findNetwork } = await import("../network/place.ts");
  await findNetwork(host, settings.networkMode);
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
