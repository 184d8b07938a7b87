import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";

/**
 * The files of a container's log: `<id>-json.log` is written to, `.1` was before it, `.2` before that. To rotate is to rename
 * each to the next number and to begin a new one; the oldest goes. An open file is told by its inode, which nobody else gets
 * as long as it is open.
 */

/** As many as anybody keeps; a directory full of them is not read for ever. */
const rotationsMax = 1000;
/** So often a rotation comes in between our looks. */
const attemptsMax = 100;

/** @param directory the container's, in the data directory */
export function logPath(directory: string, containerId: string): string {
  return join(directory, `${containerId}-json.log`);
}

/** One of the log's files, open. */
export class LogFile implements Disposable {
  readonly #fd: number;
  readonly #identity: string;

  private constructor(fd: number) {
    this.#fd = fd;
    this.#identity = identityOf(fstatSync(fd));
  }

  /** Undefined when there is none, or something else than a file. */
  static open(path: string): LogFile | undefined {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    } catch (error) {
      if (isErrno(error, "ENOENT") || isErrno(error, "ELOOP") || isErrno(error, "ENOTDIR")) return undefined;
      throw error;
    }
    if (fstatSync(fd).isFile()) return new LogFile(fd);
    closeSync(fd);
    return undefined;
  }

  get size(): number {
    return fstatSync(this.#fd).size;
  }

  isSame(other: LogFile): boolean {
    return this.#identity === other.#identity;
  }

  isAt(path: string): boolean {
    const found = statSync(path, { throwIfNoEntry: false });
    return found !== undefined && identityOf(found) === this.#identity;
  }

  read(into: Uint8Array, offset: number, position: number): number {
    return readSync(this.#fd, into, offset, into.length - offset, position);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function identityOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** All that is there, oldest first, as it was at one moment; none when there is no log. */
export function openLog(path: string): LogFile[] {
  for (let attempt = 0; ; attempt++) {
    const current = LogFile.open(path);
    const files = current ? [current] : [];
    for (let number = 1; number <= rotationsMax; number++) {
      const rotated = LogFile.open(`${path}.${number}`);
      if (rotated === undefined) break;
      files.unshift(rotated);
    }
    // Between a rename and the new file there is none of this name, and was none when we began either.
    const isWhole = current ? current.isAt(path) : statSync(path, { throwIfNoEntry: false }) === undefined;
    if (isWhole || attempt === attemptsMax) return files;
    for (const file of files) file[Symbol.dispose]();
  }
}
