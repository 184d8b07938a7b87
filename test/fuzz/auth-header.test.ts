import { expect, test } from "bun:test";
import { parseChallenges } from "../../src/registry/challenge.ts";
import { mutate, onlyRtError, seeded } from "./mutate.ts";

const seeds = [
  'Bearer realm="https://a.example/t",service="r",scope="repository:x:pull"',
  'Basic realm="x", Bearer realm="y" , service=z',
  "Negotiate abc==, Basic",
  'Digest qop="auth,auth-int", nonce="\\"q\\"", stale=false',
];
const pieces = ['"', "=", ",", " ", "\t", "\\", "==", ", Basic", 'realm="', "Bearer ", "\u0001", "é", ",,,"];

test("any header parses or is refused in one line", () => {
  const random = seeded(7);
  let parsed = 0;
  for (let i = 0; i < 6000; i++) {
    const text = mutate(seeds[i % seeds.length]!, pieces, random);
    const challenges = onlyRtError(text, () => parseChallenges(text));
    if (!challenges) continue;
    parsed++;
    for (const { scheme } of challenges) expect(scheme).toMatch(/^[^\s",=]+$/);
  }
  expect(parsed).toBeGreaterThan(1000);
});

test("long and repetitive headers end quickly", () => {
  for (const unit of ["a", "a ", "a=b,", "a, ", 'a="', "\\", ", ", "a=", '"', "=", "  ", "A a=b "]) {
    const text = unit.repeat(16_000).slice(0, 16_000);
    onlyRtError(unit, () => parseChallenges(text));
    onlyRtError(unit, () => parseChallenges(`Bearer ${text}"`));
    onlyRtError(unit, () => parseChallenges(`Bearer realm="${text}`));
  }
}, 5000);
