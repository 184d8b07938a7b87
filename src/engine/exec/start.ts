import { RtError } from "../../base/errors.ts";
import { type CreatedExec, dropCreatedExec, takeCreatedExec } from "../../container/created-exec.ts";
import {
  readSession,
  readSessionExit,
  writeSession,
  writeSessionExit,
} from "../../container/exec-session.ts";
import { execFacts, executeIn, findForExec } from "../container/exec.ts";
import type { ExecOptions, StartExecOptions } from "../container/exec-options.ts";
import type { Host } from "../host.ts";
import { findExec } from "./find.ts";

/**
 * What `create` has left is executed, once. What could not be executed has ended with that, as a document says.
 * @returns its exit status; 0 when detached
 * @throws RtError not-found; conflict: somebody has started it already, or its container stands still
 */
export async function startExec(
  host: Host,
  id: string,
  { detach, onStarted, sigProxy = true }: StartExecOptions,
): Promise<number> {
  const found = findExec(host, id);
  const { container, state } = found;
  if (!("created" in found)) {
    const isOver = readSessionExit(state, id) !== undefined;
    throw conflict(`exec command ${id} ${isOver ? "has already run" : "is already running"}`);
  }
  const seen = await findForExec(host, container);
  if (!takeCreatedExec(state, id)) throw conflict(`exec command ${id} is already running`);
  const options = { ...optionsOf(found.created), container, detach };
  onStarted?.();
  try {
    return await executeIn(ofCaller(host, found.created), seen, options, { id, isCreated: true, sigProxy });
  } catch (error) {
    if (error instanceof RtError) conclude(state, id, options, error);
    throw error;
  } finally {
    dropCreatedExec(state, id);
  }
}

function optionsOf({
  detachKeys,
  consoleSize,
  ...created
}: CreatedExec): Omit<ExecOptions, "container" | "detach"> {
  return {
    ...created,
    ...(detachKeys !== undefined && { detachKeys }),
    ...(consoleSize !== undefined && { consoleSize }),
  };
}

/** The keys that it was created with. */
function ofCaller(host: Host, { detachKeys }: CreatedExec): Host {
  if (detachKeys === undefined) return host;
  return host.as({ ...host.session, detachKeys: Buffer.from(detachKeys, "base64") });
}

/** No monitor tells of an end. */
function conclude(state: string, id: string, options: ExecOptions, { exitCode }: RtError): void {
  if (!readSession(state, id)) writeSession(state, id, { ...execFacts(options), pid: 0, startTime: "0" }, []);
  if (readSessionExit(state, id) === undefined) writeSessionExit(state, id, exitCode);
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}
