import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import type { ZlibOptions } from "node:zlib";
import { RtError } from "../base/errors.ts";
import type { LayerCompression } from "../oci/compression.ts";

export interface FormChoice {
  form: LayerCompression;
  /** As podman's --compression-level; each form's own scale. */
  level: number;
}

interface Scale {
  min: number;
  max: number;
  usual: number;
}

/** What podman takes, and zlib's and zstd's own default. */
const scales: Record<LayerCompression, Scale> = {
  gzip: { min: 1, max: 9, usual: 6 },
  zstd: { min: 1, max: 20, usual: 3 },
  tar: { min: 0, max: 0, usual: 0 },
};

/** @throws RtError invalid-argument: no such level */
export function formChoice(form: LayerCompression, level?: number): FormChoice {
  const { min, max, usual } = scales[form];
  if (level === undefined) return { form, level: usual };
  if (form === "tar")
    throw new RtError("invalid-argument", "what is not compressed has no compression level");
  if (Number.isInteger(level) && level >= min && level <= max) return { form, level };
  throw new RtError("invalid-argument", `the compression level of ${form} is a number from ${min} to ${max}`);
}

/** The same for the same bytes to come: form, level, and what makes them, with its version. */
export function formKey({ form, level }: FormChoice): string {
  const { zlib, zstd } = process.versions;
  return `${form} ${level} 1 ${form === "gzip" ? zlib : zstd}`;
}

/** Compressed each by itself, so that all processors have work, and the result is the same however many there are. */
const gzipBlockBytes = 1 << 20;
/** Also the window that a reader needs, who may have little memory. */
const zstdFrameBytes = 2 << 20;
/** Blocks that are held at once. */
const gzipAtOnceMax = 16;
const zstdAtOnceMax = 8;
/** How far back deflate looks. */
const dictionaryBytes = 32 << 10;

/** An archive in the form that was chosen: the same bytes for the same archive, wherever its pieces end. */
export function compress(tar: AsyncIterable<Uint8Array>, choice: FormChoice): AsyncIterable<Uint8Array> {
  if (choice.form === "gzip") return gzip(tar, choice.level);
  if (choice.form === "zstd") return zstd(tar, choice.level);
  return tar;
}

/**
 * One member (RFC 1952), as pigz writes it: each block is deflated with the end of the one before as its dictionary and ends at
 * a whole byte, so that together they are one deflate stream.
 */
async function* gzip(tar: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array> {
  // It takes as long to load as all else that a push with nothing to send has to do.
  const { constants, crc32, deflateRaw } = await import("node:zlib");
  const deflated = promisify<Uint8Array, ZlibOptions, Buffer>(deflateRaw);
  let dictionary: Uint8Array | undefined;
  let crc = 0;
  let length = 0;
  const deflate = (block: Uint8Array) => {
    crc = crc32(block, crc);
    length += block.length;
    const before = dictionary && { dictionary };
    dictionary = block.slice(-dictionaryBytes);
    return deflated(block, { level, finishFlush: constants.Z_SYNC_FLUSH, ...before });
  };
  // No name, no time; of an unknown system, as Go says.
  yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);
  yield* inOrder(tar, gzipBlockBytes, deflate, gzipAtOnceMax);
  const end = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // a last block with nothing in it
  end.writeUInt32LE(crc, 2);
  end.writeUInt32LE(length % 2 ** 32, 6);
  yield end;
}

/** Frames (RFC 8878) one after the other. */
async function* zstd(tar: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array> {
  yield* inOrder(tar, zstdFrameBytes, (block) => Bun.zstdCompress(block, { level }), zstdAtOnceMax);
}

/** Several blocks at work in the thread pool; answers in their order. */
async function* inOrder(
  tar: AsyncIterable<Uint8Array>,
  blockBytes: number,
  work: (block: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>,
  atOnceMax: number,
): AsyncGenerator<Uint8Array> {
  const atOnce = Math.min(availableParallelism() + 1, atOnceMax);
  const begun: { block: Uint8Array<ArrayBuffer>; answer: Promise<Uint8Array> }[] = [];
  // Used again: collection would come late for what lies outside its heap.
  const spare: Uint8Array<ArrayBuffer>[] = [];
  const first = async () => {
    const { block, answer } = begun.shift()!;
    const made = await answer;
    if (block.length === blockBytes) spare.push(block);
    return made;
  };
  try {
    for await (const block of blocks(tar, blockBytes, spare)) {
      begun.push({ block, answer: work(block) });
      if (begun.length >= atOnce) yield await first();
    }
    while (begun.length > 0) yield await first();
  } finally {
    // Who has no interest in them any more has none in how they fail.
    await Promise.allSettled(begun.map(({ answer }) => answer));
  }
}

/** All of the same length but the last. */
async function* blocks(
  bytes: AsyncIterable<Uint8Array>,
  length: number,
  spare: Uint8Array<ArrayBuffer>[],
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let block = new Uint8Array(length);
  let used = 0;
  for await (const piece of bytes) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + length - used);
      block.set(part, used);
      used += part.length;
      at += part.length;
      if (used < length) continue;
      yield block;
      block = spare.pop() ?? new Uint8Array(length);
      used = 0;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}
