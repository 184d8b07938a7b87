import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import { type LogFile, type LogForm, openLog } from "./files.ts";
import { LineParser, type LogEntry, type LogParser } from "./line.ts";
import { LocalParser, startOfEntry } from "./local.ts";

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
 * A change that follows another closely is not told of by `watch`: so after each one we look once more, until nothing has come
 * for this long.
 */
const settled_ms = 50;

interface ReaderOptions {
  form: LogForm;
  /** How many of the last lines; all when undefined. */
  tail?: number | undefined;
  onDamage: () => void;
}

/**
 * A log from one place on, through all rotations: each entry once, in order. What is no entry is told of once and skipped.
 *
 *   using reader = new LogReader(path, { form: "json", tail: 10, onDamage });
 *   await reader.read(sink);                      // what is there
 *   await reader.follow(sink, hasEnded, wake);    // and what comes
 */
export class LogReader implements Disposable {
  readonly #path: string;
  readonly #form: LogForm;
  readonly #onDamage: () => void;
  readonly #parser: LogParser;
  /** Oldest first; the first one is being read. */
  #files: LogFile[];
  #tail: number | undefined;
  /** So many entries of the first file are left out. */
  #leftOut = 0;
  #position = 0;
  #buffer = new Uint8Array(chunkBytes);
  /** Bytes of an unfinished line, at the start of the buffer. */
  #kept = 0;
  /** In the midst of a line that is longer than any. */
  #skipping = false;
  #damaged = false;

  constructor(path: string, { form, tail, onDamage }: ReaderOptions) {
    this.#path = path;
    this.#form = form;
    this.#onDamage = onDamage;
    this.#parser = parserOf(form);
    this.#files = openLog(path);
    this.#tail = tail;
  }

