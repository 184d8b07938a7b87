import { fchmodSync, readSync, renameSync, statSync } from "node:fs";
import { asSystemError, RtError, withCause } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { FileLock } from "./file-lock.ts";
import { synced } from "./synced.ts";
import { writeAll } from "./write-all.ts";

const readLength = 1 << 20;

/**
 * Bytes that are made here, and whose digest is known in the end:
 *
 *   using draft = content.draft()
 *   await draft.write(bytes, position)  or to `draft.fd`
 *   await draft.sync()
 *   draft.publish(digest)               renamed to blobs/sha256/<hex>
 *
 * What is not published goes, with its process too: the next draft, or collection, takes what a dead one has left.
 */
export class Draft implements Disposable {
  readonly #lock: FileLock;
  readonly #pathOf: (digest: Digest) => string;
  #published = false;

  /** Only for ContentStore. */
  constructor(lock: FileLock, pathOf: (digest: Digest) => string) {
    this.#lock = lock;
    this.#pathOf = pathOf;
  }

  get fd(): number {
    return this.#lock.fd;
  }

  /** To be read, also after it was published. */
  get path(): string {
    return `/proc/self/fd/${this.#lock.fd}`;
  }

  /** What was written, from `offset` on. */
  *read(offset: number): Generator<Uint8Array> {
    for (let position = offset; ; ) {
      const buffer = new Uint8Array(readLength);
      const length = readSync(this.fd, buffer, 0, buffer.length, position);
      if (length === 0) return;
      position += length;
      yield buffer.subarray(0, length);
    }
  }

  /** @throws RtError exhausted: the disk is full */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      await writeAll(this.fd, bytes, position);
    } catch (error) {
      throw failed(error);
    }
  }

  /** @throws RtError exhausted: the disk is full */
  async sync(): Promise<void> {
    try {
      await synced(this.fd);
    } catch (error) {
      throw failed(error);
    }
  }

  /** The caller answers for the digest. One that is there already stays. */
  publish(digest: Digest): void {
    const target = this.#pathOf(digest);
    if (statSync(target, { throwIfNoEntry: false })) return;
    fchmodSync(this.fd, 0o400);
    try {
      renameSync(this.#lock.path, target);
    } catch (error) {
      throw withCause("cannot store a new layer", error);
    }
    this.#published = true;
  }

  [Symbol.dispose](): void {
    if (!this.#published) this.#lock.unlink();
    this.#lock.close();
  }
}

function failed(error: unknown): RtError {
  const errno = asSystemError(error)?.code;
  if (errno !== "ENOSPC" && errno !== "EDQUOT") return withCause("cannot store a new layer", error);
  return new RtError("exhausted", "no space left for a new layer: free some, then try again", {
    cause: error,
  });
}
