import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import { writeCreatedExec } from "../../container/created-exec.ts";
import type { Host } from "../host.ts";
import type { WindowSize } from "../session.ts";
import { findExec } from "./find.ts";

/** From the word that it is to start to a program that has a terminal. */
const startedWithin_ms = 2000;

/**
 * The terminal of an executed program has another size, or of one that is not started yet has this one from its start.
 * @throws RtError not-found; conflict: it is over, or another process is joined to it, which alone reaches it
 */
export async function resizeExec(host: Host, id: string, size: WindowSize): Promise<void> {
  const found = findExec(host, id);
  if ("created" in found && !found.isStarting)
    return writeCreatedExec(found.state, id, { ...found.created, consoleSize: size });
  const isStarting = "created" in found;
  if (isStarting) await holdsWithin(startedWithin_ms, () => host.liveExecs.get(id) !== undefined);
  const program = host.liveExecs.get(id);
  if (program) return program.resize(size);
  throw new RtError("conflict", `exec ${id} is not running, or was not started from here`, { exitCode: 1 });
}
