import type { Answered } from "../../src/http/client.ts";
import type { Duplex } from "../../src/http/duplex.ts";

/** What came in Docker's frames, by stream: [1|2, 0, 0, 0, length, in four bytes]. Each byte is a character. */
export interface Framed {
  stdout: string;
  stderr: string;
}

/** Of a connection that was hijacked, or of the pieces of a body, to the end. */
export async function framed(pieces: AsyncIterable<Uint8Array>): Promise<Framed> {
  const bytes = Buffer.concat(await Array.fromAsync(pieces));
  const read = { stdout: "", stderr: "" };
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    if (at + 8 + length > bytes.length) throw new Error("the last frame is cut");
    const text = bytes.toString("latin1", at + 8, at + 8 + length);
    if (bytes[at] === 1) read.stdout += text;
    else if (bytes[at] === 2) read.stderr += text;
    else throw new Error(`a frame of stream ${bytes[at]}`);
    at += 8 + length;
  }
  return read;
}

export async function* piecesOf(wire: Duplex): AsyncGenerator<Uint8Array, void> {
  for (let piece = await wire.read(); piece; piece = await wire.read()) yield piece;
}

/** What a client sends who wants the connection. */
export const upgrade = { Connection: "Upgrade", Upgrade: "tcp" };

/** Disposes of the connection in the end. */
export function held(answered: Answered): Answered & Disposable {
  return { ...answered, [Symbol.dispose]: () => answered.wire.destroy() };
}
