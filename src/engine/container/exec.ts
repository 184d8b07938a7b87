import { RtError } from "../../base/errors.ts";
import { cgroupPath } from "../../runtime/cgroup.ts";
import { launch } from "../../runtime/native/driver.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { consoleSize } from "./build.ts";
import { newId } from "./describe.ts";
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
  const launched = launch(
    {
      kind: "exec",
      id: record.id,
      pid: state.pid,
      startTime: state.startTime,
      process: execProcess(record, options, options.tty ? consoleSize(host.session) : undefined),
      user: options.user || record.user,
      groupAdd: record.groupAdd,
      stdin,
      confined: isConfined(record),
      cgroup: { path: cgroupPath(record.id) },
      tied: false,
    },
    undefined,
    (line) => host.warn(`warning: ${line}`),
  );
  await using undo = new AsyncDisposableStack();
  undo.defer(() => launched.abandon());
  using program = await launched.ready(host.session.abort);
  const execID = newId();
  const told = (action: string, more = {}) => containerEvent(host, record, action, { ...more, execID });
  const command = options.command.join(" ");
  told(`exec_create: ${command}`);
  told(`exec_start: ${command}`);
  const attached = { start: true, stdin, tty: options.tty, signals: true };
  const status = options.detach
    ? await program.start(host.session.abort)
    : await follow(host, record, program, attached);
  undo.move();
  if (status !== undefined) told("exec_die", { exitCode: String(status) });
  return status ?? 0;
}

function paused(name: string): RtError {
  return new RtError("conflict", `Container ${name} is paused, unpause the container before exec`, {
    exitCode: 1,
  });
}
