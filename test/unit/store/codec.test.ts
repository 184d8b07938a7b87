import { expect, test } from "bun:test";
import { type Infer, listOf, mapOf, natural, object, optional, text } from "../../../src/base/shape.ts";
import { containerType } from "../../../src/container/record.ts";
import { imageType } from "../../../src/image/record.ts";
import { decodeRecord, encodeRecord, type RecordType } from "../../../src/store/codec.ts";
import { containerRecord, imageRecord } from "./samples.ts";

const shape = object({ a: text, n: natural, list: listOf(text), map: mapOf(text), more: optional(text) });
type Sample = Infer<typeof shape>;
const sampleType: RecordType<Sample> = { kind: "sample", version: 1, remedy: "throw it away", shape };
const sample: Sample = { a: "é", n: 2 ** 40, list: ["x", ""], map: { "": "y", k: "v" } };

/** The record as some other program would write it: same header and checksum rules, any body. */
function forged(body: unknown): Uint8Array {
  return encodeRecord({ ...sampleType, shape: (value: unknown) => value }, body);
}

test("what is written is read again, byte for byte the same each time", () => {
  const bytes = encodeRecord(sampleType, sample);
  expect(decodeRecord(sampleType, bytes, "s")).toEqual(sample);
  expect(encodeRecord(sampleType, sample)).toEqual(bytes);
  const image = imageRecord("alpine");
  expect(decodeRecord(imageType, encodeRecord(imageType, image), "alpine")).toEqual(image);
  const container = containerRecord();
  expect(decodeRecord(containerType, encodeRecord(containerType, container), "c")).toEqual(container);
});

test("the bytes on disk are one CBOR value of this form", () => {
  const bytes = encodeRecord(sampleType, { a: "b", n: 1, list: [], map: {} });
  expect(Buffer.from(bytes).toString("hex")).toBe(
    // array(3), text(8) "sample/1", CRC-32, map(4): "a": "b", "n": 1, "list": [], "map": {}
    `83${"6873616d706c652f31"}1a${crcOf(bytes)}a461616162616e01646c69737480636d6170a0`,
  );
});

function crcOf(bytes: Uint8Array): string {
  return Bun.hash.crc32(bytes.subarray(15)).toString(16).padStart(8, "0");
}

test.each([
  ["a field of another type", { ...sample, n: "1" }, "n is not a natural number"],
  ["a missing field", { a: "x" }, "n is not a natural number"],
  ["a negative size", { ...sample, n: -1 }, "n is not a natural number"],
  ["a wrong item", { ...sample, list: ["x", 1] }, "list[1] is not text"],
  ["a wrong value in a map", { ...sample, map: { k: null } }, "map.k is not text"],
  ["no map at all", [1, 2], "record is not a map"],
])("%s is data-loss that names it", (_, body, why) => {
  expect(() => decodeRecord(sampleType, forged(body), "s1")).toThrow(
    `the stored record of sample s1 is damaged (${why}): throw it away`,
  );
});

test("lengths that cannot be are refused, not allocated", () => {
  const small = forged([]);
  const before = process.memoryUsage.rss();
  // An array, a map, a text and bytes of 112 million items, that end right there.
  for (const first of [0x9a, 0xba, 0x7a, 0x5a]) {
    const body = new Uint8Array([first, 0x06, 0xb0, 0, 0]);
    const bytes = new Uint8Array([...small.subarray(0, 15), ...body]);
    new DataView(bytes.buffer).setUint32(11, Bun.hash.crc32(body));
    expect(() => decodeRecord(sampleType, bytes, "s")).toThrow("the stored record of sample s is damaged");
  }
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 << 20);
});

test("fields of a later minor change are let through", () => {
  expect(decodeRecord(sampleType, forged({ ...sample, later: 1 }), "s")).toMatchObject({ ...sample });
});

test("a newer version is not called damaged", () => {
  const newer = encodeRecord({ ...sampleType, version: 2 }, sample);
  expect(() => decodeRecord(sampleType, newer, "s")).toThrow("was written by a newer rt");
  expect(() => decodeRecord({ ...sampleType, kind: "other" }, newer, "s")).toThrow(
    "it does not start as one",
  );
});
