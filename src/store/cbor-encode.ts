import { RtError } from "../base/errors.ts";

/**
 * Writes the CBOR (RFC 8949) that our own records are made of, in the shortest form of each head: what cbor-decode.ts reads.
 * A field that is undefined is not written.
 *
 * A general codec would do; but `rt run` writes one record before its container starts, and to load one, warm it and bring
 * in the streams that it comes with took a third of the whole run.
 */
export function encodeCbor(value: unknown): Uint8Array {
  const writer = new Writer();
  writer.value(value);
  return writer.bytes.subarray(0, writer.length);
}

class Writer {
  bytes = Buffer.allocUnsafe(4096);
  length = 0;

  value(value: unknown): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "boolean") this.#byte(value ? 0xf5 : 0xf4);
    else if (value === null) this.#byte(0xf6);
    else if (Array.isArray(value)) this.#array(value);
    else if (typeof value === "object") this.#map(value);
    else throw new RtError("internal", `a record holds a ${typeof value}`);
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#head(3, length);
    this.#room(length);
    this.length += this.bytes.write(text, this.length);
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0) this.#head(0, value);
      else this.#head(1, -1 - value);
      return;
    }
    this.#byte(0xfb);
    this.#room(8);
    this.length = this.bytes.writeDoubleBE(value, this.length);
  }

  #array(items: readonly unknown[]): void {
    this.#head(4, items.length);
    for (const item of items) this.value(item);
  }

  #map(map: object): void {
    const entries = Object.entries(map).filter(([, value]) => value !== undefined);
    this.#head(5, entries.length);
    for (const [key, value] of entries) {
      this.#text(key);
      this.value(value);
    }
  }

  /** The type and its argument: a number, or a length. */
  #head(type: number, argument: number): void {
    const first = type << 5;
    this.#room(9);
    if (argument < 24) {
      this.length = this.bytes.writeUInt8(first | argument, this.length);
    } else if (argument < 0x100) {
      this.length = this.bytes.writeUInt16BE(((first | 24) << 8) | argument, this.length);
    } else if (argument < 0x10000) {
      this.#byte(first | 25);
      this.length = this.bytes.writeUInt16BE(argument, this.length);
    } else if (argument < 0x1_0000_0000) {
      this.#byte(first | 26);
      this.length = this.bytes.writeUInt32BE(argument, this.length);
    } else {
      this.#byte(first | 27);
      this.length = this.bytes.writeBigUInt64BE(BigInt(argument), this.length);
    }
  }

  #byte(byte: number): void {
    this.#room(1);
    this.bytes[this.length++] = byte;
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + bytes));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
