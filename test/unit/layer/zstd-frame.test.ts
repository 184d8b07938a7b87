import { expect, test } from "bun:test";
import { constants, zstdCompressSync } from "node:zlib";
import { parseFrameHeader } from "../../../src/layer/zstd-frame.ts";

const magic = Buffer.from("28b52ffd", "hex");
const frame = (...bytes: number[]) => Buffer.concat([magic, Buffer.from(bytes)]);

test("the window that a frame wants, by every way to say it", () => {
  const cases: [string, Buffer, number][] = [
    ["1 KiB, the smallest", frame(0x00, 0x00), 1024],
    ["2 MiB and three eighths", frame(0x00, (11 << 3) | 3), 2 ** 21 + 3 * 2 ** 18],
    ["2 GiB", frame(0x00, 21 << 3), 2 ** 31],
    ["the largest", frame(0x00, 0xff), 2 ** 41 + 7 * 2 ** 38],
    ["one segment, a byte", frame(0x20, 7), 7],
    ["one segment, two bytes", frame(0x60, 0x01, 0x02), 0x201 + 256],
    ["one segment, four bytes", frame(0xa0, 0, 0, 0, 0x80), 2 ** 31],
    ["one segment, eight bytes", frame(0xe0, 0, 0, 0, 0, 0, 1, 0, 0), 2 ** 40],
    ["one segment behind a dictionary's number", frame(0xa3, 9, 9, 9, 9, 0, 0, 1, 0), 65536],
    ["a skippable frame", Buffer.from("5a2a4d1800000080", "hex"), 0],
    ["no frame at all", Buffer.from("not a frame"), 0],
  ];
  for (const [what, bytes, window] of cases)
    expect([what, parseFrameHeader(bytes)]).toEqual([what, { window }]);
});

test("too few bytes say nothing, and no byte more than needed is asked for", () => {
  for (const bytes of [frame(0x00, 0x00), frame(0xa3, 9, 9, 9, 9, 0, 0, 1, 0)]) {
    for (let length = 0; length < bytes.length; length++)
      expect(parseFrameHeader(bytes.subarray(0, length))).toBeUndefined();
    expect(parseFrameHeader(bytes)).toBeDefined();
  }
});

test("as zstd writes it", () => {
  const params = { [constants.ZSTD_c_windowLog]: 22, [constants.ZSTD_c_contentSizeFlag]: 0 };
  const packed = zstdCompressSync(Buffer.alloc(5 * 2 ** 20, "text"), { params });
  expect(parseFrameHeader(packed.subarray(0, 18))).toEqual({ window: 2 ** 22 });
});
