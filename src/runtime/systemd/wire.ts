/**
 * Values as D-Bus has them in messages ("D-Bus Specification", "Type System" and "Marshaling"), little end first, by their
 * signature:
 *
 *   y b u t       number (t: bigint, too)      s o g    string      h x …    not here
 *   aX            array                        (XY)     array       {XY}     array of two
 *   v             [signature, value]           ay       Uint8Array
 */
export type Variant = [signature: string, value: unknown];

const alignments: Readonly<Record<string, number>> = { y: 1, g: 1, v: 1, t: 8, "(": 8, "{": 8 };

function alignmentOf(signature: string): number {
  return alignments[signature[0]!] ?? 4;
}

/** The first complete type of a signature. @throws RangeError: there is none */
function firstType(signature: string, depth = 0): string {
  const first = signature[0];
  if (first === undefined || depth > 32) throw new RangeError(`no type in ${JSON.stringify(signature)}`);
  if (first === "a") return `a${firstType(signature.slice(1), depth + 1)}`;
  const end = { "(": ")", "{": "}" }[first];
  if (end === undefined) return first;
  let inner = 1;
  while (signature[inner] !== end) inner += firstType(signature.slice(inner), depth + 1).length;
  return signature.slice(0, inner + 1);
}

export function typesOf(signature: string): string[] {
  const types: string[] = [];
  for (let rest = signature; rest !== ""; rest = rest.slice(types.at(-1)!.length))
    types.push(firstType(rest));
  return types;
}

export class Writer {
  #bytes = Buffer.alloc(1024);
  #length = 0;

  /** What was written: a copy. */
  get bytes(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  write(signature: string, value: unknown): this {
    this.align(alignmentOf(signature));
    const [first] = signature;
    if (first === "a") this.#array(signature.slice(1), value as Iterable<unknown>);
    else if (first === "(" || first === "{") this.all(signature.slice(1, -1), value as unknown[]);
    else if (first === "v") {
      const [inner, each] = value as Variant;
      this.write("g", inner).write(inner, each);
    } else this.#basic(signature, value as number | bigint | string);
    return this;
  }

  /** Values one after the other. */
  all(signature: string, values: readonly unknown[]): this {
    for (const [index, type] of typesOf(signature).entries()) this.write(type, values[index]);
    return this;
  }

  align(bytes: number): void {
    this.#room((bytes - (this.#length % bytes)) % bytes);
  }

  #basic(type: string, value: number | bigint | string): void {
    if (type === "y") this.#bytes.writeUInt8(Number(value), this.#room(1));
    else if (type === "u") this.#bytes.writeUInt32LE(Number(value), this.#room(4));
    else if (type === "b") this.#bytes.writeUInt32LE(value ? 1 : 0, this.#room(4));
    else if (type === "t") this.#bytes.writeBigUInt64LE(BigInt(value), this.#room(8));
    else if (type === "g") this.#text(String(value), this.#room(1), 1);
    else if (type === "s" || type === "o") this.#text(String(value), this.#room(4), 4);
    else throw new RangeError(`D-Bus type ${type}`);
  }

  #text(text: string, at: number, lengthBytes: number): void {
    const bytes = Buffer.from(text);
    this.#bytes.writeUIntLE(bytes.length, at, lengthBytes);
    bytes.copy(this.#bytes, this.#room(bytes.length + 1));
  }

  /** Its length leaves out what comes before the first element, to align it. */
  #array(type: string, values: Iterable<unknown>): void {
    const at = this.#room(4);
    this.align(alignmentOf(type));
    const start = this.#length;
    for (const each of values) this.write(type, each);
    this.#bytes.writeUInt32LE(this.#length - start, at);
  }

  /** Zeros, and where they begin. */
  #room(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#length * 2)]);
    return at;
  }
}

export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  all(signature: string): unknown[] {
    return typesOf(signature).map((type) => this.read(type));
  }

  align(bytes: number): void {
    this.#at += (bytes - (this.#at % bytes)) % bytes;
  }

  /** @throws RangeError: the message ends early, or has what is not read here */
  read(signature: string): unknown {
    this.align(alignmentOf(signature));
    const [first] = signature;
    if (first === "a") return this.#array(signature.slice(1));
    if (first === "(" || first === "{") return this.all(signature.slice(1, -1));
    if (first === "v") {
      const inner = String(this.read("g"));
      return [inner, this.read(firstType(inner))];
    }
    return this.#basic(signature);
  }

  #basic(type: string): number | bigint | string {
    if (type === "y") return this.#bytes.readUInt8(this.#step(1));
    if (type === "u" || type === "b") return this.#bytes.readUInt32LE(this.#step(4));
    if (type === "t") return this.#bytes.readBigUInt64LE(this.#step(8));
    if (type === "g") return this.#text(this.#bytes.readUInt8(this.#step(1)));
    if (type === "s" || type === "o") return this.#text(this.#bytes.readUInt32LE(this.#step(4)));
    throw new RangeError(`D-Bus type ${type}`);
  }

  #text(length: number): string {
    const at = this.#step(length + 1);
    return this.#bytes.toString("utf8", at, at + length);
  }

  #array(type: string): unknown[] {
    const length = Number(this.read("u"));
    this.align(alignmentOf(type));
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("a D-Bus array ends behind its message");
    const values: unknown[] = [];
    while (this.#at < end) {
      const before = this.#at;
      values.push(this.read(type));
      if (this.#at === before) throw new RangeError("a D-Bus array of nothing");
    }
    return values;
  }

  #step(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at > this.#bytes.length) throw new RangeError("a D-Bus message ends early");
    return at;
  }
}
