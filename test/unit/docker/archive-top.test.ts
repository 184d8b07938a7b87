import { expect, test } from "bun:test";
import { type ArchiveTop, ArchiveTopReader } from "../../../src/docker/archive-top.ts";

interface Said {
  type: string;
  mode?: number;
  size?: number;
  seconds?: number;
  link?: string;
}

function header({ type, mode = 0o644, size = 0, seconds = 0, link = "" }: Said): Buffer {
  const block = Buffer.alloc(512);
  block.write("x", 0);
  block.write(mode.toString(8).padStart(7, "0"), 100);
  block.write(size.toString(8).padStart(11, "0"), 124);
  block.write(seconds.toString(8).padStart(11, "0"), 136);
  block.write(type, 156);
  block.write(link, 157);
  return block;
}

function extended(...records: string[]): Buffer {
  const text = records
    .map((record) => {
      const length = record.length + 4 + 1;
      return `${String(length).padStart(3, "0")} ${record}\n`;
    })
    .join("");
  const padded = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  padded.write(text);
  return Buffer.concat([header({ type: "x", size: text.length }), padded]);
}

function top(...parts: Buffer[]): ArchiveTop | undefined {
  const reader = new ArchiveTopReader();
  // In any pieces.
  for (const byte of Buffer.concat(parts)) if (reader.take(Uint8Array.of(byte))) break;
  return reader.top;
}

test("a file, a directory, a link, a device", () => {
  const mtime = "1970-01-01T00:01:40Z";
  expect(top(header({ type: "0", mode: 0o4755, size: 7, seconds: 100 }))).toEqual({
    ...{ size: 7, mode: 2 ** 23 + 0o755, mtime },
  });
  expect(top(header({ type: "5", mode: 0o1777, seconds: 100 }))?.mode).toBe(2 ** 31 + 2 ** 20 + 0o777);
  expect(top(header({ type: "2", mode: 0o777, link: "../a", seconds: 100 }))).toEqual({
    ...{ size: 4, mode: 2 ** 27 + 0o777, mtime, link: "../a" },
  });
  expect(top(header({ type: "3" }))?.mode).toBe(2 ** 26 + 2 ** 21 + 0o644);
});

test("what does not fit into a header", () => {
  const link = "l".repeat(200);
  expect(top(extended("mtime=100.250000000", `linkpath=${link}`), header({ type: "2" }))).toEqual({
    size: 200,
    mode: 2 ** 27 + 0o644,
    mtime: "1970-01-01T00:01:40.25Z",
    link,
  });
  expect(top(extended("size=9000000000"), header({ type: "0" }))?.size).toBe(9_000_000_000);
});

test("what has not all come says nothing yet", () => {
  expect(top(header({ type: "0" }).subarray(1))).toBeUndefined();
  expect(top(extended("mtime=1"))).toBeUndefined();
});
