import { join } from "node:path";
import { RtError, withCause } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import { hasPoststop } from "../../container/poststop-file.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Container } from "../../container/stored-container.ts";
import { isLocked } from "../../runtime/lock.ts";
import type { Program } from "../../runtime/runtime.ts";
import { reconcileOne } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { attach } from "./attach.ts";
import { build } from "./build.ts";
import { starting } from "./create.ts";
import { look, withPause, youngFor_ms } from "./look.ts";
import { placeState } from "./place.ts";
import type { StartOptions } from "./start-options.ts";
import { startProgram } from "./start-program.ts";

/**
 * `rt start`: the program of a container that does not run, again or for the first time, in what it has left of its files. A
 * failure before the program runs leaves the container as it was, but for one of --rm, which is removed.
 *
 * @returns the program's exit status; 0 when it is not attached, or was detached from
 * @throws RtError not-found; conflict: it is paused
 */
export async function start(host: Host, name: string, options: StartOptions): Promise<number> {
  const { id } = host.containers.get(name);
  try {
    return await startSettled(host, id, options);
  } catch (error) {
    if (error instanceof RtError && error.code !== "cancelled") await failed(host, id, error);
    host.startWaiters.fail(id, error);
    throw error;
  }
}

/** Docker's documents say why it could not be started, until it is. One of --rm that never ran has come to its end with that. */
async function failed(host: Host, id: string, error: RtError): Promise<void> {
  // Where somebody else runs it this changes nothing.
  host.containers.recordFailure(id, { exitCode: error.exitCode, error: error.message });
  const container = host.containers.find(id);
  if (!container?.autoRemove || look(host, container).state.status !== "created") return;
  const { removeContainer } = await import("./remove.ts");
  try {
    await removeContainer(host, id, { force: false, volumes: true });
  } catch (failure) {
    // What the start failed of is what the caller is to hear.
    if (!(failure instanceof RtError)) throw failure;
    host.warn(failure.message);
  }
}

async function startSettled(host: Host, id: string, options: StartOptions): Promise<number> {
  await using undo = new AsyncDisposableStack();
  const built = await rebuild(host, id, options.attach, undo);
  if (!built && options.attach) return attachAgain(host, id, options);
  if (!built) options.onUnchanged?.();
  if (!built) return 0;
  const { record } = built;
  using program = built.program;
  return await startProgram(host, record, program, options, undo);
}

/** Up to the moment before the program runs. Undefined: it runs already, started by somebody else. */
async function rebuild(
  host: Host,
  id: string,
  attended: boolean,
  undo: AsyncDisposableStack,
): Promise<{ record: ContainerRecord; program: Program } | undefined> {
  while (true) {
    const container = await reconcileOne(host, id);
    const { status } = withPause(host, id, look(host, container).state);
    if (status === "paused") throw conflict("cannot start a paused container, try unpause instead");
    if (status === "running" || status === "restarting") return undefined;
    const state = placeState(host, id, undo);
    if (state) {
      const { record } = state;
      const snapshots = await host.snapshotsOf(record.driver);
      const launched = await starting(record, () =>
        build(host, record, snapshots, state, { attended }, undo),
      );
      return { record, program: await starting(record, () => launched.ready(host.session.abort)) };
    }
    await anothersTurn(host, container);
  }
}

/** Somebody else starts it, or has just seen its end: until that is settled. @throws RtError unavailable: it takes too long */
async function anothersTurn(host: Host, container: Container): Promise<void> {
  const directory = host.stateOf(container.id);
  if (hasPoststop(directory)) await (await import("../care/poststop.ts")).awaitPoststop(directory);
  const isSettled = () =>
    look(host, container).state.status === "running" || !isLocked(join(directory, "lock"));
  if (await holdsWithin(youngFor_ms, isSettled)) return;
  const cause = new RtError("unavailable", "another rt is just starting it: try again", { exitCode: 1 });
  throw withCause(`cannot start container ${container.name}`, cause);
}

function attachAgain(host: Host, name: string, { stdin, sigProxy }: StartOptions): Promise<number> {
  return attach(host, name, { sigProxy, noStdin: !stdin });
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}