  /** @returns false when the sink wants no more */
  async read(sink: LogSink): Promise<boolean> {
    if (this.#tail !== undefined) await this.#skipTo(this.#tail);
    this.#tail = undefined;
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
    const length = this.#kept;
    if (length === 0) return true;
    this.#kept = 0;
    const from = this.#parser.parse(this.#buffer, 0, length) ? 0 : this.#salvage(length);
    if (from === undefined) return true;
    // What is whole behind what is damaged, and at last what has no end.
    this.#buffer.copyWithin(0, from, length);
    if (!(await this.#lines(length - from, sink))) return false;
    const rest = this.#kept;
    this.#kept = 0;
    return (rest === 0 || (await this.#entry(sink, 0, rest))) && sink.flush();
  }

  #salvage(length: number): number | undefined {
    this.#damage();
    const at = this.#parser.salvage(this.#buffer, 0, length);
    return at > 0 && at < length ? at : undefined;
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
    let timer: Timer | undefined;
    const call = () => changed.resolve();
    const stop = wake(call);
    const watcher = watchDirectory(dirname(this.#path), call);
    try {
      for (let seen = -1; ; ) {
        // Made before the look, so that a change in between is not lost; the end is looked for before what is there is read.
        changed = Promise.withResolvers<void>();
        const ended = await hasEnded();
        if (!(await this.#catchUp(sink))) return false;
        if (ended) return true;
        const before = seen;
        seen = this.#position;
        if (seen !== before) timer = setTimeout(call, settled_ms);
        await changed.promise;
        clearTimeout(timer);
      }
    } finally {
      clearTimeout(timer);
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
    this.#leftOut = 0;
    if (this.#kept > 0 || this.#skipping) this.#damage();
    this.#kept = 0;
    this.#skipping = false;
  }

  async #readFile(file: LogFile, sink: LogSink): Promise<boolean> {
    if (file.isCompressed) return this.#readCompressed(file, sink);
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

  /** From its beginning to its end: nothing is added to it. */
  async #readCompressed(file: LogFile, sink: LogSink): Promise<boolean> {
    if (this.#position > 0) return true;
    try {
      for await (const chunk of file.inflated()) {
        this.#position += chunk.length;
        for (let offset = 0; offset < chunk.length; ) {
          if (this.#kept === this.#buffer.length) this.#grow();
          const part = chunk.subarray(offset, offset + this.#buffer.length - this.#kept);
          this.#buffer.set(part, this.#kept);
          offset += part.length;
          if (!(await this.#lines(this.#kept + part.length, sink))) return false;
        }
      }
    } catch (error) {
      if (!isInflateError(error)) throw error;
      this.#damage();
    }
    this.#position ||= 1;
    return true;
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
    const [buffer, parser] = [this.#buffer, this.#parser];
    let start = 0;
    for (;;) {
      const end = parser.find(buffer, start, length, start === 0 ? this.#kept : start);
      if (end < 0) break;
      const [from, skipped] = [start, this.#skipping];
      start = end;
      this.#kept = 0;
      this.#skipping = false;
      if (skipped) continue;
      if (this.#leftOut > 0) {
        this.#leftOut--;
        continue;
      }
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
    if (this.#buffer[start] === lineEnd && end === start + 1) return true;
    this.#damage();
    const at = this.#parser.salvage(this.#buffer, start, end);
    const saved = at > start && at < end ? this.#parser.parse(this.#buffer, at, end) : undefined;
    return saved ? sink.take(saved) : true;
  }

  #damage(): void {
    if (!this.#damaged) this.#onDamage();
    this.#damaged = true;
  }

  /** Leaves out all but the last `lines` lines. */
  async #skipTo(lines: number): Promise<void> {
    let left = lines;
    for (let index = this.#files.length - 1; index >= 0; index--) {
      const file = this.#files[index]!;
      const isText = this.#form === "json";
      const quick = file.isCompressed ? undefined : isText ? lastLines(file, left) : lastWhole(file, left);
      const found = quick ?? (await lastEntries(file, left, this.#form));
      left -= found.lines;
      if (left > 0 && index > 0) continue;
      for (const older of this.#files.splice(0, index)) older[Symbol.dispose]();
      this.#position = found.position;
      this.#leftOut = found.leftOut;
      return;
    }
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.splice(0)) file[Symbol.dispose]();
  }
}

function parserOf(form: LogForm): LogParser {
  return form === "local" ? new LocalParser() : new LineParser();
}

/** Of zlib, or of a stream that it has ended. */
function isInflateError(error: unknown): boolean {
  return (
    error instanceof Error && /^Z_|^ERR_ZLIB|^ERR_STREAM/.test(String((error as { code?: unknown }).code))
  );
}

/** Where the last `wanted` of a file's lines or entries begin, and how many there are of them. */
interface Last {
  position: number;
  /** Entries from there on that are none of them. */
  leftOut: number;
  lines: number;
}

function lastLines(file: LogFile, wanted: number): Last {
  const chunk = new Uint8Array(chunkBytes);
  const size = file.size;
  const leftOut = 0;
  if (wanted === 0) return { position: size, leftOut, lines: 0 };
  let lines = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - chunk.length);
    const read = file.read(chunk.subarray(0, end - start), 0, start);
    for (let at = read - 1; at >= 0; at--) {
      // The last line's own end is none of one before.
      if (chunk[at] !== lineEnd || start + at === size - 1) continue;
      if (++lines === wanted) return { position: start + at + 1, leftOut, lines };
    }
    end = start;
  }
  return { position: 0, leftOut, lines: size > 0 ? lines + 1 : 0 };
}

/** The same of the other form, where all that is passed is whole. */
function lastWhole(file: LogFile, wanted: number): Last | undefined {
  const chunk = new Uint8Array(chunkBytes);
  let lines = 0;
  for (let end = file.size; ; ) {
    const base = Math.max(0, end - chunk.length);
    const read = file.read(chunk.subarray(0, end - base), 0, base);
    let at = read;
    while (lines < wanted && at > 0) {
      const start = startOfEntry(chunk, at);
      if (start === undefined) break;
      at = start;
      lines++;
    }
    if (lines === wanted || base + at === 0) return { position: base + at, leftOut: 0, lines };
    if (at === read) return undefined; // not even one in as much as that
    end = base + at;
  }
}

/** The same where they cannot be counted from the end: all are read. */
async function lastEntries(file: LogFile, wanted: number, form: LogForm): Promise<Last> {
  const [counter, parser] = [new EntryCounter(parserOf(form)), new Uint8Array(chunkBytes)];
  if (wanted === 0 && !file.isCompressed) return { position: file.size, leftOut: 0, lines: 0 };
  try {
    if (file.isCompressed) for await (const bytes of file.inflated()) counter.add(bytes);
    else
      for (let position = 0; ; ) {
        const read = file.read(parser, 0, position);
        if (read === 0) break;
        counter.add(parser.subarray(0, read));
        position += read;
      }
  } catch (error) {
    if (!isInflateError(error)) throw error;
  }
  return {
    position: 0,
    leftOut: Math.max(0, counter.count - wanted),
    lines: Math.min(counter.count, wanted),
  };
}

class EntryCounter {
  readonly #parser: LogParser;
  #rest = new Uint8Array();
  count = 0;

  constructor(parser: LogParser) {
    this.#parser = parser;
  }

  add(bytes: Uint8Array): void {
    const from = this.#rest.length;
    const all = from === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let start = 0;
    for (;;) {
      const end = this.#parser.find(all, start, all.length, start === 0 ? from : start);
      if (end < 0) break;
      start = end;
      this.count++;
    }
    const rest = all.subarray(start);
    this.#rest = rest.length > lineBytesMax ? new Uint8Array() : new Uint8Array(rest);
  }
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
