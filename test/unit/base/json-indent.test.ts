import { expect, test } from "bun:test";
import { indentJson } from "../../../src/base/json-indent.ts";

test("tokens stay as they were written, and lines are Go's", () => {
  const text =
    ' { "a" :[ ], "b": {}, "c":[1.50,-0e9, true,\n"x\\"]}, {" ],\t"d":{"e":{"f":[null]}},"a":12345678901234567890 } ';
  expect(indentJson(text, "\t")).toBe(
    [
      "{",
      '\t"a": [],',
      '\t"b": {},',
      '\t"c": [',
      "\t\t1.50,",
      "\t\t-0e9,",
      "\t\ttrue,",
      '\t\t"x\\"]}, {"',
      "\t],",
      '\t"d": {',
      '\t\t"e": {',
      '\t\t\t"f": [',
      "\t\t\t\tnull",
      "\t\t\t]",
      "\t\t}",
      "\t},",
      '\t"a": 12345678901234567890',
      "}",
    ].join("\n"),
  );
});

test("any JSON is laid out as the language does it", () => {
  for (const value of [0, "x", [], {}, [[]], [{}], { a: [{ b: [] }, "\u2028"] }, "\\", [""], { "": {} }])
    expect(indentJson(JSON.stringify(value), "   ")).toBe(JSON.stringify(value, undefined, 3));
});
