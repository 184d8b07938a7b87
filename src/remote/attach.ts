import { RtError } from "../base/errors.ts";
import { flag, object, text } from "../base/shape.ts";
import type { AttachCommandOptions } from "../engine/container/attach.ts";
import type { StartOptions } from "../engine/container/start-options.ts";
import type { Streams, WindowSize } from "../engine/session.ts";
import { containerPath, documentOf, type RemoteCaller, tell } from "./caller.ts";
import { followSignals, followSize, type Joined, joinWire } from "./join.ts";
import { streamsOf } from "./stdio.ts";
import { waitFor } from "./wait.ts";

/** What must be known of a container before somebody is joined to it. */
const facts = object({
  Id: text,
  State: object({ Running: flag, Paused: flag, Restarting: flag }),
  Config: object({ Tty: flag, OpenStdin: flag }),
  HostConfig: object({ AutoRemove: flag }),
});

interface Attachable {
  id: string;
  tty: boolean;
  openStdin: boolean;
  autoRemove: boolean;
}

async function lookAt(caller: RemoteCaller, name: string) {
  const { Id, State, Config, HostConfig } = await documentOf(
    caller,
    facts,
    { method: "GET", path: containerPath(name, "/json") },
    "container",
  );
  const { Tty: tty, OpenStdin: openStdin } = Config;
  return { state: State, container: { id: Id, tty, openStdin, autoRemove: HostConfig.AutoRemove } };
}

/** The caller's stdio to a container that runs, or is waited for. @returns the program's exit status; 0 after detaching */
export async function remoteAttach(
  caller: RemoteCaller,
  name: string,
  options: AttachCommandOptions,
): Promise<number> {
  const { state, container } = await lookAt(caller, name);
  if (state.Restarting)
    throw conflict("You cannot attach to a restarting container, wait until it is running");
  const isAhead = !state.Running && options.ahead === true;
  if (!state.Running && !isAhead) throw conflict("You cannot attach to a stopped container, start it first");
  if (state.Paused) throw conflict("You cannot attach to a paused container, unpause it first");
  const stdin = container.openStdin && !options.noStdin;
  const { sigProxy, onAttached } = options;
  return await attached(caller, container, { stdin, sigProxy, isNew: isAhead, startsIt: false, onAttached });
}

/** The program of one that does not run. @returns as the engine's verb */
export async function remoteStart(
  caller: RemoteCaller,
  name: string,
  options: StartOptions,
): Promise<number> {
  if (!options.attach) {
    if ((await begin(caller, name)) === 304) options.onUnchanged?.();
    return 0;
  }
  const { state, container } = await lookAt(caller, name);
  if (state.Running)
    return await remoteAttach(caller, name, { sigProxy: options.sigProxy, noStdin: !options.stdin });
  const stdin = container.openStdin && options.stdin;
  const { sigProxy } = options;
  return await attached(caller, container, { stdin, sigProxy, isNew: true, startsIt: true });
}

/** A program is started. @returns 304 where it runs already @throws RtError what is no program has the class and the exit status of that */
export async function begin(caller: RemoteCaller, name: string, abort?: AbortSignal): Promise<number> {
  try {
    return await tell(caller, { method: "POST", path: containerPath(name, "/start"), abort });
  } catch (error) {
    throw startFailure(error);
  }
}

/** Docker answers each of them with 400, and an engine of ours after it; its own says the rest in words. */
function startFailure(error: unknown): unknown {
  if (!(error instanceof RtError) || error.code !== "invalid-argument") return error;
  const { message, exitCode } = error;
  const [isAbsent, isRefused] = [
    /executable file not found|no such file or directory/i,
    /permission denied|is a directory/i,
  ].map((words) => exitCode === 1 && words.test(message));
  if (exitCode === 127 || isAbsent) return new RtError("not-found", message, { cause: error, exitCode: 127 });
  if (exitCode === 126 || isRefused)
    return new RtError("forbidden", message, { cause: error, exitCode: 126 });
  return error;
}

