import { expect, test } from "bun:test";
import { checkName, generateName } from "../../../src/container/names.ts";

test("generated names are names, and many", () => {
  const seen = new Set<string>();
  for (let n = 0; n < 5000; n++) {
    const name = generateName();
    expect(checkName(name)).toBe(name);
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

test("what people may call a container", () => {
  for (const name of ["ab", "a.b-c_d", "0x", "/web"]) expect(checkName(name)).toBe(name.replace("/", ""));
  for (const name of ["", "a", "-ab", "_ab", "a b", "a/b", "é1", "ab\n", "//ab"]) {
    expect(() => checkName(name)).toThrow(`Invalid container name (${name})`);
  }
});
