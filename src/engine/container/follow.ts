import { join } from "node:path";
import { holdsWithin } from "../../base/wait.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { awaitUnlocked, isLocked } from "../../runtime/lock.ts";
import type { AttachOptions, Program } from "../../runtime/runtime.ts";
import type { Host } from "../host.ts";
import { look } from "./look.ts";

const lostExitCode = 137;
const engineFailed = 125;
/** A monitor that ends lets go of the lock with the connection, or soon after. */
const letGoWithin_ms = 1000;

interface Followed extends Omit<AttachOptions, "detachKeys" | "leave"> {
  /** A caller with streams who wants no more goes as with the detach keys: what runs was not begun by him, or is to go on. */
  leaves?: boolean;
  /** Of an exec: a program beside the container's own, with a monitor of its own. */
  joined?: boolean;
}

/** Attach the caller until the end. @returns the exit status, or undefined when the user detached */
export async function follow(
  host: Host,
  record: ContainerRecord,
  program: Program,
  { joined, leaves, ...wanted }: Followed,
): Promise<number | undefined> {
  const { stdio, detachKeys, abort } = host.session;
  const options = {
    ...wanted,
    detachKeys: wanted.tty ? detachKeys : new Uint8Array(),
    ...(leaves && { leave: abort }),
  };
  const outcome =
    stdio.kind === "descriptors"
      ? await program.attachForeground(stdio, options)
      : await program.attach(stdio, options);
  if (outcome.ended === "detached") return undefined;
  if (outcome.ended === "lost") return joined ? lostExec(host) : await lostStatus(host, record);
  if (outcome.writeError === undefined) return outcome.status;
  host.warn(`cannot write the program's output: ${outcome.writeError}`);
  return outcome.status || engineFailed;
}

/** Its monitor has no lock, nor anything else that would tell of it: the container goes on. */
function lostExec(host: Host): number {
  host.warn("the monitor of this exec was killed, and its program with it");
  return lostExitCode;
}

/** The monitor went without a word. */
async function lostStatus(host: Host, record: ContainerRecord): Promise<number> {
  // Whoever closed the connection may have written the exit before; the lock tells when all is said.
  const lock = join(host.stateOf(record.id), "lock");
  if (!(await holdsWithin(letGoWithin_ms, () => !isLocked(lock))))
    host.warn("the output was not taken for 10 s: what follows is in the log alone");
  await awaitUnlocked(lock);
  // Another command may have written it down, and removed the directory.
  const exit = host.containers.find(record.id)?.exit;
  const { state, needsCleanup } = look(host, { id: record.id, exit });
  if (state.status === "exited" && !needsCleanup) return state.exitCode;
  host.warn(`the monitor of container ${record.name} was killed, and the container with it`);
  return lostExitCode;
}
