import { closeSync, fstatSync, ftruncateSync, readSync, statfsSync, writeSync } from "node:fs";
import { withCause } from "../base/errors.ts";
import { openInside } from "../native/system.ts";

/** What a start makes of its own for each container, in memory: nothing else is written to. */
const tmpfs = 0x01021994;
/** Whatever a program has made of it. */
const bytesMax = 1 << 20;

/**
 * Change a file of ours in a container that runs, as /etc/hosts, in place: it is bound to where it is. One that is not there
 * any more, or not ours, is left alone: a container can have a link of its own to somebody else's there.
 * @param isOurs of the user that it belongs to
 * @param change is given its text, "" of one that is larger than anybody needs
 * @throws RtError: it cannot be opened, or there is no room
 */
export function rewriteInside(
  { pid, startTime }: { pid: number; startTime: bigint },
  path: string,
  isOurs: (uid: number) => boolean,
  change: (text: string) => string,
): void {
  const fd = openInside(pid, startTime, path);
  if (fd === undefined) return;
  try {
    const status = fstatSync(fd);
    if (!status.isFile() || !isOurs(status.uid) || statfsSync(`/proc/self/fd/${fd}`).type !== tmpfs) return;
    const { size } = status;
    const before = size <= bytesMax ? readAll(fd, size) : "";
    const after = change(before);
    if (after !== before) write(fd, Buffer.from(after), size);
  } catch (error) {
    throw withCause(`cannot change ${path} of process ${pid}`, error);
  } finally {
    closeSync(fd);
  }
}

function readAll(fd: number, size: number): string {
  const buffer = Buffer.alloc(size);
  return buffer.toString("utf8", 0, readSync(fd, buffer, 0, size, 0));
}

/** In one call, so that no reader sees a part of it: what is left of a longer text is blank before it is cut off. */
function write(fd: number, text: Buffer, before: number): void {
  const blank = Buffer.alloc(before <= bytesMax ? Math.max(before - text.length, 0) : 0, "\n");
  writeSync(fd, Buffer.concat([text, blank]), 0, text.length + blank.length, 0);
  ftruncateSync(fd, text.length);
}
