import { createHash } from "node:crypto";
import {
  fstatSync,
  ftruncateSync,
  mkdirSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { isErrno, withCause } from "../../base/errors.ts";
import { FileLock } from "../../content/file-lock.ts";
import type { CutUploads, UploadNote } from "../../registry/cut-uploads.ts";

/** Registries keep what has half arrived for longer. */
const age_max_ms = 24 * 3600 * 1000;
const length_max = 16 << 10;

/**
 * Notes of uploads under way: ROOT/uploads/<digest of repository and blob>, the text of a Location, 0600. The file is also
 * the lock of whoever is at the upload, so one that is not locked was cut.
 */
export class UploadNotes implements CutUploads {
  readonly #directory: string;

  constructor(root: string) {
    this.#directory = join(root, "uploads");
  }

  async claim(repository: string, digest: string): Promise<UploadNote | undefined> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const name = createHash("sha256").update(`${repository} ${digest}`).digest("hex");
    const lock = FileLock.try(join(this.#directory, name));
    return lock && new NoteFile(lock);
  }

  /** Those that nobody is at, and that are too old or say nothing: killed before there was anything to say. */
  removeOld(now = Date.now()): void {
    const isUseless = ({ size, mtimeMs }: Stats) => size === 0 || now - mtimeMs >= age_max_ms;
    for (const name of this.#names()) {
      const path = join(this.#directory, name);
      const found = statSync(path, { throwIfNoEntry: false });
      if (!found || !isUseless(found)) continue;
      using lock = FileLock.try(path);
      if (lock && isUseless(fstatSync(lock.fd))) lock.unlink();
    }
  }

  #names(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw withCause("cannot read the notes of uploads", error);
    }
  }
}

class NoteFile implements UploadNote {
  readonly location: string | undefined;
  readonly #lock: FileLock;
  /** Is there something in it that is of use? */
  #holds: boolean;

  constructor(lock: FileLock) {
    this.#lock = lock;
    const { size, mtimeMs } = fstatSync(lock.fd);
    const isUseful = size > 0 && size <= length_max && Date.now() - mtimeMs < age_max_ms;
    this.location = isUseful ? this.#read(size) : undefined;
    this.#holds = isUseful;
  }

  #read(size: number): string {
    const bytes = new Uint8Array(size);
    return new TextDecoder().decode(bytes.subarray(0, readSync(this.#lock.fd, bytes, 0, size, 0)));
  }

  write(location: string): void {
    const bytes = Buffer.from(location);
    if (bytes.length > length_max) return;
    try {
      ftruncateSync(this.#lock.fd, 0);
      writeSync(this.#lock.fd, bytes, 0, bytes.length, 0);
      this.#holds = true;
    } catch (error) {
      throw withCause("cannot write down where an upload is", error);
    }
  }

  forget(): void {
    this.#holds = false;
  }

  [Symbol.dispose](): void {
    if (!this.#holds) this.#lock.unlink();
    this.#lock.close();
  }
}
