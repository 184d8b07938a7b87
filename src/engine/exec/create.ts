import { closeSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { newId } from "../../base/new-id.ts";
import { type CreatedExec, trimCreatedExecs, writeCreatedExec } from "../../container/created-exec.ts";
import { openSessions } from "../../container/exec-session.ts";
import { findForExec } from "../container/exec.ts";
import type { ExecOptions } from "../container/exec-options.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";

/** Another program for a running container, that nobody has started yet. It goes with the end of the container. @returns its id */
export async function createExec(host: Host, options: ExecOptions): Promise<string> {
  const { record } = (await findForExec(host, options.container)).container;
  const directory = host.stateOf(record.id);
  const sessions = openSessions(directory);
  if (sessions === undefined) throw new RtError("unavailable", "cannot keep what is to be executed");
  closeSync(sessions);
  trimCreatedExecs(directory);
  const id = newId();
  writeCreatedExec(directory, id, createdOf(options));
  containerEvent(host, record, `exec_create: ${options.command.join(" ")}`, { execID: id });
  return id;
}

function createdOf({ openStdout = true, openStderr = true, ...options }: ExecOptions): CreatedExec {
  const { command, openStdin, tty, env, workingDirectory, user, privileged, detachKeys, consoleSize } =
    options;
  return {
    ...{ command, openStdin, openStdout, openStderr, tty, env, workingDirectory, user, privileged },
    ...(detachKeys !== undefined && { detachKeys }),
    ...(consoleSize !== undefined && { consoleSize }),
  };
}
