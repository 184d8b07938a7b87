import { RtError } from "../../base/errors.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find } from "./find.ts";
import { follow } from "./follow.ts";
import { joinAtStart, joinProgram } from "./join.ts";

export interface AttachCommandOptions {
  sigProxy: boolean;
  noStdin: boolean;
  /** One that does not run is waited for until somebody starts it. */
  ahead?: boolean;
  /** The caller is joined to it, or is waiting to be. @param tty it has a terminal, and one output */
  onAttached?: (tty: boolean) => void;
}

/**
 * `rt attach`: the caller's stdio to a container that runs already, or ahead of its start. A caller with streams who wants no more
 * leaves it alone, as with the detach keys.
 * @returns the program's exit status, 0 after detaching
 * @throws RtError conflict: it does not run, or stands still; the reason of the caller's abort
 */
export async function attach(host: Host, name: string, options: AttachCommandOptions): Promise<number> {
  const { container, state } = await find(host, name);
  if (state.status === "restarting")
    throw conflict("You cannot attach to a restarting container, wait until it is running");
  const isAhead = state.pid === 0;
  if (isAhead && !options.ahead) throw conflict("You cannot attach to a stopped container, start it first");
  if (state.status === "paused") throw conflict("You cannot attach to a paused container, unpause it first");
  const { record } = container;
  const onAttached = () => options.onAttached?.(record.tty);
  using program = isAhead
    ? await joinAtStart(host, record.id, onAttached)
    : joinProgram(host, record.id, state);
  if (!isAhead) onAttached();
  containerEvent(host, record, "attach");
  const status = await follow(host, record, program, {
    start: false,
    stdin: record.openStdin && !options.noStdin,
    tty: record.tty,
    signals: options.sigProxy && !isAhead,
    leaves: true,
  });
  if (status === undefined) containerEvent(host, record, "detach");
  if (status === undefined && host.session.stdio.kind === "streams") host.session.abort.throwIfAborted();
  return status ?? 0;
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}
