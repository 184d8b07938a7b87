import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { type Digest, digestOf, hexOf, isDigest } from "../oci/digest.ts";
import { privateDirectory } from "../store/directory.ts";
import { Draft } from "./draft.ts";
import { FileLock, type LockOptions } from "./file-lock.ts";
import { type BlobName, Ingest } from "./ingest.ts";
import { UploadFile, type UploadHash } from "./upload-file.ts";

/** A document (manifest, index, config) is never larger. */
const documentSizeMax = 4 << 20;
const ingestAgeMax_ms = 24 * 3600 * 1000;
const draftPrefix = "draft-";

/**
 * Bytes, addressed by their digest:
 *
 *   <root>/content/blobs/sha256/<hex>    whole, verified, never changed
 *   <root>/content/ingest/<hex>          on its way in; locked by who writes it; kept when that one dies
 *   <root>/content/ingest/chain-<hex>    empty: locked by who unpacks that chainID
 *   <root>/content/ingest/draft-<name>   being made here: locked by who writes it; nobody goes on with it
 *   <root>/content/uploads/<uuid>        pushed here in pieces, under a digest that is told at the end; kept for a day
 *
 * A blob appears in blobs/ by rename(2) after its size and digest were found right and its bytes were synced.
 * Of several processes that want one blob, one transfers it and the others wait, then find it.
 */
export class ContentStore {
  readonly #blobs: string;
  readonly #ingests: string;
  readonly #uploads: string;
  #made = false;

  constructor(root: string) {
    this.#blobs = join(root, "content/blobs/sha256");
    this.#ingests = join(root, "content/ingest");
    this.#uploads = join(root, "content/uploads");
  }

  path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  has(digest: Digest): boolean {
    return existsSync(this.path(digest));
  }

  /** Bytes on disk; undefined when absent. */
  size(digest: Digest): number | undefined {
    return statSync(this.path(digest), { throwIfNoEntry: false })?.size;
  }

  /** A small document, checked against its digest. @throws RtError not-found | data-loss */
  read(digest: Digest, sizeMax = documentSizeMax): Uint8Array {
    let bytes: Uint8Array;
    try {
      const fd = openSync(this.path(digest), "r");
      try {
        const { size } = fstatSync(fd);
        if (size > sizeMax)
          throw new RtError("data-loss", `blob ${digest} has ${size} bytes, more than ${sizeMax}`);
        bytes = readFileSync(fd);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (isErrno(error, "ENOENT"))
        throw new RtError("not-found", `blob ${digest} is not in the store`, { cause: error });
      throw withCause(`cannot read blob ${digest}`, error);
    }
    if (digestOf(bytes) === digest) return bytes;
    throw new RtError("data-loss", `blob ${digest} is damaged on disk: remove its image and pull it again`);
  }

  /** Does the blob on disk still have its digest? Reads all of it. */
  async intact(digest: Digest): Promise<boolean> {
    const hash = new Bun.CryptoHasher("sha256");
    for await (const chunk of Bun.file(this.path(digest)).stream()) hash.update(chunk);
    return `sha256:${hash.digest("hex")}` === digest;
  }

  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    using ingest = await this.ingest({ digest, size: bytes.length });
    if (ingest.present) return;
    if (ingest.size < bytes.length) ingest.write(bytes.subarray(ingest.size));
    await ingest.commit();
  }

