import { afterAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { settleIn } from "../../../build/place.ts";

const scratch = mkdtempSync(join(tmpdir(), "rt-place-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A checkout with something built in it. */
function built(name: string): { checkout: string; cached: (checkout: string) => string } {
  const checkout = join(scratch, name);
  mkdirSync(checkout);
  settleIn(join(checkout, ".build"));
  mkdirSync(join(checkout, ".build/zig-cache"));
  const cached = (where: string) => join(where, ".build/zig-cache/manifest");
  writeFileSync(cached(checkout), join(checkout, "zig-native/lib.zig"));
  return { checkout, cached };
}

test("at the same place a build is kept", () => {
  const { checkout, cached } = built("same");
  settleIn(join(checkout, ".build"));
  expect(existsSync(cached(checkout))).toBe(true);
});

test("in a copy and in a moved checkout nothing of it is used", () => {
  const { checkout, cached } = built("first");
  const copy = join(scratch, "copy");
  cpSync(checkout, copy, { recursive: true });
  settleIn(join(copy, ".build"));
  expect(existsSync(cached(copy))).toBe(false);
  expect(existsSync(cached(checkout))).toBe(true);

  const moved = join(scratch, "moved");
  renameSync(checkout, moved);
  settleIn(join(moved, ".build"));
  expect(existsSync(cached(moved))).toBe(false);
});

test("what was built before places were noted is not trusted", () => {
  const { checkout, cached } = built("old");
  rmSync(join(checkout, ".build/place"));
  settleIn(join(checkout, ".build"));
  expect(existsSync(cached(checkout))).toBe(false);
});
