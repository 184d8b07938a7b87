import type { Duplex } from "./duplex.ts";
import { type HeaderFields, MessageError } from "./head.ts";

/** Where a message's body ends, RFC 9112, section 6. */
export type Framing = number | "chunked" | "until-end";

/** @throws MessageError: it says two things, or nothing that we know */
export function requestFraming(fields: HeaderFields): Framing {
  return framingOf(fields) ?? 0;
}

/** @param method of the request that it answers */
export function responseFraming(status: number, method: string, fields: HeaderFields): Framing {
  if (method === "HEAD" || status === 204 || status === 304 || status < 200) return 0;
  return framingOf(fields) ?? "until-end";
}

function framingOf(fields: HeaderFields): Framing | undefined {
  const [coding, length] = [fields.get("transfer-encoding"), fields.get("content-length")];
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked")
      throw new MessageError("its transfer encoding is not known: want chunked");
    if (length !== undefined) throw new MessageError("the message has a length and is chunked");
    return "chunked";
  }
  if (length === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(length)) throw new MessageError("its content length is no number");
  return Number(length);
}

/**
 * The pieces of a body, as they come; what follows it stays in the wire.
 * @throws MessageError: it ends before its end, or a chunk is none
 */
export async function* bodyOf(wire: Duplex, framing: Framing): AsyncGenerator<Uint8Array, void> {
  if (framing === "until-end") {
    for (let piece = await wire.read(); piece; piece = await wire.read()) yield piece;
  } else if (framing === "chunked") {
    yield* chunksOf(wire);
  } else {
    yield* exactly(wire, framing);
  }
}

async function* exactly(wire: Duplex, length: number): AsyncGenerator<Uint8Array, void> {
  for (let left = length; left > 0; ) {
    const piece = await wire.read();
    if (!piece) throw cut();
    if (piece.length > left) wire.unread(piece.subarray(left));
    const part = piece.length > left ? piece.subarray(0, left) : piece;
    left -= part.length;
    yield part;
  }
}

const lineBytesMax = 4 << 10;
const trailersMax = 32;

async function* chunksOf(wire: Duplex): AsyncGenerator<Uint8Array, void> {
  while (true) {
    // What follows a ";" are extensions, and nobody's.
    const size = /^([0-9a-fA-F]{1,12})[ \t]*(;.*)?$/.exec(await lineOf(wire))?.[1];
    if (size === undefined) throw new MessageError("a chunk's size is no number");
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    yield* exactly(wire, length);
    if ((await lineOf(wire)) !== "") throw new MessageError("a chunk is longer than it says");
  }
  for (let count = 0; (await lineOf(wire)) !== ""; count++)
    if (count >= trailersMax) throw new MessageError("too many fields follow the body");
}

/** Without its end, which is CR LF: where one of the two is enough others see other lines. */
async function lineOf(wire: Duplex): Promise<string> {
  let line = "";
  while (true) {
    const piece = await wire.read();
    if (!piece) throw cut();
    const end = piece.indexOf(0x0a);
    line += Buffer.from(end < 0 ? piece : piece.subarray(0, end)).toString("latin1");
    if (line.length > lineBytesMax) throw new MessageError("a chunk's line is too long");
    if (end < 0) continue;
    wire.unread(piece.subarray(end + 1));
    if (!line.endsWith("\r")) throw new MessageError("a chunk's line has no end");
    return line.slice(0, -1);
  }
}

function cut(): MessageError {
  return new MessageError("the message ends before its end");
}

const lastChunk = Buffer.from("0\r\n\r\n");
const lineEnd = Buffer.from("\r\n");

/** A piece of a body of no length that is known. An empty one would be the last. */
export function chunk(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, lineEnd]);
}

export function endOfChunks(): Uint8Array {
  return lastChunk;
}
