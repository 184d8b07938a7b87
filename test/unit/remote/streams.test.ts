import { expect, test } from "bun:test";
import { isFramed, jsonLines, pour } from "../../../src/remote/streams.ts";

function frame(stream: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function taken(bytes: Uint8Array, size: number, framed = true) {
  const got = { stdout: "", stderr: "" };
  await pour(inPieces(bytes, size), framed, async (stream, piece) => {
    got[stream] += Buffer.from(piece).toString();
  });
  return got;
}

test("frames are taken apart, however they are cut", async () => {
  const all = Buffer.concat([
    frame(1, "out"),
    frame(2, "err"),
    frame(1, ""),
    frame(0, "put"),
    frame(2, "or"),
  ]);
  for (const size of [1, 2, 3, 7, 8, 9, 11, 1000])
    expect(await taken(all, size)).toEqual({ stdout: "output", stderr: "error" });
  expect(await taken(Buffer.from("as it is"), 3, false)).toEqual({ stdout: "as it is", stderr: "" });
});

test("what is no frame, or half of one, is damage; what the engine says of its own is told", async () => {
  const damaged = [frame(4, "x"), frame(1, "abc").subarray(0, 10), frame(1, "abc").subarray(0, 5)];
  for (const bytes of damaged) await expect(taken(bytes, 4)).rejects.toMatchObject({ code: "data-loss" });
  const told = taken(Buffer.concat([frame(1, "x"), frame(3, "no such log\n")]), 5);
  await expect(told).rejects.toMatchObject({ code: "internal", message: "no such log" });
});

test("a frame that says it is 4 GiB keeps nothing of it", async () => {
  const head = Buffer.from([1, 0, 0, 0, 255, 255, 255, 255]);
  const lengths: number[] = [];
  async function* some() {
    yield head;
    for (let count = 0; count < 3; count++) yield Buffer.alloc(1000);
  }
  const poured = pour(some(), true, async (_, piece) => void lengths.push(piece.length));
  await expect(poured).rejects.toMatchObject({ code: "data-loss" });
  expect(lengths).toEqual([1000, 1000, 1000]);
});

test("which of the two forms it is", () => {
  const typed = (type: string) => new Map([["content-type", type]]);
  const [raw, framed] = ["raw", "multiplexed"].map((name) => typed(`application/vnd.docker.${name}-stream`));
  expect(isFramed(framed!, false)).toBe(true);
  expect(isFramed(raw!, true)).toBe(false);
  // Before version 1.42 all was called raw, or nothing.
  expect(isFramed(raw!, false)).toBe(true);
  expect(isFramed(new Map(), false)).toBe(true);
  expect(isFramed(new Map(), true)).toBe(false);
});

test("lines of JSON, however they are cut; one that never ends is refused", async () => {
  const bytes = Buffer.from('{"a":"ä"}\r\n\n{"b":2}\n{"c"');
  for (const size of [1, 4, 100])
    expect(await Array.fromAsync(jsonLines(inPieces(bytes, size)))).toEqual(['{"a":"ä"}', '{"b":2}', '{"c"']);
  async function* endless() {
    while (true) yield Buffer.alloc(1 << 20, "x");
  }
  await expect(Array.fromAsync(jsonLines(endless()))).rejects.toMatchObject({ code: "data-loss" });
});
