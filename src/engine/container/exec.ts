import { RtError } from "../../base/errors.ts";
import { openSessions, trimSessions, writeSession } from "../../container/exec-session.ts";
import { cgroupPath } from "../../runtime/cgroup.ts";
import { launch } from "../../runtime/native/driver.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { consoleSize } from "./build.ts";
import { newId } from "./describe.ts";
import { eventLines } from "./event-lines.ts";
import type { ExecOptions } from "./exec-options.ts";
import { execProcess, isConfined } from "./exec-process.ts";
import { find, requireRunning } from "./find.ts";
import { follow } from "./follow.ts";

/** `rt exec`: another program in a running container. @returns its exit status; 0 when detached */
export async function exec(host: Host, options: ExecOptions): Promise<number> {
  const seen = await find(host, options.container);
  await requireRunning(host, seen);
  const { state } = seen;
  if (state.status === "paused") throw paused(options.container);
  const { record } = seen.container;
  const stdin = options.openStdin && !options.detach;
  const session = newId();
  const directory = host.stateOf(record.id);
  const size = options.tty ? consoleSize(host.session) : undefined;
  const sessions = openSessions(directory);
  const launched = launch(
    {
      kind: "exec",
      id: record.id,
      pid: state.pid,
      startTime: state.startTime,
      process: execProcess(record, options, size),
      user: options.user || record.user,
      groupAdd: record.groupAdd,
      stdin,
      confined: isConfined(record),
      cgroup: { path: cgroupPath(record.id) },
      tied: false,
      session,
    },
    sessions.descriptor,
    (line) => host.warn(`warning: ${line}`),
  );
  await using undo = new AsyncDisposableStack();
  undo.defer(() => launched.abandon());
  sessions.close();
  trimSessions(directory); // while it is being built
  using program = await launched.ready(host.session.abort);
  const command = options.command.join(" ");
  const { pid, startTime } = program;
  const { tty, openStdin, privileged, user } = options;
  const facts = {
    pid,
    startTime: String(startTime),
    words: options.command,
    tty,
    openStdin,
    privileged,
    user,
  };
  // Of its end its monitor tells: we may be gone by then.
  writeSession(directory, session, facts, eventLines(host, record, command));
  for (const action of ["exec_create", "exec_start"])
    containerEvent(host, record, `${action}: ${command}`, { execID: session });
  const attached = { start: true, stdin, tty: options.tty, signals: true, joined: true };
  const status = options.detach
    ? await program.start(host.session.abort)
    : await follow(host, record, program, attached);
  undo.move();
  return status ?? 0;
}

function paused(name: string): RtError {
  return new RtError("conflict", `Container ${name} is paused, unpause the container before exec`, {
    exitCode: 1,
  });
}
