import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import { connect } from "../../runtime/native/driver.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find } from "./find.ts";
import { follow } from "./follow.ts";

export interface AttachCommandOptions {
  sigProxy: boolean;
  noStdin: boolean;
}

/** `rt attach`: the caller's stdio to a container that runs already. @returns the program's exit status, 0 after detaching */
export async function attach(host: Host, name: string, options: AttachCommandOptions): Promise<number> {
  const { container, state } = await find(host, name);
  if (state.status === "restarting")
    throw conflict("You cannot attach to a restarting container, wait until it is running");
  if (state.pid === 0) throw conflict("You cannot attach to a stopped container, start it first");
  if (state.status === "paused") throw conflict("You cannot attach to a paused container, unpause it first");
  const { record } = container;
  const socket = join(host.stateOf(record.id), "attach.sock");
  using program = connect(socket, state, (line) => host.warn(`warning: ${line}`));
  containerEvent(host, record, "attach");
  const status = await follow(host, record, program, {
    start: false,
    stdin: record.openStdin && !options.noStdin,
    tty: record.tty,
    signals: options.sigProxy,
  });
  if (status === undefined) containerEvent(host, record, "detach");
  return status ?? 0;
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}
