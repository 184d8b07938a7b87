import { expect, test } from "bun:test";
import { clientDocument } from "../../../src/daemon/document.ts";

test("a document is as deep as any of Docker's, and not deeper than a stack", () => {
  const deep = (levels: number) => `${'{"a":['.repeat(levels / 2)}1${"]}".repeat(levels / 2)}`;
  expect(clientDocument('{"a":["[[[[",{"\\"[":1}]}')).toEqual({ a: ["[[[[", { '"[': 1 }] });
  expect(() => clientDocument(deep(64))).not.toThrow();
  expect(clientDocument(JSON.stringify("[".repeat(100_000)))).toHaveLength(100_000);
  for (const levels of [66, 200_000])
    expect(() => clientDocument(deep(levels))).toThrow("more than 64 levels deep");
  for (const text of ["{", "nonsense", `"${"\\".repeat(99_999)}`, `${'"'.repeat(100_001)}`])
    expect(() => clientDocument(text)).toThrow("no JSON document");
});

test("a text without an end is looked at once", () => {
  expect(() => clientDocument(`"${'\\"'.repeat(1_000_000)}`)).toThrow("no JSON document");
});
