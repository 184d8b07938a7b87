import { RtError } from "../base/errors.ts";
import type { Streams } from "../engine/session.ts";
import type { HeaderFields } from "../http/head.ts";

/**
 * What a program writes, as it comes over the API. Of one with a terminal it comes as it is; else in frames, each of one stream:
 *
 *   [1 stdout | 2 stderr | 3 what went wrong, 0, 0, 0, length in 4 bytes, big-endian] and its bytes
 */
type Output = Streams["output"];

const rawType = "application/vnd.docker.raw-stream";
const framedType = "application/vnd.docker.multiplexed-stream";
const headBytes = 8;
/** Of what the engine has to say of its own. */
const messageBytesMax = 64 << 10;

/** @param tty whether the program has a terminal: engines before version 1.42 do not say which of the two they send */
export function isFramed(fields: HeaderFields, tty: boolean): boolean {
  const type = fields.get("content-type");
  if (type === framedType) return true;
  // Before 1.42 everything was called raw.
  return type === rawType || type === undefined ? !tty : false;
}

/** All of it to `output`, no faster than that takes it. @throws RtError data-loss: frames that are none; what the engine says */
export async function pour(
  pieces: AsyncIterable<Uint8Array>,
  framed: boolean,
  output: Output,
): Promise<void> {
  if (framed) return await pourFrames(pieces, output);
  for await (const piece of pieces) await output("stdout", piece);
}

/** Nothing is kept of a frame: its bytes go on as they come. */
async function pourFrames(pieces: AsyncIterable<Uint8Array>, output: Output): Promise<void> {
  const frame = { stream: 0, left: 0 };
  let head = Buffer.alloc(0);
  let message = "";
  for await (const piece of pieces) {
    for (let rest = piece; rest.length > 0; ) {
      if (frame.left === 0) {
        const wanted = rest.subarray(0, headBytes - head.length);
        head = Buffer.concat([head, wanted]);
        rest = rest.subarray(wanted.length);
        if (head.length < headBytes) break;
        [frame.stream, frame.left] = [head[0]!, head.readUInt32BE(4)];
        if (frame.stream > 3)
          throw new RtError("data-loss", "the engine sent a frame of no stream that there is");
        head = Buffer.alloc(0);
      }
      const part = rest.subarray(0, frame.left);
      rest = rest.subarray(part.length);
      frame.left -= part.length;
      if (part.length === 0) continue;
      if (frame.stream === 3)
        message = (message + Buffer.from(part).toString("utf8")).slice(0, messageBytesMax);
      // Docker's frames of "stdin" go where those of stdout go.
      else await output(frame.stream === 2 ? "stderr" : "stdout", part);
    }
  }
  if (message !== "") throw new RtError("internal", message.trim());
  if (head.length > 0 || frame.left > 0)
    throw new RtError("data-loss", "the engine stopped in the middle of what a program wrote");
}

/** Of an answer that is JSON documents, one after the other on lines of their own. One that is none is left out. */
export async function* jsonLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    if (!rest.includes("\n")) {
      if (rest.length > lineLengthMax)
        throw new RtError("data-loss", "the engine answered a line that is too long");
      continue;
    }
    const lines = rest.split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== "") yield line.trim();
  }
  if (rest.trim() !== "") yield rest.trim();
}

const lineLengthMax = 8 << 20;
