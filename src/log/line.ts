/**
 * A line of Docker's json-file driver, as bytes:
 *
 *   {"log":"hello\n","stream":"stdout","attrs":{"tag":"web"},"time":"2024-05-01T10:00:00.123456789Z"}
 *
 * What a program wrote is bytes and no text, so strings are taken as they lie there, with their escapes undone; members may
 * stand in any order, and unknown ones are skipped.
 */
export interface LogEntry {
  stream: "stdout" | "stderr";
  /** Without a line end: a part of a line. It lies in the reader's memory, and is good until the next line is read. */
  bytes: Uint8Array;
  /** RFC 3339 as it stands in the file. */
  time: string;
  attributes: Readonly<Record<string, string>>;
}

/** How the entries of one form lie in a file. */
export interface LogParser {
  /** Where the entry that begins at `start` ends; below 0: not before `end`. `from` is where nothing was found until now. */
  find(bytes: Uint8Array, start: number, end: number, from: number): number;
  /** Undefined: it is not one. @param start where it begins in `bytes`, @param end as `find` has said */
  parse(bytes: Uint8Array, start: number, end: number): LogEntry | undefined;
  /** In what is none, where one may begin that is whole: behind what was cut off, or behind zeros. */
  salvage(bytes: Uint8Array, start: number, end: number): number;
}

const lineEnd = 0x0a;
const [quote, backslash, comma, colon, open, close] = [0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d];
const none: Readonly<Record<string, string>> = {};

const head = Buffer.from('{"log":');
const tails = (["stdout", "stderr"] as const).map((stream) => ({
  stream,
  bytes: Buffer.from(`,"stream":"${stream}","time":"`),
}));

/** What a line says, whose time is a text only for one who asks for it. */
class PlainEntry implements LogEntry {
  readonly attributes = none;
  stream: "stdout" | "stderr" = "stdout";
  bytes: Uint8Array = new Uint8Array();
  line: Uint8Array = new Uint8Array();
  timeStart = 0;
  timeEnd = 0;

  get time(): string {
    return latin1(this.line, this.timeStart, this.timeEnd);
  }
}

/** Reads lines one after the other, and makes next to no garbage of what they hold. */
export class LineParser implements LogParser {
  readonly #plain = new PlainEntry();
  #line: Uint8Array = new Uint8Array();
  #at = 0;
  #end = 0;
  #text = new Uint8Array(64 << 10);

  find(bytes: Uint8Array, _start: number, end: number, from: number): number {
    const at = bytes.indexOf(lineEnd, from);
    return at < 0 || at >= end ? -1 : at + 1;
  }

  /** Between half a line and the next one there is no line end. */
  salvage(bytes: Uint8Array, start: number, end: number): number {
    const line = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    return start + line.lastIndexOf('{"log":');
  }