interface Attaching {
  stdin: boolean;
  sigProxy: boolean;
  /** It does not run yet. */
  isNew: boolean;
  /** With that: it is started once the caller is joined to it, so that nothing of its output is lost. Else somebody else does. */
  startsIt: boolean;
  onAttached?: ((tty: boolean) => void) | undefined;
  /** Which of its outputs the caller wants; both unless given. */
  outputs?: readonly ("stdout" | "stderr")[];
  onStarted?: () => void;
}

/**
 * As Docker's clients do: join, wait, start, in this order.
 *
 *   POST attach  -> 101, and bytes          the output, from the first byte on
 *   POST wait    -> 200 at once             … and the status, in the end
 *   POST start   -> 204
 */
export async function attached(
  caller: RemoteCaller,
  container: Attachable,
  { stdin, sigProxy, isNew, startsIt, outputs = ["stdout", "stderr"], ...told }: Attaching,
): Promise<number> {
  const { api, session } = caller;
  const { id, tty } = container;
  const over = new AbortController();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => over.abort());
  const { wire, fields } = await api.hijack({
    method: "POST",
    path: containerPath(id, "/attach"),
    query: {
      stream: true,
      stdin,
      stdout: outputs.includes("stdout"),
      stderr: outputs.includes("stderr"),
      detachKeys: keysText(session.detachKeys),
    },
    abort: session.abort,
  });
  stack.defer(() => wire.destroy());
  const condition = isNew ? (container.autoRemove ? "removed" : "next-exit") : "not-running";
  const ended = await waitFor(caller, id, condition, over.signal);
  told.onAttached?.(tty);
  if (startsIt) {
    await begin(caller, id, session.abort);
  }
  told.onStarted?.();
  // From here on signals are the program's.
  const streams = stack.use(await streamsOf(session, { raw: tty, stdin, signals: sigProxy }));
  followContainer(caller, id, { tty, sigProxy }, streams, over.signal);
  const detachKeys = session.detachKeys;
  const joined = await joinWire({ wire, fields, streams, tty, stdin, detachKeys });
  return await statusOf(caller, joined, () => ended.status);
}

/** Its size from now on, and the caller's signals where they are the program's. */
function followContainer(
  caller: RemoteCaller,
  id: string,
  { tty, sigProxy }: { tty: boolean; sigProxy: boolean },
  { terminal, signals }: Streams,
  over: AbortSignal,
): void {
  if (tty && terminal) followSize(terminal, (size) => remoteResize(caller, id, size), over);
  const kill = (signal: number) =>
    tell(caller, { method: "POST", path: containerPath(id, "/kill"), query: { signal } });
  if (sigProxy && signals) followSignals(signals, kill, over);
}

/** What an attached program's end is to the caller. */
export async function statusOf(
  { session }: RemoteCaller,
  { ended, writeError }: Joined,
  status: () => Promise<number>,
): Promise<number> {
  if (ended === "detached") return 0;
  const code = await status();
  if (writeError === undefined) return code;
  session.warn(writeError);
  return code || engineFailed;
}

const engineFailed = 125;

export async function remoteResize(
  caller: RemoteCaller,
  id: string,
  size: WindowSize | undefined,
): Promise<void> {
  if (!size) return;
  const query = { h: size.rows, w: size.columns };
  await tell(caller, { method: "POST", path: containerPath(id, "/resize"), query });
}

/** As the API has them: "ctrl-p,ctrl-q". Undefined where there are none. */
export function keysText(keys: Uint8Array): string | undefined {
  if (keys.length === 0) return undefined;
  const text = (key: number) =>
    key < 32 ? `ctrl-${String.fromCharCode(key + 64).toLowerCase()}` : String.fromCharCode(key);
  return [...keys].map(text).join(",");
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}
