import type { Duplex } from "./duplex.ts";
import { MessageError } from "./head.ts";

/** The server's side of RFC 6455, for bytes in both directions: where messages begin and end is nobody's business. */

const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const controlBytesMax = 125;

const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** What answers a client's Sec-WebSocket-Key. */
export function webSocketAccept(key: string): string {
  return new Bun.CryptoHasher("sha1").update(key + magic).digest("base64");
}

/** A whole message. */
export function webSocketMessage(bytes: Uint8Array, kind: "text" | "binary"): Uint8Array {
  return frameOf(opcode[kind], bytes);
}

/** @param status why, RFC 6455, section 7.4: 1000 is that all is said */
export function webSocketClose(status: number): Uint8Array {
  return frameOf(opcode.close, Uint8Array.of(status >> 8, status & 0xff));
}

function frameOf(code: number, bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  const size = length < 126 ? 0 : length < 1 << 16 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + size + length);
  frame[0] = 0x80 | code;
  frame[1] = size === 0 ? length : size === 2 ? 126 : 127;
  if (size === 2) frame.writeUInt16BE(length, 2);
  if (size === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(bytes, 2 + size);
  return frame;
}

interface FrameHead {
  code: number;
  isLast: boolean;
  length: number;
  mask: Uint8Array;
}

/**
 * What a client says, in pieces, until it says that it is all or goes; pings are answered.
 * @throws MessageError: it is no frame of a client
 */
export async function* webSocketInput(wire: Duplex): AsyncGenerator<Uint8Array, void> {
  const reader = new ExactReader(wire);
  while (true) {
    const first = await reader.exactly(2);
    if (!first) return;
    const head = await headOf(first, reader);
    if (head.code === opcode.close) return;
    if (head.code >= opcode.close) {
      const said = unmasked(await reader.need(head.length), head.mask, 0);
      // Who pings and does not read the answers is not heard any further.
      if (head.code === opcode.ping) await wire.write(frameOf(opcode.pong, said));
      continue;
    }
    for (let at = 0; at < head.length; ) {
      const piece = await reader.atMost(head.length - at);
      yield unmasked(piece, head.mask, at);
      at += piece.length;
    }
  }
}

async function headOf(first: Uint8Array, reader: ExactReader): Promise<FrameHead> {
  const code = first[0]! & 0x0f;
  const isLast = (first[0]! & 0x80) !== 0;
  const short = first[1]! & 0x7f;
  if ((first[0]! & 0x70) !== 0) throw new MessageError("a frame has an extension that nobody agreed on");
  if ((first[1]! & 0x80) === 0) throw new MessageError("a frame of a client is not masked");
  const isControl = code >= opcode.close;
  if (code > opcode.pong || (code > opcode.binary && !isControl))
    throw new MessageError("a frame of no known kind");
  if (isControl && (short > controlBytesMax || !isLast))
    throw new MessageError("a control frame is too long");
  const length = await lengthOf(short, reader);
  return { code, isLast, length, mask: await reader.need(4) };
}

async function lengthOf(short: number, reader: ExactReader): Promise<number> {
  if (short < 126) return short;
  const bytes = Buffer.from(await reader.need(short === 126 ? 2 : 8));
  if (short === 126) return bytes.readUInt16BE(0);
  const length = bytes.readBigUInt64BE(0);
  if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new MessageError("a frame is longer than there can be");
  return Number(length);
}

/** @param offset of the bytes in their frame */
function unmasked(bytes: Uint8Array, mask: Uint8Array, offset: number): Uint8Array {
  const plain = new Uint8Array(bytes.length);
  for (let index = 0; index < bytes.length; index++)
    plain[index] = bytes[index]! ^ mask[(offset + index) & 3]!;
  return plain;
}

class ExactReader {
  readonly #wire: Duplex;

  constructor(wire: Duplex) {
    this.#wire = wire;
  }

  /** Undefined: the client has ended before them. @throws MessageError: in the middle of them */
  async exactly(length: number): Promise<Uint8Array | undefined> {
    let have: Uint8Array = new Uint8Array();
    while (have.length < length) {
      const piece = await this.#wire.read();
      if (!piece && have.length === 0) return undefined;
      if (!piece) throw cut();
      have = have.length === 0 ? piece : Buffer.concat([have, piece]);
    }
    this.#wire.unread(have.subarray(length));
    return have.subarray(0, length);
  }

  async need(length: number): Promise<Uint8Array> {
    if (length === 0) return new Uint8Array();
    const bytes = await this.exactly(length);
    if (!bytes) throw cut();
    return bytes;
  }

  /** At least one. */
  async atMost(length: number): Promise<Uint8Array> {
    const piece = await this.#wire.read();
    if (!piece) throw cut();
    this.#wire.unread(piece.subarray(length));
    return piece.subarray(0, length);
  }
}

function cut(): MessageError {
  return new MessageError("the connection ends within a frame");
}
