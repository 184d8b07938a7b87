import { expect, test } from "bun:test";
import { compactJson, type JsonNodeValue, parseJsonLines } from "../../../src/oci/json-lines.ts";

/** As JSON.parse has it. */
function plain(value: JsonNodeValue): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value.values()].map((each) => [each.name, plain(each.value)]));
  if (Array.isArray(value)) return value.map((each) => plain(each.value));
  return typeof value === "object" && value && "digits" in value ? Number(value.digits) : value;
}

const documents = [
  "null",
  " [ ] ",
  '{"a":{"b":[1,-0.5e3,true,false,null,"\\u00e9\\n\\"\\\\ }]"]},"ccc":{}}',
  '{\r\n\t"x" : "a  b"\n, "y":[\n[]\n]}',
];

test.each(documents)("%p is read as JSON.parse reads it", (text) => {
  expect(plain(parseJsonLines(text, "x").value)).toEqual(JSON.parse(text));
  expect(JSON.parse(compactJson(text))).toEqual(JSON.parse(text));
  expect(compactJson(text)).not.toMatch(/^\s|\n|\t/);
});

test("each value has its line", () => {
  const { value } = parseJsonLines('{\n"a":\n[1,\n\n2], "b": "\\n"}', "x");
  const members = value as Extract<JsonNodeValue, ReadonlyMap<string, unknown>>;
  const list = members.get("a")!.value as Extract<JsonNodeValue, readonly unknown[]>;
  expect([members.get("a")!.line, ...list.map(({ line }) => line), members.get("b")!.line]).toEqual([
    3, 3, 5, 5,
  ]);
});

test("what JSON.parse refuses is refused, in one line", () => {
  const good = documents.at(-2)!;
  for (let at = 0; at < good.length; at++) {
    for (const text of [
      good.slice(0, at),
      good.slice(0, at) + good.slice(at + 1),
      `${good.slice(0, at)}#${good.slice(at)}`,
    ]) {
      let isGood = true;
      try {
        JSON.parse(text);
      } catch {
        isGood = false;
      }
      if (isGood) expect(plain(parseJsonLines(text, "x").value)).toEqual(JSON.parse(text));
      else expect(() => parseJsonLines(text, "x")).toThrow(/^x: line \d+: [^\n]+$/);
    }
  }
});
