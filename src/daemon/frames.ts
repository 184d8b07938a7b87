/**
 * How a client tells the two outputs of a program without a terminal apart on one connection:
 *
 *   byte 0     0 stdin, 1 stdout, 2 stderr, 3 a failure of the engine
 *   byte 1-3   nothing
 *   byte 4-7   how many bytes follow, big-endian
 */
export type OutputStream = "stdout" | "stderr";

const numbers = { stdout: 1, stderr: 2 } as const;
const headBytes = 8;

export function outputFrame(stream: OutputStream, bytes: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(headBytes + bytes.length);
  putHead(frame, 0, stream, bytes.length);
  frame.set(bytes, headBytes);
  return frame;
}

/** Of a log: each line in a frame of its own, as clients that read one frame at a time take it. The bytes are copied. */
export function lineFrames(stream: OutputStream, bytes: Uint8Array): Uint8Array {
  const ends = lineEnds(bytes);
  const frames = Buffer.allocUnsafe(bytes.length + headBytes * ends.length);
  let [from, at] = [0, 0];
  for (const end of ends) {
    putHead(frames, at, stream, end - from);
    frames.set(bytes.subarray(from, end), at + headBytes);
    at += headBytes + end - from;
    from = end;
  }
  return frames;
}

function lineEnds(bytes: Uint8Array): number[] {
  const ends: number[] = [];
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, end + 1)) ends.push(end + 1);
  if (bytes.length > (ends.at(-1) ?? 0)) ends.push(bytes.length);
  return ends;
}

function putHead(frames: Buffer, at: number, stream: OutputStream, length: number): void {
  frames.writeUInt32BE(numbers[stream] << 24, at);
  frames.writeUInt32BE(length, at + 4);
}
