import { fchmodSync, fstatSync, readSync, renameSync, statSync, writeSync } from "node:fs";
import { asSystemError, RtError, withCause } from "../base/errors.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import type { FileLock } from "./file-lock.ts";
import { synced } from "./synced.ts";

/** The hash of the first `size` bytes of an upload: what spares reading them again. */
export interface UploadHash {
  hash: Bun.CryptoHasher;
  size: number;
}

const readLength = 1 << 20;

/**
 * A blob that somebody pushes, in as many pieces and connections as he likes:
 *
 *   using upload = await content.upload(id, hash)     from upload.size on
 *   upload.write(chunk) …
 *   await upload.verify(digest)                       reads what was written before this process
 *   await upload.publish(digest)                      synced, renamed to blobs/sha256/<hex>
 *
 * What is not published stays for the next request, whoever dies in between.
 */
export class UploadFile implements Disposable {
  readonly #lock: FileLock;
  readonly #pathOf: (digest: Digest) => string;
  #size: number;
  #known: UploadHash;

  /** Only for ContentStore. */
  constructor(lock: FileLock, pathOf: (digest: Digest) => string, known?: UploadHash) {
    this.#lock = lock;
    this.#pathOf = pathOf;
    this.#size = fstatSync(lock.fd).size;
    const usable = known && known.size <= this.#size;
    this.#known = usable ? known : { hash: new Bun.CryptoHasher("sha256"), size: 0 };
  }

  get size(): number {
    return this.#size;
  }

  /** For the next request's `content.upload`. */
  get hash(): UploadHash {
    return this.#known;
  }

  /** @throws RtError exhausted: the disk is full, and what came so far is given back */
  write(chunk: Uint8Array): void {
    try {
      for (let done = 0; done < chunk.length; ) {
        done += writeSync(this.#lock.fd, chunk, done, chunk.length - done, this.#size + done);
      }
    } catch (error) {
      throw this.#failed(error);
    }
    if (this.#known.size === this.#size) {
      this.#known.hash.update(chunk);
      this.#known.size += chunk.length;
    }
    this.#size += chunk.length;
  }

  /** Is it that? Not to be asked twice. A wrong one is gone. */
  async verify(digest: Digest): Promise<boolean> {
    const buffer = new Uint8Array(Math.min(this.#size - this.#known.size, readLength));
    while (this.#known.size < this.#size) {
      const length = readSync(this.#lock.fd, buffer, 0, buffer.length, this.#known.size);
      if (length === 0) break;
      this.#known.hash.update(buffer.subarray(0, length));
      this.#known.size += length;
      await Bun.sleep(0);
    }
    if (this.#known.hash.digest("hex") === hexOf(digest)) return true;
    this.discard();
    return false;
  }

  /** The caller has verified it. One that is there already stays. */
  async publish(digest: Digest): Promise<void> {
    const target = this.#pathOf(digest);
    if (statSync(target, { throwIfNoEntry: false })) {
      this.discard();
      return;
    }
    const { fd } = this.#lock;
    try {
      await synced(fd);
      fchmodSync(fd, 0o400);
      renameSync(this.#lock.path, target);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  discard(): void {
    this.#lock.unlink();
  }

  [Symbol.dispose](): void {
    this.#lock.close();
  }

  #failed(error: unknown): RtError {
    const errno = asSystemError(error)?.code;
    if (errno !== "ENOSPC" && errno !== "EDQUOT") return withCause("cannot store what is pushed", error);
    this.discard();
    return new RtError("exhausted", "no space left for what is pushed", { cause: error });
  }
}
