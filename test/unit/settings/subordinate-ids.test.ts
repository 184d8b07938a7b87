import { describe, expect, test } from "bun:test";
import { idsOf, parseSubordinateIds, readSubordinateIds } from "../../../src/settings/subordinate-ids.ts";

const file = "/etc/subuid";

test("lines of names and of numbers", () => {
  const lines = parseSubordinateIds(
    "# a word\n\nweb:100000:65536\n1000:200000:10\nweb:300000:1\n",
    ["web"],
    file,
  );
  expect(idsOf(lines, ["web", "1000"], file)).toEqual([
    { first: 100_000, size: 65_536 },
    { first: 200_000, size: 10 },
    { first: 300_000, size: 1 },
  ]);
  expect(() => idsOf(lines, ["db"], file)).toThrow(
    /^\/etc\/subuid has no ids for "db": add a line such as "db:100000:65536"$/,
  );
});

test("the rest of a file with nonsense in it, and whose the nonsense is", () => {
  expect(readSubordinateIds("a:100:10\n\nb:x:1\n#\n:::\nc:1:1")).toEqual({
    ids: [
      { owner: "a", first: 100, size: 10, line: 1 },
      { owner: "c", first: 1, size: 1, line: 6 },
    ],
    problems: [
      { line: 3, text: "b:x:1", owner: "b" },
      { line: 5, text: ":::", owner: "" },
    ],
  });
});

test("nonsense of somebody else's is left out", () => {
  const text = "foo:bar\n \nweb:1:10\nfoo\n";
  expect(parseSubordinateIds(text, ["web"], file)).toEqual([{ owner: "web", first: 1, size: 10 }]);
  expect(() => parseSubordinateIds(text, ["web", "foo"], file)).toThrow(
    /^\/etc\/subuid: line 1: "foo:bar" is not NAME:FIRST:COUNT/,
  );
});

test("a range of one that overlaps another of his", () => {
  const lines = parseSubordinateIds("a:100:10\nb:105:10\na:109:1\n", ["a"], file);
  expect(() => idsOf(lines, ["a"], file)).toThrow(/^\/etc\/subuid: two of the ranges of "a" overlap$/);
});

describe("a line that is nothing of that", () => {
  const ownerOf = (line: string) => readSubordinateIds(line).problems[0]?.owner ?? "";
  const numbers = [
    "a:1",
    "a:1:",
    "a::1",
    "a:1:0",
    "a:-1:5",
    "a:1:2:3",
    "a:0x10:5",
    "a:4294967295:1",
    "a:1:4294967295",
  ];
  const names = [
    ":1:1",
    "a b:1:1",
    " a:1:1",
    "\u202ea:1:1",
    "a\r:1:1",
    "a:1:1\r",
    `${"x".repeat(300)}:1:1`,
    "a\0:1:1",
  ];
  for (const line of [...numbers, ...names, "-", "\u001b[31m"])
    test(JSON.stringify(line).slice(0, 40), () =>
      expect(() => parseSubordinateIds(`ok:1:1\n${line}\n`, ["ok", ownerOf(line)], file)).toThrow(
        /^\/etc\/subuid: line 2: "[^\n]{1,240}" is not NAME:FIRST:COUNT, with numbers up to 4294967294$/,
      ),
    );
});
