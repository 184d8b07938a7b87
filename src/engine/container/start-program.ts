import type { ContainerRecord } from "../../container/record.ts";
import type { Program } from "../../runtime/runtime.ts";
import { concludeRun } from "../care/conclude.ts";
import type { Host } from "../host.ts";
import { containerEvent, mountEvents, networkEvents } from "../record-event.ts";
import { starting } from "./create.ts";
import { follow } from "./follow.ts";
import type { StartOptions } from "./start-options.ts";

/**
 * The last part of `run` and of `start`: what was built is executed. Attached, its end is waited for, and concluded; a failure
 * before the program runs is left to `undo`.
 *
 * @returns the program's exit status; 0 when it goes on without us
 */
export async function startProgram(
  host: Host,
  record: ContainerRecord,
  program: Program,
  options: StartOptions,
  undo: AsyncDisposableStack,
): Promise<number> {
  const status = await starting(record, () => go(host, record, program, options));
  undo.move(); // it has run: what is left of it is not to be undone, but concluded
  if (status === undefined) return 0;
  await concludeRun(host, record, await host.snapshotsOf(record.driver));
  return status;
}

/** @returns the exit status; undefined when the program goes on without us */
async function go(host: Host, record: ContainerRecord, program: Program, options: StartOptions) {
  host.startWaiters.join(record.id);
  if (!options.attach) {
    await program.start(host.session.abort);
    networkEvents(host, "connect", record.id);
    mountEvents(host, record);
    return containerEvent(host, record, "start");
  }
  containerEvent(host, record, "attach");
  networkEvents(host, "connect", record.id);
  mountEvents(host, record);
  // In a moment: from then on this process only carries the program's output.
  containerEvent(host, record, "start");
  const { tty, openStdin } = record;
  const stdin = openStdin && options.stdin;
  const status = await follow(host, record, program, { start: true, stdin, tty, signals: options.sigProxy });
  if (status === undefined) containerEvent(host, record, "detach");
  return status;
}
