/**
 * Reads the CBOR (RFC 8949) that our own records are made of: maps with text keys, arrays, texts, numbers, booleans, null.
 * Anything else is an error: a record with it is not ours.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw new Error("bytes follow the value");
  return value;
}

const depthMax = 32;
const ownField = { writable: true, enumerable: true, configurable: true };
const texts = new TextDecoder("utf-8", { fatal: true });

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): unknown {
    if (depth > depthMax) throw new Error("nested too deep");
    const initial = this.#take(1);
    const head = this.#bytes[initial]!;
    const argument = head & 0x1f;
    switch (head >> 5) {
      case 0:
        return this.#count(argument);
      case 1:
        return -1 - this.#count(argument);
      case 3:
        return this.#text(this.#count(argument));
      case 4:
        return this.#array(this.#count(argument), depth);
      case 5:
        return this.#map(this.#count(argument), depth);
      case 7:
        return this.#simple(argument);
      default:
        throw new Error(`a value of type ${head >> 5}`);
    }
  }

  /** Where the next `length` bytes begin. */
  #take(length: number): number {
    const start = this.at;
    if (length > this.#bytes.length - start) throw new Error("it is cut short");
    this.at = start + length;
    return start;
  }

  #count(argument: number): number {
    if (argument < 24) return argument;
    if (argument === 24) return this.#view.getUint8(this.#take(1));
    if (argument === 25) return this.#view.getUint16(this.#take(2));
    if (argument === 26) return this.#view.getUint32(this.#take(4));
    if (argument !== 27) throw new Error("a length that is not given");
    const wide = Number(this.#view.getBigUint64(this.#take(8)));
    if (!Number.isSafeInteger(wide)) throw new Error("a number beyond 2^53");
    return wide;
  }

  #text(length: number): string {
    const start = this.#take(length);
    return texts.decode(this.#bytes.subarray(start, start + length));
  }

  #array(length: number, depth: number): unknown[] {
    // Each item takes a byte at least: a lying length ends before it costs memory.
    if (length > this.#bytes.length - this.at) throw new Error("it is cut short");
    const items: unknown[] = [];
    for (let index = 0; index < length; index++) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    if (length > this.#bytes.length - this.at) throw new Error("it is cut short");
    const map: Record<string, unknown> = {};
    for (let index = 0; index < length; index++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string") throw new Error("a key that is no text");
      const value = this.value(depth + 1);
      // Not an assignment: a key "__proto__" is a key like any other.
      if (key === "__proto__") Object.defineProperty(map, key, { value, ...ownField });
      else map[key] = value;
    }
    return map;
  }

  #simple(argument: number): unknown {
    switch (argument) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 26:
        return this.#view.getFloat32(this.#take(4));
      case 27:
        return this.#view.getFloat64(this.#take(8));
      default:
        throw new Error(`a simple value ${argument}`);
    }
  }
}
