import { closeSync, constants, openSync } from "node:fs";
import { RtError, withCause } from "../base/errors.ts";
import { holdsWithin } from "../base/wait.ts";
import { acceptFrom, flock, sendDatagram } from "../native/system.ts";

/** What a listener needs of the kernel besides Bun's sockets: the one file of the daemon that makes system calls of ours. */

const patience_ms = 5000;

/** Nobody else has the file at `path` locked until what is answered is disposed of. @throws RtError conflict: it stays another's */
export async function heldLock(path: string): Promise<Disposable> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  const fd = openSync(path, flags, 0o600);
  try {
    if (!(await holdsWithin(patience_ms, () => flock(fd, "exclusive", false))))
      throw new RtError("conflict", `somebody holds ${path}`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/** @returns a socket from which the descriptors of its connections come, 4 bytes each; `listener` is closed here */
export function connectionsOf(listener: number): number {
  try {
    return acceptFrom(listener);
  } finally {
    closeSync(listener);
  }
}

/** For systemd, where it is who started us: sd_notify(3). */
export function notifyManager(env: NodeJS.ProcessEnv, state: string): void {
  const path = env.NOTIFY_SOCKET;
  if (!path) return;
  try {
    sendDatagram(path, Buffer.from(state));
  } catch (error) {
    throw withCause("cannot tell NOTIFY_SOCKET", error);
  }
}
