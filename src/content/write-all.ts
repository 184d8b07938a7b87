import { write } from "node:fs";
import { isErrno } from "../base/errors.ts";

/** All of the bytes, at `position` of a file, or behind what a pipe has taken; in another thread than this. */
export async function writeAll(fd: number, bytes: Uint8Array, position: number | null): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += await writeSome(fd, bytes.subarray(done), position === null ? null : position + done);
}

async function writeSome(fd: number, bytes: Uint8Array, position: number | null): Promise<number> {
  for (;;) {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    write(fd, bytes, 0, bytes.length, position, (error, count) => (error ? reject(error) : resolve(count)));
    try {
      return await promise;
    } catch (error) {
      // Somebody handed us a pipe in non-blocking mode, and it is full.
      if (!isErrno(error, "EAGAIN")) throw error;
      await Bun.sleep(1);
    }
  }
}
