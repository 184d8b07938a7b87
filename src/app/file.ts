import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { asSystemError, RtError } from "../base/errors.ts";
import { holdLock, isHeld } from "../content/file-lock.ts";
import type { BlobName } from "../content/ingest.ts";
import type { FilePart } from "./packed-layout.ts";
import { cannotWrite } from "./target.ts";

const chunkBytes = 4 << 20;
const youngest_ms = 1000;
const O_CLOEXEC = 0o2000000;

/**
 * A file on its way: it grows under a hidden name beside `target` and takes that name when it is whole and on disk. Unless
 * committed, nothing of it stays.
 */
export class AppFile implements Disposable {
  readonly #target: string;
  readonly #path: string;
  readonly #fd: number;
  readonly #check: () => void;
  readonly #buffer = new Uint8Array(chunkBytes);
  #size = 0;
  #committed = false;

  /** @param check throws when the work is to stop. @throws RtError not-found | forbidden: the directory is not for us */
  constructor(target: string, check: () => void) {
    this.#target = target;
    this.#check = check;
    const hidden = `.${basename(target).slice(0, 200)}.`;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | O_CLOEXEC;
    try {
      removeAbandoned(dirname(target), hidden);
      this.#path = join(dirname(target), `${hidden}${randomHex()}.tmp`);
      this.#fd = openSync(this.#path, flags, 0o755);
    } catch (error) {
      throw cannotWrite(target, error);
    }
    holdLock(this.#fd); // until it is closed: by this it is seen that somebody still writes
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** `hash` is fed with it. */
  write(bytes: Uint8Array, hash?: Bun.CryptoHasher): void {
    hash?.update(bytes);
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(this.#fd, bytes, done, bytes.length - done);
      } catch (error) {
        throw this.#failed(error);
      }
    }
    this.#size += bytes.length;
  }

  /** Zeros up to the next multiple of `unit`. */
  pad(unit: number, hash?: Bun.CryptoHasher): void {
    this.write(new Uint8Array((unit - (this.#size % unit)) % unit), hash);
  }

  /**
   * A part of an open file; `hash` is fed with it. Others get their turn between its pieces, so that a signal can stop it.
   * @throws RtError data-loss: the file ends before
   */
  async copy(fd: number, part: FilePart, what: string, hash?: Bun.CryptoHasher): Promise<void> {
    for (let done = 0; done < part.length; ) {
      this.#check();
      const want = Math.min(chunkBytes, part.length - done);
      const length = readSync(fd, this.#buffer, 0, want, part.offset + done);
      if (length === 0) throw new RtError("data-loss", `${what} ends ${part.length - done} bytes too early`);
      this.write(this.#buffer.subarray(0, length), hash);
      done += length;
      await new Promise(setImmediate);
    }
  }

  /** The blob in the file `path`, of the size and digest that `blob` says. @throws RtError data-loss | not-found */
  async copyBlob(path: string, blob: BlobName): Promise<void> {
    const damaged = (why: string) =>
      new RtError(
        "data-loss",
        `blob ${blob.digest} of the store is damaged: ${why}. Remove its image with rt rmi -f and pull it again`,
      );
    const fd = openSync(path, constants.O_RDONLY | O_CLOEXEC);
    try {
      const { size } = fstatSync(fd);
      if (size !== blob.size) throw damaged(`it has ${size} bytes in place of ${blob.size}`);
      const hash = new Bun.CryptoHasher("sha256");
      await this.copy(fd, { offset: 0, length: size }, path, hash);
      if (`sha256:${hash.digest("hex")}` !== blob.digest) throw damaged("its bytes have another digest");
    } finally {
      closeSync(fd);
    }
  }

  /** On disk, and then under its name. */
  async commit(): Promise<void> {
    this.#check();
    try {
      await new Promise<void>((done, fail) => fsync(this.#fd, (error) => (error ? fail(error) : done())));
      renameSync(this.#path, this.#target);
      this.#committed = true;
      syncDirectory(dirname(this.#target));
    } catch (error) {
      throw this.#failed(error);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    if (!this.#committed) unlinkSync(this.#path);
  }

  #failed(error: unknown): RtError {
    const errno = asSystemError(error)?.code;
    if (errno !== "ENOSPC" && errno !== "EDQUOT") return cannotWrite(this.#target, error);
    const text = `no space left to write ${this.#target}: free some, then try again`;
    return new RtError("exhausted", text, { cause: error });
  }
}

function randomHex(): string {
  return crypto.getRandomValues(new Uint8Array(6)).toHex();
}

/**
 * What a pack that was killed has left of the same app. Only our own regular files, and nobody's who still writes: the
 * directory may be anybody's.
 */
function removeAbandoned(directory: string, hidden: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(hidden) || !/^[0-9a-f]{12}\.tmp$/.test(name.slice(hidden.length))) continue;
    const path = join(directory, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isFile() || found.uid !== process.geteuid?.() || isHeld(path)) continue;
    // A moment passes between its creation and its lock.
    if (Date.now() - found.mtimeMs > youngest_ms) rmSync(path, { force: true });
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | O_CLOEXEC);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
