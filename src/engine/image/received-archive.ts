import { read } from "node:fs";
import { isErrno, RtError } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content-store.ts";
import type { BlobName, Ingest } from "../../content/ingest.ts";
import { LayerStore } from "../../image/layer-store.ts";
import type { LayerProgress } from "../../image/transfer.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { shown } from "../../oci/json.ts";
import { type ArchiveEntry, ArchiveFiles } from "../../source/archive-files.ts";
import { TarHeaders, type TarStep, tarBlock } from "../../source/tar-headers.ts";
import { tarEntriesMax } from "../../source/tar-index.ts";
import { collect, protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { defaultLayerSizeMax } from "./unpack.ts";

/** Where a file of it has come to lie: in memory, or as a blob of the store. */
interface ReceivedEntry extends ArchiveEntry {
  bytes?: Uint8Array;
  blob?: Digest;
}

/** Documents are smaller. */
const inMemoryMax = 1 << 20;
const allInMemoryMax = 64 << 20;
const progressStep = 256 << 10;

/**
 * An archive of images that can be read only once, from its beginning: a pipe, or what is being decompressed. Its layers go
 * straight into the content store, so that they are written once, and what they are called is checked as they come:
 *
 *   a small file            memory
 *   blobs/sha256/<hex>      the blob of that digest; what is there already is passed over
 *   another file            a blob of whatever digest it has: the layers of older archives
 *
 * What no image needs when it is closed is removed.
 * @throws RtError data-loss: no tar, cut short, bytes of another digest; exhausted; what `chunks` throws
 */
export async function receiveArchive(
  host: Host,
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  onProgress?: (progress: LayerProgress) => void,
): Promise<ArchiveFiles<ReceivedEntry>> {
  const content = await host.content();
  const fileSizeMax = (await host.config()).maxLayerSize ?? defaultLayerSizeMax;
  const receiver = new Receiver(host, content, name, fileSizeMax, onProgress);
  const bytes = new Bytes(chunks, name);
  try {
    const entries = await receiver.all(bytes);
    const of = (entry: ReceivedEntry, offset: number) => bytesOf(content, entry, offset);
    const files = new ArchiveFiles(name, entries, of, () => receiver.end());
    return files;
  } catch (error) {
    bytes.giveUp();
    await receiver.end();
    throw error;
  }
}

class Receiver {
  readonly #host: Host;
  readonly #content: ContentStore;
  readonly #name: string;
  readonly #fileSizeMax: number;
  readonly #onProgress: ((progress: LayerProgress) => void) | undefined;
  readonly #blobs: Digest[] = [];
  readonly #leases = new DisposableStack();
  readonly #entries = new Map<string, ReceivedEntry>();
  #inMemory = 0;

  constructor(
    host: Host,
    content: ContentStore,
    name: string,
    fileSizeMax: number,
    onProgress: ((progress: LayerProgress) => void) | undefined,
  ) {
    this.#host = host;
    this.#onProgress = onProgress;
    this.#content = content;
    this.#name = name;
    this.#fileSizeMax = fileSizeMax;
  }

  async end(): Promise<void> {
    this.#leases.dispose();
    const layers = new LayerStore(this.#host.database);
    const released = this.#blobs.filter((blob) => !layers.isNeeded(blob));
    if (released.length > 0) await collect(this.#host, { released });
  }

  async all(bytes: Bytes): Promise<ReadonlyMap<string, ReceivedEntry>> {
    const headers = new TarHeaders(this.#name);
    const first = await bytes.block();
    if (!first) throw new RtError("data-loss", `${this.#name} is empty: want an archive of images`);
    for (let header: Uint8Array | undefined = first; header; header = await bytes.block()) {
      const step = headers.next(header);
      if (step.kind === "end") break;
      const { size } = step;
      if (step.kind === "extension") headers.extend(step.type, await bytes.whole(size));
      else await this.#member(step, bytes);
      await bytes.skip((tarBlock - (size % tarBlock)) % tarBlock);
    }
    // Whoever writes is not to be told that nobody listens.
    await bytes.drain();
    return this.#entries;
  }

  async #member({ member, size }: TarStep & { kind: "member" }, bytes: Bytes): Promise<void> {
    const { name, kind, targets } = member;
    if (kind === "other") return bytes.skip(size);
    if (size > this.#fileSizeMax)
      throw new RtError(
        "exhausted",
        `${this.#name}: ${shown(name)} is larger than ${this.#fileSizeMax} bytes: see max-layer-size`,
      );
    if (this.#entries.size >= tarEntriesMax)
      throw new RtError("exhausted", `${this.#name} has more than ${tarEntriesMax} entries: refused`);
    const digest = `sha256:${/^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1]}`;
    if (targets) this.#entries.set(name, { size: 0, targets });
    else if (this.#fits(size)) this.#entries.set(name, { size, bytes: await bytes.whole(size) });
    else if (isDigest(digest)) this.#entries.set(name, await this.#blob(digest, size, bytes));
    else this.#entries.set(name, await this.#layer(name, size, bytes));
  }

  #fits(size: number): boolean {
    if (size > inMemoryMax || this.#inMemory + size > allInMemoryMax) return false;
    this.#inMemory += size;
    return true;
  }

  async #blob(digest: Digest, size: number, bytes: Bytes): Promise<ReceivedEntry> {
    await this.#keep(digest);
    const { abort: signal } = this.#host.session;
    using ingest = await newIngest(this.#content, { digest, size }, signal);
    if (ingest.present) await bytes.skip(size);
    else {
      for await (const chunk of this.#shown(digest, size, bytes)) ingest.write(chunk);
      await ingest.commit();
    }
    return { size: this.#content.size(digest) ?? size, blob: digest };
  }

  /** Nobody says which digest it has. */
  async #layer(name: string, size: number, bytes: Bytes): Promise<ReceivedEntry> {
    using draft = this.#content.draft();
    const hash = new Bun.CryptoHasher("sha256");
    let written = 0;
    // podman calls it by its diffID, older docker by an id of its own.
    const shownAs = `sha256:${/^([0-9a-f]{64})(?:\.tar|\/layer\.tar)$/.exec(name)?.[1]}`;
    for await (const chunk of this.#shown(shownAs, size, bytes)) {
      hash.update(chunk);
      await draft.write(chunk, written);
      written += chunk.length;
    }
    const digest = `sha256:${hash.digest("hex")}` as Digest;
    await draft.sync();
    await this.#keep(digest);
    draft.publish(digest);
    return { size, blob: digest };
  }

  async *#shown(name: string, total: number, bytes: Bytes): AsyncGenerator<Uint8Array> {
    const tell = (status: LayerProgress["status"], current: number) => {
      if (isDigest(name)) this.#onProgress?.({ layer: name, status, current, total });
    };
    let [current, shown] = [0, 0];
    for await (const chunk of bytes.chunks(total)) {
      yield chunk;
      current += chunk.length;
      if (current - shown < progressStep && current < total) continue;
      shown = current;
      tell("downloading", current);
    }
    tell("waiting", total);
  }

  async #keep(digest: Digest): Promise<void> {
    this.#blobs.push(digest);
    this.#leases.use(await protect(this.#host, [digest], this.#host.session.abort));
  }
}

/** From the beginning: of what broke off the bytes may be wrong, and these here come only once. */
async function newIngest(content: ContentStore, blob: BlobName, signal: AbortSignal): Promise<Ingest> {
  const ingest = await content.ingest(blob, { signal });
  if (ingest.present || ingest.size === 0) return ingest;
  ingest.discard();
  ingest.close();
  return newIngest(content, blob, signal);
}

async function* bytesOf(
  content: ContentStore,
  { bytes, blob }: ReceivedEntry,
  offset: number,
): AsyncGenerator<Uint8Array> {
  if (bytes) yield bytes.subarray(offset);
  else if (blob) yield* Bun.file(content.path(blob)).slice(offset).stream();
}

/** What comes, in portions of any length. */
class Bytes {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #rest: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>, name: string) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#name = name;
  }

  /** A header; undefined at the end. */
  async block(): Promise<Uint8Array | undefined> {
    if (!(await this.#some())) return undefined;
    return this.whole(tarBlock);
  }

  async whole(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const chunk of this.chunks(length)) parts.push(chunk);
    return Buffer.concat(parts);
  }

  async skip(length: number): Promise<void> {
    for await (const _ of this.chunks(length));
  }

  async drain(): Promise<void> {
    while (await this.#some()) this.#rest = new Uint8Array();
  }

  /**
   * What decompresses holds up to 128 MiB until it is told. Nobody waits for it: it may be reading from somebody who sends
   * nothing more, and why we end is known.
   */
  giveUp(): void {
    this.#rest = new Uint8Array();
    this.#chunks.return?.().catch(() => undefined);
  }

  /** Exactly so many bytes. @throws RtError data-loss: it ends before */
  async *chunks(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      if (!(await this.#some())) throw new RtError("data-loss", `${this.#name} is cut short`);
      const chunk = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(chunk.length);
      left -= chunk.length;
      yield chunk;
    }
  }

  async #some(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done) return false;
      this.#rest = value;
    }
    return true;
  }
}

/** What a descriptor gives until its end, read in another thread than this. */
export async function* piecesOf(fd: number, abort: AbortSignal): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const buffer = new Uint8Array(1 << 20);
    const stop = () => reject(abort.reason);
    abort.addEventListener("abort", stop);
    if (abort.aborted) stop();
    read(fd, buffer, 0, buffer.length, null, (error, length) =>
      error ? reject(error) : resolve(buffer.subarray(0, length)),
    );
    try {
      const piece = await promise;
      if (piece.length === 0) return;
      yield piece;
    } catch (error) {
      if (!isErrno(error, "EAGAIN")) throw error;
      await Bun.sleep(1);
    } finally {
      abort.removeEventListener("abort", stop);
    }
  }
}
