import { expect, test } from "bun:test";
import { Decoder } from "cbor-x/decode";
import { decodeCbor } from "../../../src/store/cbor-decode.ts";
import { encodeCbor } from "../../../src/store/cbor-encode.ts";

/** Somebody else's reading of the same bytes. */
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

const values: unknown[] = [
  ...[0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1],
  ...[-1, -24, -25, -256, -257, -(2 ** 32), -(2 ** 40), 1.5, -0.25, 1e300, -0, Number.POSITIVE_INFINITY],
  ...["", "é 🐳", "x".repeat(23), "x".repeat(24), "ü".repeat(70_000), "\0\n\u202e", true, false, null],
  ...[[], [1, [2, [3]]], {}, { a: { b: ["c"] }, "": 1 }],
  Array.from({ length: 70_000 }, (_, index) => index),
  Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, [index, `v${index}`]])),
];

test("what is written is read again, by us and by others", () => {
  for (const value of values) {
    const bytes = encodeCbor(value);
    expect(decodeCbor(bytes)).toEqual(value);
    const read: unknown = decoder.decode(bytes);
    expect(typeof read === "bigint" ? Number(read) : read).toEqual(value);
  }
});

test("the shortest head of each length", () => {
  const hex = (value: unknown) => Buffer.from(encodeCbor(value)).toString("hex");
  expect([0, 23, 24, 256, 65536, 2 ** 32].map(hex)).toEqual([
    ...["00", "17", "1818", "190100", "1a00010000", "1b0000000100000000"],
  ]);
  expect([-1, -25, 1.5, "a", [], {}].map(hex)).toEqual([
    "20",
    "3818",
    "fb3ff8000000000000",
    "6161",
    "80",
    "a0",
  ]);
});

test("half a character is written as U+FFFD, a field that is undefined not at all", () => {
  expect(decodeCbor(encodeCbor({ a: "x\ud800y", b: undefined }))).toEqual({ a: "x\ufffdy" });
  expect(() => encodeCbor({ a: () => 1 })).toThrow("a record holds a function");
});
