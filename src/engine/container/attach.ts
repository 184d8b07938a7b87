import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { observe } from "../../container/state.ts";
import { awaitUnlocked, isLocked } from "../../runtime/lock.ts";
import { type AttachOptions, connect, type Program } from "../../runtime/native.ts";
import type { Host } from "../host.ts";
import { findContainer } from "./find.ts";
import { look } from "./look.ts";

export interface AttachCommandOptions {
  sigProxy: boolean;
  noStdin: boolean;
  detachKeys: Uint8Array;
}

/** `rt attach`: our stdio to a container that runs already. @returns the program's exit status, 0 after detaching */
export async function attach(host: Host, name: string, options: AttachCommandOptions): Promise<number> {
  const container = await findContainer(host, name);
  const { state } = look(host, container);
  if (state.pid === 0) {
    throw new RtError("conflict", "You cannot attach to a stopped container, start it first", {
      exitCode: 1,
    });
  }
  const { record } = container;
  const socket = join(host.stateOf(record.id), "attach.sock");
  using program = connect(socket, state, (line) => host.warn(`warning: ${line}`));
  const status = follow(host, record, program, {
    start: false,
    stdin: record.openStdin && !options.noStdin,
    tty: record.tty,
    signals: options.sigProxy,
    detachKeys: record.tty ? options.detachKeys : new Uint8Array(),
  });
  return status ?? 0;
}

/** Docker's words, when a terminal is asked for and stdin is none. */
export function checkTerminal(options: { interactive: boolean; tty: boolean }): void {
  if (!options.tty || !options.interactive) return;
  const { isatty } = require("node:tty") as typeof import("node:tty");
  if (isatty(0)) return;
  throw new RtError(
    "invalid-argument",
    "the input device is not a TTY: leave out -t, or run this in a terminal",
    { exitCode: 1 },
  );
}

const lostExitCode = 137;
const engineFailed = 125;

/** Attach until the end; the exit status, or undefined when the user detached. */
export function follow(
  host: Host,
  record: ContainerRecord,
  program: Program,
  options: AttachOptions,
): number | undefined {
  const outcome = program.attach(options);
  if (outcome.ended === "detached") return undefined;
  if (outcome.ended === "exit") {
    if (outcome.writeError === undefined) return outcome.status;
    host.warn(`cannot write the program's output: ${outcome.writeError}`);
    return outcome.status || engineFailed;
  }
  return lostStatus(host, record);
}

/** The monitor went without a word. */
export function lostStatus(host: Host, record: ContainerRecord): number {
  // Whoever closed the connection may have written the exit before; the lock tells when all is said.
  const directory = host.stateOf(record.id);
  awaitUnlocked(join(directory, "lock"));
  // Another command may have written it down, and removed the directory.
  const exit = host.containers.find(record.id)?.exit;
  const { state, needsCleanup } = observe(directory, exit, isLocked);
  if (state.status === "exited" && !needsCleanup) return state.exitCode;
  host.warn(`the monitor of container ${record.name} was killed, and the container with it`);
  return lostExitCode;
}
