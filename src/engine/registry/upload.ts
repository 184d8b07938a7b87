import { RtError } from "../../base/errors.ts";
import type { UploadFile } from "../../content/upload-file.ts";
import { ProtocolError } from "../../distribution/protocol-error.ts";
import type { ServedUpload } from "../../distribution/store.ts";
import type { Digest } from "../../oci/digest.ts";
import { protect } from "../care/collect.ts";
import type { Shared } from "./shared.ts";
import { type UploadClaim, unlessFull } from "./upload-room.ts";

/** A request that was cut may not have come to its end when the next one goes on. */
const wait_ms = 5000;
const hashesMax = 1000;

/** An upload while one request has it. */
export class RepositoryUpload implements ServedUpload {
  readonly #shared: Shared;
  readonly #key: string;
  readonly #id: string;
  readonly #file: UploadFile;
  readonly #claim: UploadClaim;
  #isOver = false;

  private constructor(shared: Shared, key: string, id: string, file: UploadFile, client: string) {
    this.#shared = shared;
    this.#key = key;
    this.#id = id;
    this.#file = file;
    this.#claim = shared.room.claim(id, client, file.size);
  }

  /** @returns undefined: there is none any more @throws ProtocolError: somebody else writes to it */
  static async open(shared: Shared, key: string, id: string): Promise<RepositoryUpload | undefined> {
    const file = await acquire(shared, id);
    try {
      const client = shared.rows.uploader(id, key);
      if (client !== undefined) {
        unlessFull(() => shared.rows.useUpload(id));
        return new RepositoryUpload(shared, key, id, file, client);
      }
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
    file.discard();
    file[Symbol.dispose]();
    return undefined;
  }

  get size(): number {
    return this.#file.size;
  }

  expect(bytes: number): void {
    this.#claim.expect(bytes);
  }

  write(chunk: Uint8Array): void {
    this.#claim.grow(chunk.length);
    try {
      this.#file.write(chunk);
    } catch (error) {
      // On a full disk what came so far is given back.
      if (error instanceof RtError && error.code === "exhausted") this.#forget();
      throw error;
    }
  }

  async commit(digest: Digest): Promise<void> {
    const { host, rows } = this.#shared;
    this.#end();
    if (!(await this.#file.verify(digest))) {
      rows.removeUpload(this.#id);
      throw new ProtocolError("DIGEST_INVALID", `what was sent is not ${digest}`);
    }
    // A collection that is going on has asked already what is needed, and may be about to remove this very blob.
    using _ = await protect(host, [digest]);
    rows.putBlob(this.#key, digest);
    await this.#file.publish(digest);
    rows.removeUpload(this.#id);
  }

  /** The bytes first: on a full disk they are the room that the rest takes. */
  cancel(): void {
    this.#file.discard();
    this.#forget();
  }

  #forget(): void {
    this.#end();
    unlessFull(() => this.#shared.rows.removeUpload(this.#id));
  }

  #end(): void {
    this.#isOver = true;
    this.#shared.hashes.delete(this.#id);
  }

  [Symbol.dispose](): void {
    const { hashes } = this.#shared;
    if (!this.#isOver) {
      if (hashes.size >= hashesMax) hashes.delete(hashes.keys().next().value!);
      hashes.set(this.#id, this.#file.hash);
    }
    this.#file[Symbol.dispose]();
    this.#claim[Symbol.dispose]();
  }
}

async function acquire({ content, hashes }: Shared, id: string): Promise<UploadFile> {
  try {
    return await content.upload(id, hashes.get(id), { signal: AbortSignal.timeout(wait_ms) });
  } catch (error) {
    if (!(error instanceof RtError) || error.code !== "cancelled") throw error;
    throw new ProtocolError("BLOB_UPLOAD_INVALID", "another request writes to this upload", { status: 409 });
  }
}
