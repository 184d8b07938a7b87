import type { LogEntry, LogParser } from "./line.ts";

/**
 * The form of the driver `local` (zig-native/monitor/log_format.zig), little-endian:
 *
 *   length u32 | flags u8: 1 stderr, 2 a part of a line | ns since 1970 u64 | bytes | length u32
 *
 * The length is of what stands between the two. Said twice, it tells where something whole begins behind what is damaged.
 */
const around = 4;
const head = 9;
/** More than any: a part of a line has 16 KiB. */
const lengthMax = 1 << 18;
const lineEnd = 0x0a;
const none: LogEntry["attributes"] = {};

export class LocalParser implements LogParser {
  readonly #entry = new LocalEntry();

  find(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < around) return -1;
    const length = lengthAt(bytes, start);
    // It is not all there yet.
    if (length >= head && length <= lengthMax && end - start < length + 2 * around) return -1;
    if (isWhole(bytes, start, end)) return start + length + 2 * around;
    return nextWhole(bytes, start + 1, end);
  }

  parse(bytes: Uint8Array, start: number, end: number): LogEntry | undefined {
    if (!isWhole(bytes, start, end) || start + lengthAt(bytes, start) + 2 * around !== end) return undefined;
    const flags = bytes[start + around]!;
    if (flags > 3) return undefined;
    return this.#entry.of(bytes, start + around, end - around, flags);
  }

  salvage(bytes: Uint8Array, start: number, end: number): number {
    return nextWhole(bytes, start + 1, end);
  }
}

/** One object for all of them. */
class LocalEntry implements LogEntry {
  readonly attributes = none;
  stream: LogEntry["stream"] = "stdout";
  bytes: Uint8Array = new Uint8Array();
  #text = new Uint8Array(64 << 10);
  #low = 0;
  #high = 0;

  /** What stands between the two lengths. */
  of(bytes: Uint8Array, start: number, end: number, flags: number): LogEntry {
    this.stream = flags & 1 ? "stderr" : "stdout";
    this.#low = lengthAt(bytes, start + 1);
    this.#high = lengthAt(bytes, start + 5);
    const line = bytes.subarray(start + head, end);
    if (flags & 2) {
      this.bytes = line;
      return this;
    }
    if (this.#text.length <= line.length) this.#text = new Uint8Array(2 * line.length);
    this.#text.set(line);
    this.#text[line.length] = lineEnd;
    this.bytes = this.#text.subarray(0, line.length + 1);
    return this;
  }

  get time(): string {
    const nanoseconds = (BigInt(this.#high) << 32n) | BigInt(this.#low);
    const seconds = Number(nanoseconds / 1_000_000_000n);
    const date = new Date(Math.min(seconds, 253_402_300_799) * 1000).toISOString();
    return `${date.slice(0, 19)}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}Z`;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function isWhole(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < head + 2 * around) return false;
  const length = lengthAt(bytes, start);
  if (length < head || length > lengthMax || end - start < length + 2 * around) return false;
  return lengthAt(bytes, start + around + length) === length;
}

/** Where the entry begins that ends at `end`, where it is whole and all of it is in `bytes`. */
export function startOfEntry(bytes: Uint8Array, end: number): number | undefined {
  if (end < head + 2 * around) return undefined;
  const start = end - lengthAt(bytes, end - around) - 2 * around;
  return start >= 0 && isWhole(bytes, start, end) ? start : undefined;
}

/** Where the next one that is whole begins; below 0: none before `end`. */
function nextWhole(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at + head + 2 * around <= end; at++) if (isWhole(bytes, at, end)) return at;
  return -1;
}
