import { withExitCode } from "../base/errors.ts";
import { flag, integer, object, text } from "../base/shape.ts";
import type { ExecInspect } from "../docker/exec-inspect.ts";
import { given } from "../docker/zero.ts";
import type { ExecOptions } from "../engine/container/exec-options.ts";
import type { ExecVerbs } from "../engine/engine.ts";
import type { WindowSize } from "../engine/session.ts";
import { pathOf } from "./api.ts";
import { keysText, statusOf } from "./attach.ts";
import { containerPath, documentOf, type RemoteCaller, tell } from "./caller.ts";
import { followSize, joinWire } from "./join.ts";
import { streamsOf } from "./stdio.ts";

const created = object({ Id: text });
const inspected = object({
  ID: text,
  ContainerID: text,
  Running: flag,
  ExitCode: (value) => (value === null || value === undefined ? null : integer(value, "ExitCode")),
  Pid: given(integer, 0),
  OpenStdin: given(flag, false),
  ProcessConfig: object({ tty: given(flag, false) }),
});

export function execVerbs(caller: RemoteCaller): ExecVerbs {
  return {
    create: (options) => createExec(caller, options),
    async start(id, { detach, onStarted }) {
      const { ProcessConfig, OpenStdin: openStdin } = await remoteExecInspect(caller, id);
      return await startExec(caller, id, { detach, tty: ProcessConfig.tty, openStdin, onStarted });
    },
    resize: (id, size) => resizeExec(caller, id, size),
    inspect: (id) => remoteExecInspect(caller, id),
  };
}

/** Another program in a running container. @returns its exit status; 0 when detached */
export async function remoteExec(caller: RemoteCaller, options: ExecOptions): Promise<number> {
  const id = await createExec(caller, options);
  return await startExec(caller, id, options);
}

/** @returns its id */
async function createExec(caller: RemoteCaller, options: ExecOptions): Promise<string> {
  const { container, command, env, user, workingDirectory, privileged, tty } = options;
  const { detach, openStdin, openStdout = true, openStderr = true, detachKeys, consoleSize } = options;
  const document = {
    ...{
      AttachStdin: openStdin && !detach,
      AttachStdout: openStdout && !detach,
      AttachStderr: openStderr && !detach,
    },
    ...{ Cmd: command, Env: env, User: user, WorkingDir: workingDirectory, Privileged: privileged, Tty: tty },
    ...(consoleSize ? sizeDocument(consoleSize) : ownSize(caller, tty)),
    DetachKeys: keysText(keysOf(caller, detachKeys)) ?? "",
  };
  const { Id } = await documentOf(
    caller,
    created,
    { method: "POST", path: containerPath(container, "/exec"), document },
    "exec",
  );
  return Id;
}

interface StartingExec {
  detach: boolean;
  tty: boolean;
  openStdin: boolean;
  onStarted?: (() => void) | undefined;
}

/** @returns its exit status; 0 when detached */
async function startExec(
  caller: RemoteCaller,
  id: string,
  { detach, tty, openStdin, onStarted }: StartingExec,
): Promise<number> {
  const { api, session } = caller;
  const request = {
    method: "POST",
    path: pathOf`/exec/${id}/start`,
    document: { Detach: detach, Tty: tty, ...ownSize(caller, tty) },
  } as const;
  if (detach) {
    await tell(caller, request);
    return 0;
  }
  const over = new AbortController();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => over.abort());
  const { wire, fields } = await api.hijack({ ...request, abort: session.abort });
  stack.defer(() => wire.destroy());
  onStarted?.();
  // The API has no way to send an exec's program a signal: those of the caller stay his.
  const streams = stack.use(await streamsOf(session, { raw: tty, stdin: openStdin, signals: false }));
  const { terminal } = streams;
  if (tty && terminal) followSize(terminal, (size) => resizeExec(caller, id, size), over.signal);
  const joined = await joinWire({
    wire,
    fields,
    streams,
    tty,
    stdin: openStdin,
    detachKeys: session.detachKeys,
  });
  return await statusOf(caller, joined, () => exitOf(caller, id));
}

async function resizeExec(caller: RemoteCaller, id: string, size: WindowSize): Promise<void> {
  const query = { h: size.rows, w: size.columns };
  await tell(caller, { method: "POST", path: pathOf`/exec/${id}/resize`, query });
}

async function remoteExecInspect(caller: RemoteCaller, id: string): Promise<ExecInspect> {
  const request = { method: "GET", path: pathOf`/exec/${id}/json` } as const;
  return (await documentOf(caller, inspected, request, "exec")) as unknown as ExecInspect;
}

const pollMax_ms = 500;

/** Its output may end before it does: nothing but its document tells. */
async function exitOf(caller: RemoteCaller, id: string): Promise<number> {
  for (let patience_ms = 10; ; patience_ms = Math.min(patience_ms * 2, pollMax_ms)) {
    const { Running, ExitCode } = await remoteExecInspect(caller, id).catch((error) => {
      throw withExitCode(error, 125);
    });
    if (!Running && ExitCode !== null) return ExitCode;
    await Bun.sleep(patience_ms);
  }
}

function ownSize({ session }: RemoteCaller, tty: boolean) {
  const size = tty ? session.terminalSize() : undefined;
  return size ? sizeDocument(size) : {};
}

function sizeDocument({ rows, columns }: WindowSize): { ConsoleSize: [height: number, width: number] } {
  return { ConsoleSize: [rows, columns] };
}

function keysOf({ session }: RemoteCaller, given: string | undefined): Uint8Array {
  return given === undefined ? session.detachKeys : Buffer.from(given, "base64");
}
