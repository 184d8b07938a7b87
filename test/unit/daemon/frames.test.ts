import { expect, test } from "bun:test";
import { lineFrames, outputFrame } from "../../../src/daemon/frames.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("a frame says whose it is, and how long", () => {
  expect(hex(outputFrame("stdout", Buffer.from("hello")))).toBe("010000000000000568656c6c6f");
  expect(hex(outputFrame("stderr", Buffer.alloc(0)))).toBe("0200000000000000");
  const large = Buffer.from(outputFrame("stderr", Buffer.alloc(70_000)));
  expect([large.length, large.readUInt32BE(4)]).toEqual([70_008, 70_000]);
});

test("of a log each line is one frame, and so is what has no end", () => {
  const bytes = Buffer.from("a\n\nbc");
  expect(hex(lineFrames("stdout", bytes))).toBe(
    ["0100000000000002", "610a", "0100000000000001", "0a", "0100000000000002", "6263"].join(""),
  );
  expect(hex(lineFrames("stdout", Buffer.from("a\n")))).toBe("0100000000000002610a");
  expect(lineFrames("stdout", Buffer.alloc(0)).length).toBe(0);
});
