import { RtError } from "../../base/errors.ts";
import type { UploadFile } from "../../content/upload-file.ts";
import { ProtocolError } from "../../distribution/protocol-error.ts";
import type { ServedUpload } from "../../distribution/store.ts";
import type { Digest } from "../../oci/digest.ts";
import { protect } from "../care/collect.ts";
import type { Shared } from "./shared.ts";

/** A request that was cut may not have come to its end when the next one goes on. */
const wait_ms = 5000;
const hashesMax = 1000;

/** An upload while one request has it. */
export class RepositoryUpload implements ServedUpload {
  readonly #shared: Shared;
  readonly #key: string;
  readonly #id: string;
  readonly #file: UploadFile;
  #isOver = false;

  private constructor(shared: Shared, key: string, id: string, file: UploadFile) {
    this.#shared = shared;
    this.#key = key;
    this.#id = id;
    this.#file = file;
  }

  /** @returns undefined: there is none any more @throws ProtocolError: somebody else writes to it */
  static async open(shared: Shared, key: string, id: string): Promise<RepositoryUpload | undefined> {
    const file = await acquire(shared, id);
    if (shared.rows.useUpload(id, key)) return new RepositoryUpload(shared, key, id, file);
    file.discard();
    file[Symbol.dispose]();
    return undefined;
  }

  get size(): number {
    return this.#file.size;
  }

  write(chunk: Uint8Array): void {
    this.#file.write(chunk);
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

  cancel(): void {
    this.#end();
    this.#file.discard();
    this.#shared.rows.removeUpload(this.#id);
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
