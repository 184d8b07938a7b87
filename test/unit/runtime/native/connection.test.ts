import { expect, test } from "bun:test";
import { FrameReader } from "../../../../src/runtime/native/connection.ts";

function frame(type: number, payload: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(type, 0);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

test("frames come whole, however the stream is cut", () => {
  const stream = Buffer.concat([
    frame(1, "hello"),
    frame(9, ""),
    frame(2, "x".repeat(300)),
    frame(10, "1234"),
  ]);
  for (const size of [1, 2, 7, 8, 9, 100, stream.length]) {
    const got: [number, string][] = [];
    const reader = new FrameReader((type, payload) => got.push([type, payload.toString()]));
    for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size));
    expect(got).toEqual([
      [1, "hello"],
      [9, ""],
      [2, "x".repeat(300)],
      [10, "1234"],
    ]);
  }
});
