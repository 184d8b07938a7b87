import { fchmodSync, fstatSync, ftruncateSync, readSync, renameSync, writeSync } from "node:fs";
import { asSystemError, RtError, withCause } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { FileLock } from "./file-lock.ts";
import { synced } from "./synced.ts";

/** What of a descriptor the content store needs. */
export interface BlobName {
  digest: Digest;
  size: number;
}

const readLength = 1 << 20;

/**
 * One blob on its way in. The file grows under <root>/content/ingest, named by the digest that it must have in the end,
 * and stays there when the transfer breaks, for a later command to go on with.
 *
 *   using ingest = await content.ingest(descriptor)
 *   if (!ingest.present) {
 *     for await (const chunk of source.fetch(descriptor, ingest.size)) ingest.write(chunk)
 *     await ingest.commit()        // size and digest right, synced, renamed to blobs/sha256/<hex>
 *   }
 *
 * `path` can be read all the while, also by another thread, and also after the commit until `close`.
 */
export class Ingest implements Disposable {
  /** Somebody has committed the blob already; there is nothing to write. */
  readonly present: boolean;
  /** The growing file, or the blob. */
  readonly path: string;
  readonly blob: BlobName;
  readonly #target: string;
  readonly #lock: FileLock | undefined;
  #hash = new Bun.CryptoHasher("sha256");
  #size = 0;
  #verified = false;
  #discarded = false;
  #committed = false;
  #closed = false;

  /** Only for ContentStore. Without a lock: the blob is at `target`. */
  constructor(blob: BlobName, target: string, lock: FileLock | undefined) {
    this.blob = blob;
    this.present = lock === undefined;
    this.#target = target;
    this.#lock = lock;
    // The name changes with the commit, the descriptor does not.
    this.path = lock ? `/proc/self/fd/${lock.fd}` : target;
  }

  /** Bytes that are in the file: what a transfer goes on from. */
  get size(): number {
    return this.present ? this.blob.size : this.#size;
  }

  /** Hash what an earlier attempt left, in pieces between which others get their turn. */
  async resume(): Promise<void> {
    const fd = this.#fd();
    const left = fstatSync(fd).size;
    if (left > this.blob.size) {
      ftruncateSync(fd, 0);
      return;
    }
    const buffer = new Uint8Array(Math.min(left, readLength));
    while (this.#size < left) {
      const length = this.#guard(() => readSync(fd, buffer, 0, buffer.length, this.#size));
      if (length === 0) break;
      this.#hash.update(buffer.subarray(0, length));
      this.#size += length;
      await Bun.sleep(0);
    }
    // Complete but wrong: nothing of it can be trusted, so begin again rather than fail on it for ever.
    if (this.#size === this.blob.size && left > 0 && !this.#matches()) this.#restart(fd);
  }

  #restart(fd: number): void {
    ftruncateSync(fd, 0);
    this.#hash = new Bun.CryptoHasher("sha256");
    this.#size = 0;
    this.#verified = false;
  }

  /** @throws RtError data-loss: more bytes than promised; exhausted: the disk is full (the partial file is removed) */
  write(chunk: Uint8Array): void {
    const fd = this.#fd();
    if (this.#size + chunk.length > this.blob.size) {
      throw this.#refuse(`it is longer than the ${this.blob.size} bytes that were promised`);
    }
    for (let done = 0; done < chunk.length; ) {
      done += this.#guard(() => writeSync(fd, chunk, done, chunk.length - done, this.#size + done));
    }
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  /** Is it whole, and what its name says? @throws RtError data-loss, and the ingest is gone */
  verify(): void {
    if (this.present || this.#verified) return;
    if (this.#size !== this.blob.size) {
      throw this.#refuse(`it ended after ${this.#size} of ${this.blob.size} bytes`);
    }
    if (!this.#matches()) throw this.#refuse("its bytes have another digest");
  }

  /** The hash can be read only once: afterwards it is either verified or refused. */
  #matches(): boolean {
    this.#verified = `sha256:${this.#hash.digest("hex")}` === this.blob.digest;
    return this.#verified;
  }

  /** Verify, sync, and make it visible. Then others may have it; our `path` stays readable. */
  async commit(): Promise<void> {
    if (this.present) return;
    this.verify();
    const fd = this.#fd();
    try {
      await synced(fd);
      fchmodSync(fd, 0o400);
      renameSync(this.#lock?.path ?? "", this.#target);
    } catch (error) {
      throw this.#failed(error);
    }
    this.#committed = true;
    this.#lock?.unlock();
  }

  /**
   * Forget what is there: it cannot be gone on with. The descriptor stays open until `close`, as a reader may be about to
   * open `path`, which must not lead to another file by then.
   */
  discard(): void {
    if (this.#committed) return;
    this.#lock?.unlink();
    this.#discarded = true;
  }

  /** What was written so far stays for a later command. */
  close(): void {
    if (this.#size === 0 && !this.present && !this.#closed) this.discard();
    this.#closed = true;
    this.#lock?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #fd(): number {
    if (this.#lock && !this.#discarded) return this.#lock.fd;
    throw new RtError("internal", `blob ${this.blob.digest} is not open for writing`);
  }

  #refuse(why: string): RtError {
    this.discard();
    return new RtError("data-loss", `blob ${this.blob.digest} was refused: ${why}`);
  }

  #guard<T>(fn: () => T): T {
    try {
      return fn();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** A full or failing disk: give the space back, as nobody could go on with what is there. */
  #failed(error: unknown): RtError {
    const errno = asSystemError(error)?.code;
    this.discard();
    if (errno === "ENOSPC" || errno === "EDQUOT") {
      const text = `no space left for blob ${this.blob.digest} (${this.blob.size} bytes): free some, then try again`;
      return new RtError("exhausted", text, { cause: error });
    }
    return withCause(`cannot store blob ${this.blob.digest}`, error);
  }
}
