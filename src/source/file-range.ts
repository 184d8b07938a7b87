import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { isErrno, RtError, withCause } from "../base/errors.ts";

const chunkBytes = 1024 * 1024;

/**
 * Opens a file that a stranger may have put there: the last component may not be a symbolic link, and a FIFO or device
 * neither hangs the open nor passes for data.
 * @throws not-found | data-loss (not a regular file) | forbidden
 */
export async function openRegular(path: string, what: string, followLink = false): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (followLink ? 0 : constants.O_NOFOLLOW);
  let file: FileHandle;
  try {
    file = await open(path, flags);
  } catch (error) {
    if (isErrno(error, "ELOOP")) throw new RtError("data-loss", `${what} is a symbolic link: refused`);
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) {
      throw new RtError("not-found", `${what} does not exist`, { cause: error });
    }
    throw withCause(`cannot open ${what}`, error);
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new RtError("data-loss", `${what} is not a regular file: refused`);
}

/** `length` bytes from `offset` on. @throws data-loss if the file ends before */
export async function* readRange(
  file: FileHandle,
  offset: number,
  length: number,
  what: string,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < length; ) {
    const want = Math.min(chunkBytes, length - done);
    const { bytesRead, buffer } = await file.read(new Uint8Array(want), 0, want, offset + done);
    if (bytesRead === 0) throw new RtError("data-loss", `${what} ends ${length - done} bytes too early`);
    done += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
