import { statfsSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { ProtocolError } from "../../distribution/protocol-error.ts";
import type { RepositoryStore } from "../../image/repository-store.ts";

/**
 * Of what would be free without them, unfinished uploads have so much at most: those of one client, and all of them. An image
 * is unpacked beside its blobs, so that one that needs more could not be run here either.
 */
const share = { own: 1 / 2, all: 3 / 4 };
/** Room is taken in steps, so that few of an upload's chunks cost a transaction. */
const step = { min: 1 << 20, max: 16 << 20 };

/**
 * The disk that unfinished uploads may take. What an upload may come to is on record before its bytes are written, so that several
 * servers of one store hold to one limit, and a killed one leaves nothing uncounted.
 */
export class UploadRoom {
  readonly #rows: RepositoryStore;
  readonly #root: string;
  /** Of the uploads that this process is at: bytes on record that have not come. */
  #missing = 0;

  /** @param root a directory of the disk in question */
  constructor(rows: RepositoryStore, root: string) {
    this.#rows = rows;
    this.#root = root;
  }

  /** What a killed server had claimed, and did not come to write, is nobody's. @param sizeOf an upload, in bytes */
  settle(sizeOf: (id: string) => number | undefined): void {
    for (const { id, bytes } of this.#rows.uploads()) {
      const size = sizeOf(id) ?? 0;
      if (size !== bytes) unlessFull(() => this.#rows.setUploadBytes(id, size));
    }
  }

  /** For one request. @param size bytes that are there already */
  claim(id: string, client: string, size: number): UploadClaim {
    return new UploadClaim(this, this.#rows, { id, client, size });
  }

  /** @returns TOOMANYREQUESTS, where `more` is too much */
  refusal(client: string, more: number): ProtocolError | undefined {
    const { own, all } = this.#rows.uploadBytes(client);
    const { bavail, bsize } = statfsSync(this.#root);
    const room = bavail * bsize + all - this.#missing;
    if (own + more > room * share.own)
      return new ProtocolError(
        "TOOMANYREQUESTS",
        "uploads of yours that are not finished would take more than half of the free disk: finish or cancel some",
      );
    if (all + more > room * share.all)
      return new ProtocolError(
        "TOOMANYREQUESTS",
        "uploads that are not finished would take more than three quarters of the free disk: try again later",
        { status: 507 },
      );
    return undefined;
  }

  /** Of this process. */
  count(bytes: number): void {
    this.#missing += bytes;
  }
}

/** An upload's part of the room, while one request writes to it. */
export class UploadClaim implements Disposable {
  readonly #room: UploadRoom;
  readonly #rows: RepositoryStore;
  readonly #id: string;
  readonly #client: string;
  #size: number;
  /** On record. */
  #claimed: number;
  /** Undefined where nobody has said it. */
  #sizeExpected: number | undefined;

  constructor(
    room: UploadRoom,
    rows: RepositoryStore,
    { id, client, size }: { id: string; client: string; size: number },
  ) {
    this.#room = room;
    this.#rows = rows;
    this.#id = id;
    this.#client = client;
    this.#size = size;
    this.#claimed = size;
  }

  /** So many bytes are said to come: told before they do where there is no room for them. @throws ProtocolError */
  expect(bytes: number): void {
    const refusal = this.#room.refusal(this.#client, bytes);
    if (refusal) throw refusal;
    this.#sizeExpected = this.#size + bytes;
  }

  /** So many come now. @throws ProtocolError: there is no room for them */
  grow(bytes: number): void {
    const size = this.#size + bytes;
    if (size > this.#claimed) this.#take(size);
    this.#size = size;
    this.#room.count(-bytes);
  }

  /** In steps, and where there is no room for one as much as must be. */
  #take(size: number): void {
    const ahead = size + Math.min(Math.max(size, step.min), step.max);
    const stepped = Math.max(size, Math.min(ahead, this.#sizeExpected ?? ahead));
    const before = this.#claimed;
    this.#claimed = this.#rows.transaction(() => {
      const isStep = this.#room.refusal(this.#client, stepped - before) === undefined;
      const claimed = isStep ? stepped : size;
      const refusal = isStep ? undefined : this.#room.refusal(this.#client, size - before);
      if (refusal) throw refusal;
      this.#rows.setUploadBytes(this.#id, claimed);
      return claimed;
    });
    this.#room.count(this.#claimed - before);
  }

  /** The request is over: what did not come is given back. */
  [Symbol.dispose](): void {
    if (this.#claimed === this.#size) return;
    this.#room.count(this.#size - this.#claimed);
    this.#claimed = this.#size;
    unlessFull(() => this.#rows.setUploadBytes(this.#id, this.#size));
  }
}

/** For what is only to be kept in mind: on a full disk an answer does not fail for that. */
export function unlessFull(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof RtError) || error.code !== "exhausted") throw error;
  }
}
