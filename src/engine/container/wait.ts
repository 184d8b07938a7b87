import { watch } from "node:fs";
import { onAbort } from "../../base/abort.ts";
import { isErrno, RtError } from "../../base/errors.ts";
import { recordOf } from "../../container/stored-container.ts";
import { holdWatch } from "../../runtime/watchers.ts";
import type { Host } from "../host.ts";
import { find, lookById } from "./find.ts";
import { isUp } from "./look.ts";

export interface WaitOptions {
  /**
   * Docker's: it does not run, which may be so already, and an end that its restart policy starts it after is one; it ends once more; it
   * is no more. Nothing said: it does not run, nor waits for its restart.
   */
  condition?: WaitCondition;
  /** It is there, and is waited for. */
  onWaiting?: () => void;
}

export type WaitCondition = "not-running" | "next-exit" | "removed";

/** A monitor that is killed writes nothing: nothing but looking tells. */
const look_ms = 500;

/** The exit status of a container, once the condition holds. @throws RtError not-found: there is none, or it went before we looked */
export async function wait(host: Host, name: string, options: WaitOptions = {}): Promise<number> {
  const { condition, onWaiting } = options;
  if (condition === undefined || (condition === "not-running" && !(await isStartedAgain(host, name))))
    return untilNotRunning(host, name, onWaiting);
  return (await import("./await-event.ts")).awaitEvent(host, name, condition, onWaiting);
}

async function isStartedAgain(host: Host, name: string): Promise<boolean> {
  const record = recordOf((await find(host, name)).container);
  return record !== undefined && record.restart.name !== "no";
}

/**
 * Once it does not run nor waits for its restart: at once where that is so. Its monitor writes the end into the state directory, and
 * that is what wakes us.
 */
async function untilNotRunning(
  host: Host,
  name: string,
  onWaiting: (() => void) | undefined,
): Promise<number> {
  const first = await find(host, name);
  const { id } = first.container;
  onWaiting?.();
  if (!isUp(first.state)) return first.state.exitCode;
  const { abort } = host.session;
  let wake = () => {};
  using _hold = holdWatch(host.stateOf(id));
  using _watcher = watching(host.stateOf(id), () => wake());
  using _patience = onAbort(abort, () => wake());
  while (true) {
    abort.throwIfAborted();
    const woken = Promise.withResolvers<void>();
    wake = woken.resolve;
    // Twice: its restart policy takes two files away, one after the other.
    if (!isUp(lookById(host, id).state) && !isUp(lookById(host, id).state)) {
      const { container, state } = lookById(host, id);
      if (container || state.status === "exited") return state.exitCode;
      throw new RtError("not-found", `No such container: ${name}`, { exitCode: 1 });
    }
    await Promise.race([woken.promise, Bun.sleep(look_ms)]);
  }
}

/** Changes of what is in a directory; one that has gone does not change. */
function watching(directory: string, changed: () => void): Disposable {
  try {
    const watcher = watch(directory, changed);
    watcher.on("error", changed);
    return { [Symbol.dispose]: () => watcher.close() };
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    return { [Symbol.dispose]: () => {} };
  }
}
