import { closeSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { newId } from "../../base/new-id.ts";
import { type ExecSession, openSessions, trimSessions, writeSession } from "../../container/exec-session.ts";
import { launch } from "../../runtime/native/driver.ts";
import type { Launched } from "../../runtime/runtime.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { consoleSize } from "./console-size.ts";
import { eventLines } from "./event-lines.ts";
import type { ExecOptions } from "./exec-options.ts";
import { execProcess } from "./exec-process.ts";
import { filterFor } from "./filter.ts";
import { find, type Look, requireRunning } from "./find.ts";
import { follow } from "./follow.ts";
import { enteredGroup, joinManager } from "./group.ts";
import { groupsOf } from "./groups.ts";
import { isScoped } from "./labels.ts";

/** `rt exec`: another program in a running container. @returns its exit status; 0 when detached */
export async function exec(host: Host, options: ExecOptions): Promise<number> {
  const seen = await findForExec(host, options.container);
  return executeIn(host, seen, options, { id: newId() });
}

/** A container that programs can be executed in now. @throws RtError not-found | conflict */
export async function findForExec(host: Host, name: string): Promise<Look> {
  const seen = await find(host, name);
  await requireRunning(host, seen);
  if (seen.state.status === "paused") throw paused(name);
  return seen;
}

interface Execution {
  id: string;
  /** It was told of already, when it was created. */
  isCreated?: boolean;
  sigProxy?: boolean;
}

/** @returns its exit status; 0 when detached */
export async function executeIn(
  host: Host,
  seen: Look,
  options: ExecOptions,
  { id, isCreated = false, sigProxy = true }: Execution,
): Promise<number> {
  const { record } = seen.container;
  const directory = host.stateOf(record.id);
  const session = { id, isKept: false };
  // Who has it started may go: it was created to run.
  const abort = isCreated ? undefined : host.session.abort;
  if (enteredGroup(host, record.id)?.delegated) await joinManager();
  const launched = build(host, seen, options, session);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => launched.abandon());
  trimSessions(directory); // while it is being built
  using program = await launched.ready(abort).catch((error) => {
    throw isFull(error) ? full(error, options.container) : error;
  });
  const { tty, openStdin, command } = options;
  const words = command.join(" ");
  const facts = { ...execFacts(options), pid: program.pid, startTime: String(program.startTime) };
  // Of its end its monitor tells: we may be gone by then.
  const events = eventLines(host, record, words);
  if (session.isKept) writeSession(directory, session.id, facts, events);
  const told = (action: string, more = {}) =>
    containerEvent(host, record, action, { ...more, execID: session.id });
  if (!isCreated) told(`exec_create: ${words}`);
  told(`exec_start: ${words}`);
  using _live = host.liveExecs.add(id, program);
  const attached = { start: true, stdin: openStdin, tty, signals: sigProxy, joined: true, leaves: true };
  const status = options.detach ? await program.start(abort) : await follow(host, record, program, attached);
  undo.move();
  if (status === undefined && !options.detach) told("exec_detach");
  if (!session.isKept && status !== undefined) told("exec_die", { exitCode: String(status) });
  return status ?? 0;
}

/** What is kept of it for documents. */
export function execFacts(options: ExecOptions): Omit<ExecSession, "pid" | "startTime"> {
  const { command, tty, openStdin, privileged, user, openStdout = true, openStderr = true } = options;
  return {
    words: command,
    ...{ tty, openStdin, privileged, user, openStdout, openStderr },
    detachKeys: options.detachKeys ?? "",
  };
}

function isFull(error: unknown): error is RtError {
  return error instanceof RtError && error.message.endsWith("(EAGAIN)");
}

/** A program is in the container's groups before it is there itself: that takes room for one process more for a moment. */
function full(error: RtError, name: string): RtError {
  const more = `${name} has about as many processes as it may have; rt top shows them, rt update --pids-limit allows more`;
  return new RtError(error.code, `${error.message}: ${more}`, { exitCode: error.exitCode });
}

/** @param session is kept where its directory can be had */
function build(
  host: Host,
  { container: { record }, state: { pid, startTime } }: Look,
  options: ExecOptions,
  session: { id: string; isKept: boolean },
): Launched {
  const sessions = openSessions(host.stateOf(record.id));
  session.isKept = sessions !== undefined;
  const size = options.tty ? consoleSize(host.session, options.consoleSize) : undefined;
  const process = execProcess(record, options, size);
  try {
    return launch(
      {
        kind: "exec",
        id: record.id,
        pid,
        startTime,
        process,
        user: options.user || record.user,
        groupAdd: groupsOf(record).named,
        scoped: isScoped(record, pid, options.privileged),
        stdin: options.openStdin && !options.detach,
        filter: filterFor(host, record, process.capabilities.bounding),
        cgroup: enteredGroup(host, record.id),
        tied: false,
        session: session.isKept ? session.id : "",
      },
      sessions,
      (line) => host.warn(`warning: ${line}`),
    );
  } finally {
    if (sessions !== undefined) closeSync(sessions);
  }
}

function paused(name: string): RtError {
  return new RtError("conflict", `Container ${name} is paused, unpause the container before exec`, {
    exitCode: 1,
  });
}
