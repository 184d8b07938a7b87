import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { mergeEnv, workingDirectory } from "../../container/settings.ts";
import type { SpecProcess } from "../../oci/runtime-spec.ts";
import { launch } from "../../runtime/native.ts";
import { resolveCapabilities } from "../../spec/capabilities.ts";
import { rlimits } from "../../spec/generate.ts";
import { cgroupPath } from "../cgroup.ts";
import type { Host } from "../host.ts";
import { checkTerminal, follow } from "./attach.ts";
import { consoleSize, descriptorsMax, isConfined } from "./build.ts";
import type { ExecOptions } from "./exec-options.ts";
import { findContainer } from "./find.ts";
import { unfindable } from "./kill.ts";
import { elsewhere, isElsewhere, look } from "./look.ts";

/** `rt exec`: another program in a running container. @returns its exit status; 0 when detached */
export async function exec(host: Host, options: ExecOptions): Promise<number> {
  if (!options.detach) checkTerminal(options);
  const container = await findContainer(host, options.container);
  const { state } = look(host, container);
  if (state.pid === 0) {
    const why = state.status === "running" ? unfindable : "is not running";
    throw new RtError("conflict", `container ${container.id} ${why}`, { exitCode: 1 });
  }
  if (await isElsewhere(host, container)) {
    throw new RtError("conflict", `container ${container.id} ${elsewhere}`, { exitCode: 1 });
  }
  const { record } = container;
  const interactive = options.interactive && !options.detach;
  const launched = launch(
    {
      kind: "exec",
      id: record.id,
      pid: state.pid,
      startTime: state.startTime,
      process: describeProcess(record, options),
      user: options.user ?? record.user,
      groupAdd: record.groupAdd,
      stdin: interactive,
      confined: isConfined(record),
      cgroup: { path: cgroupPath(record.id) },
    },
    undefined,
    (line) => host.warn(`warning: ${line}`),
  );
  using program = launched.ready();
  if (options.detach) {
    program.start();
    return 0;
  }
  const status = follow(host, record, program, {
    start: true,
    stdin: interactive,
    tty: options.tty,
    signals: true,
    detachKeys: options.tty ? options.detachKeys : new Uint8Array(),
  });
  return status ?? 0;
}

function describeProcess(record: ContainerRecord, options: ExecOptions): SpecProcess {
  const privileged = record.privileged || options.privileged;
  const capabilities = resolveCapabilities(record.capAdd, record.capDrop, privileged);
  const size = options.tty ? consoleSize() : undefined;
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
  };
}
