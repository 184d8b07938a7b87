import { RtError } from "../base/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { UploadNote } from "./cut-uploads.ts";
import { RegistryRefusal } from "./endpoint-client.ts";
import type { Limits } from "./limits.ts";
import { isTransient, pauseOrThrow, TransientError } from "./retry.ts";
import {
  type BlobReader,
  checkTaken,
  receivedIn,
  type UploadRequests,
  type UploadSession,
} from "./upload-session.ts";

interface UploadWays {
  limits: Limits;
  note: UploadNote | undefined;
  signal: AbortSignal;
  onProgress: (bytes: number) => void;
}

/** The registry has lost what it had, or has something else: so often it is begun again. */
const restartsMax = 2;

/**
 * One blob's way into a repository (distribution-spec, "Pushing blobs"):
 *
 *   small   POST uploads/ -> 202, Location      PUT Location&digest=   with the bytes
 *   large   POST uploads/ -> 202, Location      PATCH Location         all that is left as one body, read as it is taken
 *                                                                      (413: in pieces)
 *                                               PUT Location&digest=   -> 201
 *
 * After a failure that may pass, GET Location says in "Range: 0-N" what has arrived, and the rest is sent. So it is too with
 * an upload that an earlier process has left a note of. Where that cannot be (404, or a 416 in answer to what the registry
 * itself has said; of an earlier process's, any failure that stays), the upload is begun anew.
 */
export class BlobUpload {
  readonly #client: UploadRequests;
  readonly #blob: Descriptor;
  readonly #read: BlobReader;
  readonly #ways: UploadWays;
  /** Of what is sent, as long as it is sent from its first byte on without a break. */
  #hash: { value: Bun.CryptoHasher; length: number } | undefined;
  #inPieces = false;
  #small: Promise<Uint8Array<ArrayBuffer>> | undefined;

  constructor(client: UploadRequests, blob: Descriptor, read: BlobReader, ways: UploadWays) {
    this.#client = client;
    this.#blob = blob;
    this.#read = read;
    this.#ways = ways;
  }

  async run(begun?: UploadSession): Promise<void> {
    const { note, limits, signal } = this.#ways;
    // While the upload begins; what goes wrong is met when it is to be sent.
    if (this.#isSmall) this.#bytes().catch(() => undefined);
    let session = begun ?? (await this.#noted());
    /** One that has not taken anything of ours yet may never again. */
    let isOld = !begun && session !== undefined;
    let restarts = 0;
    for (let failures = 0; ; ) {
      const start = session?.offset ?? 0;
      try {
        session ??= await this.#client.begin(signal);
        await this.#advance(session);
        note?.forget();
        return;
      } catch (error) {
        const lost = isLost(error);
        if (!lost && !(error instanceof TransientError)) {
          // A registry that does not answer may know an earlier upload yet.
          if (!isTransient(error)) await this.#giveUp(session);
          throw error;
        }
        if (lost && ++restarts > restartsMax) throw error;
        if (isOld && session && !lost && failures + 1 >= limits.attemptsMax) {
          await this.#client.cancel(session, signal);
          session = undefined;
          failures = 0;
          isOld = false;
          continue;
        }
        if (!lost) await pauseOrThrow(error as TransientError, ++failures, limits, signal);
        // What failed may have been the answer alone, to the end of it all.
        if (session && (await this.#client.hasBlob(this.#blob, signal))) return note?.forget();
        session = await this.#anew(session, lost);
        if ((session?.offset ?? 0) - start >= limits.progressBytesMin) failures = 0;
        if (session?.offset !== start) isOld = false;
      }
    }
  }

  /** What there is to go on with after a failure; undefined: it is to be begun anew. */
  async #anew(session: UploadSession | undefined, lost: boolean): Promise<UploadSession | undefined> {
    if (!session) return undefined;
    const { signal } = this.#ways;
    const found = lost ? undefined : await this.#client.status(session.url, signal);
    if (!found) await this.#client.cancel(session, signal);
    return found && { ...found, chunkBytesMin: Math.max(found.chunkBytesMin, session.chunkBytesMin) };
  }

  /** It fails for good: nothing stays there. After Ctrl-C all of it does, and the note with it. */
  async #giveUp(session: UploadSession | undefined): Promise<void> {
    const { note, signal } = this.#ways;
    if (signal.aborted) return;
    if (session) await this.#client.cancel(session, signal);
    note?.forget();
  }

  /** The upload that another process was cut in, where the registry still knows it. */
  async #noted(): Promise<UploadSession | undefined> {
    const { note, signal } = this.#ways;
    if (note?.location === undefined || !URL.canParse(note.location)) return undefined;
    try {
      const session = await this.#client.status(new URL(note.location), signal);
      return session && session.offset <= this.#blob.size ? session : undefined;
    } catch (error) {
      if (!(error instanceof RtError) || error.code === "cancelled") throw error;
      return undefined; // What is wrong with all requests, the one that begins anew meets too.
    }
  }

  async #advance(session: UploadSession): Promise<void> {
    const { size } = this.#blob;
    if (this.#isSmall && session.offset === 0) return this.#sendSmall(session);
    this.#ways.note?.write(session.url.href);
    if (session.offset > size) throw this.#lost(`has ${session.offset} bytes where there are ${size}`);
    while (session.offset < size) await this.#sendPiece(session);
    this.#checkHash();
    await this.#end(session);
  }

  get #isSmall(): boolean {
    return this.#blob.size <= this.#ways.limits.uploadWholeBytesMax;
  }

