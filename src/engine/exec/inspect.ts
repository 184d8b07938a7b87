import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../../base/errors.ts";
import { type ExecSession, readSession, readSessionExit, sessionIds } from "../../container/exec-session.ts";
import { isContainerId } from "../../container/stored-container.ts";
import { type ExecInspect, execInspect } from "../../docker/exec-inspect.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { Host } from "../host.ts";

/** As if by SIGKILL: its monitor was killed, and it ended with that. */
const lostExitCode = 137;

/** Of a program that was executed in a container that still runs, Docker's document. @throws RtError not-found */
export async function inspectExec(host: Host, id: string): Promise<ExecInspect> {
  for (const container of /^[0-9a-f]{64}$/.test(id) ? placed(host) : []) {
    const state = host.stateOf(container);
    const session = readSession(state, id);
    if (!session) continue;
    const exitCode = isRunning(state, id, session) ? undefined : (readSessionExit(state, id) ?? lostExitCode);
    return execInspect({ ...session, id, container, exitCode });
  }
  throw new RtError("not-found", `No such exec instance: ${id}`, { exitCode: 1 });
}

/** The ids of those that run in the container `id`. */
export function runningExecs(host: Host, id: string): string[] {
  if (!isContainerId(id)) return [];
  const state = host.stateOf(id);
  return sessionIds(state).filter((each) => {
    const session = readSession(state, each);
    return session !== undefined && isRunning(state, each, session);
  });
}

function isRunning(state: string, id: string, { pid, startTime }: ExecSession): boolean {
  return readSessionExit(state, id) === undefined && pid > 0 && signalProcess(pid, startTime, 0);
}

/** Containers with a state directory: others run nothing. */
function placed(host: Host): string[] {
  try {
    return readdirSync(join(host.paths.state, "containers")).filter(isContainerId);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