  parse(bytes: Uint8Array, start: number, limit: number): LogEntry | undefined {
    const end = bytes[limit - 1] === lineEnd ? limit - 1 : limit;
    this.#line = bytes;
    this.#at = start;
    this.#end = end;
    if (this.#text.length < end - start) this.#text = new Uint8Array(2 * (end - start));
    return this.#parsePlain() ?? this.#parseAny(start);
  }

  /** A line as the drivers write nearly all of them; undefined: look closer. */
  #parsePlain(): LogEntry | undefined {
    if (!this.#takeAll(head)) return undefined;
    const length = this.#string(this.#text);
    const found = length === undefined ? undefined : tails.find(({ bytes }) => this.#takeAll(bytes));
    const timeEnd = this.#end - 2;
    if (found === undefined || this.#line[timeEnd + 1] !== close || timeEnd <= this.#at) return undefined;
    if (this.#plainEnd(this.#at) !== timeEnd) return undefined;
    const entry = this.#plain;
    entry.stream = found.stream;
    entry.bytes = this.#text.subarray(0, length);
    entry.line = this.#line;
    entry.timeStart = this.#at;
    entry.timeEnd = timeEnd;
    return entry;
  }

  #parseAny(start: number): LogEntry | undefined {
    this.#at = start;
    const end = this.#end;
    if (!this.#take(open)) return undefined;
    let length: number | undefined;
    let [stream, time, attributes] = ["", "", none];
    do {
      const key = this.#word();
      if (key === undefined || !this.#take(colon)) return undefined;
      if (key === "log") {
        length = this.#string(this.#text);
        if (length === undefined) return undefined;
        continue;
      }
      const value = key === "attrs" ? "" : this.#word();
      if (value === undefined) return undefined;
      if (key === "stream") stream = value;
      else if (key === "time") time = value;
      else if (key === "attrs") {
        const found = this.#attributes();
        if (found === undefined) return undefined;
        attributes = found;
      }
    } while (this.#take(comma));
    if (!this.#take(close) || this.#at !== end || length === undefined) return undefined;
    if ((stream !== "stdout" && stream !== "stderr") || time === "") return undefined;
    return { stream, bytes: this.#text.subarray(0, length), time, attributes };
  }

  #take(byte: number): boolean {
    if (this.#at >= this.#end || this.#line[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #takeAll(bytes: Uint8Array): boolean {
    if (this.#at + bytes.length > this.#end) return false;
    for (let index = 0; index < bytes.length; index++)
      if (this.#line[this.#at + index] !== bytes[index]) return false;
    this.#at += bytes.length;
    return true;
  }

  /** A string that is text. */
  #word(): string | undefined {
    const start = this.#at + 1;
    const plain = this.#plainEnd(start);
    if (this.#line[start - 1] === quote && plain !== undefined) {
      this.#at = plain + 1;
      return latin1(this.#line, start, plain);
    }
    const text = new Uint8Array(this.#end - this.#at);
    const length = this.#string(text);
    return length === undefined ? undefined : new TextDecoder().decode(text.subarray(0, length));
  }

  /** Where the quote is that ends a string of plain ASCII; undefined for every other string. */
  #plainEnd(start: number): number | undefined {
    for (let at = start; at < this.#end; at++) {
      const byte = this.#line[at]!;
      if (byte === quote) return at;
      if (byte === backslash || byte >= 0x80) return undefined;
    }
    return undefined;
  }

  /** Into `text`, which is as long as the line. @returns how many bytes it has */
  #string(text: Uint8Array): number | undefined {
    if (!this.#take(quote)) return undefined;
    const [line, end] = [this.#line, this.#end];
    let [at, length] = [this.#at, 0];
    while (at < end) {
      const byte = line[at++]!;
      if (byte === quote) {
        this.#at = at;
        return length;
      }
      if (byte !== backslash) {
        text[length++] = byte;
        continue;
      }
      const escaped = line[at++];
      if (escaped === 0x75) {
        const [code, next] = this.#codePoint(at);
        if (code === undefined) return undefined;
        length = putCodePoint(text, length, code);
        at = next;
        continue;
      }
      const meaning = at <= end ? meanings.get(escaped!) : undefined;
      if (meaning === undefined) return undefined;
      text[length++] = meaning;
    }
    return undefined;
  }

  /** Of \uXXXX, whose digits begin at `at`; two of them where they are one character. */
  #codePoint(at: number): [code: number | undefined, next: number] {
    const high = this.#unit(at);
    if (high === undefined || high < 0xd800 || high > 0xdfff) return [high, at + 4];
    const isPair = high < 0xdc00 && this.#line[at + 4] === backslash && this.#line[at + 5] === 0x75;
    const low = isPair ? this.#unit(at + 6) : undefined;
    if (low === undefined || low < 0xdc00 || low > 0xdfff) return [0xfffd, at + 4];
    return [0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), at + 10];
  }

  #unit(at: number): number | undefined {
    if (at + 4 > this.#end) return undefined;
    const digits = latin1(this.#line, at, at + 4);
    return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
  }

  #attributes(): Record<string, string> | undefined {
    if (!this.#take(open)) return undefined;
    const found: Record<string, string> = Object.create(null);
    if (this.#take(close)) return found;
    do {
      const key = this.#word();
      if (key === undefined || !this.#take(colon)) return undefined;
      const value = this.#word();
      if (value === undefined) return undefined;
      found[key] = value;
    } while (this.#take(comma));
    return this.#take(close) ? found : undefined;
  }
}

const meanings: ReadonlyMap<number, number> = new Map(
  Object.entries({ '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }).map(
    ([name, meaning]) => [name.charCodeAt(0), meaning.charCodeAt(0)],
  ),
);

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

/** UTF-8; never longer than the escape that it was. */
function putCodePoint(text: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    text[at] = code;
    return at + 1;
  }
  const tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const marks = [0, 0xc0, 0xe0, 0xf0];
  text[at] = marks[tail]! | (code >> (6 * tail));
  for (let index = 1; index <= tail; index++)
    text[at + index] = 0x80 | ((code >> (6 * (tail - index))) & 0x3f);
  return at + tail + 1;
}
