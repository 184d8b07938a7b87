/** The beginning of a zstd frame, RFC 8878, 3.1.1. */

/** No header is longer. */
export const frameHeaderBytesMax = 18;

export interface FrameHeader {
  /** Bytes of output that a decoder keeps: what the frame costs. 0: a skippable frame, or none. */
  window: number;
}

const magic = 0xfd2fb528;
const magicSkippable = 0x184d2a50;

/** Of the frame that begins with `bytes`. Undefined: these are too few to say. */
export function parseFrameHeader(bytes: Buffer): FrameHeader | undefined {
  if (bytes.length < 5) return undefined;
  // Something else altogether is the decoder's to refuse.
  if (isSkippable(bytes) || bytes.readUInt32LE(0) !== magic) return { window: 0 };
  const descriptor = bytes[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if (!isSingleSegment) return bytes.length < 6 ? undefined : { window: windowOf(bytes[5]!) };
  // The whole content is the window.
  const at = 5 + [0, 1, 2, 4][descriptor & 3]!;
  const flag = descriptor >> 6;
  const length = [1, 2, 4, 8][flag]!;
  if (bytes.length < at + length) return undefined;
  if (flag === 3) return { window: Number(bytes.readBigUInt64LE(at)) };
  return { window: bytes.readUIntLE(at, length) + (flag === 1 ? 256 : 0) };
}

function isSkippable(bytes: Buffer): boolean {
  return (bytes.readUInt32LE(0) & 0xfffffff0) >>> 0 === magicSkippable;
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
