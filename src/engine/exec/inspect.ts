import { type ExecSession, readSession, readSessionExit, sessionIds } from "../../container/exec-session.ts";
import { isContainerId } from "../../container/stored-container.ts";
import { type ExecInspect, execInspect } from "../../docker/exec-inspect.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { Host } from "../host.ts";
import { findExec } from "./find.ts";

/** As if by SIGKILL: its monitor was killed, and it ended with that. */
const lostExitCode = 137;

/** Of a program in a container that still runs, executed or to be so, Docker's document. @throws RtError not-found */
export async function inspectExec(host: Host, id: string): Promise<ExecInspect> {
  const found = findExec(host, id);
  const { container, state } = found;
  if ("created" in found) {
    const { command, ...created } = found.created;
    return execInspect({
      ...created,
      words: command,
      detachKeys: created.detachKeys ?? "",
      id,
      container,
      pid: 0,
    });
  }
  const { session } = found;
  const isUp = isRunning(state, id, session);
  const exitCode = isUp ? undefined : (readSessionExit(state, id) ?? lostExitCode);
  return execInspect({ ...session, id, container, isRunning: isUp, exitCode });
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
