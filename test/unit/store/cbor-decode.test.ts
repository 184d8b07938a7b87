import { expect, test } from "bun:test";
import { Encoder } from "cbor-x/encode";
import { decodeCbor } from "../../../src/store/cbor-decode.ts";

const encoder = new Encoder({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
});

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

test.each([
  [0],
  [23],
  [24],
  [255],
  [256],
  [65536],
  [2 ** 32],
  [2 ** 53 - 1],
  [-1],
  [-24],
  [-25],
  [-(2 ** 40)],
  [1.5],
  [-0.25],
  [1e300],
  [""],
  ["é 🐳"],
  ["x".repeat(70000)],
  [true],
  [false],
  [null],
  [[]],
  [[1, [2, [3]]]],
  [{}],
  [{ a: { b: ["c"] }, "": 1 }],
  [Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, index]))],
])("what cbor-x writes is read: %p", (value) => {
  expect(decodeCbor(new Uint8Array(encoder.encode(value)))).toEqual(value);
});

test("a key named __proto__ is a key, and no prototype", () => {
  const read = decodeCbor(hex("a1 69 5f5f70726f746f5f5f a1 61 61 01")) as Record<string, unknown>;
  expect(Object.keys(read)).toEqual(["__proto__"]);
  expect((read as { a?: unknown }).a).toBeUndefined();
});

test.each([
  ["nothing", ""],
  ["a text that is cut short", "63 61 62"],
  ["a list longer than all that follows", "9a ffffffff 00"],
  ["a map longer than all that follows", "ba ffffffff 00"],
  ["a length that is not given", "9f 00 ff"],
  ["bytes behind", "00 00"],
  ["a tag", "c1 00"],
  ["a byte string", "41 00"],
  ["a number as key", "a1 00 00"],
  ["text that is not UTF-8", "61 ff"],
  ["a number beyond 2^53", "1b ffffffffffffffff"],
  ["lists without end", "81".repeat(100)],
])("%s is an error", (_, bytes) => {
  expect(() => decodeCbor(hex(bytes))).toThrow();
});