  /** The right to write this blob, from `ingest.size` on; or a finished one. Waits for another process that has it. */
  async ingest(blob: BlobName, options: LockOptions = {}): Promise<Ingest> {
    if (!isDigest(blob.digest))
      throw new RtError("invalid-argument", `invalid digest ${JSON.stringify(blob.digest)}`);
    const target = this.path(blob.digest);
    if (existsSync(target)) return new Ingest(blob, target, undefined);
    this.#make();
    const lock = await FileLock.acquire(join(this.#ingests, hexOf(blob.digest)), options);
    if (existsSync(target)) {
      lock.unlink();
      lock.close();
      return new Ingest(blob, target, undefined);
    }
    const ingest = new Ingest(blob, target, lock);
    try {
      await ingest.resume();
    } catch (error) {
      ingest.close();
      throw error;
    }
    return ingest;
  }

  /** A new file for bytes that nobody knows the digest of yet. */
  draft(): Draft {
    this.#make();
    this.removeDeadDrafts();
    let lock: FileLock | undefined;
    // Another who takes away what dead ones have left may be faster than our lock: then that name goes, and not this draft.
    while (!lock) lock = FileLock.try(join(this.#ingests, `${draftPrefix}${crypto.randomUUID()}`));
    return new Draft(lock, (digest) => this.path(digest));
  }

  /**
   * The right to write what is pushed under this id, from `size` on; waits for whoever has it.
   * @param id a UUID @param hash of what came before, where the caller has kept it
   * @throws RtError cancelled
   */
  async upload(id: string, hash?: UploadHash, options: LockOptions = {}): Promise<UploadFile> {
    this.#make();
    const lock = await FileLock.acquire(join(this.#uploads, id), options);
    return new UploadFile(lock, (digest) => this.path(digest), hash);
  }

  /** Bytes of it that are here; it may be written all the while. Undefined before somebody has begun with it. */
  uploadSize(id: string): number | undefined {
    return statSync(join(this.#uploads, id), { throwIfNoEntry: false })?.size;
  }

  /** What killed processes have left that were making something here. */
  removeDeadDrafts(): void {
    for (const name of entries(this.#ingests)) if (name.startsWith(draftPrefix)) this.#removeDead(name);
  }

  /** @returns bytes freed */
  #removeDead(name: string): number {
    using lock = FileLock.try(join(this.#ingests, name));
    if (!lock) return 0;
    lock.unlink();
    return allocated(fstatSync(lock.fd));
  }

  /** The right to unpack the layers up to `chain`, so that many processes do that work once. */
  async lockChain(chain: Digest, options: LockOptions = {}): Promise<Disposable> {
    this.#make();
    const lock = await FileLock.acquire(this.#chainLock(chain), options);
    return {
      [Symbol.dispose]: () => {
        lock.unlink();
        lock.close();
      },
    };
  }

  /** Of a chain that is unpacked: whoever did it may have been killed before he could take his lock away. */
  clearChain(chain: Digest): void {
    const path = this.#chainLock(chain);
    if (!existsSync(path)) return;
    using lock = FileLock.try(path);
    lock?.unlink();
  }

  #chainLock(chain: Digest): string {
    return join(this.#ingests, `chain-${hexOf(chain)}`);
  }

  /** The renames of all blobs that were committed so far are on disk. Once, before the records that speak of them. */
  sync(): void {
    const fd = openSync(this.#blobs, "r");
    try {
      fsyncSync(fd);
    } catch (error) {
      throw withCause(`cannot sync ${this.#blobs}`, error);
    } finally {
      closeSync(fd);
    }
  }

  list(): Digest[] {
    return entries(this.#blobs)
      .map((hex) => `sha256:${hex}`)
      .filter(isDigest);
  }

  /** Bytes that it takes of the disk; 0 when absent. */
  usage(digest: Digest): number {
    const found = statSync(this.path(digest), { throwIfNoEntry: false });
    return found ? allocated(found) : 0;
  }

  /** What has arrived of blobs that are not whole: bytes of the disk. A draft has no digest. */
  ingests(): { digest: string; bytes: number }[] {
    return entries(this.#ingests).flatMap((name) => {
      const found = statSync(join(this.#ingests, name), { throwIfNoEntry: false });
      const isNone = !found || found.size === 0;
      return isNone ? [] : [{ digest: `sha256:${name}`, bytes: allocated(found) }];
    });
  }

  /** The number of bytes that it took of the disk. Not-found is not an error: 0. */
  remove(digest: Digest): number {
    const bytes = this.usage(digest);
    remove(this.path(digest));
    return bytes;
  }

  /**
   * Remove what broken transfers left and nobody went on with for a day; what is released at once. Answers bytes of the disk
   * that are free now.
   */
  collectIngests(now = Date.now(), isReleased: (blob: string) => boolean = () => false): number {
    let freed = 0;
    for (const name of entries(this.#ingests)) {
      if (name.startsWith(draftPrefix)) {
        freed += this.#removeDead(name);
        continue;
      }
      using lock = FileLock.try(join(this.#ingests, name));
      if (!lock) continue;
      const found = fstatSync(lock.fd);
      const young = now - found.mtimeMs < ingestAgeMax_ms && !isReleased(`sha256:${name}`);
      if (found.size > 0 && young) continue;
      lock.unlink();
      freed += allocated(found);
    }
    return freed;
  }

  /** What is being pushed, in no order: bytes of the disk, and when the last of them came (milliseconds since 1970). */
  uploads(): { id: string; bytes: number; modified_ms: number }[] {
    return entries(this.#uploads).flatMap((id) => {
      const found = statSync(join(this.#uploads, id), { throwIfNoEntry: false });
      return found ? [{ id, bytes: allocated(found), modified_ms: found.mtimeMs }] : [];
    });
  }

  /** Remove uploads that have brought nothing since, and that nobody writes to. @returns which, and their bytes of the disk */
  collectUploads(since: number): { id: string; bytes: number }[] {
    return this.uploads().filter(({ id, modified_ms }) => {
      if (modified_ms > since) return false;
      using lock = FileLock.try(join(this.#uploads, id));
      lock?.unlink();
      return lock !== undefined;
    });
  }

  #make(): void {
    if (this.#made) return;
    for (const directory of [
      join(this.#ingests, ".."),
      this.#ingests,
      this.#uploads,
      join(this.#blobs, ".."),
      this.#blobs,
    ]) {
      privateDirectory(directory);
    }
    this.#made = true;
  }
}

/** As du(1) counts. */
function allocated({ blocks }: { blocks: number }): number {
  return blocks * 512;
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw withCause(`cannot list ${directory}`, error);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw withCause(`cannot remove ${path}`, error);
  }
}
