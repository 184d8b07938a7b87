import { closeSync, openSync, readSync } from "node:fs";
import { withCause } from "./errors.ts";
import { invalid } from "./invalid.ts";
import { callerPath } from "./working-directory.ts";

/**
 * A file of the caller's that is text, or a fifo or /dev/stdin (`--env-file <(…)`); a huge one is a mistake.
 * @param what names it in messages: "--env-file" @throws RtError
 */
export function readTextFile(path: string, what: string, bytesMax: number): string {
  const fd = open(path, what);
  let bytes: Uint8Array;
  try {
    bytes = readUpTo(fd, bytesMax);
  } catch (error) {
    throw withCause(`cannot read ${what} ${path}`, error);
  } finally {
    closeSync(fd);
  }
  if (bytes.length > bytesMax) throw invalid(`${what} ${path} is larger than ${bytesMax / (1 << 20)} MiB`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw withCause(
      `cannot read ${what} ${path}`,
      invalid(`not UTF-8 (${error instanceof Error ? error.name : error})`),
    );
  }
}

function open(path: string, what: string): number {
  try {
    return openSync(callerPath(path, what), "r");
  } catch (error) {
    throw withCause(`cannot read ${what}`, error); // which names the path
  }
}

/** Of a file without an end no more than one byte too many. */
function readUpTo(fd: number, bytesMax: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let left = bytesMax + 1; left > 0; ) {
    const chunk = Buffer.allocUnsafe(Math.min(left, 1 << 16));
    const read = readSync(fd, chunk, 0, chunk.length, null);
    if (read === 0) break;
    chunks.push(chunk.subarray(0, read));
    left -= read;
  }
  return Buffer.concat(chunks);
}
