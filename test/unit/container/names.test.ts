import { expect, test } from "bun:test";
import { generateName } from "../../../src/container/names.ts";

test("generated names are names, and many", () => {
  const seen = new Set<string>();
  for (let n = 0; n < 5000; n++) {
    const name = generateName();
    expect(name).toMatch(/^[a-z]+_[a-z]+$/);
    seen.add(name);
  }
  expect(seen.size).toBeGreaterThan(2500);
  const parts = (index: number) => new Set([...seen].map((name) => name.split("_")[index])).size;
  expect(parts(0)).toBeGreaterThanOrEqual(60);
  expect(parts(1)).toBeGreaterThanOrEqual(60);
  expect(generateName(1)).toMatch(/^[a-z]+_[a-z]+\d$/);
  expect(generateName(0, () => 0.999999)).toBe("zesty_zuse");
});
