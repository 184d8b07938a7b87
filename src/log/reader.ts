import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import { type LogFile, openLog } from "./files.ts";
import { LineParser, type LogEntry } from "./line.ts";

/** Whom a log is read for. Both answer `false` when no more is wanted; a promise is waited for before anything else comes. */
export interface LogSink {
  take(entry: LogEntry): boolean | Promise<boolean>;
  /** All that there is for now has been given. */
  flush(): boolean | Promise<boolean>;
}

const chunkBytes = 256 << 10;
/** A program's line is cut at 16 KiB, and an escape is six bytes at most. */
const lineBytesMax = 1 << 20;
const lineEnd = 0x0a;

/**
 * A log from one place on, through all rotations: each entry once, in order. What is no entry is told of once and skipped.
 *
 *   using reader = new LogReader(path, { tail: 10, onDamage });
 *   await reader.read(sink);                      // what is there
 *   await reader.follow(sink, hasEnded, wake);    // and what comes
 */
export class LogReader implements Disposable {
  readonly #path: string;
  readonly #onDamage: () => void;
  readonly #parser = new LineParser();
  /** Oldest first; the first one is being read. */
  #files: LogFile[];
  #position = 0;
  #buffer = new Uint8Array(chunkBytes);
  /** Bytes of an unfinished line, at the start of the buffer. */
  #kept = 0;
  /** In the midst of a line that is longer than any. */
  #skipping = false;
  #damaged = false;

  /** @param tail how many of the last lines; all when undefined */
  constructor(path: string, { tail, onDamage }: { tail?: number | undefined; onDamage: () => void }) {
    this.#path = path;
    this.#onDamage = onDamage;
    this.#files = openLog(path);
    if (tail !== undefined) this.#skipTo(tail);
  }