  /** All of a small one, which is read once, and again after a failure. */
  #bytes(): Promise<Uint8Array<ArrayBuffer>> {
    this.#small ??= this.#readSmall().catch((error) => {
      this.#small = undefined;
      throw error;
    });
    return this.#small;
  }

  async #readSmall(): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(this.#blob.size);
    for await (const { chunk, at } of this.#measured(0, bytes.length)) bytes.set(chunk, at);
    this.#checkHash();
    return bytes;
  }

  async #sendSmall(session: UploadSession): Promise<void> {
    const bytes = await this.#bytes();
    await this.#end(session, bytes);
    this.#ways.onProgress(bytes.length);
  }

  async #sendPiece(session: UploadSession): Promise<void> {
    const { limits, signal, onProgress } = this.#ways;
    const start = session.offset;
    const left = this.#blob.size - start;
    const length = this.#inPieces
      ? Math.min(left, Math.max(limits.uploadPieceBytes, session.chunkBytesMin))
      : left;
    const end = start + length;
    const open = () => this.#told(start, length, onProgress);
    try {
      const answer = await this.#client.send({
        method: "PATCH",
        target: session.url,
        headers: { "Content-Type": octets, "Content-Range": `${start}-${end - 1}` },
        body: { length, open },
        signal,
      });
      session.url = this.#client.locationIn(answer, session.url);
      session.offset = receivedIn(answer) ?? end;
    } catch (error) {
      if (!(error instanceof RegistryRefusal) || error.status !== 413 || this.#inPieces) throw error;
      this.#inPieces = true;
      throw new TransientError(error.message, { cause: error });
    }
    if (session.offset <= start || session.offset > end)
      throw this.#lost(`has ${session.offset} bytes where ${end} were sent`);
    this.#ways.note?.write(session.url.href);
  }

  async #end({ url }: UploadSession, body: Uint8Array<ArrayBuffer> = new Uint8Array(0)): Promise<void> {
    const { signal, limits } = this.#ways;
    const { digest } = this.#blob;
    // As text: what is there already may be signed as it stands.
    const target = new URL(`${url.href}${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`);
    const headers = { "Content-Type": octets };
    const answer = await this.#client.send({
      ...{ method: "PUT", target, headers, body, signal },
      answerMs: limits.commitMs,
    });
    checkTaken(answer, digest, this.#client.host);
  }

  async *#told(start: number, length: number, tell: (bytes: number) => void): AsyncGenerator<Uint8Array> {
    for await (const { chunk, at } of this.#measured(start, length)) {
      yield chunk;
      tell(at + chunk.length);
    }
  }

  /** `length` bytes from `start` on, and where each part of them belongs. The last part waits for the end of what is read. */
  async *#measured(start: number, length: number): AsyncGenerator<{ chunk: Uint8Array; at: number }> {
    if (start === 0) this.#hash = { value: new Bun.CryptoHasher("sha256"), length: 0 };
    const end = start + length;
    const isLast = end === this.#blob.size;
    let at = start;
    let held: { chunk: Uint8Array; at: number } | undefined;
    for await (const whole of this.#read(this.#blob, start, this.#ways.signal)) {
      if (isLast && whole.length > end - at) throw this.#isElse();
      const chunk = whole.subarray(0, end - at);
      this.#count(chunk, at);
      if (held) yield held;
      held = { chunk, at };
      at += chunk.length;
      if (at === end && !isLast) break;
    }
    if (at < end) throw this.#isElse();
    if (held) yield held;
  }

  #count(chunk: Uint8Array, at: number): void {
    if (this.#hash?.length !== at) this.#hash = undefined;
    else {
      this.#hash.value.update(chunk);
      this.#hash.length += chunk.length;
    }
  }

  /** Where it was not sent in one go, the registry alone can tell. */
  #checkHash(): void {
    const { digest, size } = this.#blob;
    const hash = this.#hash;
    this.#hash = undefined;
    if (hash?.length === size && `sha256:${hash.value.digest("hex")}` !== digest) throw this.#isElse();
  }

  #isElse(): RtError {
    return new RtError("data-loss", `what was read of ${this.#blob.digest} is something else: refused`);
  }

  #lost(what: string): LostUpload {
    return new LostUpload("unavailable", `${this.#client.host} ${what} of ${this.#blob.digest}`);
  }
}

const octets = "application/octet-stream";

class LostUpload extends RtError {}

/** Unknown to the registry, or not what was sent to it. */
function isLost(error: unknown): boolean {
  if (error instanceof RegistryRefusal) return [400, 404, 410, 416].includes(error.status);
  return error instanceof LostUpload;
}
