import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { SpecProcess } from "../../oci/runtime-spec.ts";
import { cgroupPath } from "../../runtime/cgroup.ts";
import { launch } from "../../runtime/native/driver.ts";
import { mergeEnv, workingDirectory } from "../../settings/combine.ts";
import { resolveCapabilities } from "../../spec/capabilities.ts";
import { rlimits } from "../../spec/generate.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { consoleSize, descriptorsMax, isConfined } from "./build.ts";
import { newId } from "./describe.ts";
import type { ExecOptions } from "./exec-options.ts";
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
      process: describeProcess(host, record, options),
      user: options.user || record.user,
      groupAdd: record.groupAdd,
      stdin,
      confined: isConfined(record),
      cgroup: { path: cgroupPath(record.id) },
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

function describeProcess(host: Host, record: ContainerRecord, options: ExecOptions): SpecProcess {
  const privileged = record.privileged || options.privileged;
  const capabilities = resolveCapabilities(record.capAdd, record.capDrop, privileged);
  const size = options.tty ? consoleSize(host.session) : undefined;
  const terminal =
    options.tty && !record.env.some((entry) => entry.startsWith("TERM=")) ? ["TERM=xterm"] : [];
  return {
    terminal: options.tty,
    ...(size ? { consoleSize: size } : {}),
    user: { uid: 0, gid: 0, umask: 0o022 },
    args: options.command,
    env: mergeEnv([...record.env, ...terminal], options.env),
    cwd: workingDirectory(options.workingDirectory, record.workingDirectory),
    capabilities: {
      bounding: capabilities,
      effective: capabilities,
      permitted: capabilities,
      inheritable: [],
      ambient: [],
    },
    rlimits: rlimits(record, descriptorsMax()),
    noNewPrivileges: record.noNewPrivileges,
    ...(record.oomScoreAdj !== 0 && { oomScoreAdj: record.oomScoreAdj }),
  };
}
