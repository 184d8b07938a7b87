import { readdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../base/errors.ts";
import { runtimeDirectory } from "../base/runtime-directory.ts";
import { holdsWithin } from "../base/wait.ts";
import { native } from "../native/ffi.ts";
import { signalProcess } from "../native/system.ts";
import { readHolder } from "./holder-file.ts";
import { isMonitor } from "./living.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const SIGTERM = 15;

/**
 * Ends the holder of the user `uid`, in whose namespace we may be: then it lives until we end.
 * @returns false: there was none
 * @throws RtError conflict: containers run in there; invalid-argument: he is root
 */
export async function endHolder(env: Environment, uid: number): Promise<boolean> {
  if (uid === 0)
    throw new RtError("invalid-argument", "system migrate is for ordinary users: root has no holder");
  const directory = join(runtimeDirectory(env, uid), "rt");
  const holder = readHolder(directory);
  if (!holder || native().rt_start_time(holder.pid) !== holder.startTime) return false;
  const monitors = monitorsOf(holder.pid);
  if (monitors > 0) {
    const what = monitors === 1 ? "a container runs" : `${monitors} containers or programs in them run`;
    throw new RtError("conflict", `${what} in your user namespace: stop them first (rt ps, rt system down)`);
  }
  const isOver = () => !signalProcess(holder.pid, holder.startTime.toString(), 0);
  if (signalProcess(holder.pid, holder.startTime.toString(), SIGTERM)) await holdsWithin(5000, isOver);
  rmSync(join(directory, "holder"), { force: true });
  return true;
}

/** How many monitors share its namespace. */
function monitorsOf(holder: number): number {
  const own = namespaceOf(String(holder));
  const isInside = (pid: string) => /^\d+$/.test(pid) && isMonitor(pid) && namespaceOf(pid) === own;
  return readdirSync("/proc").filter(isInside).length;
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`);
  } catch {
    return undefined;
  }
}
