import { expect, test } from "bun:test";
import { LineParser } from "../../../src/log/line.ts";

const parser = new LineParser();
function parse(line: string | Uint8Array) {
  const bytes = Buffer.from(line);
  const entry = parser.parse(bytes, 0, bytes.length);
  return (
    entry && {
      stream: entry.stream,
      time: entry.time,
      attributes: entry.attributes,
      bytes: Buffer.from(entry.bytes).toString("latin1"),
    }
  );
}
const time = "2024-05-01T10:00:00.5Z";
const line = (log: string) => `{"log":"${log}","stream":"stdout","time":"${time}"}`;

test("a line as docker writes it", () => {
  expect(parse(line("hello\\n"))).toEqual({ stream: "stdout", bytes: "hello\n", time, attributes: {} });
});

test("escapes are undone, and bytes that are no text kept as they are", () => {
  const entry = parse(line('\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u003c\\u00e9\\u20ac\\ud83d\\ude00'));
  expect(entry?.bytes).toBe(Buffer.from('"\\/\b\f\n\r\t\0<é€😀').toString("latin1"));
  const raw = Buffer.concat([
    Buffer.from('{"log":"'),
    Buffer.from([0xff, 0x80, 0xc3]),
    Buffer.from(line("").slice(8)),
  ]);
  expect(parse(raw)?.bytes).toBe("\xff\x80\xc3");
  expect(parse(line("\\ud800x"))?.bytes).toBe(Buffer.from("\ufffdx").toString("latin1"));
});

test("members in any order, attributes, and members of tomorrow", () => {
  const attrs = '"attrs":{"b":"2","a":"é","__proto__":"x"}';
  const entry = parse(`{"time":"${time}","later":"x",${attrs},"stream":"stderr","log":"x"}`);
  expect(entry).toMatchObject({ stream: "stderr", bytes: "x", attributes: { a: "é", b: "2" } });
  expect(Object.keys(entry!.attributes)).toEqual(["b", "a", "__proto__"]);
  expect(parse(line("x").replace('"time"', '"attrs":{},"time"'))?.attributes).toEqual({});
});

test("what is no line, wherever it is cut or spoilt", () => {
  const whole = line("a\\u0041b\\n");
  for (let end = 0; end < whole.length; end++) expect(parse(whole.slice(0, end))).toBeUndefined();
  const bad = [`${whole}x`, `${whole}${whole}`, line("\\x"), line("\\u12g4"), "{}", "[]", '{"log":"x"}'];
  for (const text of [...bad, line("x").replace("stdout", "stdin"), "\0\0\0\0"])
    expect(parse(text)).toBeUndefined();
});