  /** @returns false when the sink wants no more */
  async read(sink: LogSink): Promise<boolean> {
    for (;;) {
      const file = this.#files[0];
      if (file === undefined) return true;
      if (!(await this.#readFile(file, sink))) return false;
      if (this.#files.length === 1) return sink.flush();
      this.#next();
    }
  }

  /** The last line may have no end: it was cut off, by a full disk or a crash. @returns as `read` */
  async finish(sink: LogSink): Promise<boolean> {
    if (this.#kept === 0) return true;
    const length = this.#kept;
    this.#kept = 0;
    return (await this.#entry(sink, 0, length)) && sink.flush();
  }

  /**
   * What comes, until `hasEnded` and all of it is read. Woken by the directory's changes; `wake` is given what wakes it besides.
   * @param wake called once, with what to call when `hasEnded` may have changed; @returns what to call in the end
   */
  async follow(
    sink: LogSink,
    hasEnded: () => boolean | Promise<boolean>,
    wake: (call: () => void) => () => void,
  ): Promise<boolean> {
    let changed = Promise.withResolvers<void>();
    const call = () => changed.resolve();
    const stop = wake(call);
    const watcher = watchDirectory(dirname(this.#path), call);
    try {
      for (;;) {
        // Made before the look, so that a change in between is not lost; the end is looked for before what is there is read.
        changed = Promise.withResolvers<void>();
        const ended = await hasEnded();
        if (!(await this.#catchUp(sink))) return false;
        if (ended) return true;
        await changed.promise;
      }
    } finally {
      watcher?.close();
      stop();
    }
  }

  async #catchUp(sink: LogSink): Promise<boolean> {
    do {
      // Nothing is written to a file after the renaming, so what is read after it was seen is all.
      const rotated = this.#isRotated();
      if (!(await this.read(sink))) return false;
      if (!rotated) return true;
    } while (this.#reopen());
    return true;
  }

  #isRotated(): boolean {
    const file = this.#files.at(-1);
    return file === undefined || !file.isAt(this.#path);
  }

  /** Those after the one that was read to its end. @returns whether there are any */
  #reopen(): boolean {
    const last = this.#files[0];
    const found = openLog(this.#path);
    const at = last ? found.findIndex((file) => file.isSame(last)) : -1;
    for (const known of found.splice(0, at + 1)) known[Symbol.dispose]();
    if (found.length === 0) return false;
    this.#files.push(...found);
    if (last) this.#next();
    return true;
  }

  #next(): void {
    this.#files.shift()?.[Symbol.dispose]();
    this.#position = 0;
    if (this.#kept > 0 || this.#skipping) this.#damage();
    this.#kept = 0;
    this.#skipping = false;
  }

  async #readFile(file: LogFile, sink: LogSink): Promise<boolean> {
    // A log of one file begins anew by being cut to nothing.
    if (file.size < this.#position) [this.#position, this.#kept] = [0, 0];
    for (;;) {
      if (this.#kept === this.#buffer.length) this.#grow();
      const read = file.read(this.#buffer, this.#kept, this.#position);
      if (read === 0) return true;
      this.#position += read;
      if (!(await this.#lines(this.#kept + read, sink))) return false;
    }
  }

  #grow(): void {
    if (this.#buffer.length >= lineBytesMax) {
      this.#damage();
      this.#skipping = true;
      this.#kept = 0;
      return;
    }
    const larger = new Uint8Array(2 * this.#buffer.length);
    larger.set(this.#buffer);
    this.#buffer = larger;
  }

  async #lines(length: number, sink: LogSink): Promise<boolean> {
    const buffer = this.#buffer;
    let start = 0;
    for (;;) {
      const end = buffer.indexOf(lineEnd, start === 0 ? this.#kept : start);
      if (end < 0 || end >= length) break;
      const [from, skipped] = [start, this.#skipping];
      start = end + 1;
      this.#kept = 0;
      this.#skipping = false;
      if (skipped || from === end) continue;
      const more = this.#entry(sink, from, end);
      if (!(typeof more === "boolean" ? more : await more)) return false;
    }
    buffer.copyWithin(0, start, length);
    this.#kept = this.#skipping ? 0 : length - start;
    return true;
  }

  #entry(sink: LogSink, start: number, end: number): boolean | Promise<boolean> {
    const entry = this.#parser.parse(this.#buffer, start, end);
    if (entry) return sink.take(entry);
    this.#damage();
    return true;
  }

  #damage(): void {
    if (!this.#damaged) this.#onDamage();
    this.#damaged = true;
  }

  /** Leaves out all but the last `lines` lines. */
  #skipTo(lines: number): void {
    let left = lines;
    for (let index = this.#files.length - 1; index >= 0; index--) {
      const found = lastLines(this.#files[index]!, left);
      left -= found.lines;
      if (left > 0 && index > 0) continue;
      for (const file of this.#files.splice(0, index)) file[Symbol.dispose]();
      this.#position = found.position;
      return;
    }
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.splice(0)) file[Symbol.dispose]();
  }
}

/** Where the last `wanted` lines of a file begin, and how many there are of them. */
function lastLines(file: LogFile, wanted: number): { position: number; lines: number } {
  const chunk = new Uint8Array(chunkBytes);
  const size = file.size;
  if (wanted === 0) return { position: size, lines: 0 };
  let lines = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - chunk.length);
    const read = file.read(chunk.subarray(0, end - start), 0, start);
    for (let at = read - 1; at >= 0; at--) {
      // The last line's own end is none of one before.
      if (chunk[at] !== lineEnd || start + at === size - 1) continue;
      if (++lines === wanted) return { position: start + at + 1, lines };
    }
    end = start;
  }
  return { position: 0, lines: size > 0 ? lines + 1 : 0 };
}

/** A container that never ran has no directory yet: what wakes us besides is all that there is. */
function watchDirectory(path: string, call: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, call);
    watcher.on("error", call);
    return watcher;
  } catch {
    return undefined;
  }
}
