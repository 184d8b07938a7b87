import { once } from "node:events";
import type { Transform } from "node:stream";
import { RtError } from "../base/errors.ts";
import { type Compression, compressionHeadBytes, compressionOf } from "../oci/compression.ts";

const pieceBytes = 256 << 10;
/** As zstd(1), and as our unpacking: what a frame asks for is our memory. */
const windowLogMax = 27;

/**
 * The archive in a blob, which must be read: gzip (any number of members), zstd (any number of frames) or neither.
 * @param sizeMax of the archive
 * @throws RtError data-loss: damaged, cut off, or something else behind it; exhausted: beyond `sizeMax`, or too large a window;
 * unsupported; what the blob throws
 */
export async function decompress(
  blob: AsyncIterable<Uint8Array>,
  sizeMax: number,
): Promise<AsyncIterable<Uint8Array>> {
  const pieces = blob[Symbol.asyncIterator]();
  try {
    const head = await headOf(pieces);
    return bounded(await archive(joined(head, pieces), compressionOf(Buffer.concat(head))), sizeMax);
  } catch (error) {
    await pieces.return?.();
    throw error;
  }
}

/** How a blob is compressed, as its first bytes say; no more of it is read. */
export async function compressionIn(blob: AsyncIterable<Uint8Array>): Promise<Compression> {
  const pieces = blob[Symbol.asyncIterator]();
  try {
    return compressionOf(Buffer.concat(await headOf(pieces)));
  } finally {
    await pieces.return?.();
  }
}

async function headOf(pieces: AsyncIterator<Uint8Array>): Promise<Uint8Array[]> {
  const head: Uint8Array[] = [];
  for (let have = 0; have < compressionHeadBytes; ) {
    const { value, done } = await pieces.next();
    if (done) break;
    head.push(value);
    have += value.length;
  }
  return head;
}

async function* joined(head: Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* head;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function archive(
  blob: AsyncIterable<Uint8Array>,
  compression: Compression,
): Promise<AsyncIterable<Uint8Array>> {
  if (compression === "tar") return blob;
  // It takes as long to load as all else that a push with nothing to send has to do.
  const { constants, createGunzip, createZstdDecompress } = await import("node:zlib");
  if (compression === "gzip") return through(createGunzip({ chunkSize: pieceBytes }), blob, "gzip");
  const params = { [constants.ZSTD_d_windowLogMax]: windowLogMax };
  if (compression === "zstd")
    return through(createZstdDecompress({ chunkSize: pieceBytes, params }), blob, "zstd");
  throw new UnreadCompression(compression);
}

/** Nothing of it was read but its first bytes. */
export class UnreadCompression extends RtError {
  readonly #compression: "xz" | "bzip2";

  constructor(compression: "xz" | "bzip2") {
    super("unsupported", `layers compressed with ${compression} are not supported`);
    this.#compression = compression;
  }

  /** Of a whole archive, which is its user's. */
  of(name: string): RtError {
    const how = this.#compression;
    const text = `${name} is compressed with ${how}, and what is read here is gzip and zstd: decompress it first (${how} -d)`;
    return new RtError("unsupported", text, { cause: this });
  }
}

async function* bounded(tar: AsyncIterable<Uint8Array>, sizeMax: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of tar) {
    size += piece.length;
    if (size > sizeMax)
      throw new RtError("exhausted", `the layer is larger than ${sizeMax} bytes: see max-layer-size`);
    yield piece;
  }
}

async function* through(
  inflater: Transform,
  blob: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array> {
  let fed = 0;
  let failure: { error: unknown } | undefined;
  const gone = once(inflater, "close").catch(() => {}); // its error comes to whoever reads
  const feed = async () => {
    for await (const piece of blob) {
      if (inflater.destroyed) return;
      fed += piece.length;
      if (!inflater.write(piece)) await Promise.race([once(inflater, "drain").catch(() => {}), gone]);
    }
    inflater.end();
  };
  const feeding = feed().catch((error) => {
    failure = { error };
    inflater.destroy();
  });
  try {
    for await (const piece of inflater) yield piece as Uint8Array;
    if (failure) throw failure.error;
    // zlib stops at what is none of its own, and calls that an end.
    const { bytesWritten } = inflater as unknown as { bytesWritten: number };
    if (!inflater.writableEnded || bytesWritten !== fed)
      throw new RtError("data-loss", `something that is not ${what} follows the ${what} stream`);
  } catch (error) {
    throw failure?.error ?? (error instanceof RtError ? error : damaged(what, error as Error));
  } finally {
    inflater.destroy();
    await feeding;
  }
}

function damaged(what: string, cause: Error & { code?: string }): RtError {
  if (/too much memory|ZSTD_error_frameParameter_windowTooLarge/.test(`${cause.message} ${cause.code}`))
    return new RtError(
      "exhausted",
      `the zstd stream wants a larger window than ${2 ** (windowLogMax - 20)} MiB (--long=${windowLogMax})`,
      { cause },
    );
  return new RtError("data-loss", `the ${what} stream is damaged: ${cause.message}`, { cause });
}
