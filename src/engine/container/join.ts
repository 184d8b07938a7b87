import { existsSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { onAbort } from "../../base/abort.ts";
import { isErrno, RtError } from "../../base/errors.ts";
import { connect } from "../../runtime/native/driver.ts";
import type { Program } from "../../runtime/runtime.ts";
import type { Host } from "../host.ts";

type Init = Parameters<typeof connect>[1];

/** A container's program through its monitor. @throws an error with an errno: nobody listens there */
export function joinProgram(host: Host, id: string, init: Init): Program {
  const socket = join(host.stateOf(id), "attach.sock");
  return connect(socket, init, (line) => host.warn(`warning: ${line}`));
}

/** Changes of files are told of; that a container is removed before it was started is seen by looking. */
const look_ms = 500;
/** Who it is we do not know: no signal goes to it. */
const nobody = { pid: 0, startTime: "0" };

/**
 * The program of a container that does not run, as soon as it is about to: its monitor listens before it runs, and takes in who
 * has come until then. See start-waiters.ts.
 * @throws RtError not-found: it was removed; why this process could not start it; the reason of the caller's abort
 */
export async function joinAtStart(
  host: Host,
  id: string,
  onWaiting: (() => void) | undefined,
): Promise<Program> {
  const { abort } = host.session;
  const { promise, resolve, reject } = Promise.withResolvers<Program>();
  let isJoined = false;
  const tryJoin = () => {
    if (isJoined) return;
    try {
      resolve(joinProgram(host, id, nobody));
      isJoined = true;
    } catch (error) {
      if (!isNobody(error)) reject(error);
    }
  };
  using _waiter = host.startWaiters.add(id, { join: tryJoin, fail: reject });
  using watching = new StartWatch(host.stateOf(id), tryJoin);
  using _patience = onAbort(abort, () => reject(abort.reason));
  abort.throwIfAborted();
  const timer = setInterval(() => {
    watching.renew();
    tryJoin();
    if (!host.containers.find(id))
      reject(new RtError("not-found", `No such container: ${id}`, { exitCode: 1 }));
  }, look_ms);
  try {
    onWaiting?.();
    tryJoin();
    return await promise;
  } finally {
    clearInterval(timer);
  }
}

/** No monitor, or one that is not there yet or any more. */
function isNobody(error: unknown): boolean {
  const { message } = error as Error;
  return error instanceof RtError && /\((ENOENT|ECONNREFUSED|ENOTDIR)\)$/.test(message);
}

/** Of a container's state directory, and of its making: with each start it is a new one. */
class StartWatch implements Disposable {
  readonly #directory: string;
  readonly #changed: () => void;
  readonly #above: Disposable | undefined;
  #within: Disposable | undefined;

  constructor(directory: string, changed: () => void) {
    this.#directory = directory;
    this.#changed = changed;
    const name = directory.slice(dirname(directory).length + 1);
    this.#above = watchDirectory(dirname(directory), (which) => {
      if (which !== name) return;
      this.renew();
      changed();
    });
    this.renew();
  }

  renew(): void {
    this.#within?.[Symbol.dispose]();
    this.#within = existsSync(this.#directory) ? watchDirectory(this.#directory, this.#changed) : undefined;
  }

  [Symbol.dispose](): void {
    this.#above?.[Symbol.dispose]();
    this.#within?.[Symbol.dispose]();
  }
}

function watchDirectory(directory: string, changed: (name: string | null) => void): Disposable | undefined {
  try {
    const watcher = watch(directory, (_, name) => changed(name));
    watcher.on("error", () => changed(null));
    return { [Symbol.dispose]: () => watcher.close() };
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    return undefined;
  }
}
