import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { isErrno } from "../base/errors.ts";

/**
 * The files of a container's log: `<id>-json.log` is written to, `.1` was before it, `.2` before that. To rotate is to rename
 * each to the next number and to begin a new one; the oldest goes. An open file is told by its inode, which nobody else gets
 * as long as it is open. What has been rotated may be replaced by `.1.gz`, `.2.gz`, with the inode that it had in the comment
 * of the gzip header.
 */

/** How its lines are written: Docker's, or ours (local.ts). */
export type LogForm = "json" | "local";

/** As many as anybody keeps; a directory full of them is not read for ever. */
const rotationsMax = 1000;
/** So often a rotation comes in between our looks. */
const attemptsMax = 100;

/** @param directory the container's, in the data directory */
export function logPath(directory: string, containerId: string, form: LogForm): string {
  return join(directory, `${containerId}-${form}.log`);
}

/** One of the log's files, open. */
export class LogFile implements Disposable {
  readonly #fd: number;
  readonly #identity: string;
  readonly isCompressed: boolean;

  private constructor(fd: number, isCompressed: boolean) {
    this.#fd = fd;
    this.isCompressed = isCompressed;
    this.#identity = isCompressed ? identityBefore(fd) : identityOf(fstatSync(fd));
  }

  /** Undefined when there is none, or something else than a file. */
  static open(path: string, { isCompressed = false } = {}): LogFile | undefined {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    } catch (error) {
      if (isErrno(error, "ENOENT") || isErrno(error, "ELOOP") || isErrno(error, "ENOTDIR")) return undefined;
      throw error;
    }
    if (fstatSync(fd).isFile()) return new LogFile(fd, isCompressed);
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

  /** All that it holds, of a compressed one. @throws Error where it is cut or damaged, after what can be read */
  async *inflated(): AsyncGenerator<Uint8Array> {
    const source = Readable.from(this.#pieces());
    const gunzip = createGunzip({ chunkSize: inflatedBytes });
    source.on("error", (error) => gunzip.destroy(error));
    source.pipe(gunzip);
    try {
      for await (const chunk of gunzip) yield chunk;
    } finally {
      source.destroy();
      gunzip.destroy();
    }
  }

  *#pieces(): Generator<Uint8Array> {
    for (let position = 0; ; ) {
      const piece = new Uint8Array(inflatedBytes);
      const length = this.read(piece, 0, position);
      if (length === 0) return;
      yield piece.subarray(0, length);
      position += length;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

const inflatedBytes = 128 << 10;

function identityOf({ dev, ino }: Pick<Stats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

/** Of the file that this one was made of: log_compress.zig writes it. Of any other a name that no file has. */
function identityBefore(fd: number): string {
  const header = Buffer.alloc(64);
  readSync(fd, header, 0, header.length, 0);
  const own = fstatSync(fd);
  const comment = header.toString("latin1", 10, Math.max(10, header.indexOf(0, 10)));
  const inode = header.readUInt32BE(0) === withComment ? /^inode (\d{1,19})$/.exec(comment)?.[1] : undefined;
  return inode === undefined ? `gzip ${identityOf(own)}` : identityOf({ dev: own.dev, ino: Number(inode) });
}

/** RFC 1952: magic, deflate, and the flag of a comment alone. */
const withComment = 0x1f8b0810;

/** All that is there, oldest first, as it was at one moment; none when there is no log. */
export function openLog(path: string): LogFile[] {
  for (let attempt = 0; ; attempt++) {
    const current = LogFile.open(path);
    const files = current ? [current] : [];
    let number = 1;
    for (; number <= rotationsMax; number++) {
      const rotated = openRotated(`${path}.${number}`);
      if (rotated === undefined) break;
      files.unshift(rotated);
    }
    // Between a rename and the new file there is none of this name, and was none when we began either; and while they get
    // their next numbers, one of them is free for a moment.
    const isWhole = current ? current.isAt(path) : statSync(path, { throwIfNoEntry: false }) === undefined;
    const isMoving = [`${path}.${number + 1}`, `${path}.${number + 1}.gz`].some((next) => existsSync(next));
    // Or one is met twice, before and behind it.
    const isTwice = files.some((file, index) => files.slice(index + 1).some((other) => other.isSame(file)));
    if ((isWhole && !isMoving && !isTwice) || attempt === attemptsMax) return files;
    for (const file of files) file[Symbol.dispose]();
  }
}

/** It may be compressed at this moment: first there is the one, then both, then the other. */
function openRotated(path: string): LogFile | undefined {
  return LogFile.open(path) ?? LogFile.open(`${path}.gz`, { isCompressed: true }) ?? LogFile.open(path);
}
