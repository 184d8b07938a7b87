import { expect, test } from "bun:test";
import { canonical, familiar, parse } from "../../src/reference/reference.ts";
import { mutate, onlyRtError, seeded } from "./mutate.ts";

const digest = `@sha256:${"0123456789abcdef".repeat(4)}`;
const seeds = [
  "alpine",
  "a/b:c",
  "r.example:5000/a/b-c__d:v1.2",
  `docker.io/library/x:y${digest}`,
  "[::1]:5/a",
  "localhost/x",
];
const pieces = [
  "/",
  ":",
  "@",
  ".",
  "..",
  "-",
  "__",
  "localhost/",
  "docker.io/",
  "library/",
  "index.docker.io/",
  digest,
  "A",
  "\n",
  "[",
  "]",
];

test("any text parses or is refused in one line, and what parses comes back from both spellings", () => {
  const random = seeded(1);
  let parsed = 0;
  for (let i = 0; i < 5000; i++) {
    const text = mutate(seeds[i % seeds.length]!, pieces, random);
    const reference = onlyRtError(text, () => parse(text));
    if (!reference) continue;
    parsed++;
    expect(parse(canonical(reference))).toEqual(reference);
    expect(parse(familiar(reference))).toEqual(reference);
    expect(canonical(reference)).toMatch(/^[\x21-\x7e]{1,512}$/);
  }
  expect(parsed).toBeGreaterThan(500);
});

test("long and repetitive texts are refused quickly", () => {
  for (const unit of ["a", "a-", "a/", "a.", "a__", "-", ":", "@", "a.b:1/", "[", "a:", "A/"]) {
    for (const length of [300, 1000, 100_000]) {
      const text = unit.repeat(length);
      onlyRtError(text, () => parse(text));
      onlyRtError(text, () => parse(`${text.slice(0, 1000)}!`));
    }
  }
}, 5000);
