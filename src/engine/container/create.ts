import { withCause } from "../../base/errors.ts";
import { generateName } from "../../container/names.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { writeRecordCopy } from "../../container/state-file.ts";
import type { ImageRecord } from "../../image/record.ts";
import type { Launched, Program } from "../../runtime/runtime.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { removeAnonymousVolumes } from "../care/remove.ts";
import type { Host } from "../host.ts";
import { build, openState } from "./build.ts";
import { describeContainer } from "./describe.ts";
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
  const wanted = describeContainer(host, image, snapshots.name, options);
  undo.defer(() => removeAnonymousVolumes(host, wanted));
  const state = openState(host, wanted.id, undo);
  const launched = await starting(wanted, () =>
    build(host, wanted, snapshots, state, options.attended, undo),
  );
  // While the monitor builds. A name that we made up gives way to one that is taken; one that the user chose is a conflict.
  const rename = options.name === undefined ? generateName : undefined;
  const { record, bytes } = host.containers.create(wanted, rename);
  undo.defer(() => void host.containers.remove(record.id));
  writeRecordCopy(state.directory, bytes);
  return { record, launched, program: await starting(record, () => launched.ready(host.session.abort)) };
}

/** A failure of `step` says whose start it was. */
export async function starting<T>(record: ContainerRecord, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw withCause(`cannot start container ${record.name}`, error);
  }
}
