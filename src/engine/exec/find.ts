import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../../base/errors.ts";
import { type CreatedExec, readCreatedExec } from "../../container/created-exec.ts";
import { type ExecSession, readSession } from "../../container/exec-session.ts";
import { isContainerId } from "../../container/stored-container.ts";
import type { Host } from "../host.ts";

/** A program that is or was executed in a container, or is to be. */
export type FoundExec =
  | { container: string; state: string; session: ExecSession }
  | { container: string; state: string; created: CreatedExec; isStarting: boolean };

/** @param id in full @throws RtError not-found: there is none, or its container does not run any more */
export function findExec(host: Host, id: string): FoundExec {
  for (const container of /^[0-9a-f]{64}$/.test(id) ? placed(host) : []) {
    const state = host.stateOf(container);
    // In this order it is found at every moment of its start.
    const created = readCreatedExec(state, id);
    const session = readSession(state, id);
    if (session) return { container, state, session };
    if (created) return { container, state, ...created };
  }
  throw new RtError("not-found", `No such exec instance: ${id}`, { exitCode: 1 });
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
