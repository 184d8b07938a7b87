import { expect, test } from "bun:test";
import { LinearPattern } from "../../../src/base/linear-pattern.ts";

test("it finds what a regular expression finds", () => {
  const sources = [
    ...[
      "web",
      "^web$",
      "^/?web$",
      "",
      "^$",
      ".",
      "a.c",
      "^web-\\d+$",
      "[a-c]+x",
      "[^/]*b$",
      "^[]a]",
      "a|b|",
      "(a|b)c",
    ],
    ...[
      "^(?:ab)*$",
      "^(?<x>ab)+$",
      "a{2}",
      "^a{2,}$",
      "^a{1,3}?$",
      "a{0}b",
      "\\bweb\\b",
      "\\Beb",
      "a{,2}",
      "x{",
      "\\.",
      "\\-",
    ],
    ...[
      "^(a*)*$",
      "^(a|a)*b$",
      "(^a|b$)",
      "[\\]]",
      "\\x61",
      "\\u0062",
      "\\w+_\\s?",
      "^(|a)+$",
      "a**".slice(0, 2),
      "[^]",
    ],
  ];
  const texts = [
    "",
    "a",
    "b",
    "ab",
    "abab",
    "aaa",
    "aab",
    "web",
    "/web",
    "web-12",
    "my web b",
    "a.c",
    "a-c",
    "]",
    "x{",
    "a{,2}",
    "ac",
    "\n",
  ];
  for (const source of sources) {
    const [ours, theirs] = [new LinearPattern(source), new RegExp(source)];
    for (const text of texts)
      expect(`${source} ${text} ${ours.test(text)}`).toBe(`${source} ${text} ${theirs.test(text)}`);
  }
});

test("what takes others for ever takes it no time", () => {
  const long = "a".repeat(10_000);
  for (const source of ["^(a|a)*!$", "^(a*)*!$", "(a+)+!", `^${"[^/]*a".repeat(30)}!$`, "(.*)*(.*)*!"])
    expect(new LinearPattern(source).test(long)).toBe(false);
});

test("what it does not know, or is too large, is refused", () => {
  for (const source of ["(", "a)", "[", "*", "(?=a)", "(?<!a)b", "(a)\\1", "(?<x>a)\\k<x>", "\\"])
    expect(() => new LinearPattern(source)).toThrow("not a regular expression");
  expect(() => new LinearPattern("((a{100}){100}){100}")).toThrow("too large");
  expect(() => new LinearPattern(`${"(".repeat(5000)}${")".repeat(5000)}`)).toThrow(/too deep|not a regular/);
});
