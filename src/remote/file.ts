import { createReadStream, write } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { withCause } from "../base/errors.ts";

/** All of it to an open file, where the last piece ended. */
export async function writeAt(fd: number, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    offset += await new Promise<number>((resolve, reject) => {
      write(fd, bytes, offset, bytes.length - offset, null, (error, written) =>
        error ? reject(error) : resolve(written),
      );
    });
  }
}

/** A file of the caller's, whole or as it was before. @throws RtError */
export async function writeFileWhole(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  await using undo = new AsyncDisposableStack();
  const file = await open(draft, "wx", 0o600).catch((error) => {
    throw withCause(`cannot write ${path}`, error);
  });
  undo.defer(() => rm(draft, { force: true }));
  try {
    try {
      for await (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    throw withCause(`cannot write ${path}`, error);
  }
}

/** A file of the caller's, in pieces. @throws RtError not-found … */
export async function* readPieces(path: string): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 256 << 10 })) yield piece as Uint8Array;
  } catch (error) {
    throw withCause(`cannot read ${path}`, error);
  }
}
