import { closeSync, fstatSync, mkdirSync, openSync, readSync, statSync, watch } from "node:fs";
import { isErrno } from "../base/errors.ts";
import { directoryOf, fileOf, numbersIn } from "./files.ts";

export interface FollowOptions {
  /** What has happened before too, as far as it is kept. */
  past: boolean;
  /** Milliseconds since the epoch at which to end. */
  until: number | undefined;
  abort: AbortSignal;
}

/**
 * Lines, as they are written: those of a moment together. Ends at `until`.
 * @throws the reason of `abort`
 */
export async function* followEvents(
  state: string,
  { past, until = Number.POSITIVE_INFINITY, abort }: FollowOptions,
): AsyncGenerator<string[]> {
  mkdirSync(directoryOf(state), { recursive: true, mode: 0o700 });
  let wake = () => {};
  // Before the first look, so that nothing falls between.
  const watcher = watch(directoryOf(state), () => wake());
  const onAbort = () => wake();
  abort.addEventListener("abort", onAbort);
  try {
    const reader = new Reader(state);
    if (!past) reader.skip();
    for (let isQuiet = false; ; ) {
      const changed = new Promise<"changed">((resolve) => (wake = () => resolve("changed")));
      const lines = reader.read();
      if (lines.length > 0) yield lines;
      abort.throwIfAborted();
      const left = until - Date.now();
      if (left <= 0) return;
      const isStill: boolean = isQuiet && lines.length === 0;
      isQuiet = (await atMost(isStill ? left : Math.min(left, settled_ms), changed)) === undefined;
    }
  } finally {
    abort.removeEventListener("abort", onAbort);
    watcher.close();
  }
}

/**
 * A change that follows another closely is not told of by `watch`: so after each one we look once more, until nothing has come
 * for this long.
 */
const settled_ms = 50;

/** Timers have 31 bits. */
const longest_ms = 2 ** 31 - 1;

async function atMost<T>(limit_ms: number, event: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer =
    limit_ms === Number.POSITIVE_INFINITY
      ? undefined
      : setTimeout(() => resolve(undefined), Math.min(limit_ms, longest_ms));
  const outcome = await Promise.race([event, promise]);
  clearTimeout(timer);
  return outcome;
}

/** More than any line of ours. */
const restBytesMax = 1 << 20;

class Reader {
  readonly #state: string;
  /** How far each file was read, and what has come of a line that is not whole yet. */
  readonly #places = new Map<number, { offset: number; rest: Buffer }>();

  constructor(state: string) {
    this.#state = state;
  }

  /** All that is there is of the past. */
  skip(): void {
    for (const number of numbersIn(this.#state)) {
      const offset = statSync(fileOf(this.#state, number), { throwIfNoEntry: false })?.size ?? 0;
      this.#places.set(number, { offset, rest: Buffer.alloc(0) });
    }
  }

  /** What has come since the last time. Somebody who was slow may still have written to an older file. */
  read(): string[] {
    const numbers = numbersIn(this.#state);
    for (const known of this.#places.keys()) if (!numbers.includes(known)) this.#places.delete(known);
    return numbers.flatMap((number) => this.#linesOf(number));
  }

  #linesOf(number: number): string[] {
    const place = this.#places.get(number) ?? { offset: 0, rest: Buffer.alloc(0) };
    const bytes = readFrom(fileOf(this.#state, number), place.offset);
    const whole = Buffer.concat([place.rest, bytes]);
    const end = whole.lastIndexOf(0x0a) + 1;
    const rest = whole.subarray(end);
    const kept = rest.length > restBytesMax ? Buffer.alloc(0) : Buffer.from(rest);
    this.#places.set(number, { offset: place.offset + bytes.length, rest: kept });
    return whole.toString("utf8", 0, end).split("\n").filter(Boolean);
  }
}

/** A file that is dropped meanwhile has nothing more. */
function readFrom(path: string, offset: number): Buffer {
  try {
    const file = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - offset));
      return bytes.subarray(0, bytes.length === 0 ? 0 : readSync(file, bytes, 0, bytes.length, offset));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (isErrno(error, "ENOENT")) return Buffer.alloc(0);
    throw error;
  }
}
