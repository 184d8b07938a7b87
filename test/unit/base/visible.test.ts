import { expect, test } from "bun:test";
import { visible, visibleJson } from "../../../src/base/visible.ts";

test("what a terminal acts upon is written as an escape, all else as it is", () => {
  const cases: [text: string, shown: string][] = [
    ['plain, ünïcödé, 日本, 😀 \\ "', 'plain, ünïcödé, 日本, 😀 \\ "'],
    ["\u001b[31m\u0007\u007f\u009b", "\\u001b[31m\\u0007\\u007f\\u009b"],
    ["a\tb\r\nc", "a\\tb\\r\\nc"],
    ["\u202eevil\u2066\u200b\u2028\ufeff", "\\u202eevil\\u2066\\u200b\\u2028\\ufeff"],
    ["\ud800x", "\\ud800x"],
    ["\u{e0041}", "\\U000e0041"],
  ];
  for (const [text, shown] of cases) expect(visible(text)).toBe(shown);
});

test("JSON says the same, with or without indentation", () => {
  const value = { "\u202ek": ["\u001b", "\u009b", "\u{e0041}", "\u2028", "\n\t", "é😀"] };
  for (const indent of [undefined, 4]) {
    const json = visibleJson(value, indent);
    expect(JSON.parse(json)).toEqual(value);
    expect(json.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
  }
  expect(visibleJson("\ud800")).toBe('"\\ud800"');
  expect(visibleJson(undefined)).toBe("null");
});
