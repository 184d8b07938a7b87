import { writeSync } from "node:fs";
import { isErrno } from "../base/errors.ts";
import type { Session } from "./session.ts";

/** Where a verb that streams writes. False: nobody reads it any more, and the verb is over. */
export type StreamOutput = (stream: "stdout" | "stderr", bytes: Uint8Array) => Promise<boolean>;

/** The caller's own output, as fast as it is read. */
export function outputOf({ stdio }: Session): StreamOutput {
  if (stdio.kind === "streams")
    return async (stream, bytes) => {
      await stdio.output(stream, bytes);
      return true;
    };
  return (stream, bytes) => writeWhole(stdio[stream], bytes);
}

async function writeWhole(fd: number, bytes: Uint8Array): Promise<boolean> {
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      if (isErrno(error, "EPIPE")) return false;
      // Somebody handed us a pipe in non-blocking mode, and it is full.
      if (!isErrno(error, "EAGAIN")) throw error;
      await Bun.sleep(1);
    }
  }
  return true;
}
