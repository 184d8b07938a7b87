import { expect, test } from "bun:test";
import { DecodedRecords } from "../../../src/container/decoded-records.ts";
import type { ContainerRecord } from "../../../src/container/record.ts";

/** As many of them as were asked for. */
function decoder() {
  let count = 0;
  const decode = () => ({ name: `decoded ${++count}`, labels: { a: "1" } }) as unknown as ContainerRecord;
  return { decode, count: () => count };
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

test("the first reader has a record of its own, later ones of the same bytes share one", () => {
  const decoded = new DecodedRecords();
  const { decode, count } = decoder();
  const first = decoded.get("a", bytes("one"), decode);
  const second = decoded.get("a", bytes("one"), decode);
  expect(second).not.toBe(first);
  expect(decoded.get("a", bytes("one"), decode)).toBe(second);
  expect(count()).toBe(2);
});

test("other bytes are another record, and so are the same of another container", () => {
  const decoded = new DecodedRecords();
  const { decode, count } = decoder();
  for (let times = 0; times < 3; times++) decoded.get("a", bytes("one"), decode);
  expect(decoded.get("a", bytes("two"), decode).name).toBe("decoded 3");
  expect(decoded.get("a", bytes("one"), decode).name).toBe("decoded 4");
  expect(decoded.get("b", bytes("one"), decode).name).toBe("decoded 5");
  expect(count()).toBe(5);
});

test("what is shared cannot be changed", () => {
  const decoded = new DecodedRecords();
  const { decode } = decoder();
  const own = decoded.get("a", bytes("one"), decode);
  own.labels.b = "2";
  const shared = decoded.get("a", bytes("one"), decode);
  expect(shared.labels).toEqual({ a: "1" });
  expect(() => {
    shared.labels.b = "2";
  }).toThrow(TypeError);
});

test("bytes that cannot be decoded are no record the next time either", () => {
  const decoded = new DecodedRecords();
  const broken = () => {
    throw new Error("damaged");
  };
  for (let times = 0; times < 3; times++)
    expect(() => decoded.get("a", bytes("one"), broken)).toThrow("damaged");
});

test("of a thousand containers the one that came first makes room for the next", () => {
  const decoded = new DecodedRecords();
  const { decode, count } = decoder();
  for (let round = 0; round < 2; round++) decoded.get("first", bytes("one"), decode);
  for (let at = 0; at < 1000; at++) decoded.get(`${at}`, bytes("one"), decode);
  const before = count();
  decoded.get("first", bytes("one"), decode);
  expect(count()).toBe(before + 1);
});
