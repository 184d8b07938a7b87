import { write } from "node:fs";

/** All of the bytes, at `position` of a file, or behind what a pipe has taken; in another thread than this. */
export async function writeAll(fd: number, bytes: Uint8Array, position: number | null): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === null ? null : position + done;
    done += await new Promise<number>((resolve, reject) =>
      write(fd, bytes, done, bytes.length - done, at, (error, count) =>
        error ? reject(error) : resolve(count),
      ),
    );
  }
}
