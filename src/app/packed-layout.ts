import { closeSync, openSync, readSync } from "node:fs";
import { RtError, withCause } from "../base/errors.ts";
import { digestOf } from "../oci/digest.ts";
import { arrayIn, documentBytesMax, integerIn, parseJson, shown, stringIn } from "../oci/json.ts";
import type { LayoutFiles } from "../source/layout.ts";

/** Where in a file something lies, in bytes. */
export interface FilePart {
  offset: number;
  length: number;
}

interface Entry extends FilePart {
  sha256: string | undefined;
}

const fileNames = /^(oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64})$/;
/** The table and the index of an honest layout fit in it, so one read gets both. */
const firstReadBytes = 16 << 10;

/**
 * A packed layout (layout-format.ts) within a file, read at its offsets: a layer of gigabytes is streamed from where it lies.
 * Nothing of it is believed: the sizes must add up to `part.length`, and the caller checks the digests of blobs.
 */
export class PackedLayout implements LayoutFiles {
  readonly #path: string;
  readonly #what: string;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #head: FilePart & { bytes: Uint8Array };

  /** `what` is for messages. @throws data-loss: this is no such layout */
  constructor(path: string, part: FilePart, what: string) {
    this.#path = path;
    this.#what = what;
    const first = readPart(
      path,
      { offset: part.offset, length: Math.min(part.length, firstReadBytes) },
      what,
    );
    this.#head = { offset: part.offset, length: first.length, bytes: first };
    const tableBytes = first.length < 4 ? 0 : Buffer.from(first.buffer).readUInt32LE(0);
    if (tableBytes === 0 || tableBytes > Math.min(documentBytesMax, part.length - 4)) {
      throw new RtError("data-loss", `${what}: no table of files where it should be`);
    }
    const table = this.#read({ offset: part.offset + 4, length: tableBytes });
    const end = part.offset + part.length;
    this.#entries = entriesIn(table, part.offset + 4 + tableBytes, end, `${what}: the table of files`);
  }

  /** A document, whole; compared with the table's digest where that has one. @throws data-loss | exhausted */
  document(name: string): Uint8Array {
    const entry = this.#find(name);
    if (entry.length > documentBytesMax) {
      throw new RtError("exhausted", `${this.#what}: ${name} is larger than ${documentBytesMax} bytes`);
    }
    const bytes = this.#read(entry);
    if (entry.sha256 === undefined || digestOf(bytes) === `sha256:${entry.sha256}`) return bytes;
    throw new RtError("data-loss", `${this.#what}: ${name} has another digest than the table of files says`);
  }

  async sizeOf(name: string): Promise<number> {
    return this.#find(name).length;
  }

  async *stream(name: string, offset: number): AsyncGenerator<Uint8Array> {
    const entry = this.#find(name);
    if (entry.sha256 !== undefined) {
      yield this.document(name).subarray(offset);
      return;
    }
    // The start of an app reads documents only, and node:fs/promises takes its time to load.
    const { openRegular, readRange } = await import("../source/file-range.ts");
    await using file = await openRegular(this.#path, this.#what, true);
    yield* readRange(file, entry.offset + offset, entry.length - offset, `${this.#what}: ${name}`);
  }

  /** Reads all of it. @throws data-loss: a file has another digest than it should */
  async verify(): Promise<void> {
    for (const [name, { sha256 }] of this.#entries) {
      const wanted = /^blobs\/sha256\/(.*)$/.exec(name)?.[1] ?? sha256;
      const hash = new Bun.CryptoHasher("sha256");
      for await (const chunk of this.stream(name, 0)) hash.update(chunk);
      if (wanted !== undefined && hash.digest("hex") !== wanted)
        throw new RtError("data-loss", `${this.#what}: ${name} has another digest`);
    }
  }

  async close(): Promise<void> {}

  #find(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry) return entry;
    // Whatever is asked for was named by the layout itself.
    throw new RtError("data-loss", `${this.#what}: ${name} does not exist`);
  }

  #read(part: FilePart): Uint8Array {
    const start = part.offset - this.#head.offset;
    if (start + part.length <= this.#head.length)
      return this.#head.bytes.subarray(start, start + part.length);
    return readPart(this.#path, part, this.#what);
  }
}

/** The files of a table by name; they must fill the bytes from `start` to `end` exactly. */
function entriesIn(table: Uint8Array, start: number, end: number, what: string): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  let offset = start;
  for (const row of arrayIn(parseJson(table, what), what)) {
    const [name, size, sha256] = arrayIn(row, `${what}: a row`);
    const file = stringIn(name, `${what}: a name`);
    const length = integerIn(size, `${what}: a size`);
    if (!fileNames.test(file) || entries.has(file))
      throw new RtError(
        "data-loss",
        `${what} has ${shown(file)}, which is no file of a layout, or there twice`,
      );
    const digest = sha256 === undefined ? undefined : stringIn(sha256, `${what}: a digest`);
    entries.set(file, { offset, length, sha256: digest });
    offset += length;
  }
  if (offset === end) return entries;
  throw new RtError("data-loss", `${what} speaks of ${offset - start} bytes, and ${end - start} are there`);
}

/** @throws data-loss if the file ends before */
export function readPart(path: string, part: FilePart, what: string): Uint8Array {
  try {
    const fd = openSync(path, "r");
    try {
      const bytes = new Uint8Array(part.length);
      for (let done = 0; done < part.length; ) {
        const length = readSync(fd, bytes, done, part.length - done, part.offset + done);
        if (length === 0) throw new RtError("data-loss", `it ends ${part.length - done} bytes too early`);
        done += length;
      }
      return bytes;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw withCause(`cannot read ${what}`, error);
  }
}
